"""One verdict for every configured source. Pure: what a run found in, words and numbers out."""

from typing import NamedTuple

from drift.consensus import Answer, NoAnswer
from drift.gather import Gathered
from sources.base import NS, Failure, Interval, Pending, Sample

AGREES = "agrees"
FALSETICKER = "falseticker"
UNDECIDED = "undecided"
"""It answered, but there is no majority that it could agree with or be outvoted by."""
NOT_NEEDED = "not needed"
"""The answer was settled before it answered, or before it was asked."""


class Verdict(NamedTuple):
    """What became of one source."""

    name: str
    operator: str
    kind: str
    word: str
    """One of the words above, or the value of a Reason."""
    text: str
    """The word's particulars, for people; may be empty."""
    sample: Sample | None
    certain: Interval | None
    """Of drift, as the source gave it, before the tolerance; None without a sample."""
    likely: Interval | None
    ahead_ns: int | None
    """Falsetickers: its time minus the consensus, so positive when its clock is ahead."""


def verdicts(gathered: Gathered, tolerance_ns: int) -> list[Verdict]:
    """Return the verdicts in the order of the sources."""
    agreed = getattr(gathered.decision, "agreed", ())
    consensus_ns = _consensus_ns(gathered)
    found = []
    for source, outcome in zip(gathered.sources, gathered.outcomes, strict=True):
        match outcome:
            case Failure():
                rest = (outcome.reason.value, outcome.message, None, None, None, None)
            case Pending():
                rest = (NOT_NEEDED, "", None, None, None, None)
            case Sample():
                certain = outcome.certain.shifted(gathered.wall_minus_raw_ns)
                likely = outcome.likely.shifted(gathered.wall_minus_raw_ns)
                word, ahead_ns = UNDECIDED, None
                if consensus_ns is not None:
                    widened = certain.widened(tolerance_ns)
                    if any(widened.meets(interval) for interval in agreed):
                        word = AGREES
                    else:
                        word = FALSETICKER
                        ahead_ns = consensus_ns - (likely.low_ns + likely.high_ns) // 2
                text = outcome.detail if ahead_ns is None else ahead_text(ahead_ns)
                rest = (word, text, outcome, certain, likely, ahead_ns)
        found.append(Verdict(source.name, source.operator, source.kind, *rest))
    return found


def _consensus_ns(gathered: Gathered) -> int | None:
    """Return the drift that samples are held against; None where no majority formed."""
    decision = gathered.decision
    if isinstance(decision, Answer):
        return decision.estimate_ns
    if isinstance(decision, NoAnswer) and decision.agreed:
        return (decision.agreed[0].low_ns + decision.agreed[-1].high_ns) // 2
    return None


def ahead_text(ahead_ns: int) -> str:
    """Say how far off another clock is."""
    return f"its time is {span_text(abs(ahead_ns))} {'ahead' if ahead_ns >= 0 else 'behind'}"


def span_text(ns: int) -> str:
    """Write a span for a person: "3600 s", "1.25 s", "3.1 ms"."""
    if ns < NS // 10:
        return f"{ns / 1e6:.3g} ms"
    return f"{ns / NS:.3f}".rstrip("0").rstrip(".") + " s"
