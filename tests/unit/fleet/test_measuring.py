"""Measuring the observer's own clock, in this process and in one of its own."""

from pathlib import Path

import pytest

from fleet import measuring
from fleet.measuring import measuring_apart
from lab import behaviour
from lab.ntp import NtpServer
from lab.roughtime import RoughtimeServer
from lab.world import world
from sources.clock import NS, Clock


def test_it_measures_by_the_consensus_of_drift() -> None:
    """True time 4 s ahead of this clock: raw - true is wall - true less wall - raw."""
    clock = Clock()
    with world(*[NtpServer(name, behaviour.shifted(4)) for name in ("A", "B", "C")]) as lab:
        measured = measuring.measuring(lab.config, clock, is_lab=True)()

    assert measured.reference is not None
    true_ns = measured.reference.true_unix_ns(clock.raw_ns())
    assert abs(true_ns - clock.wall_ns() - 4 * NS) < NS // 20
    assert measured.reference.raw_minus_true.width_ns < NS // 10


def test_liars_who_hurry_do_not_bend_the_interval() -> None:
    """With what had come by an early integer they were a majority; the slow honest are heard, too.

    A Roughtime server is coarse enough to agree with both.
    """
    clock = Clock()
    liars = [NtpServer(name, behaviour.shifted(0.2)) for name in "ABC"]
    slow = [NtpServer(name, behaviour.late(0.4)) for name in "DEF"]
    with world(*liars, RoughtimeServer("G"), *slow) as lab:
        measured = measuring.measuring(lab.config, clock, is_lab=True)()

    assert measured.reference is not None
    truth_ns = -clock.wall_minus_raw_ns()
    held = measured.reference.raw_minus_true
    assert held.low_ns <= truth_ns <= held.high_ns


def test_without_a_majority_it_says_what_is_missing() -> None:
    """In the words of a plain run."""
    with world(NtpServer("A"), NtpServer("B", behaviour.shifted(9))) as lab:
        measured = measuring.measuring(lab.config, Clock(), is_lab=True)()

    assert measured.reference is None
    assert measured.refusal.startswith("no answer: no majority")


def test_it_measures_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The same, and the metrics of a plain run with it; when there was an answer is remembered."""
    clock = Clock()
    path = tmp_path / "c.toml"
    with world(*[NtpServer(name, behaviour.shifted(4)) for name in ("A", "B", "C")]) as lab:
        path.write_text(lab.toml, encoding="utf-8")
        measure = measuring_apart(str(path), clock)
        first = measure()
    second = measure()

    assert first.reference is not None
    assert abs(first.reference.true_unix_ns(clock.raw_ns()) - clock.wall_ns() - 4 * NS) < NS // 20
    assert "time_drift_seconds -4.0" in first.exposition
    assert second.reference is None
    assert second.refusal.startswith("no answer")
    assert "time_drift_success 0.0" in second.exposition
    assert "time_drift_last_success_timestamp_seconds" in second.exposition
    assert "time_drift_seconds" not in second.exposition


def test_a_process_that_cannot_measure_is_no_answer(tmp_path: Path) -> None:
    """A configuration that has gone, for one."""
    measured = measuring_apart(str(tmp_path / "none.toml"), Clock())()

    assert measured.reference is None
    assert "cannot be read" in measured.refusal


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"raw_minus_true": [1]}', b"null", b'{"raw_minus_true": "x"}']
)
def test_what_a_process_prints_is_checked(data: bytes) -> None:
    """Half a line is no measurement."""
    with pytest.raises(ValueError, match="no measurement"):
        measuring._understood(data)
