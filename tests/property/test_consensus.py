"""The guarantee of the consensus rule, tried on runs as Hypothesis draws them."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule, rounded_s
from sources.base import Interval, Outcome, Pending, Sample
from sources.clock import NS
from tests.support.drift.consensus import Reference, nearest_s, quick, thorough
from tests.support.strategies import (
    ANY_MAJORITY,
    KINDS,
    anywhere,
    failed,
    final,
    honest,
    liar,
    points_ns,
    rules,
    runs,
)


@st.composite
def _honest_majorities(draw: st.DrawFn) -> tuple[int, list[Sample], list[Outcome]]:
    """Draw the truth, the honest operators' samples, and all outcomes of a finished run."""
    truth_ns = draw(points_ns)
    honest_operators = draw(st.integers(1, 5))
    truthful: list[Sample] = []
    outcomes: list[Outcome] = []
    for number in range(honest_operators):
        sources = draw(st.integers(1, 3))
        answering = draw(st.integers(1, sources))
        for _ in range(answering):
            kind = draw(st.sampled_from(KINDS))
            truthful.append(draw(honest(f"honest{number}", kind, truth_ns)))
        outcomes += [failed(f"honest{number}")] * (sources - answering)
    outcomes += truthful
    for number in range(draw(st.integers(0, honest_operators - 1))):
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(KINDS))
            outcomes.append(draw(liar(f"liar{number}", kind, truthful)))
        outcomes += [failed(f"liar{number}")] * draw(st.integers(0, 2))
    outcomes += [failed(f"silent{number}") for number in range(draw(st.integers(0, 3)))]
    return truth_ns, truthful, draw(st.permutations(outcomes))


@thorough
@given(_honest_majorities(), st.sampled_from([0, 1, NS // 50]))
def test_an_honest_majority_of_those_that_answered_keeps_the_truth(
    run: tuple[int, list[Sample], list[Outcome]], tolerance_ns: int
) -> None:
    """The truth is in C, and the estimate lies among the honest likely ends, whoever lies."""
    truth_ns, truthful, outcomes = run

    found = final(outcomes, ANY_MAJORITY.replaced(tolerance_ns=tolerance_ns))

    assert isinstance(found, Answer)
    assert any(part.low_ns <= truth_ns <= part.high_ns for part in found.agreed)
    honest_ends = [end_ns for one in truthful for end_ns in one.likely]
    assert min(honest_ends) <= found.estimate_ns <= max(honest_ends)


@quick
@given(_honest_majorities(), rules)
def test_a_missed_quorum_still_names_where_the_truth_is(
    run: tuple[int, list[Sample], list[Outcome]], rule: Rule
) -> None:
    """With an honest majority, all that can be lacking is the quorum, and C is reported."""
    truth_ns, _, outcomes = run

    found = final(outcomes, rule)

    assert isinstance(found, Answer) or found.lack is Lack.NO_QUORUM
    assert any(part.low_ns <= truth_ns <= part.high_ns for part in found.agreed)


@thorough
@given(runs(pending=False), rules)
def test_agreed_is_exactly_where_more_than_half_of_the_votes_meet(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """C's parts are in order, apart, and hold every point of majority cover and no other."""
    reference = Reference(outcomes, rule)

    agreed = final(outcomes, rule).agreed

    assert bool(agreed) == bool(reference.agreed)
    assert all(a.high_ns < b.low_ns for a, b in pairwise(agreed))
    for x in reference.points:
        held = any(part.low_ns <= x <= part.high_ns for part in agreed)
        assert held == (reference.cover(x) * 2 > reference.total)


@quick
@given(runs(pending=False, min_operators=1))
def test_the_quorum_refuses_and_never_changes_the_answer(outcomes: list[Outcome]) -> None:
    """A rule asking for as much as an answer has keeps it whole; asking for one more refuses."""
    found = final(outcomes)
    assume(isinstance(found, Answer))
    assert isinstance(found, Answer)
    operators, kinds = len(found.operators), len(found.kinds)

    assert final(outcomes, Rule(operators, kinds, 0)) == found
    for rule in (Rule(operators + 1, 0, 0), Rule(0, kinds + 1, 0)):
        refused = final(outcomes, rule)
        assert isinstance(refused, NoAnswer)
        assert (refused.lack, refused.agreed) == (Lack.NO_QUORUM, found.agreed)


@quick
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), rules)
def test_without_a_sample_there_is_nothing_to_decide(operators: list[str], rule: Rule) -> None:
    """Only failures: nothing. Only outstanding sources: wait."""
    nothing = final([failed(name) for name in operators], rule)
    waiting = final([Pending(name, "ntp") for name in operators], rule)

    assert isinstance(nothing, NoAnswer)
    assert (nothing.lack, nothing.agreed) == (Lack.NOTHING, ())
    assert isinstance(waiting, NoAnswer)
    assert waiting.lack is (Lack.UNSETTLED if operators else Lack.NOTHING)


@quick
@given(st.data(), rules, st.integers(1, 4))
def test_liars_gain_nothing_by_many_sources(data: st.DataObject, rule: Rule, liars: int) -> None:
    """More honest operators than liars: the liars' sources, however many, do not outvote them."""
    truthful = [
        data.draw(honest(f"honest{number}", "ntp", 0)).replaced(likely=Interval(0, 0))
        for number in range(liars + 1)
    ]
    lies = [
        data.draw(anywhere(f"liar{number}", "nts"))
        for number in range(liars)
        for _ in range(data.draw(st.integers(1, 8)))
    ]

    found = final([*lies, *truthful], rule.replaced(min_operators=0, min_kinds=0))

    assert isinstance(found, Answer)
    assert (found.drift_s, found.estimate_ns) == (0, 0)


@settings(max_examples=1000, deadline=None)
@given(
    st.one_of(
        st.integers(),
        points_ns,
        st.builds(
            lambda seconds, nearly: seconds * NS // 2 + nearly,
            st.integers(-(10**12), 10**12),
            st.integers(-1, 1),
        ),
    )
)
@example(0)
@example(NS // 2)
@example(-NS // 2)
def test_seconds_are_the_nearest_and_ties_go_away_from_zero(ns: int) -> None:
    """`rounded_s` equals rounding in fractions, and half a second is a whole one."""
    seconds = rounded_s(ns)

    assert seconds == nearest_s(ns)
    assert abs(Fraction(ns, NS) - seconds) <= Fraction(1, 2)
    assert rounded_s(-ns) == -seconds
