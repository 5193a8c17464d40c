"""What a round with one node makes of what it hears."""

from fleet import rounds
from fleet.readings import Reading, Reference
from fleet.rounds import Round
from fleet.sweep.aim import Habit
from nodes.base import Stamp
from sources.base import Interval
from sources.clock import NS
from tests.support.fleet.fakes import a_target

MS = NS // 1000
REFERENCE = Reference(Interval(0, 0), 1000 * NS)
"""True time is raw time."""


def a_stamp(unix_ns: int, at_ns: int, **changed: object) -> Stamp:
    """Return a stamp of whole seconds that came in 100 ms after `at_ns`."""
    stamp = Stamp(unix_ns, NS, 0, at_ns, at_ns + 100 * MS, "192.0.2.1", "/Fake:1.0/", False)
    return stamp.replaced(**changed)


UPPER = a_stamp(1000 * NS, 1000 * NS + 600 * MS)
LOWER = a_stamp(1001 * NS, 1001 * NS + 300 * MS)
"""Of a clock that is right."""


def heard(past: Round, *stamps: Stamp) -> Round:
    for stamp in stamps:
        past = rounds.heard(past, stamp, REFERENCE, stamp.sent_raw_ns - 10 * MS)
    return past


def test_two_stamps_decide() -> None:
    """And end the round."""
    one, two = heard(Round(), UPPER), heard(Round(), UPPER, LOWER)

    assert rounds.verdict(one) == "undecided"
    assert rounds.next_window(one, 0) is not None
    assert rounds.verdict(two) == "decided"
    assert rounds.next_window(two, 0) is None
    assert two.habit == Habit(NS, 0, 10 * MS, 110 * MS)
    found = rounds.result(a_target("1.1.1.1"), two, 7, 8)
    assert (found.drift_s, found.probes, found.read_unix_ns, found.elapsed_ns) == (0, 2, 7, 8)
    assert found.is_read


def test_a_stamp_with_a_verdict_is_no_number() -> None:
    """However narrow it is; its interval is shown, kept it is not, and it is not asked again."""
    adjusted = a_stamp(1000 * NS, 1000 * NS, grain_ns=1, verdict="adjusted", note="0.21 of 4 peers")
    past = heard(Round(), adjusted)

    found = rounds.result(a_target("1.1.1.1"), past, None, 0)

    assert found.verdict == "adjusted"
    assert found.drift_s is None
    assert found.interval is not None
    assert found.note == "0.21 of 4 peers"
    assert not found.is_read
    assert past.reading is None
    assert rounds.next_window(past, 0) is None


def test_a_contradiction_starts_anew() -> None:
    """The round has no integer; the next one goes by what was heard last."""
    past = heard(Round(), UPPER, a_stamp(1005 * NS, 1001 * NS + 300 * MS))

    found = rounds.result(a_target("1.1.1.1"), past, None, 0)

    assert found.verdict == "clock being set"
    assert found.drift_s is None
    assert rounds.next_window(past, 0) is None
    assert past.reading is not None
    assert past.reading.interval.low_ns > 3 * NS
    assert rounds.begun(past) == Round(reading=past.reading, habit=past.habit)


def test_a_contradiction_with_an_earlier_round() -> None:
    """A clock that was set since is seen at once."""
    before = Round(reading=Reading(Interval(5 * NS, 6 * NS), 990 * NS, 991 * NS))

    assert rounds.verdict(heard(before, UPPER)) == "clock being set"


def test_what_was_known_helps() -> None:
    """One stamp of a new round decides together with those of the last one."""
    last = heard(Round(), UPPER)

    assert rounds.verdict(heard(rounds.begun(last), LOWER)) == "decided"
    assert rounds.begun(None) == Round()


def test_failures() -> None:
    """Before any stamp it is the verdict, and the end; after one it is a note."""
    alone = rounds.failed(Round(), "silent", "no answer")
    after = rounds.failed(heard(Round(), UPPER), "silent", "no answer")

    assert rounds.verdict(alone) == "silent"
    assert rounds.next_window(alone, 0) is None
    assert rounds.verdict(after) == "undecided"
    assert rounds.next_window(after, 0) is not None
    assert rounds.result(a_target("1.1.1.1"), after, None, 0).note == "no answer"
    assert rounds.verdict(heard(after, LOWER)) == "decided"


def test_four_connections_are_the_most() -> None:
    """Failures count."""
    past = heard(Round(), UPPER)
    for _ in range(3):
        past = rounds.failed(past, "silent", "")

    assert past.probes == 4
    assert rounds.next_window(past, 0) is None


def test_what_is_void_leaves_nothing() -> None:
    """Neither a number nor an interval, and what was known before is forgotten with it."""
    past = rounds.unasked(heard(Round(), UPPER, LOWER), rounds.NOT_READ, "it slept")

    found = rounds.result(a_target("1.1.1.1"), past, None, 0)

    assert (found.verdict, found.drift_s, found.interval) == ("not read", None, None)
    assert rounds.begun(past).reading is None
    assert rounds.next_window(past, 0) is None


def test_nothing_asked_is_not_read() -> None:
    """An empty round has no verdict to be mistaken for a node's."""
    assert rounds.verdict(Round()) == "not read"
