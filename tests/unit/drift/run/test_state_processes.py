"""Two runs at once, and the end of one: nothing is mixed, nobody waits for long."""

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sources.memory import Entry
from tests.conftest import ROOT
from tests.support.drift.state import ENTRY, NAME, SHELF, keep, noting, opened, recalled


def test_a_lock_that_others_hold_is_not_waited_for(place: Path) -> None:
    """While another process changes something, a change fails at once; recalling does not."""
    keep(place)
    holding = (
        "import fcntl, sys\n"
        "lock = open(sys.argv[1], 'r+'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(place / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        called: list[Entry | None] = []

        assert opened(place).change(SHELF, NAME, noting(called)) is False

        assert time.monotonic() - began < 0.2
        assert called == []
        assert recalled(place) == ENTRY
        holder.stdin.close()

    assert opened(place).change(SHELF, NAME, lambda _: None)


def test_the_lock_is_free_after_an_update_that_raises(place: Path) -> None:
    """A bug in an update leaves the entry as it was, and the directory open to others."""
    keep(place)

    def fail(entry: Entry | None) -> Entry:
        raise ZeroDivisionError

    here = opened(place)
    with pytest.raises(ZeroDivisionError):
        here.change(SHELF, NAME, fail)
    with (place / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert recalled(place) == ENTRY


CROWD = """
import sys
from drift.run.state import State
from sources.clock import Clock
place, mine = sys.argv[1:]
here = State(place, Clock())
def one_more(entry):
    return {"count": (entry or {}).get("count", 0) + 1, "padding": "x" * 5000}
common, own = 0, 0
sys.stdin.read()
for turn in range(60):
    common += here.change("rest", "common", one_more)
    own += here.change("rest", mine, one_more)
print(common, own, len(here.notes))
"""


def test_twenty_processes_lose_and_mix_nothing(place: Path) -> None:
    """Each change that was said to be done is in the entry; no file is ever seen half written."""
    keep(place)
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", CROWD, str(place), f"run {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(20)
    ]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.close()
    looks = 0
    while any(process.poll() is None for process in crowd):
        looking = opened(place)
        for name in ("common", *(f"run {number}" for number in range(20))):
            entry = looking.recall("rest", name)
            assert entry is None or entry["padding"] == "x" * 5000
        assert looking.notes == []
        looks += 1
    common = 0
    for number, process in enumerate(crowd):
        assert process.stdout is not None
        with process.stdout:
            of_common, own, noted = map(int, process.stdout.read().split())
        assert process.returncode == 0
        assert noted == 0
        assert (opened(place).recall("rest", f"run {number}") or {"count": 0})["count"] == own
        common += of_common

    assert looks > 1
    assert common > 0
    assert (opened(place).recall("rest", "common") or {})["count"] == common
    assert {path.name for path in place.iterdir() if path.suffix != ".toml"} == {"lock"}


def test_the_end_waits_for_a_change_under_way(place: Path) -> None:
    """Who is writing is waited for; who comes later hears that it could not be done."""
    kept = opened(place)
    writing, go_on = threading.Event(), threading.Event()
    done: list[bool] = []

    def slow(_: Entry | None) -> Entry:
        writing.set()
        go_on.wait(5)
        return ENTRY

    writer = threading.Thread(target=lambda: done.append(kept.change(SHELF, NAME, slow)))
    writer.start()
    assert writing.wait(5)
    threading.Timer(0.1, go_on.set).start()

    kept.finish(5)

    assert opened(place).recall(SHELF, NAME) == kept.recall(SHELF, NAME)
    assert kept.recall(SHELF, NAME) is not None
    assert not kept.change(SHELF, "later.example", lambda _: ENTRY)
    writer.join()
    assert done == [True]


def test_the_end_waits_no_longer_than_it_may(place: Path) -> None:
    """Where a write hangs the run leaves all the same."""
    kept = opened(place)
    writing, go_on = threading.Event(), threading.Event()

    def hang(_: Entry | None) -> Entry:
        writing.set()
        go_on.wait(5)
        return ENTRY

    writer = threading.Thread(target=lambda: kept.change(SHELF, NAME, hang))
    writer.start()
    assert writing.wait(5)
    began = time.monotonic()

    kept.finish(0.1)

    assert 0.05 < time.monotonic() - began < 1
    go_on.set()
    writer.join()
