"""What a number of simulated runs came to.

The truth is known. Two questions are asked of every integer, ours and the peers':

- wrong: no drift that honest answers allow rounds to it. They allow all from the least to the
  greatest end of the honest likely intervals, the true drift included. This is what the guarantee
  of docs/consensus.md excludes if more than half of the answering operators are honest.
- beside: it is not the integer nearest to the true drift. Near to where the integer turns nobody
  can help that, so it compares programs and proves nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Self

from drift.consensus.rule import Answer, NoAnswer, rounded_s
from sources.base import Failure, Outcome, Sample
from sources.record import Record
from tools.simulation.cases import Case
from tools.simulation.gathering import Ran, run
from tools.simulation.model import World
from tools.simulation.peers import PEERS

OURS = "time-drift"


class Tally:
    """Counts that can be added up in any order."""

    def __init__(self, counts: Counter[str] | None = None, worst_ns: int = 0) -> None:
        """Begin with these."""
        self.counts = counts or Counter()
        """Under an honest majority by name, otherwise by "broken " and the name."""
        self.worst_ns = worst_ns
        """How far the nanoseconds of an answer were off, under an honest majority."""
        self.bugs: list[int] = []
        """Numbers of runs that the guarantee excludes, a few of them."""

    def add(self, other: Self) -> None:
        """Take in another's counts."""
        self.counts += other.counts
        self.worst_ns = max(self.worst_ns, other.worst_ns)
        self.bugs = sorted({*self.bugs, *other.bugs})[:10]


class Judged(Record):
    """One run, held against the truth."""

    ran: Ran
    truth_ns: int
    """The drift at the moment of decision."""
    allowed_s: range
    """The integers that honest answers allow."""
    is_majority_honest: bool
    """Of the operators that answer by the deadline, more than half are honest in every sample."""
    was_majority_honest: bool
    """The same of those that had answered at the moment of decision."""
    outvoted: int
    """Sources that are meant to be honest, and disagree with all that answer by the deadline."""


def tally(case: Case, seed: int, numbers: Iterable[int]) -> Tally:
    """Run a case by these numbers; a number's run is the same whoever runs it."""
    found = Tally()
    for number in numbers:
        world = case.build(rng_of(case, seed, number))
        judged = judge(world, case, run(world, case.rule))
        _count(found, judged, number)
    return found


def rng_of(case: Case, seed: int, number: int) -> Random:
    """Return the chance of one run."""
    return Random(f"{seed} {case.name} {number}")  # noqa: S311 - a simulation, the same every time


def judge(world: World, case: Case, ran: Ran) -> Judged:
    """Hold a run against the truth of its world."""
    shift_ns = ran.wall_minus_raw_ns
    truth_ns = world.truth_raw_ns + shift_ns
    honest = _honest(world, case, ran.outcomes)
    ends_ns = [truth_ns]
    for one in honest:
        ends_ns += (one.likely.low_ns + shift_ns, one.likely.high_ns + shift_ns)
    allowed_s = range(rounded_s(min(ends_ns)), rounded_s(max(ends_ns)) + 1)
    in_time = ran.decided_on if ran.outstanding else ran.outcomes
    return Judged(
        ran,
        truth_ns,
        allowed_s,
        _is_majority(honest, ran.outcomes),
        _is_majority(_honest(world, case, in_time), in_time),
        _outvoted(world, case, ran),
    )


def _honest(world: World, case: Case, outcomes: Iterable[Outcome]) -> list[Sample]:
    """Return the samples of those who are meant to be honest, and whose votes hold the truth."""
    tolerance_ns, truth_ns = case.rule.tolerance_ns, world.truth_raw_ns
    return [
        one
        for one in outcomes
        if isinstance(one, Sample)
        and one.operator not in world.liars
        and one.certain.low_ns - tolerance_ns <= truth_ns <= one.certain.high_ns + tolerance_ns
    ]


def _is_majority(honest: Sequence[Sample], outcomes: Iterable[Outcome]) -> bool:
    """Whether more than half of the operators with a sample have honest samples only."""
    samples = Counter(one.operator for one in outcomes if isinstance(one, Sample))
    holding = Counter(one.operator for one in honest)
    wholly = sum(holding[operator] == count for operator, count in samples.items())
    return 2 * wholly > len(samples)


def _outvoted(world: World, case: Case, ran: Ran) -> int:
    """Return how many that are meant to be honest would have been called falsetickers."""
    if not isinstance(ran.complete, Answer):
        return 0
    tolerance_ns = case.rule.tolerance_ns
    low_ns, high_ns = ran.complete.hull.shifted(-ran.wall_minus_raw_ns)
    return sum(
        one.certain.low_ns - tolerance_ns > high_ns or one.certain.high_ns + tolerance_ns < low_ns
        for one in ran.outcomes
        if isinstance(one, Sample) and one.operator not in world.liars
    )


def _count(found: Tally, judged: Judged, number: int) -> None:
    ran, counts = judged.ran, found.counts
    prefix = "" if judged.is_majority_honest else "broken "
    counts[f"{prefix}runs"] += 1
    counts[f"{prefix}sources"] += len(ran.outcomes)
    counts[f"{prefix}failed"] += sum(isinstance(one, Failure) for one in ran.outcomes)
    samples = [one for one in ran.outcomes if isinstance(one, Sample)]
    counts[f"{prefix}outvoted"] += judged.outvoted
    if isinstance(ran.decision, NoAnswer):
        counts[f"{prefix}lack {ran.decision.lack.name}"] += 1
    answer = ran.decision if isinstance(ran.decision, Answer) else None
    _count_integer(counts, f"{prefix}{OURS}", judged, answer.drift_s if answer else None)
    for name, peer in PEERS.items():
        drift_ns = peer(samples)
        drift_s = None if drift_ns is None else rounded_s(drift_ns + ran.wall_minus_raw_ns)
        _count_integer(counts, f"{prefix}{name}", judged, drift_s)
    if answer is not None and _count_answer(found, prefix, judged, answer):
        found.bugs = sorted([*found.bugs, number])[:10]


def _count_integer(counts: Counter[str], name: str, judged: Judged, drift_s: int | None) -> None:
    if drift_s is None:
        counts[f"{name} refused"] += 1
        return
    counts[f"{name} answered"] += 1
    counts[f"{name} wrong"] += drift_s not in judged.allowed_s
    counts[f"{name} beside"] += drift_s != rounded_s(judged.truth_ns)


def _count_answer(found: Tally, prefix: str, judged: Judged, answer: Answer) -> bool:
    """Count what only we print; return whether the guarantee excludes it."""
    ran, counts = judged.ran, found.counts
    off_ns = abs(answer.estimate_ns - judged.truth_ns)
    is_covered = answer.hull.low_ns <= judged.truth_ns <= answer.hull.high_ns
    is_early = ran.outstanding > 0
    is_other = not isinstance(ran.complete, Answer) or ran.complete.drift_s != answer.drift_s
    counts[f"{prefix}early"] += is_early
    counts[f"{prefix}outstanding"] += ran.outstanding
    counts[f"{prefix}covered"] += is_covered
    counts[f"{prefix}off us"] += off_ns // 1000
    counts[f"{prefix}width us"] += answer.hull.width_ns // 1000
    counts[f"{prefix}changed"] += is_early and is_other
    if judged.is_majority_honest and judged.was_majority_honest:
        counts["due"] += 1
        counts["due covered"] += is_covered
        found.worst_ns = max(found.worst_ns, off_ns)
    return judged.is_majority_honest and (
        answer.drift_s not in judged.allowed_s
        or (judged.was_majority_honest and not is_covered)
        or (is_early and is_other)
    )
