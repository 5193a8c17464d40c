"""The arithmetic of weighted intervals and medians, held against counting on small grids."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.consensus import cover
from sources.base import Interval

GRID = range(-8, 9)
"""Intervals begin and end on even points, so that the odd ones are what lies between."""

places = st.integers(min(GRID) // 2, max(GRID) // 2).map(lambda place: 2 * place)
intervals = st.tuples(places, places).map(lambda ends: Interval(min(ends), max(ends)))
weights = st.integers(1, 4)
weighted_intervals = st.lists(st.tuples(intervals, weights), max_size=6)
weighted_values = st.lists(st.tuples(st.integers(-3, 3), weights), min_size=1, max_size=7)


def covers(weighted: list[tuple[Interval, int]]) -> dict[int, int]:
    """Return, point by point, the weight of the intervals that hold it."""
    return {
        point: sum(weight for (low, high), weight in weighted if low <= point <= high)
        for point in GRID
    }


@given(weighted_intervals, st.integers(0, 30))
def test_what_is_covered_is_counted_point_by_point(
    weighted: list[tuple[Interval, int]], twice: int
) -> None:
    """The points of the intervals returned are those with more than half of `twice` over them."""
    found = cover.where_cover_exceeds(twice, weighted)

    inside = {point for point in GRID if any(low <= point <= high for low, high in found)}
    assert inside == {point for point, over in covers(weighted).items() if 2 * over > twice}


@given(weighted_intervals, st.integers(0, 30))
def test_what_is_covered_is_in_order_and_in_one_piece(
    weighted: list[tuple[Interval, int]], twice: int
) -> None:
    """No two of the intervals returned touch, and a later one is further up."""
    found = cover.where_cover_exceeds(twice, weighted)

    assert all(before.high_ns < after.low_ns for before, after in pairwise(found))


def test_touching_intervals_share_their_end() -> None:
    """Where one ends and another begins both cover; two that only touch are one piece."""
    weighted = [(Interval(0, 10), 1), (Interval(10, 20), 1)]

    assert cover.where_cover_exceeds(2, weighted) == (Interval(10, 10),)
    assert cover.where_cover_exceeds(1, weighted) == (Interval(0, 20),)


def test_exactly_half_is_not_more_than_half() -> None:
    """The cover has to exceed the half, an odd `twice` being a half vote above the even one."""
    weighted = [(Interval(0, 10), 2), (Interval(5, 20), 1)]

    assert cover.where_cover_exceeds(4, weighted) == (Interval(5, 10),)
    assert cover.where_cover_exceeds(3, weighted) == (Interval(0, 10),)
    assert cover.where_cover_exceeds(6, weighted) == ()


def test_two_pieces_of_equal_cover_are_two() -> None:
    """Between two groups that do not meet nothing is covered."""
    weighted = [(Interval(0, 1), 1), (Interval(4, 5), 1)]

    assert cover.where_cover_exceeds(0, weighted) == (Interval(0, 1), Interval(4, 5))


@given(weighted_intervals)
def test_the_highest_cover_is_that_of_the_point_that_most_holds(
    weighted: list[tuple[Interval, int]],
) -> None:
    """No point of the grid is covered more, and one is as much; without intervals it is 0."""
    assert cover.highest_cover(weighted) == max(covers(weighted).values())


def test_nothing_covers_nothing() -> None:
    """Without intervals nothing is covered."""
    assert cover.highest_cover([]) == 0
    assert cover.where_cover_exceeds(0, []) == ()


@given(weighted_values)
def test_the_medians_are_the_outermost_middles(weighted: list[tuple[int, int]]) -> None:
    """A middle has at most half of the weight on either side; the two medians are the least and the
    greatest of the values that are one.
    """
    total = sum(weight for _, weight in weighted)
    middles = [
        value
        for value, _ in weighted
        if 2 * sum(weight for other, weight in weighted if other < value) <= total
        and 2 * sum(weight for other, weight in weighted if other > value) <= total
    ]

    assert cover.lower_median(weighted) == min(middles)
    assert cover.upper_median(weighted) == max(middles)


@given(weighted_values)
def test_a_weight_is_so_many_votes(weighted: list[tuple[int, int]]) -> None:
    """A value of weight three counts as three values, and the order does not count at all."""
    votes = [(value, 1) for value, weight in weighted for _ in range(weight)]

    assert cover.lower_median(reversed(weighted)) == cover.lower_median(votes)
    assert cover.upper_median(reversed(weighted)) == cover.upper_median(votes)


def test_the_medians_of_four_are_the_second_and_the_third() -> None:
    """An even number of equal votes has two middles, an odd one has one."""
    four, five = [(value, 1) for value in (1, 2, 3, 4)], [(value, 1) for value in (5, 1, 4, 2, 3)]

    assert (cover.lower_median(four), cover.upper_median(four)) == (2, 3)
    assert (cover.lower_median(five), cover.upper_median(five)) == (3, 3)


@pytest.mark.parametrize("median", [cover.lower_median, cover.upper_median])
def test_nothing_has_no_median(median: Callable[[list[tuple[int, int]]], int]) -> None:
    """Asking for it is a bug, and says so."""
    with pytest.raises(ValueError, match=r"^median of nothing$"):
        median([])


@given(st.lists(intervals, min_size=1, max_size=4))
def test_the_hull_spans_what_is_in_order(each: list[Interval]) -> None:
    """From the low end of the first to the high end of the last of pieces that do not meet."""
    pieces = cover.where_cover_exceeds(0, [(interval, 1) for interval in each])

    assert cover.hull(pieces) == Interval(min(i.low_ns for i in each), max(i.high_ns for i in each))


@given(st.integers(-9, 9), intervals)
def test_clamping_takes_the_nearest_point(value: int, interval: Interval) -> None:
    """A value inside stays, one outside becomes the end that is nearest to it."""
    low, high = interval

    assert cover.clamped(value, low, high) == min(
        range(low, high + 1), key=lambda point: abs(point - value)
    )
