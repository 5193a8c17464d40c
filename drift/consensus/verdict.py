"""One verdict for every configured source. Pure: what a run found in, words and numbers out."""

from collections import Counter
from collections.abc import Sequence

from drift.consensus.rule import Answer, NoAnswer
from drift.run.gather import Gathered
from sources.base import Failure, Interval, Sample
from sources.clock import NS
from sources.record import Record

AGREES = "agrees"
FALSETICKER = "falseticker"
UNDECIDED = "undecided"
"""It answered, but there is no majority that it could agree with or be outvoted by."""
NOT_NEEDED = "not needed"
"""The answer was settled before it answered, or before it was asked."""


class Verdict(Record):
    """What became of one source."""

    name: str
    operator: str
    kind: str
    word: str
    """One of the words above, or the value of a Reason."""
    text: str = ""
    """The word's particulars, for people."""
    sample: Sample | None = None
    certain: Interval | None = None
    """Of drift, as the source gave it, before the tolerance; None without a sample."""
    likely: Interval | None = None
    ahead_ns: int | None = None
    """Falsetickers: its time minus the consensus, so positive when its clock is ahead."""

    @property
    def offset_ns(self) -> int:
        """Local clock minus this source's time, the middle of `likely`; of samples only."""
        assert self.likely is not None  # noqa: S101 - samples have one
        return (self.likely.low_ns + self.likely.high_ns) // 2

    @property
    def uncertainty_ns(self) -> int:
        """How far to either side of the offset `likely` reaches; of samples only."""
        assert self.likely is not None  # noqa: S101 - samples have one
        return -(-self.likely.width_ns // 2)


def verdicts(gathered: Gathered, tolerance_ns: int) -> list[Verdict]:
    """Return the verdicts in the order of the sources."""
    consensus_ns = _consensus_ns(gathered.decision)
    found = []
    for source, outcome in zip(gathered.sources, gathered.outcomes, strict=True):
        verdict = Verdict(source.name, source.operator, source.kind, NOT_NEEDED)
        if isinstance(outcome, Failure):
            verdict = verdict.replaced(word=outcome.reason.value, text=outcome.message)
        if isinstance(outcome, Sample):
            verdict = verdict.replaced(
                word=UNDECIDED,
                text=outcome.detail,
                sample=outcome,
                certain=outcome.certain.shifted(gathered.wall_minus_raw_ns),
                likely=outcome.likely.shifted(gathered.wall_minus_raw_ns),
            )
            if consensus_ns is not None:
                verdict = _judged(verdict, gathered.decision.agreed, tolerance_ns, consensus_ns)
        found.append(verdict)
    return found


def _judged(
    verdict: Verdict, agreed: tuple[Interval, ...], tolerance_ns: int, consensus_ns: int
) -> Verdict:
    """Return the verdict on a sample where there is a majority to hold it against."""
    assert verdict.certain is not None  # noqa: S101 - samples have one
    widened = verdict.certain.widened(tolerance_ns)
    if any(widened.meets(interval) for interval in agreed):
        return verdict.replaced(word=AGREES)
    ahead_ns = consensus_ns - verdict.offset_ns
    return verdict.replaced(word=FALSETICKER, text=ahead_text(ahead_ns), ahead_ns=ahead_ns)


def _consensus_ns(decision: Answer | NoAnswer) -> int | None:
    """Return the drift that samples are held against; None where no majority formed."""
    if isinstance(decision, Answer):
        return decision.estimate_ns
    if not decision.agreed:
        return None
    return (decision.agreed[0].low_ns + decision.agreed[-1].high_ns) // 2


def distinct_names(found: Sequence[Verdict]) -> list[str]:
    """Return a name for each source that no other of its kind and operator has: "host", "host #2".

    Time series differ in these three.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    names = []
    for verdict in found:
        who = verdict.kind, verdict.operator, verdict.name
        seen[who] += 1
        names.append(verdict.name if seen[who] == 1 else f"{verdict.name} #{seen[who]}")
    return names


def ahead_text(ahead_ns: int) -> str:
    """Say how far off a server's clock is: "3600 s ahead"."""
    return f"{span_text(abs(ahead_ns))} {'ahead' if ahead_ns >= 0 else 'behind'}"


def span_text(ns: int) -> str:
    """Write a span for a person: "3600 s", "1.25 s", "3.1 ms"."""
    if 10 * ns < NS:
        return f"{ns / 1e6:.3g} ms"
    digits = 3 if ns < 10 * NS else 1
    return f"{ns / NS:.{digits}f}".rstrip("0").rstrip(".") + " s"
