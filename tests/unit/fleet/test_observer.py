"""The observer's own clock: when its consensus holds, and when it does not."""

from fleet.observer import Measured, Observer
from fleet.readings import Reference
from sources.base import Interval
from sources.clock import NS
from tests.support.fakes import FakeClock as AwakeClock


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
