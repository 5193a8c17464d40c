"""The consensus rule. Pure: no clock, no socket, no logging, no order of arrival.

The proof is in docs/consensus.md. In short: every operator has one vote, shared by
those of its sources that have not failed. C is where certain intervals of more than half of all
votes meet; P is where they still may, once the outstanding have answered. The estimate is the
weighted median of the likely ends of the samples that agree with C. The integer is settled when
every completion of what is outstanding would print it and meet the quorum.

    |----a----|                      three votes, all answered: T = 3
         |----b----|                 cover 2 > 3/2 where a and b meet
                     |--c--|
         |=C==|                      a and b agree, c is a falseticker

Weights are integers: a vote is split among k sources as lcm / k, lcm over all operators.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from drift.consensus.cover import (
    clamped,
    highest_cover,
    hull,
    lower_median,
    upper_median,
    where_cover_exceeds,
)
from sources.base import Failure, Interval, Outcome, Sample
from sources.clock import NS
from sources.record import Record

_SHARP_NS = NS // 2
"""A likely interval narrower than this needs no refining; precise kinds may be as wide."""
_FAR_NS = 1 << 200
"""Beyond every legal time: the extremes to which an outstanding source may pull the median."""


class Rule(Record):
    """What a majority has to be made of."""

    min_operators: int
    min_kinds: int
    tolerance_ns: int
    """How much an honest server may be off beyond what it admits; widens votes, not estimates."""


class Lack(Enum):
    """Why there is no answer; the value is how a person reads it."""

    NOTHING = "no source yielded a sample"
    NO_MAJORITY = "no majority"
    NO_QUORUM = "quorum missed"
    UNREFINED = "too coarse"
    SLEPT = "what was measured is void"
    UNSETTLED = "answers outstanding could still change the result"


class Answer(Record):
    """A trustworthy answer. Drift is local minus true: negative when this clock is behind."""

    drift_s: int
    estimate_ns: int
    hull: Interval
    """Of drift: spans C, the points that a majority of certain intervals hold."""
    agreed: tuple[Interval, ...]
    """C itself; one interval nearly always."""
    operators: tuple[str, ...]
    """Operators that count toward the quorum, in order of configuration, case-folded.

    With answers outstanding, those that count if nobody else answers.
    """
    kinds: tuple[str, ...]
    """Kinds of their supporting samples, sorted."""


class NoAnswer(Record):
    """No trustworthy answer, and what was missing."""

    lack: Lack
    found: str
    wanted: str
    agreed: tuple[Interval, ...] = ()


class _Ballot(Record):
    """A sample as the rule sees it: in drift, `certain` widened, with its share of a vote."""

    operator: str
    kind: str
    certain: Interval
    likely: Interval
    weight: int


class _Votes(Record):
    """All votes of a run. Compared doubled, so that half of an odd total stays an integer."""

    cast: list[tuple[str, Sample, int]]
    """The samples, with their operators' keys and the weights of their shares."""
    operators: tuple[str, ...]
    """Those who have a vote, in order of configuration."""
    one: int
    """The weight of one whole vote."""
    outstanding: int

    @property
    def total(self) -> int:
        """The weight of all votes."""
        return self.one * len(self.operators)


def settle(outcomes: Sequence[Outcome], rule: Rule, wall_minus_raw_ns: int) -> Answer | NoAnswer:
    """Return the answer that every completion of the outstanding sources would give, or why none.

    With nothing outstanding it is the final word. With something outstanding, an Answer is safe
    to print at once, and a NoAnswer means that one has to wait.
    """
    votes = _count_votes(outcomes)
    if 2 * votes.outstanding >= votes.total > 0:
        found = f"{votes.outstanding / votes.one:.3g} of {len(votes.operators)} votes outstanding"
        return NoAnswer(Lack.UNSETTLED, found, "less than half")
    settled = _settle(votes, rule, wall_minus_raw_ns)
    if isinstance(settled, NoAnswer) or not votes.outstanding:
        return settled
    # Of the completions, which all print the same, report the one in which nobody else answers:
    # its estimate rests on what was measured and on nothing else.
    answered = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
    return _settle(_count_votes(answered), rule, wall_minus_raw_ns)


def worth_refining(
    outcomes: Sequence[Outcome],
    refinable: Collection[int],
    rule: Rule,
    wall_minus_raw_ns: int,
) -> bool:
    """Whether narrower samples of the `refinable` sources (indices) can make the integer surer.

    All sources are in. The integer is sure once samples of `min_operators` operators can round to
    nothing else. Coarse kinds (HTTPS) carry a second each, so with them alone it hardly ever is.
    Where so many cannot become sure, it is worth it if the integer depends on these samples.
    """
    verdict = _Refining(outcomes, refinable, rule, wall_minus_raw_ns)
    if verdict.is_sure or not verdict.can_meet_quorum:
        return False
    return verdict.can_become_sure or len(set(verdict.possible_s)) > 1


def unless_unrefined(
    answer: Answer,
    outcomes: Sequence[Outcome],
    missed: Mapping[int, str],
    rule: Rule,
    wall_minus_raw_ns: int,
) -> Answer | NoAnswer:
    """Return the answer, or why there is none where it depends on samples that stayed coarse.

    All sources are in. `missed` holds the sources that could not be asked again, and why. Those of
    them that agree and are coarse may be anywhere in their likely intervals. If the integer with
    all of them at their low ends is another than at their high ends, only asking again could have
    decided, and there is no answer. An integer of which min_operators operators are sure stands.
    """
    verdict = _Refining(outcomes, missed, rule, wall_minus_raw_ns)
    low_s, high_s = verdict.possible_s
    if verdict.is_sure or low_s == high_s:
        return answer
    why = next(missed[index] for index in sorted(missed) if index in verdict.coarse)
    found = f"{low_s} to {high_s} s possible, asking again failed: {why}"
    return NoAnswer(Lack.UNREFINED, found, "one integer", answer.agreed)


class _Refining:
    """What asking the `refinable` sources again can do to a finished run."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        refinable: Collection[int],
        rule: Rule,
        wall_minus_raw_ns: int,
    ) -> None:
        votes = _count_votes(outcomes)
        indices = [index for index, o in enumerate(outcomes) if isinstance(o, Sample)]
        ballots = [_ballot(*vote, rule, wall_minus_raw_ns) for vote in votes.cast]
        agreed = where_cover_exceeds(votes.total, _certain(ballots))
        numbered = zip(indices, ballots, strict=True)
        agreeing = {index: ballot for index, ballot in numbered if _meets(ballot, agreed)}
        self.can_meet_quorum = (
            len({ballot.kind for ballot in agreeing.values()}) >= rule.min_kinds
            and len({ballot.operator for ballot in agreeing.values()}) >= rule.min_operators
        )
        self.coarse: set[int] = set()
        """The coarse ones: wide, and rounding to several integers."""
        self.is_sure = True
        self.can_become_sure = False
        self.possible_s = (0, 0)
        """The least and the greatest integer that refining the coarse ones can lead to."""
        if not agreeing:
            return
        drift_s = rounded_s(_middle_ns(agreeing.values(), agreed))
        sure = {b.operator for b in agreeing.values() if _rounds_only_to(drift_s, b.likely)}
        hopeful = {b.operator for index, b in agreeing.items() if index in refinable}
        self.coarse = {i for i, b in agreeing.items() if i in refinable and not _is_sharp(b)}
        self.is_sure = len(sure) >= rule.min_operators
        self.can_become_sure = len(sure | hopeful) >= rule.min_operators
        low_s, high_s = (
            rounded_s(_middle_ns(self._at_their(end, agreeing), agreed)) for end in (0, 1)
        )
        self.possible_s = (low_s, high_s) if self.coarse else (drift_s, drift_s)

    def _at_their(self, end: int, agreeing: dict[int, _Ballot]) -> list[_Ballot]:
        """Return the ballots, the coarse ones at their low (0) or high (1) ends."""
        return [
            b.replaced(likely=Interval(b.likely[end], b.likely[end])) if i in self.coarse else b
            for i, b in agreeing.items()
        ]


def counted(number: int, noun: str) -> str:
    """Return a number of things for a sentence: "1 kind", "2 kinds"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def operator_key(operator: str) -> str:
    """Return what operators are compared by: "Apple" and " apple" are one."""
    return operator.strip().casefold()


def rounded_s(ns: int) -> int:
    """Return nanoseconds as whole seconds, to nearest, ties away from zero."""
    seconds, rest = divmod(abs(ns), NS)
    seconds += 2 * rest >= NS
    return seconds if ns >= 0 else -seconds


def _count_votes(outcomes: Sequence[Outcome]) -> _Votes:
    voters = [(operator_key(o.operator), o) for o in outcomes if not isinstance(o, Failure)]
    shares = Counter(operator for operator, _ in voters)
    one = math.lcm(*shares.values())
    cast = [
        (operator, outcome, one // shares[operator])
        for operator, outcome in voters
        if isinstance(outcome, Sample)
    ]
    outstanding = one * len(shares) - sum(weight for _, _, weight in cast)
    return _Votes(cast, tuple(shares), one, outstanding)


def _ballot(
    operator: str, sample: Sample, weight: int, rule: Rule, wall_minus_raw_ns: int
) -> _Ballot:
    low_ns, high_ns = sample.certain
    certain = Interval(
        low_ns + wall_minus_raw_ns - rule.tolerance_ns,
        high_ns + wall_minus_raw_ns + rule.tolerance_ns,
    )
    likely = sample.likely.shifted(wall_minus_raw_ns)
    return _Ballot(operator, sample.kind, certain, likely, weight)


def _settle(votes: _Votes, rule: Rule, wall_minus_raw_ns: int) -> Answer | NoAnswer:
    """Apply the rule to counted votes."""
    ballots = [_ballot(*vote, rule, wall_minus_raw_ns) for vote in votes.cast]
    agreed = where_cover_exceeds(votes.total, _certain(ballots))
    if not agreed:
        return _no_majority(votes, ballots)
    sure = [ballot for ballot in ballots if _meets(ballot, agreed)]
    low_ns, high_ns = _estimate_bounds(votes, ballots, sure, agreed)
    drift_s = rounded_s(low_ns)
    if drift_s != rounded_s(high_ns):
        found = f"{drift_s} to {rounded_s(high_ns)} s possible"
        return NoAnswer(Lack.UNSETTLED, found, "one integer", agreed)
    supporting = [ballot for ballot in sure if _may_round_to(drift_s, ballot.likely)]
    weights: Counter[str] = Counter()
    for ballot in supporting:
        weights[ballot.operator] += ballot.weight
    operators = tuple(name for name in votes.operators if 2 * weights[name] >= votes.one)
    kinds = tuple(sorted({b.kind for b in supporting if b.operator in operators}))
    if len(operators) < rule.min_operators or len(kinds) < rule.min_kinds:
        agreeing = f"{counted(len(operators), 'operator')} of {counted(len(kinds), 'kind')}"
        wanted = f"{counted(rule.min_operators, 'operator')} of {counted(rule.min_kinds, 'kind')}"
        found = f"{agreeing} can agree on {drift_s} s"
        return NoAnswer(Lack.NO_QUORUM, found, wanted, agreed)
    return Answer(drift_s, low_ns, hull(agreed), agreed, operators, kinds)


def _no_majority(votes: _Votes, ballots: list[_Ballot]) -> NoAnswer:
    if not votes.total:
        return NoAnswer(Lack.NOTHING, "no votes", "a majority")
    best = highest_cover(_certain(ballots))
    found = f"at most {best / votes.one:.3g} of {len(votes.operators)} votes agree"
    return NoAnswer(Lack.NO_MAJORITY, found, "more than half")


def _estimate_bounds(
    votes: _Votes, ballots: list[_Ballot], sure: list[_Ballot], agreed: tuple[Interval, ...]
) -> tuple[int, int]:
    """Return the least and the greatest estimate over all completions; equal if nothing is open.

    What is outstanding, and what may yet come to agree, pulls the median as far as it can to
    either side. The final majority lies between C and P, so clamping into its hull can move the
    low bound no lower than P's low end, and the high bound no higher than P's high end.
    """
    majority = hull(agreed)
    if not votes.outstanding:
        estimate_ns = _middle_ns(sure, agreed)
        return estimate_ns, estimate_ns
    ends = _ends(sure)
    possible = where_cover_exceeds(votes.total - 2 * votes.outstanding, _certain(ballots))
    widest = hull(possible)
    may_agree = [b for b in ballots if _meets(b, possible) and not _meets(b, agreed)]
    pull = 2 * (votes.outstanding + _weight(may_agree))
    low_ns = lower_median([*ends, (-_FAR_NS, pull)])
    high_ns = upper_median([*ends, (_FAR_NS, pull)])
    return (
        clamped(low_ns, widest.low_ns, majority.high_ns),
        clamped(high_ns, majority.low_ns, widest.high_ns),
    )


def _middle_ns(agreeing: Iterable[_Ballot], agreed: tuple[Interval, ...]) -> int:
    """Return the weighted median of their likely ends, clamped into the hull of C."""
    ends = _ends(agreeing)
    twice_ns = lower_median(ends) + upper_median(ends)
    # Halved toward zero: half a nanosecond must not round an integer up.
    middle_ns = abs(twice_ns) // 2 * (1 if twice_ns >= 0 else -1)
    majority = hull(agreed)
    return clamped(middle_ns, majority.low_ns, majority.high_ns)


def _ends(ballots: Iterable[_Ballot]) -> list[tuple[int, int]]:
    return [(end_ns, ballot.weight) for ballot in ballots for end_ns in ballot.likely]


def _is_sharp(ballot: _Ballot) -> bool:
    """Whether its likely interval is narrow, or can round to one integer only."""
    low_ns, high_ns = ballot.likely
    return ballot.likely.width_ns < _SHARP_NS or rounded_s(low_ns) == rounded_s(high_ns)


def _meets(ballot: _Ballot, intervals: tuple[Interval, ...]) -> bool:
    return any(ballot.certain.meets(interval) for interval in intervals)


def _may_round_to(drift_s: int, likely: Interval) -> bool:
    return rounded_s(likely.low_ns) <= drift_s <= rounded_s(likely.high_ns)


def _rounds_only_to(drift_s: int, likely: Interval) -> bool:
    return rounded_s(likely.low_ns) == drift_s == rounded_s(likely.high_ns)


def _certain(ballots: list[_Ballot]) -> list[tuple[Interval, int]]:
    return [(ballot.certain, ballot.weight) for ballot in ballots]


def _weight(ballots: list[_Ballot]) -> int:
    return sum(ballot.weight for ballot in ballots)
