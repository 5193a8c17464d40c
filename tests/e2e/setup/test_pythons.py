"""Which Python is taken, and what is said where none will do."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import (
    PYTHON,
    Checkout,
    an_executable,
    assert_refused,
    assert_version,
    lock_held,
)


def _fails(path: Path, status: int = 127) -> Path:
    return an_executable(path, "echo 'no such version' >&2", "echo noise", f"exit {status}")


@pytest.mark.timeout(240)
def test_named_python_with_spaces_prepares(fresh: Checkout, tmp_path: Path) -> None:
    """TIME_DRIFT_PYTHON alone, with spaces in its path, is all the environment it takes."""
    python = tmp_path / "my python" / "python 3"
    python.parent.mkdir()
    python.symlink_to(PYTHON)

    assert_version(fresh(only={"TIME_DRIFT_PYTHON": str(python)}))
    assert (fresh.venv / "bin" / "python").resolve() == Path(PYTHON)


def _old_python() -> str | None:
    for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")):
        too_old = [str(path), "-c", "import sys; sys.exit(sys.version_info >= (3, 11))"]
        if subprocess.run(too_old, capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


@pytest.mark.parametrize(
    "unfit", ["old", "fails", "missing", "not executable", "a directory", "no program"]
)
def test_unfit_named_python(fresh: Checkout, tmp_path: Path, unfit: str) -> None:
    """A TIME_DRIFT_PYTHON that is no Python 3.11 or newer is wrong usage, named in one line."""
    python = tmp_path / "an odd python"
    match unfit:
        case "old":
            real = _old_python()
            if real is not None:
                python.symlink_to(real)
            else:  # what an old one answers when it is asked whether it is new enough
                _fails(python, status=1)
        case "fails":
            _fails(python, status=1)
        case "not executable":
            python.write_text("#!/bin/sh\n")
        case "a directory":
            python.mkdir()
        case "no program":
            python.write_bytes(b"\x7fELF no, not really")
            python.chmod(0o755)
        case "missing":
            pass

    result = fresh(environ={"TIME_DRIFT_PYTHON": str(python)})

    assert_refused(result, 2, "TIME_DRIFT_PYTHON", str(python), "3.11")
    assert fresh.made == []


HIDE_SYSTEMS = 'if [ -e /usr/bin/python3 ]; then mount --bind "$1" /usr/bin/python3; fi'
"""Puts a program in the place of the system's Python, which is the first candidate."""


def _copied(directory: Path) -> str:
    """Return a copy of the interpreter: the original may be the one that is hidden."""
    return shlex.quote(str(shutil.copy2(Path(PYTHON).resolve(), directory / "real-python")))


def test_candidates_are_run_not_merely_found(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """A python3 that is found but does not run, like a version manager's shim, is passed over."""
    shims, called = tmp_path / "shims", tmp_path / "called"
    for name in ("python3", "python3.14", "python3.13"):
        _fails(shims / name)
    log = f'printf "%s\\n" "$*" >>{shlex.quote(str(called))}'
    an_executable(shims / "python3.12", log, f'exec {_copied(tmp_path)} "$@"')
    command = ("env", f"PATH={shims}", str(fresh.script))

    with lock_held(fresh):
        result = fresh(command=(*mounting(HIDE_SYSTEMS, str(shims / "python3")), *command))

    assert_refused(result, 3, "another run is preparing")
    assert "bootstrap.py" in called.read_text().splitlines()[-1]


def test_no_python_at_all(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """Where no candidate runs, one line says what to install and how to name it."""
    shim = _fails(tmp_path / "shims" / "python3")
    only_shims = ("env", f"PATH={shim.parent}", str(fresh.script))

    result = fresh(command=(*mounting(HIDE_SYSTEMS, str(shim)), *only_shims))

    assert_refused(result, 2, "3.11", "TIME_DRIFT_PYTHON")


def test_python_without_venv(fresh: Checkout, tmp_path: Path) -> None:
    """Debian's Python without python3-venv is named together with the cure."""
    python = an_executable(
        tmp_path / "python3",
        'case "$*" in *ensurepip*) echo "No module named ensurepip" >&2; exit 1 ;; esac',
        f'exec {shlex.quote(PYTHON)} "$@"',
    )

    result = fresh(environ={"TIME_DRIFT_PYTHON": str(python)})

    assert_refused(result, 3, str(python), "apt-get install python3-venv")
    assert fresh.made == []


def test_python_without_venv_is_passed_over(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """A Python without venv does not hide a later candidate that has it."""
    shims, real = tmp_path / "shims", _copied(tmp_path)
    without_venv = an_executable(
        shims / "python3", 'case "$*" in *ensurepip*) exit 1 ;; esac', f'exec {real} "$@"'
    )
    an_executable(shims / "python3.14", f'exec {real} "$@"')
    command = ("env", f"PATH={shims}", str(fresh.script))

    with lock_held(fresh):
        result = fresh(command=(*mounting(HIDE_SYSTEMS, str(without_venv)), *command))

    assert_refused(result, 3, "another run is preparing")
