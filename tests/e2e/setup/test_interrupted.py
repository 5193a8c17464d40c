"""Preparations that are killed, that fail, or that two runs want at once."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.checkout import VERSION, Checkout, assert_refused, assert_version, would_prepare

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)
    return found


@contextmanager
def in_preparation(checkout: Checkout) -> Iterator["subprocess.Popen[str]"]:
    """Start a run in a process group of its own, and stop it in the midst of its preparation.

    Stopped, so that no test depends on how long a preparation takes: see go_on.
    """
    process = subprocess.Popen(
        [checkout.script, "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # A child, or a child's child, is at work in it: files appear beside the interpreter.
        unpacked = ".venv.new-*/lib/python3*/site-packages/*"
        wait_for(lambda: list(checkout.path.glob(unpacked)), "the preparation")
        os.killpg(process.pid, signal.SIGSTOP)
        assert process.poll() is None
        assert not checkout.venv.exists()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # orphans too
        process.communicate(timeout=20)


def go_on(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGCONT)


def _at_work(checkout: Checkout) -> list[str]:
    """The command lines of the processes that work on the checkout's environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(checkout.venv) in line:
            found.append(line)
    return found


@pytest.mark.timeout(240)
def test_killed_preparation_heals(fresh: Checkout) -> None:
    """A preparation killed outright leaves nothing that looks finished; the next run cleans up."""
    with in_preparation(fresh) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
    assert not fresh.venv.exists()

    assert_version(fresh())
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_preparation_killed_alone_heals(fresh: Checkout) -> None:
    """When an agent kills its own child only, its orphans cannot spoil the next runs."""
    with in_preparation(fresh) as process:
        process.kill()
        go_on(process)
        process.communicate(timeout=20)
        while (result := fresh()).returncode:
            assert_refused(result, 3, "another run is preparing")  # the orphans are still at it
            time.sleep(0.2)
        wait_for(lambda: not _at_work(fresh), "the end of what the preparation started")

    assert_version(result)
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_terminated_preparation_cleans_up(fresh: Checkout) -> None:
    """SIGTERM ends a preparation with 143; all it made and all it started is gone."""
    with in_preparation(fresh) as process:
        process.terminate()
        go_on(process)
        stdout, stderr = process.communicate(timeout=20)
        at_work = _at_work(fresh)

    assert process.returncode in {143, -signal.SIGTERM}
    assert stdout == ""
    assert stderr.count("\n") <= 1
    assert not at_work
    assert fresh.made == []
    assert would_prepare(fresh)


@pytest.mark.timeout(240)
def test_second_run_during_preparation(fresh: Checkout) -> None:
    """A run that meets a preparation is asked to come back and does not disturb it."""
    with in_preparation(fresh) as process:
        assert_refused(fresh(), 3, "another run is preparing")
        assert_refused(fresh(), 3, "another run is preparing")
        go_on(process)
        stdout, stderr = process.communicate(timeout=60)

    assert (process.returncode, stdout, stderr) == (0, VERSION, "")
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_failed_pip_leaves_nothing(fresh: Checkout) -> None:
    """When pip finds a package that is not the lock's, one line says so; nothing is left."""
    fresh.lock.write_text(re.sub(r"sha256:\w{8}", "sha256:deadbeef", fresh.lock.read_text()))

    assert_refused(fresh(), 3, str(fresh.venv), "DO NOT MATCH THE HASHES")
    assert fresh.made == []
