"""Weighted intervals and weighted medians: the arithmetic beneath the consensus rule. Pure."""

from collections.abc import Iterable

from sources.base import Interval


def where_cover_exceeds(
    twice: int, weighted: Iterable[tuple[Interval, int]]
) -> tuple[Interval, ...]:
    """Return, in order, the intervals in which twice the cover is more than `twice` (>= 0).

    The cover of a point is the weight of all intervals that hold it, their ends included.
    """
    found = []
    begin_ns = None
    for end_ns, cover in _cover_steps(weighted):
        if begin_ns is None and 2 * cover > twice:
            begin_ns = end_ns
        elif begin_ns is not None and 2 * cover <= twice:
            found.append(Interval(begin_ns, end_ns))
            begin_ns = None
    return tuple(found)


def highest_cover(weighted: Iterable[tuple[Interval, int]]) -> int:
    """Return the cover of the point that most weight holds; 0 without intervals."""
    return max((cover for _, cover in _cover_steps(weighted)), default=0)


def lower_median(weighted: Iterable[tuple[int, int]]) -> int:
    """Return the least value with at least half of all weight at or below it."""
    ordered = sorted(weighted)
    total = sum(weight for _, weight in ordered)
    below = 0
    for value, weight in ordered:
        below += weight
        if 2 * below >= total:
            return value
    raise ValueError("median of nothing")


def upper_median(weighted: Iterable[tuple[int, int]]) -> int:
    """Return the greatest value with at least half of all weight at or above it."""
    return -lower_median((-value, weight) for value, weight in weighted)


def hull(intervals: tuple[Interval, ...]) -> Interval:
    """Return what spans all of these, which are in order."""
    return Interval(intervals[0].low_ns, intervals[-1].high_ns)


def clamped(value: int, low: int, high: int) -> int:
    """Return the value, or the end of [low, high] that is nearest to it."""
    return max(low, min(value, high))


def _cover_steps(weighted: Iterable[tuple[Interval, int]]) -> list[tuple[int, int]]:
    """Sweep the ends of the intervals in order; return (where, cover after it).

    At one place openings sort before closings, so touching intervals overlap.
    """
    ends = sorted(
        (end_ns, closes, weight)
        for interval, weight in weighted
        for closes, end_ns in enumerate(interval)
    )
    cover = 0
    steps = []
    for end_ns, closes, weight in ends:
        cover += -weight if closes else weight
        steps.append((end_ns, cover))
    return steps
