"""Which coarse sources are asked again, and what stands where that was not possible."""

from collections.abc import Collection

import pytest

from drift.consensus.rule import (
    Answer,
    Lack,
    NoAnswer,
    Rule,
    settle,
    unless_unrefined,
    worth_refining,
)
from sources.base import Failure, Sample
from sources.clock import NS
from tests.support.drift.settling import failed, ms, said


def worth(
    *outcomes: Sample | Failure,
    refinable: Collection[int] = range(99),
    operators: int = 3,
    kinds: int = 1,
    wall_ns: int = 0,
) -> bool:
    """Return whether it is worth refining, by default all sources there are."""
    return worth_refining(outcomes, refinable, Rule(operators, kinds, 0), wall_ns)


def https(operator: str, low: float = -700, high: float = 310) -> Sample:
    return said(operator, ms(low, high), kind="https")


SHARP = [said(name, ms(-10, 10)) for name in "abc"]


def test_coarse_samples_alone_are_worth_refining() -> None:
    """Three operators whose samples may round to either of two integers leave it open."""
    assert worth(https("a"), https("b"), https("c"))
    assert not worth(https("a", -490, 490), https("b", -490, 490), https("c", -490, 490))


def test_enough_operators_that_are_sure_leave_nothing_open() -> None:
    """min_operators sharp operators decide; coarse ones beside them are left in peace."""
    assert not worth(*SHARP, https("d"))
    assert worth(*SHARP[:2], https("d"))
    assert worth(*SHARP, https("d"), operators=4)


def test_several_sure_sources_of_one_operator_are_one() -> None:
    """Sure operators are counted, not their samples."""
    assert worth(*[said("a", ms(-10, 10))] * 3, https("b"), https("c"))


def test_sure_of_another_integer_does_not_count() -> None:
    """A sharp operator that agrees, but rounds to another integer, does not make this one sure."""
    other = said("a", ms(-700, 310), ms(-700, -600), "https")

    assert worth(other, *SHARP[1:], https("d"))


def test_what_cannot_decide_is_not_tried() -> None:
    """Without refinable sources, operators or kinds enough, asking again would be in vain."""
    assert not worth(https("a"), https("b"), https("c"), refinable=[])
    assert not worth(https("a"), https("b", -490, 400), https("c"), refinable=[1])
    assert worth(*SHARP[:2], https("c"), https("d"), refinable=[3])
    assert not worth(https("a"), https("b"), failed("c"))
    assert not worth(https("a"), https("b"), https("c"), failed("n"), kinds=2)


def test_what_may_change_the_integer_is_tried() -> None:
    """Two coarse operators of three, beside one that stays coarse, decide once they are sharp."""
    assert worth(https("a"), https("b"), https("c"), refinable=[0, 1])
    assert worth(SHARP[0], https("b"), https("c"), refinable=[1, 2])


def test_falsetickers_are_not_hoped_for() -> None:
    """A source that is outvoted cannot come to agree by being narrower."""
    liar = https("d", 5000, 6000)

    assert not worth(*SHARP[:2], said("c", ms(-10, 600)), liar, refinable=[3])
    assert not worth(https("a"), https("b", 8000, 9000), liar)


def unless(
    *outcomes: Sample | Failure, missed: Collection[int], operators: int = 3, kinds: int = 1
) -> Answer | NoAnswer:
    """Settle a finished run in which these sources could not be asked again."""
    rule = Rule(operators, kinds, 0)
    found = settle(outcomes, rule, 0)
    assert isinstance(found, Answer)
    return unless_unrefined(found, outcomes, dict.fromkeys(missed, "no route"), rule, 0)


def test_an_integer_that_only_asking_again_could_decide_is_no_answer() -> None:
    """Coarse samples alone leave two integers; the lack names both, and why they stayed so."""
    found = unless(https("a"), https("b"), https("c"), missed=[0, 1, 2])

    assert isinstance(found, NoAnswer)
    assert found.lack is Lack.UNREFINED
    assert found.wanted == "one integer"
    assert found.found == "-1 to 0 s possible, asking again failed: no route"
    assert found.agreed


def test_coarse_samples_that_could_not_be_sharper_stand() -> None:
    """Who was asked all that there was to ask, and kinds that are never asked again, stay."""
    assert isinstance(unless(https("a"), https("b"), https("c"), missed=[]), Answer)


@pytest.mark.parametrize(
    ("sharp", "coarse", "stands"),
    [(3, 9, True), (2, 1, True), (2, 2, True), (2, 3, False), (1, 2, False)],
)
def test_sharp_samples_carry_the_answer(sharp: int, coarse: int, stands: bool) -> None:
    """min_operators that are sure do, whoever failed, and so does more than half of the weight."""
    samples = [said(f"s{n}", ms(-10, 10)) for n in range(sharp)]
    rest = [https(f"c{n}") for n in range(coarse)]

    found = unless(*samples, *rest, missed=range(sharp, sharp + coarse))

    assert isinstance(found, Answer) is stands


def test_a_narrowed_sample_says_though_it_failed_later() -> None:
    """Narrower than half a second, or of one integer only, is as good as a precise one."""
    narrow = [https("a", -490, 490), https("b", -490, 490), https("c", -600, -150)]

    assert isinstance(unless(*narrow, missed=[0, 1, 2]), Answer)


def test_only_what_is_half_a_second_wide_stayed_coarse() -> None:
    """A millisecond less is sharp, be it on both sides of a boundary between integers."""
    narrow, coarse = ([https(name, -700, high) for name in "abc"] for high in (-201, -200))

    assert isinstance(unless(*narrow, missed=[0, 1, 2]), Answer)
    assert isinstance(unless(*coarse, missed=[0, 1, 2]), NoAnswer)


def test_only_coarse_ones_may_be_elsewhere() -> None:
    """At either end of the coarse one, those that were measured well enough hold the integer."""
    sharp = [https(name, -450, -440) for name in "ab"] + [https(name, -700, -260) for name in "cd"]

    assert isinstance(unless(*sharp, https("e"), missed=[4]), Answer)


def test_falsetickers_that_failed_leave_the_answer_alone() -> None:
    """Who is outvoted was not needed to be asked again."""
    liar = https("d", 5000, 6000)

    assert isinstance(unless(*SHARP[:2], said("c", ms(-10, 600)), liar, missed=[3]), Answer)


def test_it_is_judged_by_the_drift_of_this_moment() -> None:
    """What straddles a half second raw may not once the wall clock is added, and vice versa."""
    narrow = [https(name, -490, 490) for name in "abc"]

    assert not worth(*narrow)
    assert worth(*narrow, wall_ns=NS // 2)
