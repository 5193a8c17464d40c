"""From any directory, through links, under awkward names, with a bare environment."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import (
    AWKWARD,
    Checkout,
    Prepared,
    assert_refused,
    assert_version,
    lock_held,
)


@pytest.mark.timeout(240)
def test_runs_from_any_working_directory(ready: Checkout, tmp_path: Path) -> None:
    """The script finds its files by its own path, absolute or relative, not by the caller's."""
    inside = tmp_path / "inside"
    inside.mkdir()

    assert_version(ready(cwd=Path("/")))
    assert_version(ready(cwd=ready.path, command=("./time-drift.sh",)))
    assert_version(ready(cwd=inside, command=("../ready/time-drift.sh",)))
    assert_version(ready(cwd=ready.path / "drift", command=("../time-drift.sh",)))


@pytest.mark.parametrize(
    ("command", "cwd"),
    [
        (("./time-drift.sh",), "."),
        (("sh", "././time-drift.sh"), "."),
        (("sh", "time-drift.sh"), "."),
        (("../.././fresh/./time-drift.sh",), "drift"),
        (("sh", "/{}/././time-drift.sh"), "drift"),
    ],
)
def test_paths_in_messages_lead_straight(
    fresh: Checkout, command: tuple[str, ...], cwd: str
) -> None:
    """No `/./`, however the script is called, and whatever CDPATH is; `..` may pass a link."""
    command = tuple(word.replace("{}", str(fresh.path)) for word in command)
    with lock_held(fresh):
        result = fresh(command=command, cwd=fresh.path / cwd, environ={"CDPATH": "/:/tmp:."})

    assert_refused(result, 3, "another run is preparing", "/.venv: ")
    assert "/./" not in result.stderr


@pytest.mark.timeout(240)
def test_is_found_on_the_path(ready: Checkout, tmp_path: Path) -> None:
    """The script runs by its bare name when its directory is on PATH."""
    environ = {"PATH": f"{ready.path}:{os.environ['PATH']}"}

    assert_version(ready(cwd=tmp_path, command=("env", "time-drift.sh"), environ=environ))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("target", ["{}", "../ready"], ids=["absolute", "relative"])
def test_runs_through_a_symlink(ready: Checkout, tmp_path: Path, target: str) -> None:
    """A link to the script, even a link to a link with another name, leads to its checkout."""
    links = tmp_path / "links"
    links.mkdir()
    (links / "first").symlink_to(Path(target.format(ready.path)) / "time-drift.sh")
    (tmp_path / "time drift").symlink_to("links/first")

    assert_version(ready(command=(links / "first",)))
    assert_version(ready(cwd=links, command=("./first",)))
    assert_version(ready(cwd=links, command=("../time drift",)))


@pytest.mark.timeout(240)
def test_runs_in_a_linked_directory(ready: Checkout, tmp_path: Path) -> None:
    """A checkout that is reached through a link to its directory finds its environment."""
    (tmp_path / "link").symlink_to("ready")
    before = ready.identity

    assert_version(ready(command=(tmp_path / "link" / "time-drift.sh",)))
    assert ready.identity == before


@pytest.mark.timeout(240)
def test_runs_without_the_executable_bit(ready: Checkout) -> None:
    """`sh time-drift.sh` works where an unpacked archive lost the executable bit."""
    ready.script.chmod(0o644)

    assert_version(ready(command=("sh", ready.script)))
    assert_version(ready(cwd=ready.path, command=("sh", "time-drift.sh")))


@pytest.mark.timeout(240)
def test_runs_in_an_awkward_directory(prepared: Prepared) -> None:
    """Spaces, quotes and glob characters in the directory's name harm no way in."""
    checkout = prepared.checkout

    assert_version(checkout())
    assert_version(checkout(cwd=checkout.path, command=("./time-drift.sh",)))
    assert_version(checkout(cwd=checkout.path.parent, command=("sh", f"{AWKWARD}/time-drift.sh")))


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "environ", [{}, {"HOME": "/"}, {"PATH": ""}], ids=["empty", "PATH unset", "PATH empty"]
)
def test_runs_in_a_bare_environment(
    ready: Checkout, tmp_path: Path, environ: dict[str, str]
) -> None:
    """Agents that pass no environment, or no PATH, get the version all the same."""
    link = tmp_path / "link"
    link.symlink_to(ready.script)

    assert_version(ready(only=environ))
    assert_version(ready(only=environ, command=(link,)))


@pytest.mark.timeout(240)
def test_survives_a_move(ready: Checkout, tmp_path: Path) -> None:
    """A checkout that is moved takes its environment along and does not prepare it again."""
    before = ready.venv.stat().st_ino
    moved = Checkout(ready.path.rename(tmp_path / "moved away"))

    assert_version(moved(environ={"TIME_DRIFT_PYTHON": "/nowhere/python3"}))
    python = moved.venv / "bin" / "python"
    code = "import drift, rich; print(drift.__file__); print(rich.__file__)"
    imported = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    )

    assert moved.venv.stat().st_ino == before
    for line in imported.stdout.splitlines():
        assert Path(line).resolve().is_relative_to(moved.path)
