"""An early answer is that of every way in which the run may end."""

from hypothesis import assume, example, given
from hypothesis import strategies as st

from drift.consensus.rule import Answer, Lack, Rule
from sources.base import Outcome
from tests.support.drift.consensus import quick, thorough, without_outstanding
from tests.support.strategies import (
    ANY_MAJORITY,
    completions,
    failed,
    final,
    nearly_settled,
    rules,
    runs,
)


@thorough
@given(nearly_settled(), rules, st.data())
def test_an_early_answer_is_the_answer_of_every_completion(
    outcomes: list[Outcome], rule: Rule, data: st.DataObject
) -> None:
    """Whatever the outstanding sources do, the integer stays and the quorum holds."""
    early = final(outcomes, rule)
    assume(isinstance(early, Answer))
    assert isinstance(early, Answer)

    for _ in range(4):
        completed = final(data.draw(completions(outcomes)), rule)

        assert isinstance(completed, Answer)
        assert completed.drift_s == early.drift_s


@quick
@given(nearly_settled(), rules)
def test_an_early_answer_reports_what_was_measured_and_nothing_else(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """An early answer is, in every field, the final one if nobody else answers."""
    early = final(outcomes, rule)
    assume(isinstance(early, Answer))

    assert early == final(without_outstanding(outcomes), rule)


@quick
@given(nearly_settled(), st.data())
def test_an_answer_stays_as_outcomes_come_in_one_by_one(
    outcomes: list[Outcome], data: st.DataObject
) -> None:
    """Once settled, every later state of the run is settled, on the same integer."""
    rule = Rule(min_operators=2, min_kinds=1, tolerance_ns=0)
    early = final(outcomes, rule)
    assume(isinstance(early, Answer))
    assert isinstance(early, Answer)
    completed = data.draw(completions(outcomes))
    for index in data.draw(st.permutations(range(len(outcomes)))):
        outcomes[index] = completed[index]

        later = final(outcomes, rule)

        assert isinstance(later, Answer)
        assert later.drift_s == early.drift_s


@thorough
@given(runs(pending=False), rules)
@example([], ANY_MAJORITY)
@example([failed("a")], ANY_MAJORITY)
def test_a_finished_run_is_never_unsettled(outcomes: list[Outcome], rule: Rule) -> None:
    """With nothing outstanding the decision is final: an answer, or a lack of something else."""
    found = final(outcomes, rule)

    assert isinstance(found, Answer) or found.lack is not Lack.UNSETTLED
