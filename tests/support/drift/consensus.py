"""The consensus rule spelt out as a reference, and how many runs its properties are tried on.

It was written from the text of the rule (docs/consensus.md), in fractions and by trying every
point, and shares no code with drift/consensus/rule.py.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from hypothesis import settings

from drift.consensus.rule import Lack, Rule
from sources.base import Failure, Interval, Outcome, Pending, Sample
from sources.clock import NS

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


class Reference:
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
        drift_s = nearest_s(low)
        if nearest_s(high) != drift_s:
            return Lack.UNSETTLED
        support: dict[str, Fraction] = defaultdict(Fraction)
        supporting = [
            (o, v, s)
            for o, v, s in self.samples
            if self.holds(s, self.agreed)
            and nearest_s(s.likely.low_ns) <= drift_s <= nearest_s(s.likely.high_ns)
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


def nearest_s(ns: Number) -> int:
    """Round to whole seconds, to nearest, ties away from zero."""
    if isinstance(ns, float):
        raise TypeError("an estimate without bounds")
    seconds = Fraction(ns) / NS
    return int(math.copysign(1, seconds)) * math.floor(abs(seconds) + Fraction(1, 2))


def without_outstanding(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if not isinstance(outcome, Pending)]
