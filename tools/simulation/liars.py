"""Liars who know the rule and have seen all honest answers before they give their own.

A strategy chooses the intervals of every lying source, within what its kind may carry: NTP and NTS
estimate by the whole of what they vote with, at most 2 s wide; a coarse kind may vote with 20 s and
put its estimate anywhere in that. `order` chooses when they answer.
"""

from collections.abc import Callable, Sequence
from itertools import product
from random import Random

from drift.consensus.rule import Answer, NoAnswer, Rule, rounded_s
from sources.base import Interval, Sample
from sources.clock import NS
from sources.record import Record
from tools.simulation.gathering import run
from tools.simulation.model import World
from tools.simulation.network import MS, sample

_WIDEST_NS = 2 * NS - MS
_RADIUS_NS = 10 * NS
_PRECISE = ("ntp", "nts")
_LATE_NS = 2400 * MS
_PAST_NS = 1000
"""How far beyond a boundary is surely beyond it."""

Lie = tuple[Interval, Interval]
"""Certain and likely."""


class Sight(Record):
    """What liars have before them."""

    truth_ns: int
    honest: Sequence[Sample]
    edges: tuple[int, int]
    """The lowest and the highest point at which they and enough honest make a majority."""
    boundary_ns: int
    """The nearest drift at which the integer turns."""
    tolerance_ns: int


def together(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:
    """One lie, anything from 10 ms to thirty years off."""
    place_ns = sight.truth_ns + side * round(NS * 10 ** rng.uniform(-2, 9))
    return [_at(place_ns, place_ns + rng.randrange(40 * MS)) for _ in kinds]


def an_hour_off(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:
    """One lie that nobody can mistake for the truth."""
    place_ns = sight.truth_ns + side * 3600 * NS
    return [_at(place_ns, place_ns + rng.randrange(40 * MS)) for _ in kinds]


def over_the_boundary(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """Just beyond where the integer turns, on the side on which the truth is not."""
    beyond = 1 if sight.truth_ns < sight.boundary_ns else -1
    near_ns = sight.boundary_ns + beyond * _PAST_NS
    far_ns = near_ns + beyond * rng.randrange(1, 5 * MS)
    return [_reaching(kind, sight, near_ns, far_ns) for kind in kinds]


def at_the_edge(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """As narrow as can be, where the majority ends."""
    place_ns = _edge_ns(sight, side)
    return [_at(place_ns, place_ns) for _ in kinds]


def from_the_edge(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """From where the majority ends as far out as a kind may."""
    near_ns = _edge_ns(sight, side)
    return [_outward(kind, near_ns, side) for kind in kinds]


def split(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """Half of them at one edge of the majority, half at the other."""
    return [
        _outward(
            kind, _edge_ns(sight, side if number % 2 else -side), side if number % 2 else -side
        )
        for number, kind in enumerate(kinds)
    ]


def around_it(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """Agree with everybody, and lean to one side as far as that allows."""
    inner_ns = sight.truth_ns - side * MS
    return [_outward(kind, inner_ns, side) for kind in kinds]


def beside_the_first(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:
    """With an honest one who answers early, at that end of it which is farther from the truth."""
    if not sight.honest:
        return together(rng, sight, side, kinds)
    first = min(sight.honest, key=lambda one: (one.kind not in _PRECISE, one.rtt_ns))
    end_ns = first.certain[0 if side < 0 else 1]
    return [_outward(kind, end_ns, side) for kind in kinds]


def anything(rng: Random, sight: Sight, side: int, kinds: Sequence[str]) -> list[Lie]:  # noqa: ARG001
    """Ends of honest intervals, or a nanosecond beside them."""
    ends_ns = [end for one in sight.honest for end in (*one.certain, *one.likely)]
    ends_ns.append(sight.boundary_ns)
    lies = []
    for kind in kinds:
        low_ns, high_ns = sorted(rng.choice(ends_ns) + rng.randrange(-1, 2) for _ in range(2))
        most_ns = _WIDEST_NS if kind in _PRECISE else 2 * _RADIUS_NS
        high_ns = min(high_ns, low_ns + most_ns)
        likely = Interval(low_ns, high_ns)
        if kind not in _PRECISE:
            a_ns, b_ns = sorted(rng.randint(low_ns, high_ns) for _ in range(2))
            likely = Interval(a_ns, min(b_ns, a_ns + _WIDEST_NS))
        lies.append((Interval(low_ns, high_ns), likely))
    return lies


Strategy = Callable[[Random, Sight, int, Sequence[str]], list[Lie]]
STRATEGIES: tuple[Strategy, ...] = (
    together,
    over_the_boundary,
    at_the_edge,
    from_the_edge,
    split,
    around_it,
    beside_the_first,
    anything,
)
ORDERS = ("first", "last", "mixed")


def lie(world: World, strategy: Strategy, order: str, side: int, tolerance_ns: int) -> None:
    """Let the liars of a world answer by this strategy."""
    lying = [source for source in world.sources if source.operator in world.liars]
    sight = look(world, tolerance_ns)
    lies = strategy(world.rng, sight, side, [source.kind for source in lying])
    for number, (source, (certain, likely)) in enumerate(zip(lying, lies, strict=True)):
        source.answer = sample(source.operator, source.kind, source.address, certain, likely, MS)
        late = order == "last" or (order == "mixed" and number % 2 == 1)
        source.latency_ns = MS
        source.waits_until_raw_ns = world.begin_raw_ns + _LATE_NS if late else 0


def lie_worst(world: World, rule: Rule) -> None:
    """Let them try every strategy, order and side against the program, and take the worst."""
    state = world.rng.getstate()
    ranked = []
    for number, tried in enumerate(product(STRATEGIES, ORDERS, (-1, 1))):
        world.rng.setstate(state)
        lie(world, *tried, rule.tolerance_ns)
        ranked.append((_harm(run(world, rule).decision, world.truth_raw_ns), -number, tried))
    world.rng.setstate(state)
    lie(world, *max(ranked)[2], rule.tolerance_ns)


def look(world: World, tolerance_ns: int) -> Sight:
    """Return what the liars of a world have before them."""
    truth_ns = world.truth_raw_ns
    honest = world.seen
    boundary_ns = truth_ns // NS * NS + NS // 2
    operators = {one.operator for one in honest}
    edges = _edges(honest, len(operators), len(world.liars), truth_ns, tolerance_ns)
    return Sight(truth_ns, honest, edges, boundary_ns, tolerance_ns)


def _harm(decision: Answer | NoAnswer, truth_ns: int) -> tuple[int, int]:
    """Rank a result: by how wrong the integer is, then by the interval, then by the estimate."""
    if isinstance(decision, NoAnswer):
        return 0, 0
    off_s = abs(decision.drift_s - rounded_s(truth_ns))
    held = decision.hull.low_ns <= truth_ns <= decision.hull.high_ns
    return 2 * off_s + (not held), abs(decision.estimate_ns - truth_ns)


def _edges(
    honest: Sequence[Sample], honest_votes: int, lying_votes: int, truth_ns: int, tolerance_ns: int
) -> tuple[int, int]:
    """Return how far to either side a majority of all reaches, with every liar's vote there."""
    needed = (honest_votes + lying_votes) // 2 + 1 - lying_votes
    if needed <= 0 or len(honest) < needed:
        return truth_ns, truth_ns
    # Operators of several sources make this too far at times: no harm to the liars' cause.
    lows_ns = sorted(one.certain.low_ns - tolerance_ns for one in honest)
    highs_ns = sorted((one.certain.high_ns + tolerance_ns for one in honest), reverse=True)
    return lows_ns[needed - 1], highs_ns[needed - 1]


def _edge_ns(sight: Sight, side: int) -> int:
    """Return where to stand so that the widened interval just reaches the edge of the majority."""
    edge_ns = sight.edges[0 if side < 0 else 1]
    return edge_ns + side * sight.tolerance_ns


def _at(low_ns: int, high_ns: int) -> Lie:
    return Interval(low_ns, high_ns), Interval(low_ns, high_ns)


def _reaching(kind: str, sight: Sight, near_ns: int, far_ns: int) -> Lie:
    """Estimate between these two; vote with that and, if the kind may, with the truth as well."""
    likely = Interval(min(near_ns, far_ns), max(near_ns, far_ns))
    if kind in _PRECISE:
        return likely, likely
    truth_ns = sight.truth_ns
    return Interval(min(likely.low_ns, truth_ns), max(likely.high_ns, truth_ns)), likely


def _outward(kind: str, near_ns: int, side: int) -> Lie:
    """Return an interval from here outward, as wide as the kind may have it."""
    if kind in _PRECISE:
        return _at(*sorted((near_ns, near_ns + side * _WIDEST_NS)))
    far_ns = near_ns + side * _RADIUS_NS
    certain = Interval(min(near_ns, far_ns), max(near_ns, far_ns))
    return certain, Interval(far_ns, far_ns)
