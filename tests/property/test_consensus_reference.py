"""A run is decided, and settled early, exactly as the reference does it."""

from hypothesis import given
from hypothesis import strategies as st

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule
from sources.base import Outcome, Pending
from tests.support.drift.consensus import Expected, Reference, thorough, without_outstanding
from tests.support.strategies import final, nearly_settled, rules, runs


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


@thorough
@given(runs(pending=False), rules)
def test_a_finished_run_is_decided_as_the_reference_decides(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """Answer, estimate, hull, operators, kinds and lacks equal those of the brute-force rule."""
    _agrees_with_reference(final(outcomes, rule), Reference(outcomes, rule).answer())


@thorough
@given(st.one_of(runs(pending=True), nearly_settled()), rules)
def test_an_unfinished_run_is_settled_exactly_when_the_reference_settles_it(
    outcomes: list[Outcome], rule: Rule
) -> None:
    """With sources outstanding, the integer is that of the pseudo-code, or neither has one."""
    expected = Reference(outcomes, rule).answer()

    found = final(outcomes, rule)

    assert isinstance(found, Answer) == isinstance(expected, Expected)
    if isinstance(found, Answer) and isinstance(expected, Expected):
        assert found.drift_s == expected.drift_s
        if any(isinstance(outcome, Pending) for outcome in outcomes):
            expected_now = Reference(without_outstanding(outcomes), rule).answer()
            _agrees_with_reference(found, expected_now)
