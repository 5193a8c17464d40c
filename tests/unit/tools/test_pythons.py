"""Which Pythons `make pythons` finds."""

from pathlib import Path

from tools.pythons import candidates, found


def _python(path: Path, answer: str, status: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {answer}\nexit {status}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def test_where_they_are_looked_for(tmp_path: Path) -> None:
    """The system's, what is on the path, and pyenv's; each path once."""
    on_path = _python(tmp_path / "bin" / "python3.13", "3 13 0 cpython")
    made = _python(
        tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python3", "3 12 1 cpython"
    )
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}

    assert candidates(environ) == ["/usr/bin/python3", on_path, made]


def test_the_first_of_each_version_that_runs(tmp_path: Path) -> None:
    """Not a shim that fails, an old one, another implementation, nor what is not there."""
    paths = [
        str(tmp_path / "absent"),
        _python(tmp_path / "shim", "3 12 1 cpython", status=127),
        _python(tmp_path / "noise", "Python 3.12"),
        _python(tmp_path / "old", "3 10 2 cpython"),
        _python(tmp_path / "other", "3 11 2 pypy"),
        first := _python(tmp_path / "first", "3 12 7 cpython"),
        _python(tmp_path / "second", "3 12 8 cpython"),
    ]

    assert found(paths) == {(3, 12): (first, "3.12.7")}
