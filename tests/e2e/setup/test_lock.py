"""When a change of requirements.txt has the environment made anew."""

import os
import shlex
import time
from pathlib import Path

import pytest

from tests.support.checkout import (
    PYTHON,
    VERSION,
    Checkout,
    an_executable,
    assert_version,
    would_prepare,
)


@pytest.mark.timeout(240)
def test_changed_lock_is_prepared_anew(ready: Checkout) -> None:
    """A change of the lock makes the environment anew; -v shows it at work, on stderr only."""
    before = ready.identity
    ready.use_small_lock()

    result = ready("-v", "--version")

    assert (result.returncode, result.stdout) == (0, VERSION)
    assert "preparing" in result.stderr
    assert ready.identity != before
    assert ready.made == [".venv"]
    assert not list(ready.venv.glob("packages/rich*"))
    assert list(ready.venv.glob("packages/mdurl*"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("age_s", [0, 86_400], ids=["now", "dated back"])
def test_smallest_change_of_the_lock_counts(ready: Checkout, age_s: int) -> None:
    """One more comment in the lock counts, also when it carries a date of the past."""
    assert not would_prepare(ready)
    with ready.lock.open("a") as file:
        file.write("# checked\n")
    at_s = time.time() - age_s
    os.utime(ready.lock, (at_s, at_s))

    assert would_prepare(ready)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("age_s", [0, 86_400], ids=["now", "dated back"])
def test_touched_lock_is_not_prepared_anew(ready: Checkout, age_s: int) -> None:
    """A lock with another date and the same content, as after a checkout, is the same lock."""
    at_s = time.time() - age_s
    os.utime(ready.lock, (at_s, at_s))
    before = ready.venv.stat().st_ino

    assert_version(ready())
    assert_version(ready())
    assert ready.venv.stat().st_ino == before


@pytest.mark.timeout(240)
def test_touched_lock_needs_no_other_program(ready: Checkout, tmp_path: Path) -> None:
    """A new date on the lock is no obstacle where only Python is installed, without diffutils."""
    tools = tmp_path / "tools"
    an_executable(tools / "python3", f'exec {shlex.quote(PYTHON)} "$@"')
    ready.lock.touch()

    assert_version(ready(environ={"PATH": str(tools)}))
