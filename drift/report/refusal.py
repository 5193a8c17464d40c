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
    """Return one phrase a kind and verdict: "ntp timeout: a, b, c and 2 more"."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.word not in (AGREES, NOT_NEEDED):
            groups.setdefault((verdict.kind, verdict.word), []).append(verdict)
    phrases = []
    for (kind, word), members in groups.items():
        more = f" and {len(members) - _NAMES} more" if len(members) > _NAMES else ""
        phrases.append(f"{kind} {word}: {', '.join(_named(members[:_NAMES]))}{more}")
    return phrases


def _named(members: Sequence[Verdict]) -> list[str]:
    """Return their names, and why, where that differs from what the ones before it have said."""
    told: set[str] = set()
    names = []
    for member in members:
        why = member.text.removeprefix(member.name)
        tell = why and why not in told and member.word != UNDECIDED
        names.append(f"{member.name} ({member.text})" if tell else member.name)
        told.add(why)
    return names
