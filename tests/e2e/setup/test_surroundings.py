"""Variables and files that others left; directories and a stderr that cannot be written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import (
    PACKAGES,
    Checkout,
    Prepared,
    assert_refused,
    assert_version,
    copy_to,
    lock_held,
)

READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; ! touch "$1/x" 2>/dev/null'


@pytest.mark.timeout(240)
def test_hostile_surroundings_change_nothing(fresh: Checkout, tmp_path: Path) -> None:
    """Neither the current directory nor PYTHON variables reach a preparation or a run."""
    hostile = tmp_path / "hostile"
    (hostile / "drift").mkdir(parents=True)
    for name in ("json.py", "socket.py", "drift.py", "drift/__init__.py", "sitecustomize.py"):
        (hostile / name).write_text("raise RuntimeError('the hostile ' + __file__)\n")
    environ = {
        "PYTHONPATH": str(hostile),
        "PYTHONSTARTUP": str(hostile / "json.py"),
        "PYTHONHOME": str(hostile),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONWARNINGS": "default",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(hostile),
    }

    assert_version(fresh(environ=environ, cwd=hostile))
    _assert_compiled(fresh)
    before = fresh.identity
    assert_version(fresh(environ=environ, cwd=hostile))
    assert fresh.identity == before


@pytest.mark.timeout(240)
def test_first_run_compiles_everything(prepared: Prepared) -> None:
    """Byte-code of our modules and of the packages is there before the first measuring run."""
    _assert_compiled(prepared.checkout)


def _assert_compiled(checkout: Checkout) -> None:
    (packages,) = checkout.venv.glob("lib/python3*/site-packages")
    ours = [checkout.path / name for name in PACKAGES]
    modules = [module for place in (packages, *ours) for module in place.rglob("*.py")]
    missing = [
        module
        for module in modules
        if not list((module.parent / "__pycache__").glob(f"{module.stem}.cpython-*.pyc"))
    ]
    assert len(modules) > 10
    assert not missing


@pytest.mark.timeout(240)
def test_runs_read_only(
    ready: Checkout, mounting: Callable[[str, str], tuple[str, ...]], tmp_path: Path
) -> None:
    """A checkout on a read-only file system runs from the environment it has."""
    (ready.path / "requirements.txt").touch()  # a date alone is no reason to prepare anew

    command = (*mounting(READ_ONLY, str(ready.path)), str(ready.script))
    assert_version(ready(command=command, cwd=tmp_path))


def test_read_only_without_environment(
    fresh: Checkout, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """Where no environment is and none can be made, one line says so."""
    result = fresh(command=(*mounting(READ_ONLY, str(fresh.path)), str(fresh.script)))

    assert_refused(result, 3, str(fresh.venv), "Read-only")
    assert fresh.made == []


def test_refusal_stays_one_short_line(tmp_path: Path) -> None:
    """The one line stays under 512 bytes and one line, whatever the checkout's directory is."""
    checkout = copy_to(tmp_path / ("long " * 40) / "two\nlines" / ("long " * 40))
    with lock_held(checkout):
        result = checkout()

    assert_refused(result, 3, "another run is preparing")


def test_refuses_without_stderr(fresh: Checkout) -> None:
    """A caller that closed stderr gets the same status as any other."""
    with lock_held(fresh):
        result = fresh(command=("sh", "-c", '"$0" "$@" 2>&-', fresh.script))

    assert (result.returncode, result.stdout, result.stderr) == (3, "", "")
