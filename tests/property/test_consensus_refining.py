"""What no further question to a coarse source could have changed."""

from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule, unless_unrefined
from sources.base import Interval, Outcome, Sample
from sources.clock import NS
from tests.support.drift.consensus import Reference, nearest_s, thorough
from tests.support.strategies import final, rules, runs


@st.composite
def _missed(draw: st.DrawFn, outcomes: Sequence[Outcome]) -> dict[int, str]:
    """Draw which of the samples were to be narrowed, and were not."""
    samples = [index for index, o in enumerate(outcomes) if isinstance(o, Sample)]
    return {index: "no route" for index in samples if draw(st.booleans())}


def _sharp(one: Sample) -> bool:
    return one.likely.width_ns < NS // 2 or nearest_s(one.likely.low_ns) == nearest_s(
        one.likely.high_ns
    )


@thorough
@given(runs(pending=False, min_operators=1), rules, st.data())
def test_what_stands_unrefined_no_refining_could_have_changed(
    outcomes: list[Outcome], rule: Rule, data: st.DataObject
) -> None:
    """Where too few operators are sure, an answer stands only if every narrowing of the coarse
    samples that were missed would have led to the same integer.
    """
    answer = final(outcomes, rule)
    assume(isinstance(answer, Answer))
    assert isinstance(answer, Answer)
    missed = data.draw(_missed(outcomes))

    found = unless_unrefined(answer, outcomes, missed, rule, 0)

    if isinstance(found, NoAnswer):
        assert found.lack is Lack.UNREFINED
        return
    assert found == answer
    if _sure_operators(outcomes, answer, rule) >= rule.min_operators:
        return
    for index in missed:
        one = outcomes[index]
        assert isinstance(one, Sample)
        if not _sharp(one):
            ends = data.draw(st.tuples(*[st.integers(*one.likely)] * 2))
            outcomes[index] = one.replaced(likely=Interval(*sorted(ends)))
    refined = final(outcomes, rule.replaced(min_operators=0, min_kinds=0))
    assert isinstance(refined, Answer)
    assert refined.drift_s == answer.drift_s


def _sure_operators(outcomes: Sequence[Outcome], answer: Answer, rule: Rule) -> int:
    """Count operators with an agreeing sample that can round to this integer only."""
    reference = Reference(outcomes, rule)
    return len(
        {
            operator
            for operator, _, one in reference.samples
            if reference.holds(one, reference.agreed)
            and nearest_s(one.likely.low_ns) == answer.drift_s == nearest_s(one.likely.high_ns)
        }
    )


@thorough
@given(runs(pending=False, min_operators=1), rules, st.data())
def test_a_telling_majority_answers_whatever_failed(
    outcomes: list[Outcome], rule: Rule, data: st.DataObject
) -> None:
    """Samples of one integer that hold more than half of the agreeing weight are never refused
    for what others were missing; nor is anything where nothing was missed.
    """
    answer = final(outcomes, rule)
    assume(isinstance(answer, Answer))
    assert isinstance(answer, Answer)
    missed = data.draw(_missed(outcomes))
    reference = Reference(outcomes, rule)
    agreeing = [(v, s) for _, v, s in reference.samples if reference.holds(s, reference.agreed)]
    deciding = sum(
        v
        for v, s in agreeing
        if nearest_s(s.likely.low_ns) == answer.drift_s == nearest_s(s.likely.high_ns)
    )

    assert unless_unrefined(answer, outcomes, {}, rule, 0) == answer
    if 2 * deciding > sum(v for v, _ in agreeing):
        assert unless_unrefined(answer, outcomes, missed, rule, 0) == answer
