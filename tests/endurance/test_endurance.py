"""The short form of `make endurance`: hours instead of thirty days."""

import os
import signal
from pathlib import Path

import pytest

from tests.endurance.leaping import Leaping
from tests.endurance.serving import serving
from tests.endurance.watching import flat, punctual, watching

MINUTE_NS = 60 * 10**9


@pytest.mark.timeout(240)
def test_watch(tmp_path: Path) -> None:
    """Memory, files, threads and state stay what they were; each tick is taken once, on time."""
    wrong, _ = watching(400, 20, tmp_path)

    assert wrong == []


@pytest.mark.timeout(240)
def test_serve(tmp_path: Path) -> None:
    """The same of the exporter, whose own measurements, nodes and clients fail at random."""
    wrong, _ = serving(400, 20, tmp_path)

    assert wrong == []


@pytest.mark.parametrize(
    ("moments", "why"),
    [
        ([0, MINUTE_NS], "2 ticks of 3"),
        ([0, MINUTE_NS, 2 * MINUTE_NS - 1], "too early"),
        ([0, MINUTE_NS, 2 * MINUTE_NS + MINUTE_NS // 10], "late"),
        ([0, MINUTE_NS, MINUTE_NS], "twice"),
    ],
)
def test_a_bad_schedule_is_seen(moments: list[int], why: str) -> None:
    """A tick that is left out, early, late or taken twice."""
    assert why in " ".join(punctual(moments, 3))


@pytest.mark.parametrize("name", ["resident_kb", "files", "threads", "children"])
def test_growth_is_seen(name: str) -> None:
    """Memory, a file, a thread or a child more than after a tenth of the time."""
    usual = {"resident_kb": 1000, "files": 4, "threads": 1, "children": 0}
    grown = {**usual, name: usual[name] + (500 if name == "resident_kb" else 1)}

    assert flat([usual] * 20, {"threads": 1, "children": 0}, 256) == []
    assert len(flat([usual] * 19 + [grown], {"threads": 1, "children": 0}, 256)) == 1


@pytest.mark.parametrize("stopped", [True, False])
def test_time_of_a_stopped_process_does_not_count(stopped: bool) -> None:
    """Minutes of a block in which it was stopped are nobody's fault; others are."""
    clock = Leaping()
    handler = signal.getsignal(signal.SIGCONT)
    began_raw_ns = clock.raw_ns()

    with clock.running():
        clock.leapt_ns += 9 * MINUTE_NS
        if stopped:
            os.kill(os.getpid(), signal.SIGCONT)

    assert (clock.raw_ns() - began_raw_ns < MINUTE_NS) is stopped
    assert signal.getsignal(signal.SIGCONT) == handler
