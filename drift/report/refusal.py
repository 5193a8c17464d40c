"""Why there is no answer, in one line under 512 bytes. Pure."""

from collections.abc import Iterable, Sequence

from drift.consensus import NoAnswer
from drift.verdict import AGREES, NOT_NEEDED, UNDECIDED, Verdict

_NAMES = 3
"""How many sources of one verdict are named before the rest are only counted."""


def refusal(decision: NoAnswer, verdicts: Sequence[Verdict]) -> str:
    """Return what was found, what was needed, and which sources failed and why."""
    answered = sum(verdict.sample is not None for verdict in verdicts)
    heard = f"{answered} of {len(verdicts)} sources answered"
    said = f"no answer: {decision.lack.value}: {decision.found}, needed {decision.wanted}; {heard}"
    return "; ".join([said, *_groups(verdicts)])


def _groups(verdicts: Iterable[Verdict]) -> list[str]:
    """Return one phrase a kind and verdict: "ntp refused: a, b (kiss-o'-death RATE)"."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.word not in (AGREES, NOT_NEEDED):
            groups.setdefault((verdict.kind, verdict.word), []).append(verdict)
    return [f"{kind} {word}: {_phrase(members)}" for (kind, word), members in groups.items()]


def _phrase(members: Sequence[Verdict]) -> str:
    """Return some names, how many more there are, and why; falsetickers each with their lie."""
    names = [
        f"{member.name} ({member.text})" if member.ahead_ns is not None else member.name
        for member in members[:_NAMES]
    ]
    more = f" and {len(members) - _NAMES} more" if len(members) > _NAMES else ""
    reasons = dict.fromkeys(
        member.text
        for member in members
        if member.text and member.ahead_ns is None and member.word != UNDECIDED
    )
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return f"{', '.join(names)}{more}{why}"
