"""What may not matter: order, spelling, failures, the sign, the wall clock."""

from hypothesis import given
from hypothesis import strategies as st

from drift.consensus.rule import Answer, NoAnswer, Rule, settle
from sources.base import Interval, Outcome, Sample
from sources.clock import NS
from tests.support.drift.consensus import quick, thorough
from tests.support.strategies import failed, final, rules, runs


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
