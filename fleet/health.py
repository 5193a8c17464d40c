"""How a network's clocks are, chain by chain. Pure.

Only nodes whose own clock was read count as read: `decided` and `undecided`. Who is silent, or
shows another clock than its own, is counted by its verdict and never as healthy, and every figure
says what share of the nodes it rests on.

One node's |drift| is known to be between two bounds, and so is the median of many: it lies between
the median of the lower bounds and that of the upper ones. That is what is reported.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from fleet.chains import Chain, chain_of
from fleet.readings import possibly_beyond, surely_beyond
from fleet.rounds import BEING_SET, DECIDED, Result
from nodes.base import COARSE
from sources.base import Interval
from sources.record import Record

_EDGES_S = (1, 2, 5, 10, 60, 3600)
"""Where the bars of a histogram begin, in whole seconds of drift to either side."""


class Bar(Record):
    """How many nodes have an integer in a range."""

    label: str
    """In seconds, node's clock minus true time."""
    nodes: int


class Health(Record):
    """The clocks of one chain's nodes."""

    chain: Chain
    nodes: int
    answered: int
    """That sent a stamp, of whatever worth."""
    read: int
    """Whose own clock was read, so that there is an interval."""
    decided: int
    verdicts: tuple[tuple[str, int], ...]
    """Every verdict there was, the most frequent first."""
    median: Interval | None
    """Of |drift|: between these bounds. None if no node was read."""
    p95: Interval | None
    surely: int
    """Of those read, how many are beyond the chain's limit for certain."""
    possibly: int
    """How many may be, those included."""
    histogram: tuple[Bar, ...]
    """Of the integers of those that are decided."""

    @property
    def read_share(self) -> float:
        """What share of the nodes quantiles and shares rest on."""
        return self.read / self.nodes if self.nodes else 0.0


def health(results: Iterable[Result]) -> list[Health]:
    """Return the health of every chain that has nodes among the results, largest first."""
    by_chain: dict[str, list[Result]] = {}
    for result in results:
        by_chain.setdefault(result.target.chain, []).append(result)
    found = [_of_chain(chain_of(name), members) for name, members in by_chain.items()]
    return sorted(found, key=lambda one: (-one.nodes, one.chain.name))


def worst(results: Iterable[Result], most: int) -> list[Result]:
    """Return the nodes that are surely the furthest off, the worst first; none that may be right.

    Those that were set meanwhile, or floor their clock, count as far as they are proven to be off.
    """
    off = [(_absolute(result.interval).low_ns, result) for result in results if _is_own(result)]
    off = [(low_ns, result) for low_ns, result in off if low_ns > 0]
    return [result for _, result in sorted(off, key=lambda pair: -pair[0])[:most]]


def _of_chain(chain: Chain, results: Sequence[Result]) -> Health:
    read = [result.interval for result in results if result.is_read and result.interval]
    return Health(
        chain=chain,
        nodes=len(results),
        answered=sum(result.interval is not None for result in results),
        read=len(read),
        decided=sum(result.verdict == DECIDED for result in results),
        verdicts=tuple(Counter(result.verdict for result in results).most_common()),
        median=_quantile(read, 50),
        p95=_quantile(read, 95),
        surely=sum(surely_beyond(interval, chain.limit_ns) for interval in read),
        possibly=sum(possibly_beyond(interval, chain.limit_ns) for interval in read),
        histogram=_histogram([r.drift_s for r in results if r.drift_s is not None]),
    )


def _quantile(intervals: Sequence[Interval], percent: int) -> Interval | None:
    """Return bounds of a quantile of |drift|, by nearest rank."""
    if not intervals:
        return None
    rank = -(-len(intervals) * percent // 100) - 1
    ends = [_absolute(interval) for interval in intervals]
    lows = sorted(end.low_ns for end in ends)
    highs = sorted(end.high_ns for end in ends)
    return Interval(lows[rank], highs[rank])


def _absolute(interval: Interval | None) -> Interval:
    """Return bounds of |drift|."""
    assert interval is not None  # noqa: S101 - the callers have looked
    ends = sorted((abs(interval.low_ns), abs(interval.high_ns)))
    spans_zero = interval.low_ns <= 0 <= interval.high_ns
    return Interval(0 if spans_zero else ends[0], ends[1])


def _is_own(result: Result) -> bool:
    own = result.is_read or result.verdict in (BEING_SET, COARSE)
    return own and result.interval is not None


def _histogram(drifts_s: Iterable[int]) -> tuple[Bar, ...]:
    """Return a bar for every range, empty ones included, from behind to ahead."""
    counts = Counter(_bar_of(drift_s) for drift_s in drifts_s)
    numbers = range(-len(_EDGES_S), len(_EDGES_S) + 1)
    return tuple(Bar(_label(number), counts[number]) for number in numbers)


def _bar_of(drift_s: int) -> int:
    number = sum(abs(drift_s) >= edge_s for edge_s in _EDGES_S)
    return number if drift_s >= 0 else -number


def _label(number: int) -> str:
    """Return the range of a bar, counted from the one of zero."""
    if not number:
        return "0"
    sign = "-" if number < 0 else "+"
    low_s = _EDGES_S[abs(number) - 1]
    if abs(number) == len(_EDGES_S):
        return f"{sign}{low_s} and more"
    high_s = _EDGES_S[abs(number)] - 1
    if low_s == high_s:
        return f"{sign}{low_s}"
    ends = (high_s, low_s) if number < 0 else (low_s, high_s)
    return f"{sign}{ends[0]} .. {sign}{ends[1]}"
