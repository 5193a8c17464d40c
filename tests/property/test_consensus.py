"""The consensus rule, tried on runs as Hypothesis draws them.

The reference below was written from the text of the rule (docs/consensus.md), in fractions and by
trying every point, and shares no code with drift/consensus/rule.py.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule, rounded_s, settle, unless_unrefined
from sources.base import Failure, Interval, Outcome, Pending, Sample
from sources.clock import NS
from tests.support.strategies import (
    ANY_MAJORITY,
    KINDS,
    anywhere,
    completions,
    failed,
    final,
    honest,
    liar,
    nearly_settled,
    points_ns,
    rules,
    runs,
)

Number = int | float | Fraction
_INFINITY = float("inf")

quick = settings(max_examples=80, deadline=None)
thorough = settings(max_examples=150, deadline=None)


class Expected(NamedTuple):
    """What the reference makes of a run that it has an answer for."""

    drift_s: int
    estimate_ns: Fraction
    hull: Interval
    operators: set[str]
    kinds: set[str]


class _Reference:
    """The rule spelt out: fractions of votes, every point tried."""

    def __init__(self, outcomes: Sequence[Outcome], rule: Rule) -> None:
        self.rule = rule
        live: dict[str, list[Sample | Pending]] = defaultdict(list)
        for outcome in outcomes:
            if not isinstance(outcome, Failure):
                live[outcome.operator.strip().casefold()].append(outcome)
        self.total = len(live)
        self.samples: list[tuple[str, Fraction, Sample]] = []
        self.open = Fraction(0)
        for operator, entries in live.items():
            for entry in entries:
                if isinstance(entry, Pending):
                    self.open += Fraction(1, len(entries))
                else:
                    self.samples.append((operator, Fraction(1, len(entries)), entry))
        ends = sorted({end for _, _, s in self.samples for end in self.votes_for(s)})
        between = [Fraction(a + b, 2) for a, b in pairwise(ends)]
        self.points: list[Number] = [*ends, *between]
        self.agreed = [x for x in self.points if self.cover(x) > Fraction(self.total, 2)]
        self.possible = [
            x for x in self.points if self.cover(x) + self.open > Fraction(self.total, 2)
        ]

    def votes_for(self, of: Sample) -> tuple[int, int]:
        """Return the certain interval, widened."""
        return (
            of.certain.low_ns - self.rule.tolerance_ns,
            of.certain.high_ns + self.rule.tolerance_ns,
        )

    def holds(self, of: Sample, points: Sequence[Number]) -> bool:
        """Whether one of the points is in the certain interval."""
        low, high = self.votes_for(of)
        return any(low <= x <= high for x in points)

    def cover(self, x: Number) -> Fraction:
        """Return the votes whose certain interval holds x."""
        return sum((v for _, v, s in self.samples if self.holds(s, [x])), Fraction(0))

    def estimates(self) -> tuple[Number, Number]:
        """Return the least and the greatest estimate of all completions, by the pseudo-code."""
        sure = [(v, s) for _, v, s in self.samples if self.holds(s, self.agreed)]
        maybe = self.open + sum(
            v
            for _, v, s in self.samples
            if self.holds(s, self.possible) and not self.holds(s, self.agreed)
        )
        ends: list[tuple[Number, Fraction]] = [(e, v) for v, s in sure for e in s.likely]
        low = min(_medians([*ends, (-_INFINITY, 2 * maybe)]))
        high = max(_medians([*ends, (_INFINITY, 2 * maybe)]))
        if not self.open:
            middle = Fraction(low + high) / 2
            low = high = max(min(self.agreed), min(middle, max(self.agreed)))
            return low, high
        return (
            max(min(self.possible), min(low, max(self.agreed))),
            max(min(self.agreed), min(high, max(self.possible))),
        )

    def answer(self) -> Expected | Lack:
        """Return the answer, or what is missing."""
        if not self.agreed:
            return Lack.NO_MAJORITY if self.total else Lack.NOTHING
        low, high = self.estimates()
        drift_s = _nearest(low)
        if _nearest(high) != drift_s:
            return Lack.UNSETTLED
        support: dict[str, Fraction] = defaultdict(Fraction)
        supporting = [
            (o, v, s)
            for o, v, s in self.samples
            if self.holds(s, self.agreed)
            and _nearest(s.likely.low_ns) <= drift_s <= _nearest(s.likely.high_ns)
        ]
        for operator, vote, _ in supporting:
            support[operator] += vote
        operators = {operator for operator, votes in support.items() if votes >= Fraction(1, 2)}
        kinds = {s.kind for operator, _, s in supporting if operator in operators}
        if len(operators) < self.rule.min_operators or len(kinds) < self.rule.min_kinds:
            return Lack.NO_QUORUM
        hull = Interval(int(min(self.agreed)), int(max(self.agreed)))
        return Expected(drift_s, Fraction(low), hull, operators, kinds)


def _medians(weighted: Sequence[tuple[Number, Fraction]]) -> list[Number]:
    """Return the values with no more than half of all weight wholly below, and wholly above."""
    weighted = [(value, weight) for value, weight in weighted if weight]
    total = sum(weight for _, weight in weighted)
    return [
        x
        for x, _ in weighted
        if 2 * sum(w for v, w in weighted if v < x) <= total
        and 2 * sum(w for v, w in weighted if v > x) <= total
    ]


def _nearest(ns: Number) -> int:
    """Round to whole seconds, to nearest, ties away from zero."""
    if isinstance(ns, float):
        raise TypeError("an estimate without bounds")
    seconds = Fraction(ns) / NS
    return int(math.copysign(1, seconds)) * math.floor(abs(seconds) + Fraction(1, 2))


def _without_outstanding(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if not isinstance(outcome, Pending)]


def _agrees_with_reference(found: Answer | NoAnswer, expected: Expected | Lack) -> None:
    if isinstance(expected, Lack):
        assert isinstance(found, NoAnswer)
        assert found.lack is expected
        return
    assert isinstance(found, Answer)
    # Half a nanosecond is dropped toward zero: the documented rounding of the estimate.
    assert (found.drift_s, found.estimate_ns) == (expected.drift_s, int(expected.estimate_ns))
    assert found.hull == expected.hull
    assert sorted(found.operators) == sorted(expected.operators)
    assert found.kinds == tuple(sorted(expected.kinds))


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

    assert early == final(_without_outstanding(outcomes), rule)


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


@thorough
@given(runs(pending=False), rules)
def test_a_finished_run_is_decided_as_the_reference_decides(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """Answer, estimate, hull, operators, kinds and lacks equal those of the brute-force rule."""
    _agrees_with_reference(final(outcomes, rule), _Reference(outcomes, rule).answer())


@thorough
@given(st.one_of(runs(pending=True), nearly_settled()), rules)
def test_an_unfinished_run_is_settled_exactly_when_the_reference_settles_it(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """With sources outstanding, the integer is that of the pseudo-code, or neither has one."""
    expected = _Reference(outcomes, rule).answer()

    found = final(outcomes, rule)

    assert isinstance(found, Answer) == isinstance(expected, Expected)
    if isinstance(found, Answer) and isinstance(expected, Expected):
        assert found.drift_s == expected.drift_s
        if any(isinstance(outcome, Pending) for outcome in outcomes):
            expected_now = _Reference(_without_outstanding(outcomes), rule).answer()
            _agrees_with_reference(found, expected_now)


@quick
@given(runs(pending=True), rules, st.data())
def test_the_order_of_outcomes_never_matters(
    outcomes: list[Outcome], rule: Rule, data: st.DataObject
) -> None:
    """A permutation of the sources changes no more than the order that operators are named in."""
    other = final(data.draw(st.permutations(outcomes)), rule)

    found = final(outcomes, rule)

    if isinstance(found, Answer) and isinstance(other, Answer):
        assert sorted(found.operators) == sorted(other.operators)
        other = other.replaced(operators=found.operators)
    assert found == other


@quick
@given(runs(pending=True), rules, st.data())
def test_the_spelling_of_an_operator_never_matters(
    outcomes: list[Outcome], rule: Rule, data: st.DataObject
) -> None:
    """Case and surrounding blanks of an operator's name change nothing at all."""
    spellings = st.sampled_from([str.upper, str.title, " {}".format, "{}\t".format, "{}".format])
    respelt = [
        outcome.replaced(operator=data.draw(spellings)(outcome.operator)) for outcome in outcomes
    ]

    assert final(respelt, rule) == final(outcomes, rule)


@quick
@given(runs(pending=True), rules, st.integers(2, 4))
def test_an_operator_that_asks_twice_has_still_one_vote(
    outcomes: list[Outcome], rule: Rule, times: int
) -> None:
    """Each of one operator's sources repeated, failures included, changes nothing at all."""
    repeated = [
        outcome
        for outcome in outcomes
        for _ in range(times if outcome.operator in {"o0", "o1"} else 1)
    ]

    assert final(repeated, rule) == final(outcomes, rule)


@quick
@given(runs(pending=True), rules, st.data())
def test_failures_have_no_say(outcomes: list[Outcome], rule: Rule, data: st.DataObject) -> None:
    """More failures, of operators that answered and of others, change nothing at all."""
    names = st.sampled_from(["o0", "o1", "O2", "unheard of"])
    with_failures = list(outcomes)
    for operator in data.draw(st.lists(names, max_size=5)):
        place = data.draw(st.integers(0, len(with_failures)))
        with_failures.insert(place, failed(operator))

    assert final(with_failures, rule) == final(outcomes, rule)


@thorough
@given(runs(pending=True), rules)
def test_the_mirror_image_of_a_run_has_the_mirrored_answer(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """Ahead and behind are treated alike, to the last nanosecond and in every tie."""
    mirrored = [
        outcome.replaced(certain=_mirrored(outcome.certain), likely=_mirrored(outcome.likely))
        if isinstance(outcome, Sample)
        else outcome
        for outcome in outcomes
    ]

    found, other = final(outcomes, rule), final(mirrored, rule)

    assert [_mirrored(part) for part in reversed(other.agreed)] == list(found.agreed)
    if isinstance(found, Answer):
        assert isinstance(other, Answer)
        assert (-other.drift_s, -other.estimate_ns) == (found.drift_s, found.estimate_ns)
        assert (other.operators, other.kinds) == (found.operators, found.kinds)
    else:
        assert isinstance(other, NoAnswer)
        assert other.lack is found.lack


def _mirrored(interval: Interval) -> Interval:
    return Interval(-interval.high_ns, -interval.low_ns)


@quick
@given(runs(pending=True), rules, st.integers(-(1 << 70), 1 << 70))
def test_the_wall_clock_is_added_to_every_interval(
    outcomes: list[Outcome], rule: Rule, wall_minus_raw_ns: int
) -> None:
    """Settling at `wall - raw` is settling samples that are shifted by it, in any century."""
    shifted = [
        outcome.replaced(
            certain=outcome.certain.shifted(wall_minus_raw_ns),
            likely=outcome.likely.shifted(wall_minus_raw_ns),
        )
        if isinstance(outcome, Sample)
        else outcome
        for outcome in outcomes
    ]

    assert settle(outcomes, rule, wall_minus_raw_ns) == final(shifted, rule)


@quick
@given(runs(pending=True), rules, st.integers(-(10**11), 10**11))
def test_a_wall_clock_off_by_whole_seconds_more_adds_them_to_the_answer(
    outcomes: list[Outcome], rule: Rule, seconds: int
) -> None:
    """The drift grows by what the wall clock is moved, unless a tie is rounded the other way."""
    # Ends that are 1 modulo 4 have odd middles, and no odd number of nanoseconds is half a second.
    outcomes = [_off_boundaries(o) if isinstance(o, Sample) else o for o in outcomes]
    rule = rule.replaced(tolerance_ns=rule.tolerance_ns // 4 * 4)

    found, moved = final(outcomes, rule), settle(outcomes, rule, seconds * NS)

    if isinstance(found, Answer):
        assert isinstance(moved, Answer)
        assert moved.drift_s == found.drift_s + seconds
        assert moved.estimate_ns == found.estimate_ns + seconds * NS
        assert moved.hull == found.hull.shifted(seconds * NS)
        assert moved.agreed == tuple(part.shifted(seconds * NS) for part in found.agreed)
        assert (moved.operators, moved.kinds) == (found.operators, found.kinds)
    else:
        assert isinstance(moved, NoAnswer)
        assert moved.lack is found.lack


def _off_boundaries(of: Sample) -> Sample:
    certain = Interval(*(end_ns // 4 * 4 + 1 for end_ns in of.certain))
    likely = Interval(*(end_ns // 4 * 4 + 1 for end_ns in of.likely))
    return of.replaced(certain=certain, likely=likely)


@quick
@given(runs(pending=True), rules)
def test_the_tolerance_widens_votes_on_both_sides(outcomes: list[Outcome], rule: Rule) -> None:
    """A tolerance is the same as certain intervals that wide from the start; likely ones stay."""
    widened = [
        outcome.replaced(certain=outcome.certain.widened(rule.tolerance_ns))
        if isinstance(outcome, Sample)
        else outcome
        for outcome in outcomes
    ]

    assert final(widened, rule.replaced(tolerance_ns=0)) == final(outcomes, rule)


@thorough
@given(runs(pending=False), rules)
def test_agreed_is_exactly_where_more_than_half_of_the_votes_meet(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """C's parts are in order, apart, and hold every point of majority cover and no other."""
    reference = _Reference(outcomes, rule)

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

    assert seconds == _nearest(ns)
    assert abs(Fraction(ns, NS) - seconds) <= Fraction(1, 2)
    assert rounded_s(-ns) == -seconds


# Coarse samples that could not be asked again


@st.composite
def _missed(draw: st.DrawFn, outcomes: Sequence[Outcome]) -> dict[int, str]:
    """Draw which of the samples were to be narrowed, and were not."""
    samples = [index for index, o in enumerate(outcomes) if isinstance(o, Sample)]
    return {index: "no route" for index in samples if draw(st.booleans())}


def _sharp(one: Sample) -> bool:
    return one.likely.width_ns < NS // 2 or _nearest(one.likely.low_ns) == _nearest(
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
    reference = _Reference(outcomes, rule)
    return len(
        {
            operator
            for operator, _, one in reference.samples
            if reference.holds(one, reference.agreed)
            and _nearest(one.likely.low_ns) == answer.drift_s == _nearest(one.likely.high_ns)
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
    reference = _Reference(outcomes, rule)
    agreeing = [(v, s) for _, v, s in reference.samples if reference.holds(s, reference.agreed)]
    telling = sum(
        v
        for v, s in agreeing
        if _nearest(s.likely.low_ns) == answer.drift_s == _nearest(s.likely.high_ns)
    )

    assert unless_unrefined(answer, outcomes, {}, rule, 0) == answer
    if 2 * telling > sum(v for v, _ in agreeing):
        assert unless_unrefined(answer, outcomes, missed, rule, 0) == answer
