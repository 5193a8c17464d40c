"""What readings of nodes guarantee, over clocks and networks as Hypothesis draws them.

Everything is whole nanoseconds. The observer's raw clock runs up to 100 ppm wrong, the node's up to
500 ppm, the two paths take what they like, the node floors its stamp and may be late with it.
"""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from drift.consensus.rule import rounded_s
from fleet import readings
from fleet.readings import Reading, Reference
from nodes.base import Stamp
from sources.base import Interval
from sources.clock import NS

EPOCH_NS = 1_800_000_000 * NS
GRAINS_NS = (1, 1000, 1_000_000, NS, 300 * NS)


class Universe:
    """True time, the observer's raw clock and a node's clock; true time is the argument of each."""

    def __init__(self, raw_ppm: int, node_ppm: int, raw_zero_ns: int, node_off_ns: int) -> None:
        self.raw_rate = 1 + Fraction(raw_ppm, 1_000_000)
        self.node_rate = Fraction(node_ppm, 1_000_000)
        self.raw_zero_ns = raw_zero_ns
        self.node_off_ns = node_off_ns

    def raw_ns(self, true_ns: int) -> Fraction:
        return self.raw_zero_ns + (true_ns - EPOCH_NS) * self.raw_rate

    def drift_ns(self, true_ns: int) -> Fraction:
        # Against the observer's raw clock, which is what ages are counted on.
        return self.node_off_ns + (self.raw_ns(true_ns) - self.raw_zero_ns) * self.node_rate

    def reference(self, true_ns: int, below_ns: int, above_ns: int) -> Reference:
        raw_ns = round(self.raw_ns(true_ns))
        off_ns = self.raw_ns(true_ns) - true_ns
        return Reference(Interval(int(off_ns) - 2 - below_ns, int(off_ns) + 2 + above_ns), raw_ns)

    def stamp(self, sent_ns: int, out_ns: int, back_ns: int, grain_ns: int, late_ns: int) -> Stamp:
        """Return what the node stamps `out_ns` after sending, which arrives `back_ns` later."""
        stamped_ns = sent_ns + out_ns
        clock_ns = stamped_ns + self.drift_ns(stamped_ns) - late_ns
        return a_stamp(
            int(clock_ns // grain_ns) * grain_ns,
            int(self.raw_ns(sent_ns)),
            -int(-self.raw_ns(stamped_ns + back_ns)),
            grain_ns,
            late_ns,
        )


def a_stamp(
    unix_ns: int, sent_raw_ns: int, received_raw_ns: int, grain_ns: int = NS, lag_ns: int = 0
) -> Stamp:
    return Stamp(
        stamp_unix_ns=unix_ns,
        grain_ns=grain_ns,
        lag_ns=lag_ns,
        sent_raw_ns=sent_raw_ns,
        received_raw_ns=received_raw_ns,
        server="192.0.2.1",
        software="",
        authenticated=False,
        verdict="",
        note="",
    )


delays_ns = st.one_of(st.just(0), st.integers(0, NS // 5), st.integers(0, 20 * NS))
drifts_ns = st.one_of(
    st.integers(-2 * NS, 2 * NS),
    st.sampled_from([half * NS // 2 + nearly for half in range(-5, 6) for nearly in (-1, 0, 1)]),
    st.integers(-(10**19), 10**19),
)
universes = st.builds(
    Universe,
    st.integers(-100, 100),
    st.integers(-500, 500),
    st.integers(0, 10**15),
    drifts_ns,
)


@st.composite
def exchanges(draw: st.DrawFn, most: int) -> tuple[Universe, list[tuple[Stamp, Reference, int]]]:
    """Draw a universe and exchanges, each with the consensus it is read by and its instant."""
    universe = draw(universes)
    true_ns = EPOCH_NS
    grain_ns = draw(st.sampled_from(GRAINS_NS))
    late_ns = draw(st.sampled_from([0, 0, NS // 3, NS]))
    found = []
    for _ in range(draw(st.integers(1, most))):
        true_ns += draw(st.integers(0, 600 * NS))
        measured_ns = true_ns - draw(st.integers(0, 60 * NS))
        reference = universe.reference(measured_ns, draw(delays_ns), draw(delays_ns))
        out_ns, back_ns = draw(delays_ns), draw(delays_ns)
        stamp = universe.stamp(true_ns, out_ns, back_ns, grain_ns, late_ns)
        found.append((stamp, reference, true_ns + out_ns))
        true_ns += out_ns + back_ns
    return universe, found


def test_the_exchanges_are_hard_enough() -> None:
    """The universe itself floors, delays and drifts."""
    universe = Universe(100, -500, 7, NS // 2)
    stamp = universe.stamp(EPOCH_NS + 100 * NS, NS, 3 * NS, NS, NS // 3)

    assert stamp.received_raw_ns - stamp.sent_raw_ns > 4 * NS
    assert stamp.stamp_unix_ns == EPOCH_NS + 101 * NS
    assert universe.drift_ns(EPOCH_NS + 100 * NS) < NS // 2 - NS // 25


@given(exchanges(1))
def test_the_truth_is_inside(drawn: tuple[Universe, list[tuple[Stamp, Reference, int]]]) -> None:
    """Whatever the paths, the grain, the lag and the rates: the interval holds the drift."""
    universe, [(stamp, reference, instant_ns)] = drawn

    reading = readings.read(stamp, reference)

    assert reading.interval.low_ns <= universe.drift_ns(instant_ns) <= reading.interval.high_ns


@given(exchanges(5))
def test_no_integer_that_is_not_proven(
    drawn: tuple[Universe, list[tuple[Stamp, Reference, int]]],
) -> None:
    """Stamps of one clock never contradict; joined they hold the truth, and so does the integer."""
    universe, found = drawn
    known: Reading | None = None

    for stamp, reference, instant_ns in found:
        reading = readings.read(stamp, reference)
        known = reading if known is None else readings.joined(known, reading)
        drift_ns = universe.drift_ns(instant_ns)

        assert known is not None
        assert known.interval.low_ns <= drift_ns <= known.interval.high_ns
        assert reading.interval.contains(known.interval)
        integer = readings.proven_s(known.interval)
        if integer is not None:
            assert integer == rounded_s(round(drift_ns))
        assert rounded_s(round(drift_ns)) in readings.integers(known.interval)


@given(exchanges(1), st.integers(0, 3600 * NS))
def test_an_old_reading_holds_the_truth_of_later(
    drawn: tuple[Universe, list[tuple[Stamp, Reference, int]]], later_ns: int
) -> None:
    """Aged, an interval holds what the node's clock has drifted to since."""
    universe, [(stamp, reference, instant_ns)] = drawn
    reading = readings.read(stamp, reference)
    then_ns = instant_ns + later_ns
    until_raw_ns = max(reading.until_raw_ns, -int(-universe.raw_ns(then_ns)))

    aged = reading.aged(until_raw_ns)

    assert aged.low_ns <= universe.drift_ns(then_ns) <= aged.high_ns


intervals = st.builds(
    lambda low, width: Interval(low, low + width), drifts_ns, st.integers(0, 5 * NS)
)


@given(intervals, st.integers(1, 20 * NS), st.floats(0, 1))
def test_surely_and_possibly_beyond(interval: Interval, limit_ns: int, part: float) -> None:
    """Surely: every point is. Possibly: some point is. Neither needs an integer."""
    inside_ns = interval.low_ns + int(interval.width_ns * Fraction(part))

    if readings.surely_beyond(interval, limit_ns):
        assert abs(inside_ns) > limit_ns
        assert readings.possibly_beyond(interval, limit_ns)
    if not readings.possibly_beyond(interval, limit_ns):
        assert abs(inside_ns) <= limit_ns
    ends = [abs(end_ns) > limit_ns for end_ns in interval]
    spans_zero = interval.low_ns <= 0 <= interval.high_ns
    assert readings.possibly_beyond(interval, limit_ns) == any(ends)
    assert readings.surely_beyond(interval, limit_ns) == (
        all(ends) and not spans_zero and (interval.low_ns > 0) == (interval.high_ns > 0)
    )
