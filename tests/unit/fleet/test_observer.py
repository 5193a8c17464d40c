"""The observer's own clock: when its consensus holds, and when it does not."""

from pathlib import Path

from fleet import observer
from fleet.observer import Measured, Observer, measuring, measuring_apart
from fleet.readings import Reference
from lab import behaviour
from lab.ntp import NtpServer
from lab.world import world
from sources.base import Interval
from sources.clock import NS, Clock
from tests.fakes import FakeClock as AwakeClock


class FakeClock(AwakeClock):
    """A clock that a suspend moves as it moves the system's."""

    def boot_ns(self) -> int:
        return self.raw + self.suspended


NONE = Measured(None, "no answer: no majority", 0)


def an_answer(clock: FakeClock) -> Measured:
    return Measured(Reference(Interval(-1, 1), clock.raw), "", clock.suspended)


def test_before_it_has_measured_there_is_no_reference() -> None:
    """And it is due at once."""
    clock = FakeClock()
    watcher = Observer(lambda: an_answer(clock), clock)

    assert watcher.reference() is None
    assert watcher.due_raw_ns == clock.raw
    assert "not been measured" in watcher.why_not()


def test_an_answer_holds_for_a_while() -> None:
    """It is renewed every minute, and does not outlive two and a half."""
    clock = FakeClock()
    watcher = Observer(lambda: an_answer(clock), clock)
    watcher.renew()
    found = watcher.reference()

    assert found is not None
    assert watcher.due_raw_ns == clock.raw + 60 * NS
    clock.raw += 150 * NS
    assert watcher.reference() == found
    clock.raw += 1
    assert watcher.reference() is None
    assert "too old" in watcher.why_not()


def test_no_answer_takes_the_last_one_away() -> None:
    """The observer that has lost its majority knows nothing any more."""
    clock = FakeClock()
    said = [NONE, an_answer(clock)]
    watcher = Observer(said.pop, clock)
    watcher.renew()
    assert watcher.reference() is not None

    watcher.renew()

    assert watcher.reference() is None
    assert watcher.why_not() == "no answer: no majority"


def test_a_suspend_takes_it_away_until_it_has_measured_again() -> None:
    """And begins another timeline: what was kept of nodes has no age any more."""
    clock = FakeClock()
    watcher = Observer(lambda: an_answer(clock), clock)
    watcher.renew()
    before = watcher.timeline()
    assert watcher.reference() is not None

    clock.suspended += 20 * NS // 1000

    assert watcher.reference() is None
    assert "slept" in watcher.why_not()
    assert watcher.timeline() == before + 1
    watcher.renew()
    assert watcher.reference() is not None
    assert watcher.timeline() == before + 1


def test_it_measures_by_the_consensus_of_drift() -> None:
    """True time 4 s ahead of this clock: raw - true is wall - true less wall - raw."""
    clock = Clock()
    with world(*[NtpServer(name, behaviour.shifted(4)) for name in ("A", "B", "C")]) as lab:
        measured = measuring(lab.config, clock, is_lab=True)()

    assert measured.reference is not None
    true_ns = measured.reference.true_unix_ns(clock.raw_ns())
    assert abs(true_ns - clock.wall_ns() - 4 * NS) < NS // 20
    assert measured.reference.raw_minus_true.width_ns < NS // 10


def test_without_a_majority_it_says_what_is_missing() -> None:
    """In the words of a plain run."""
    with world(NtpServer("A"), NtpServer("B", behaviour.shifted(9))) as lab:
        measured = measuring(lab.config, Clock(), is_lab=True)()

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


def test_what_a_process_says_is_checked() -> None:
    """Half a line is no measurement."""
    for data in (b"", b"[]", b'{"raw_minus_true": [1]}', b"null", b'{"raw_minus_true": "x"}'):
        try:
            observer._understood(data)
        except ValueError:
            continue
        raise AssertionError(data)
