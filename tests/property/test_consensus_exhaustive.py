"""The two theorems of the consensus rule, tried on every small case there is.

Ends are half seconds: where rounding turns, or as far from there as can be. A shape says, for
each operator, how many of its sources have answered and how many are outstanding.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product

import pytest

from drift.consensus.rule import Answer, Rule
from sources.base import Interval, Outcome, Pending, Sample
from sources.clock import NS
from tests.support.strategies import ANY_MAJORITY, failed, final, sample

Claim = tuple[Interval, Interval]
"""What a source may say: its certain and its likely interval."""
Shape = tuple[tuple[int, int], ...]

_DONE, _OPEN, _HALF_OPEN = (1, 0), (0, 1), (1, 1)


def _claims(*halves: int) -> list[Claim]:
    """Return every interval between these half seconds, and wide ones that are likely sharp."""
    ends_ns = [half_s * NS // 2 for half_s in halves]
    closed = [Interval(*pair) for pair in combinations_with_replacement(ends_ns, 2)]
    widest = Interval(ends_ns[0], ends_ns[-1])
    return [(one, one) for one in closed] + [(widest, Interval(at, at)) for at in ends_ns]


_FINE = _claims(-1, 0, 1, 2)
_COARSE = _claims(0, 1, 2)
_TINY = _claims(0, 1)
_ELSEWHERE: Claim = (Interval(9 * NS, 9 * NS), Interval(9 * NS, 9 * NS))


def _operators_claiming(
    number: int, answered: int, claims: Sequence[Claim]
) -> Iterator[list[Claim]]:
    """Yield all that `number` like operators may have claimed, regardless of which did."""
    each = list(combinations_with_replacement(claims, answered))
    for chosen in combinations_with_replacement(each, number):
        yield [claim for one in chosen for claim in one]


def _states(shape: Shape, claims: Sequence[Claim]) -> Iterator[list[Outcome]]:
    """Yield every state of a run of that shape, up to the names of like operators."""
    likes = {one: [f"o{i}" for i, other in enumerate(shape) if other == one] for one in shape}
    outstanding: list[Outcome] = [
        Pending(name, "ntp") for (_, waits), names in likes.items() for name in names * waits
    ]
    chosen_by_likes = [
        _operators_claiming(len(names), answered, claims) for (answered, _), names in likes.items()
    ]
    speakers = [
        name for (answered, _), names in likes.items() for name in names for _ in range(answered)
    ]
    for chosen in product(*chosen_by_likes):
        said = [claim for group in chosen for claim in group]
        samples = [_said(name, claim) for name, claim in zip(speakers, said, strict=True)]
        yield [*samples, *outstanding]


def _completions(outcomes: list[Outcome], claims: Sequence[Claim]) -> Iterator[list[Outcome]]:
    """Yield every way in which the outstanding sources may answer or fail."""
    kept = [outcome for outcome in outcomes if not isinstance(outcome, Pending)]
    ways: list[list[Outcome]] = [
        [
            failed(outcome.operator),
            *(_said(outcome.operator, claim) for claim in [*claims, _ELSEWHERE]),
        ]
        for outcome in outcomes
        if isinstance(outcome, Pending)
    ]
    for way in product(*ways):
        yield [*kept, *way]


def _said(operator: str, claim: Claim) -> Sample:
    return sample(operator, *claim)


def _strictest(outcomes: list[Outcome], operators: int) -> tuple[Rule, Answer] | None:
    """Return the highest quorum of operators under which this is settled, and the answer."""
    for min_operators in range(operators, -1, -1):
        rule = ANY_MAJORITY.replaced(min_operators=min_operators)
        found = final(outcomes, rule)
        if isinstance(found, Answer):
            return rule, found
    return None


@pytest.mark.parametrize(
    ("shape", "claims"),
    [
        pytest.param((_DONE, _DONE, _OPEN), _FINE, id="2 in, 1 out"),
        pytest.param((_DONE, _DONE, _DONE, _OPEN), _FINE, id="3 in, 1 out"),
        pytest.param((_DONE, _DONE, _DONE, _DONE, _OPEN), _COARSE, id="4 in, 1 out"),
        pytest.param((_DONE, _DONE, _DONE, _OPEN, _OPEN), _FINE, id="3 in, 2 out"),
        pytest.param((_HALF_OPEN, _DONE, _DONE), _FINE, id="half of 1 of 3 out"),
        pytest.param((_HALF_OPEN, _HALF_OPEN, _DONE), _COARSE, id="halves of 2 of 3 out"),
        pytest.param(((1, 2), _DONE, _DONE), _COARSE, id="two thirds of 1 of 3 out"),
        pytest.param(((2, 1), _DONE, _DONE), _COARSE, id="a third of 1 of 3 out"),
        pytest.param(
            (_HALF_OPEN, _DONE, _DONE, _DONE), [*_COARSE, _ELSEWHERE], id="half of 1 of 4 out"
        ),
        pytest.param((_HALF_OPEN, _DONE, _DONE, _OPEN), _COARSE, id="2 in, 1 out, half of 1 out"),
        pytest.param((_HALF_OPEN,) * 3 + (_DONE,), _TINY, id="halves of 3 of 4 out"),
        pytest.param(
            (_HALF_OPEN, _DONE, _DONE, _DONE, _OPEN), _TINY, id="3 in, 1 out, half of 1 out"
        ),
    ],
)
def test_every_completion_of_every_early_answer_is_that_answer(
    shape: Shape, claims: list[Claim]
) -> None:
    """Where a run is settled early, each way it can end prints that integer and has the quorum."""
    settled_early = 0
    for outcomes in _states(shape, claims):
        if not isinstance(early := final(outcomes), Answer):
            continue
        strictest = _strictest(outcomes, len(shape))
        assert strictest is not None
        rule, strict = strictest
        assert strict == early
        settled_early += 1
        for completed in _completions(outcomes, claims):
            found = final(completed, rule)

            assert isinstance(found, Answer), (found, rule, completed)
            assert found.drift_s == early.drift_s, (found, early, completed)

    assert settled_early


@pytest.mark.parametrize(
    "shape", [(_DONE, _OPEN), (_HALF_OPEN,) * 3, (_HALF_OPEN, _HALF_OPEN, _OPEN)], ids=str
)
def test_nothing_is_settled_while_half_of_the_votes_are_outstanding(shape: Shape) -> None:
    """At least half of the votes outstanding can outvote or undo whatever has been said."""
    for outcomes in _states(shape, _FINE):
        assert not isinstance(final(outcomes), Answer)


@pytest.mark.parametrize("operators", [1, 2, 3, 4, 5])
def test_every_honest_majority_wins(operators: int) -> None:
    """Wherever the truth is, if more than half hold it, it is in C and bounds the estimate."""
    for outcomes in _states((_DONE,) * operators, _FINE):
        found = final(outcomes)
        for half_s in range(-1, 3):
            truth_ns = half_s * NS // 2
            honest = [
                one
                for one in outcomes
                if isinstance(one, Sample) and one.certain.meets(Interval(truth_ns, truth_ns))
            ]
            if 2 * len(honest) <= operators:
                continue
            assert isinstance(found, Answer)
            assert any(part.low_ns <= truth_ns <= part.high_ns for part in found.agreed)
            likely_ns = [end_ns for one in honest for end_ns in one.likely]
            assert min(likely_ns) <= found.estimate_ns <= max(likely_ns)
