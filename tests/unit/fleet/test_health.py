"""The health of chains, from results of every kind."""

from hypothesis import given
from hypothesis import strategies as st

from fleet.chains import CHAINS, UNKNOWN
from fleet.health import Bar, health, worst
from fleet.readings import proven_s
from fleet.rounds import Result
from sources.base import Interval
from sources.clock import NS
from tests.support.fleet.fakes import a_target


def a_result(
    low_s: float | None = None, high_s: float = 0, verdict: str = "", chain: str = "bitcoin"
) -> Result:
    """Return what came of a node: by its interval, unless a verdict is given."""
    target = a_target("1.1.1.1", chain=chain)
    if low_s is None:
        return Result(target, verdict)
    interval = Interval(round(low_s * NS), round(high_s * NS))
    integer = None if verdict else proven_s(interval)
    word = verdict or ("undecided" if integer is None else "decided")
    return Result(target, word, integer, interval)


def seconds(low_s: float, high_s: float) -> Interval:
    return Interval(round(low_s * NS), round(high_s * NS))


def test_a_network() -> None:
    """Nodes, answers, verdicts; figures rest on those whose own clock was read."""
    [found] = health(
        [
            a_result(-0.3, 0.4),
            a_result(-0.1, 0.2),
            a_result(-4.4, -3.6),
            a_result(59.8, 60.3),
            a_result(3700, 3700.1),
            a_result(-100, 100, "adjusted"),
            a_result(0, 300, "coarse"),
            a_result(0, 1, "proxy"),
            a_result(verdict="silent"),
            a_result(verdict="silent"),
        ]
    )

    assert found.chain == CHAINS["bitcoin"]
    assert (found.nodes, found.answered, found.read, found.decided) == (10, 8, 5, 5)
    assert found.verdicts[:2] == (("decided", 5), ("silent", 2))
    assert found.read_share == 0.5
    assert found.median == seconds(3.6, 4.4)
    assert found.p95 == seconds(3700, 3700.1)
    assert (found.surely, found.possibly) == (1, 2)
    assert [bar for bar in found.histogram if bar.nodes] == [
        Bar("-4 .. -2", 1),
        Bar("0", 2),
        Bar("+60 .. +3599", 1),
        Bar("+3600 and more", 1),
    ]


def test_a_node_that_shows_another_clock_is_never_healthy() -> None:
    """A network of adjusted nodes and CDNs has no median, and nobody is within the limit."""
    words = ("adjusted", "coarse", "proxy", "unknown software", "clock being set")
    [found] = health([a_result(-0.1, 0.1, word) for word in words])

    assert found.answered == 5
    assert (found.read, found.decided, found.surely, found.possibly) == (0, 0, 0, 0)
    assert found.median is None
    assert found.p95 is None
    assert all(not bar.nodes for bar in found.histogram)


def test_nothing_read_is_no_share() -> None:
    """And no results are no chains."""
    assert health([]) == []
    assert health([a_result(verdict="silent")])[0].read_share == 0


def test_chains_are_apart_the_largest_first() -> None:
    """Each by its own limit; without a name, or with one nobody knows, by the strictest."""
    results = [a_result(0.6, 0.7, chain=name) for name in ("xrpl", "bitcoin", "bitcoin", "", "bit")]

    found = health(results)

    assert [one.chain.name for one in found] == ["bitcoin", "", "bit", "xrpl"]
    assert [one.surely for one in found] == [0, 1, 1, 0]
    assert found[1].chain == UNKNOWN


def test_bars_cover_every_integer() -> None:
    """From behind to ahead, in words that a person reads."""
    [found] = health([a_result(drift, drift) for drift in (-9, -5, -2, -1, 0, 1, 4, 5, 59)])

    assert [(bar.label, bar.nodes) for bar in found.histogram] == [
        ("-3600 and more", 0),
        ("-3599 .. -60", 0),
        ("-59 .. -10", 0),
        ("-9 .. -5", 2),
        ("-4 .. -2", 1),
        ("-1", 1),
        ("0", 1),
        ("+1", 1),
        ("+2 .. +4", 1),
        ("+5 .. +9", 1),
        ("+10 .. +59", 1),
        ("+60 .. +3599", 0),
        ("+3600 and more", 0),
    ]


def test_the_worst_nodes() -> None:
    """By what is proven; no node that may be right, none that shows another clock."""
    far, near = a_result(-10, -9), a_result(3, 4)
    coarse = a_result(-7200, -6900, "coarse")
    others = [
        a_result(-1, 8000),
        a_result(8000, 9000, "adjusted"),
        a_result(8000, 9000, "proxy"),
        a_result(verdict="silent"),
    ]

    assert worst([near, *others, far, coarse], 10) == [coarse, far, near]
    assert worst([near, far], 1) == [far]


truths = st.lists(
    st.tuples(st.integers(-100 * NS, 100 * NS), st.integers(0, 2 * NS), st.integers(0, 2 * NS)),
    min_size=1,
    max_size=40,
)


@given(truths)
def test_quantiles_and_shares_hold_the_truth(drawn: list[tuple[int, int, int]]) -> None:
    """Whatever the drifts within their intervals are, bounds hold their quantiles and counts."""
    results = [
        a_result((drift - below) / NS, (drift + above) / NS) for drift, below, above in drawn
    ]
    results = [
        result.replaced(interval=Interval(drift - below, drift + above))
        for result, (drift, below, above) in zip(results, drawn, strict=True)
    ]

    [found] = health(results)

    absolute = sorted(abs(drift) for drift, _, _ in drawn)
    assert found.median is not None
    assert found.p95 is not None
    median = absolute[-(-len(absolute) // 2) - 1]
    assert found.median.low_ns <= median <= found.median.high_ns
    p95 = absolute[-(-len(absolute) * 95 // 100) - 1]
    assert found.p95.low_ns <= p95 <= found.p95.high_ns
    beyond = sum(drift > found.chain.limit_ns for drift in absolute)
    assert found.surely <= beyond <= found.possibly
