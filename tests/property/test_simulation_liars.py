"""The liars of the simulation: within what a kind may carry, and no weaker than they claim."""

from itertools import product
from random import Random

import pytest

from drift.consensus.rule import Answer, rounded_s
from sources.base import Sample
from tools.simulation import liars
from tools.simulation.cases import RULE
from tools.simulation.gathering import run
from tools.simulation.model import World, drawn_truth, servers
from tools.simulation.network import QUIET
from tools.simulation.worlds import NINE

_SECOND_NS = 10**9


def _world(seed: int, lying: int) -> World:
    """Return a world of which so many operators lie, and have not answered yet."""
    rng = Random(seed)  # noqa: S311 - a simulation, the same every time
    world = World(rng, drawn_truth(rng))
    found = servers(NINE, QUIET)
    world.liars = {one.operator for one in found[:lying]}
    for one in found:
        world.add(one)
    return world


def _lies(world: World) -> list[Sample]:
    answers = [one.answer for one in world.sources if one.operator in world.liars]
    assert all(isinstance(answer, Sample) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Sample)]


@pytest.mark.parametrize("strategy", liars.STRATEGIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_lie_is_one_that_its_kind_may_carry(strategy: liars.Strategy, seed: int) -> None:
    """NTP estimates by all that it votes with, 2 s at most; the others vote with 20 s at most."""
    world = _world(seed, 4)

    liars.lie(world, strategy, "mixed", 1, RULE.tolerance_ns)

    for lie in _lies(world):
        assert lie.certain.contains(lie.likely)
        assert lie.likely.width_ns <= 2 * _SECOND_NS
        assert lie.certain.width_ns <= 20 * _SECOND_NS
        assert lie.kind not in ("ntp", "nts") or lie.certain == lie.likely


@pytest.mark.parametrize(("seed", "side"), list(product(range(20), (-1, 1))))
def test_the_edge_is_where_the_majority_ends(seed: int, side: int) -> None:
    """Who stands there belongs to the majority; a nanosecond farther out nobody does."""
    world = _world(seed, 4)
    liars.lie(world, liars.at_the_edge, "first", side, RULE.tolerance_ns)
    complete = run(world, RULE.replaced(min_operators=1, min_kinds=1)).complete
    place_ns = _lies(world)[0].certain.low_ns - side * RULE.tolerance_ns

    ends_ns = [end for part in complete.agreed for end in part]
    assert place_ns == (min(ends_ns) if side < 0 else max(ends_ns))


def test_over_the_boundary_is_over_it() -> None:
    """The estimates lie where the integer is another than that of the truth."""
    for seed in range(50):
        world = _world(seed, 4)
        liars.lie(world, liars.over_the_boundary, "last", 1, RULE.tolerance_ns)

        for lie in _lies(world):
            middle_ns = sum(lie.likely) // 2
            assert rounded_s(middle_ns) != rounded_s(world.truth_raw_ns)
            assert abs(middle_ns - world.truth_raw_ns) < _SECOND_NS


def test_the_worst_is_at_least_as_bad_as_each() -> None:
    """Who has tried everything is as far off as with any one of the strategies."""

    def off_s(world: World) -> int:
        decision = run(world, RULE).decision
        truth_s = rounded_s(world.truth_raw_ns)
        return abs(decision.drift_s - truth_s) if isinstance(decision, Answer) else 0

    for seed in range(4):
        worst = _world(seed, 4)
        liars.lie_worst(worst, RULE)
        for strategy, order in product(liars.STRATEGIES, liars.ORDERS):
            world = _world(seed, 4)
            liars.lie(world, strategy, order, 1, RULE.tolerance_ns)
            assert off_s(world) <= off_s(worst)


@pytest.mark.parametrize(("order", "late"), [("first", 0), ("mixed", 2), ("last", 4)])
def test_liars_choose_when_they_answer(order: str, late: int) -> None:
    """First, last, or half of them each way."""
    world = _world(3, 4)

    liars.lie(world, liars.together, order, 1, 0)

    lying = [one for one in world.sources if one.operator in world.liars]
    assert sum(one.waits_until_raw_ns > 0 for one in lying) == late
