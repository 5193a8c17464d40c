"""When to ask a node next, so that the answer decides the most. Pure.

A stamp of whole seconds leaves a second open, so one alone never proves an integer. Which part it
leaves open depends on when it was made. An integer is decided by what is beyond half a second, and
that shows around the middle of each true second:

    true second   0        .25        .5        .75        1
                        |--below--|      |--above--|
    an exchange that ends before .5 and finds the new second proves  drift > -0.5
    one that begins after .5 and does not yet find the next one      drift < +0.5

and the same around every other whole second of drift. So a right clock is decided by one exchange
in each half (99.7 % of simulated nodes). The windows are wide, because all nodes asked at the very
middle would be asked at once; a clock that is near a boundary needs them narrow: the sharp pair.
Where it is known that a drift is near a boundary, they are narrower from the beginning.

A stamp that may be late (`lag`) moves the second half by as much. From half a second on it can
decide nothing, however often it is asked for.
"""

from fleet.readings import Reading, Reference, proven_s
from sources.base import Interval
from sources.clock import NS
from sources.record import Record

MOST_PROBES = 4
"""Connections to one node in a round."""

_FINE_NS = NS // 5
"""A stamp of this grain or finer is as good at any time of the second."""
_GUARD_NS = NS // 100
"""Kept away from the middle beside the observer's own doubt: the scheduler's delay."""
_NARROW_NS = NS // 50
"""A window is at least that wide, or it would be missed."""
_LATE_NS = NS // 1000
"""A window that closes sooner than that is missed already."""
_WIDE_PROBES = 1
"""After that many the windows are sharp."""


class Habit(Record):
    """What earlier exchanges with a node have taught about the next one."""

    grain_ns: int
    lag_ns: int
    lead_ns: int
    """From the order to ask to t1: connecting, a TLS handshake."""
    took_ns: int
    """From the order to ask to t4."""


class Window(Record):
    """When to begin to ask: from which part of a true second on, and for how long."""

    opens_ns: int
    """From 0 to less than a second."""
    width_ns: int

    def opens_raw_ns(self, reference: Reference, now_raw_ns: int) -> int:
        """Return when, on the raw clock, it opens next; now if it is open."""
        return self.span_raw_ns(reference, now_raw_ns)[0]

    def span_raw_ns(self, reference: Reference, now_raw_ns: int) -> tuple[int, int]:
        """Return from when to when, on the raw clock, it is open now or is open next."""
        since_ns = (reference.true_unix_ns(now_raw_ns) - self.opens_ns) % NS
        if since_ns < self.width_ns - _LATE_NS:
            return now_raw_ns, now_raw_ns + self.width_ns - since_ns
        opens_ns = now_raw_ns + NS - since_ns
        return opens_ns, opens_ns + self.width_ns


ANY_TIME = Window(0, NS)


def first(doubt_ns: int) -> Window:
    """Return when to ask a node of which nothing is known.

    Above the middle: how far above does not depend on how long the answer takes.
    """
    guard_ns = doubt_ns + _GUARD_NS
    return Window((NS // 2 + guard_ns) % NS, max(NS // 4 - guard_ns, _NARROW_NS))


def is_decidable(grain_ns: int, lag_ns: int, doubt_ns: int) -> bool:
    """Whether more stamps of this kind can prove an integer of a clock that is right."""
    return grain_ns <= NS and lag_ns + doubt_ns < NS // 2 - _GUARD_NS


def aim(reading: Reading | None, habit: Habit | None, probes: int, doubt_ns: int) -> Window | None:
    """Return when to begin to ask, None if asking once more is of no use or not allowed.

    `reading` is what is known by now, `probes` how many connections this round has had, `doubt_ns`
    how far off true time by the observer's consensus may be.
    """
    if probes >= MOST_PROBES:
        return None
    if reading is None or habit is None:
        return first(doubt_ns)
    if proven_s(reading.interval) is not None and probes:
        return None
    if not is_decidable(habit.grain_ns, habit.lag_ns, doubt_ns):
        return ANY_TIME if not probes else None
    if habit.grain_ns <= _FINE_NS:
        return ANY_TIME
    return _halves(reading.interval, habit, doubt_ns, is_sharp=probes > _WIDE_PROBES)


def _halves(interval: Interval, habit: Habit, doubt_ns: int, *, is_sharp: bool) -> Window:
    """Return the window on that side of the middle on which the drift probably is."""
    guard_ns = doubt_ns + _GUARD_NS
    likely_ns = _likely_ns(interval)
    boundary_ns = _nearest_boundary_ns(interval, likely_ns)
    away_ns = abs(likely_ns - boundary_ns)
    is_sharp |= away_ns != NS // 2
    if likely_ns < boundary_ns:
        opens_ns = NS // 2 + habit.lag_ns + guard_ns - 3 * habit.lead_ns // 4
        latest_ns = 9 * NS // 10 - (habit.lead_ns + habit.took_ns) // 2
        width_ns = _NARROW_NS if is_sharp else latest_ns - opens_ns
        return Window(opens_ns % NS, min(max(width_ns, _NARROW_NS), first(doubt_ns).width_ns))
    closes_ns = NS // 2 - guard_ns - habit.took_ns - habit.took_ns // 8
    earliest_ns = NS // 8 - habit.took_ns // 2
    width_ns = _NARROW_NS if is_sharp else max(closes_ns - earliest_ns, _NARROW_NS)
    return Window((closes_ns - width_ns) % NS, width_ns)


def _likely_ns(interval: Interval) -> int:
    """Return where the drift probably is: most clocks are right, of the others nothing is known."""
    if interval.low_ns <= 0 <= interval.high_ns:
        return 0
    return (interval.low_ns + interval.high_ns) // 2


def _nearest_boundary_ns(interval: Interval, likely_ns: int) -> int:
    """Return the boundary between two integers that is still open; of several, the nearest one.

    With none open (an interval that has been decided) it is the one that is nearest to being so.
    """
    below_ns = (likely_ns - NS // 2) // NS * NS + NS // 2
    above_ns = below_ns + NS
    if interval.low_ns > below_ns:
        return above_ns
    if interval.high_ns < above_ns:
        return below_ns
    return below_ns if likely_ns - below_ns < above_ns - likely_ns else above_ns
