"""The moment at which asking again shows on which side of a boundary the truth is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Interval
from sources.clock import NS
from sources.https import proof
from tests.support.sources.https_proof import MS

near = st.integers(-3 * 8, 3 * 8).map(lambda eighths: eighths * NS // 8)
ticks = st.builds(lambda place, off: place + off, near, st.integers(-2, 2))


@given(ticks, ticks, ticks)
def test_straddling_is_holding_a_boundary(one: int, two: int, boundary_raw_ns: int) -> None:
    """An interval straddles if it holds the boundary moved by some whole number of seconds."""
    likely = Interval(min(one, two), max(one, two))
    all_of_them = [boundary_raw_ns + number * NS for number in range(-10, 11)]

    assert proof.straddles(likely, boundary_raw_ns) == any(
        likely.low_ns <= boundary <= likely.high_ns for boundary in all_of_them
    )


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "expected"),
    [
        (1, NS - 1, False),
        (0, NS - 1, True),
        (1, NS, True),
        (-1, 1, True),
        (0, 0, True),
        (NS, NS, True),
        (-NS, -NS, True),
        (NS // 2, NS // 2, False),
        (NS + 1, 2 * NS - 1, False),
        (-5 * NS + 1, -4 * NS - 1, False),
        (10**9 * NS, 10**9 * NS, True),
    ],
)
def test_the_ends_count(low_ns: int, high_ns: int, expected: bool) -> None:
    """An interval that only touches a boundary straddles it: both integers are still possible."""
    assert proof.straddles(Interval(low_ns, high_ns), 0) is expected
    assert proof.straddles(Interval(low_ns - 7, high_ns - 7), 3 * NS - 7) is expected


@pytest.mark.parametrize(
    ("now_ms", "low_ms", "high_ms", "moment_ns"),
    [
        # A trip and a quarter and a margin before the boundary: 100 + 25 + 10 ms.
        (300, -500, 500, 864_999_999),
        # Just now, up to .1 s late, if a truth that far above can be shown at all.
        (100, -500, 500, 100 * MS),
        (101, -500, 500, 864_999_999),
        (60, -850, 150, 60 * MS),
        (76, -850, 150, 864_999_999),
        # No truth can be shown to be on a side that reaches no farther than the margin.
        (300, -10, 500, NS + MS),
        (950, -500, 10, 1_864_999_999),
        (300, -10, 10, None),
    ],
)
def test_moments_by_hand(now_ms: int, low_ms: int, high_ms: int, moment_ns: int | None) -> None:
    """To the nanosecond, for a boundary at 0 and a trip of 100 ms and a nanosecond."""
    likely = Interval(low_ms * MS, high_ms * MS)

    assert proof.next_moment_raw_ns(now_ms * MS, likely, 0, 100 * MS + 1) == moment_ns


boundaries = st.integers(-(2**62), 2**62)
round_trips = st.integers(0, 300 * MS)


rooms = st.integers(0, NS // 2)


@given(st.integers(0, 10 * NS), boundaries, round_trips, rooms, rooms)
def test_the_next_moment_is_just_before_or_just_after(
    now_ns: int, boundary_raw_ns: int, rtt_ns: int, below_ns: int, above_ns: int
) -> None:
    """It is now or less than a second ahead; and where the boundary's phase is the server's second,
    the reply comes shortly before that begins, or the request is sent shortly after. Only on a side
    on which the interval reaches 10 ms beyond the boundary there is anything to learn.
    """
    likely = Interval(boundary_raw_ns - below_ns, boundary_raw_ns + above_ns)

    moment_ns = proof.next_moment_raw_ns(now_ns, likely, boundary_raw_ns, rtt_ns)

    if moment_ns is None:
        assert max(below_ns, above_ns) <= 10 * MS
        return
    assert now_ns <= moment_ns < now_ns + NS
    since_ns, left_ns = (moment_ns - boundary_raw_ns) % NS, (boundary_raw_ns - moment_ns) % NS
    just_after = MS <= since_ns <= (100 * MS if moment_ns == now_ns else MS)
    just_before = left_ns == rtt_ns + rtt_ns // 4 + 10 * MS
    assert (just_after and above_ns > 10 * MS) or (just_before and below_ns > 10 * MS)


@given(st.integers(0, 10 * NS), boundaries, round_trips, rooms, rooms)
def test_no_moment_is_passed_over(
    now_ns: int, boundary_raw_ns: int, rtt_ns: int, below_ns: int, above_ns: int
) -> None:
    """With both sides to learn the earlier moment is chosen; with one, that side's."""
    wide = Interval(boundary_raw_ns - NS // 2, boundary_raw_ns + NS // 2)
    lower = Interval(boundary_raw_ns - NS // 2, boundary_raw_ns)
    upper = Interval(boundary_raw_ns, boundary_raw_ns + NS // 2)

    both, before, after = (
        proof.next_moment_raw_ns(now_ns, likely, boundary_raw_ns, rtt_ns)
        for likely in (wide, lower, upper)
    )

    assert before is not None
    assert after is not None
    assert both == min(before, after)


def test_two_boundaries_are_reported_from_both_sides() -> None:
    """An interval of a second and more may hold two: the truth between them takes two replies."""
    both = Interval(-1, NS + 1)

    after_ns = proof.next_moment_raw_ns(NS // 2, both, 0, MS)

    assert after_ns is not None
    assert NS - 20 * MS < after_ns < NS
    assert proof.next_moment_raw_ns(after_ns + 1, both, 0, MS) == NS + MS


@given(st.integers(0, 10 * NS), boundaries, round_trips)
def test_what_is_clear_needs_no_moment(now_ns: int, boundary_raw_ns: int, rtt_ns: int) -> None:
    """An interval that holds no boundary is asked no more about."""
    clear = Interval(boundary_raw_ns + 1, boundary_raw_ns + NS - 1)

    assert proof.next_moment_raw_ns(now_ns, clear, boundary_raw_ns, rtt_ns) is None
