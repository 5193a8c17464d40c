"""What stamps prove about a node's clock. Pure: no clock, no socket.

Everything is an interval of `node - true`: positive when the node's clock is ahead. A stamp S of
grain g says that the node's clock was in [S, S + g) at some instant between t1 and t4 of ours, or
up to `lag` later than that if the software keeps a stamp before it sends it. With raw - true in
[c_lo, c_hi], by the observer's own consensus,

    node - true  is in  [ S - t4 + c_lo,  S + g + lag - t1 + c_hi ]

for certain, however asymmetric the paths are. They can move the truth inside the interval, so its
middle proves nothing and is never reported. Intervals of several stamps are intersected:

      |----------first----------|
    |-|-------------------------|-|         widened by 500 ppm of the time since
                   |----------second----------|
                   |==========|

No point in common means that the clock was set in between, or that two machines are behind one
address. Then all that came before says nothing any more.
"""

from drift.consensus.rule import rounded_s
from nodes.base import Stamp
from sources.base import Interval
from sources.record import Record

NODE_PPM = 500
"""The most that a node's clock gains or loses on true time: the kernel's own limit of slewing."""
OBSERVER_PPM = 100
"""The most that CLOCK_MONOTONIC_RAW gains or loses against true time."""

_MILLION = 1_000_000


class Reference(Record):
    """The observer's own consensus: what its raw clock was against true time."""

    raw_minus_true: Interval
    at_raw_ns: int
    """When that was measured."""

    def over(self, first_raw_ns: int, last_raw_ns: int) -> Interval:
        """Return raw - true for every instant between two readings of the raw clock."""
        age_ns = max(abs(first_raw_ns - self.at_raw_ns), abs(last_raw_ns - self.at_raw_ns))
        return self.raw_minus_true.widened(_share(age_ns, OBSERVER_PPM))

    @property
    def doubt_ns(self) -> int:
        """How far to either side of `true_unix_ns` true time may be."""
        return -(-self.raw_minus_true.width_ns // 2)

    def true_unix_ns(self, raw_ns: int) -> int:
        """Return about what true time it is, for aiming and announcing; proofs use `over`."""
        return raw_ns - (self.raw_minus_true.low_ns + self.raw_minus_true.high_ns) // 2


class Reading(Record):
    """What is proven of one node's clock, from one stamp or several."""

    interval: Interval
    """Of node - true."""
    since_raw_ns: int
    until_raw_ns: int
    """It holds at some instant between these two."""

    def aged(self, until_raw_ns: int) -> Interval:
        """Return an interval that holds the drift at every instant from then to `until_raw_ns`."""
        return self.interval.widened(_share(until_raw_ns - self.since_raw_ns, NODE_PPM))


def read(stamp: Stamp, reference: Reference) -> Reading:
    """Return what one stamp proves."""
    since_ns, until_ns = stamp.sent_raw_ns, stamp.received_raw_ns
    observer = reference.over(since_ns, until_ns)
    low_ns = stamp.stamp_unix_ns - until_ns + observer.low_ns
    latest_ns = stamp.stamp_unix_ns + stamp.grain_ns + stamp.lag_ns
    return Reading(Interval(low_ns, latest_ns - since_ns + observer.high_ns), since_ns, until_ns)


def joined(before: Reading, after: Reading) -> Reading | None:
    """Return what both prove together, as of `after`; None where they contradict each other."""
    aged = before.aged(after.until_raw_ns)
    low_ns = max(aged.low_ns, after.interval.low_ns)
    high_ns = min(aged.high_ns, after.interval.high_ns)
    if low_ns > high_ns:
        return None
    return after.replaced(interval=Interval(low_ns, high_ns))


def integers(interval: Interval) -> range:
    """Return the whole seconds that the drift may round to; the integer is proven if it is one."""
    return range(rounded_s(interval.low_ns), rounded_s(interval.high_ns) + 1)


def proven_s(interval: Interval) -> int | None:
    """Return the drift in whole seconds where every point of the interval rounds to it."""
    possible = integers(interval)
    return possible[0] if len(possible) == 1 else None


def surely_beyond(interval: Interval, limit_ns: int) -> bool:
    """Whether the drift is more than the limit to either side, wherever in the interval it is."""
    return interval.low_ns > limit_ns or interval.high_ns < -limit_ns


def possibly_beyond(interval: Interval, limit_ns: int) -> bool:
    """Whether any point of the interval is more than the limit to either side."""
    return interval.low_ns < -limit_ns or interval.high_ns > limit_ns


def _share(span_ns: int, ppm: int) -> int:
    """Return so many millionths of a span, rounded up."""
    return -(-span_ns * ppm // _MILLION)
