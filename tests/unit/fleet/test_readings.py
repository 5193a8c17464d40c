"""Interval arithmetic of node readings, by worked examples."""

import pytest

from fleet import readings
from fleet.readings import Reading, Reference
from nodes.base import Stamp
from sources.base import Interval
from sources.clock import NS

T0 = 1_800_000_000 * NS
RAW_ZERO = 5_000 * NS
"""raw = true - T0 + RAW_ZERO."""
EXACT = Reference(Interval(RAW_ZERO - T0, RAW_ZERO - T0), RAW_ZERO)
MS = NS // 1000


def a_stamp(unix_ns: int, sent_true_ns: int, received_true_ns: int, **changed: object) -> Stamp:
    """Return a stamp whose exchange is given in true time."""
    stamp = Stamp(
        stamp_unix_ns=unix_ns,
        grain_ns=NS,
        lag_ns=0,
        sent_raw_ns=sent_true_ns - T0 + RAW_ZERO,
        received_raw_ns=received_true_ns - T0 + RAW_ZERO,
        server="192.0.2.1",
        software="",
        authenticated=False,
        verdict="",
        note="",
    )
    return stamp.replaced(**changed)


def a_reading(low_s: float, high_s: float, since_s: float = 0, until_s: float = 0) -> Reading:
    interval = Interval(round(low_s * NS), round(high_s * NS))
    return Reading(interval, round(since_s * NS), round(until_s * NS))


def test_one_stamp() -> None:
    """Asked at .25 and answered at .35 with the second before: within -.35 and +.75."""
    reading = readings.read(a_stamp(T0, T0 + 250 * MS, T0 + 350 * MS), EXACT)

    assert reading.interval == Interval(-350 * MS - 35_000, 750 * MS + 35_000)


def test_the_lag_of_a_server_widens_one_side() -> None:
    """A stamp that may be a second late allows a clock that is a second more ahead, not behind."""
    exact = readings.read(a_stamp(T0, T0, T0), EXACT)
    lagging = readings.read(a_stamp(T0, T0, T0, lag_ns=NS), EXACT)

    assert lagging.interval == Interval(exact.interval.low_ns, exact.interval.high_ns + NS)


def test_the_observers_own_doubt_widens_both_sides() -> None:
    """An observer that knows true time to 20 ms knows a node's drift to no better."""
    doubt = EXACT.replaced(raw_minus_true=EXACT.raw_minus_true.widened(10 * MS))

    sure = readings.read(a_stamp(T0, T0, T0), EXACT).interval
    unsure = readings.read(a_stamp(T0, T0, T0), doubt).interval

    assert unsure == sure.widened(10 * MS)


def test_a_consensus_of_a_minute_ago_is_six_milliseconds_wider() -> None:
    """100 ppm of its age."""
    then = EXACT.replaced(at_raw_ns=RAW_ZERO - 60 * NS)

    assert then.over(RAW_ZERO, RAW_ZERO) == EXACT.raw_minus_true.widened(6 * MS)
    assert then.over(RAW_ZERO - 120 * NS, RAW_ZERO) == EXACT.raw_minus_true.widened(6 * MS)


def test_true_time_is_the_middle_of_what_the_observer_knows() -> None:
    """raw - true between 2 and 5 s: at raw 10 s it is about 7 s, and surely within 2 s of that."""
    reference = Reference(Interval(2 * NS, 5 * NS + 1), 0)

    assert reference.true_unix_ns(10 * NS) == 6_500_000_000
    assert reference.doubt_ns == 1_500_000_001


def test_two_halves_prove_the_integer() -> None:
    """One exchange wholly in the first half of a second, one in the second half: 0."""
    first = readings.read(a_stamp(T0, T0 + 250 * MS, T0 + 400 * MS), EXACT)
    second = readings.read(a_stamp(T0 + NS, T0 + NS + 600 * MS, T0 + NS + 700 * MS), EXACT)

    both = readings.joined(first, second)

    assert readings.proven_s(first.interval) is None
    assert readings.proven_s(second.interval) is None
    assert both is not None
    assert readings.proven_s(both.interval) == 0
    assert both.until_raw_ns == second.until_raw_ns


def test_what_is_old_counts_for_less() -> None:
    """500 ppm of the time from the older exchange's beginning to the newer one's end."""
    joined = readings.joined(a_reading(-0.1, 0.1, 0, 1), a_reading(-5, 5, 90, 100))

    assert joined == a_reading(-0.15, 0.15, 90, 100)


def test_a_contradiction_is_none() -> None:
    """A clock that was 4 s behind and is right now was set, or there are two."""
    assert readings.joined(a_reading(-4.5, -3.5), a_reading(-0.5, 0.5, 1, 1)) is None


def test_touching_is_no_contradiction() -> None:
    """Intervals are closed."""
    touching = readings.joined(a_reading(-1, 0), a_reading(0, 1))

    assert touching is not None
    assert touching.interval == Interval(0, 0)


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "integer"),
    [
        (-NS // 2 + 1, NS // 2 - 1, 0),
        (-NS // 2 + 1, NS // 2, None),
        (-NS // 2, NS // 2 - 1, None),
        (NS // 2, 3 * NS // 2 - 1, 1),
        (NS // 2 - 1, NS // 2, None),
        (-3 * NS // 2 + 1, -NS // 2, -1),
        (-4 * NS, -4 * NS, -4),
        (-400 * NS, 0, None),
    ],
)
def test_the_integer_is_proven_or_none(low_ns: int, high_ns: int, integer: int | None) -> None:
    """Only where both ends round to it, to nearest, ties away from zero."""
    assert readings.proven_s(Interval(low_ns, high_ns)) == integer


def test_beyond_a_limit() -> None:
    """Exactly at the limit is within it."""
    limit_ns = NS // 2

    assert readings.surely_beyond(Interval(limit_ns + 1, NS), limit_ns)
    assert readings.surely_beyond(Interval(-NS, -limit_ns - 1), limit_ns)
    assert not readings.surely_beyond(Interval(limit_ns, NS), limit_ns)
    assert not readings.surely_beyond(Interval(-NS, -limit_ns), limit_ns)
    assert not readings.possibly_beyond(Interval(-limit_ns, limit_ns), limit_ns)
    assert readings.possibly_beyond(Interval(-limit_ns - 1, 0), limit_ns)
    assert not readings.surely_beyond(Interval(-NS, NS), limit_ns)
    assert readings.possibly_beyond(Interval(-NS, NS), limit_ns)
