"""Why there is no answer, in one line under 512 bytes that ends with what to do. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from drift.consensus.rule import NoAnswer, counted
from drift.consensus.verdict import AGREES, NOT_NEEDED, UNDECIDED, Verdict
from drift.wording.advice import advice, no_network, what_to_check

_MOST_BYTES = 485
"""Of the line without its prefix: "time-drift: ", "TIME DRIFT UNKNOWN - "."""
_NAMES = 3
"""How many sources of one verdict are named before the rest are only counted."""
_LADDER = ((_NAMES, 4, 450), (_NAMES, 3, 120), (2, 2, 80), (2, 1, 60), (1, 1, 30), (1, 0, 0))
"""How many names and how many reasons of what length, until the line is short enough."""
_PLACE = re.compile(r"[^ (]+ port [0-9]+: |(?<![^ (])(?:[0-9]{1,3}\.){3}[0-9]{1,3}: ")

_Groups = list[tuple[str, list[Verdict]]]


def refusal(decision: NoAnswer, verdicts: Sequence[Verdict]) -> str:
    """Return what was found, what was needed, which sources failed and why, and what to do.

    Names and reasons are shortened so that what to do is never cut.
    """
    unsent = no_network(verdicts)
    if unsent is not None:
        sources = counted(len(verdicts), "source")
        return (
            f"no answer: no network: none of {sources} can be reached from this machine "
            f"({unsent}): {what_to_check(unsent)}"
        )
    answered = sum(verdict.sample is not None for verdict in verdicts)
    heard = f"{answered} of {len(verdicts)} sources answered"
    said = f"no answer: {decision.lack.value}: {decision.found}, needed {decision.wanted}; {heard}"
    to_do = advice(decision, verdicts)
    ends = said, f"; {to_do}" if to_do else ""
    left = _MOST_BYTES - sum(map(_bytes_of, ends))
    return _fitting(_groups(verdicts), left).join(ends)


def _groups(verdicts: Iterable[Verdict]) -> _Groups:
    """Return the failures by kind and verdict; kinds that say the very same are one group."""
    by_kind: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.word not in (AGREES, NOT_NEEDED):
            by_kind.setdefault((verdict.kind, verdict.word), []).append(verdict)
    merged: dict[tuple[str, frozenset[str]], tuple[list[str], list[Verdict]]] = {}
    for (kind, word), members in by_kind.items():
        reasons = frozenset(_PLACE.sub("", one) for one in _reasons(members)) or frozenset({kind})
        kinds, all_members = merged.setdefault((word, reasons), ([], []))
        kinds.append(kind)
        all_members += members
    return [
        (f"{', '.join(kinds)} {word}", members) for (word, _), (kinds, members) in merged.items()
    ]


def _fitting(groups: _Groups, most_bytes: int) -> str:
    """Return the groups as phrases, as much of them as there is room for."""
    for names, reasons, length in _LADDER:
        text = "".join(f"; {head}: {_phrase(m, names, reasons, length)}" for head, m in groups)
        if _bytes_of(text) <= most_bytes:
            return text
    text = "".join(f"; {head}: {len(members)}" for head, members in groups)
    return text if _bytes_of(text) <= most_bytes else _cut(text, most_bytes)


def _phrase(members: Sequence[Verdict], most_names: int, most_reasons: int, length: int) -> str:
    """Return some names, how many more there are, and why; falsetickers each with their lie."""
    names = [
        f"{member.name} ({member.text})" if member.ahead_ns is not None else member.name
        for member in members[:most_names]
    ]
    more = f" and {len(members) - most_names} more" if len(members) > most_names else ""
    why = "; ".join(_shortened(_reasons(members), most_reasons, length))
    return f"{', '.join(names)}{more}{f' ({why})' if why else ''}"


def _reasons(members: Sequence[Verdict]) -> Counter[str]:
    """Return why they failed, and how many for each reason; of several, without the addresses.

    With its address in it, the same reason would be a different one for each source.
    """
    texts = [
        member.text
        for member in members
        if member.text and member.ahead_ns is None and member.word != UNDECIDED
    ]
    return Counter(texts if len(texts) == 1 else [_PLACE.sub("", text) for text in texts])


def _shortened(reasons: Counter[str], most: int, length: int) -> Iterator[str]:
    """Yield the most frequent reasons, each with how many have it where there are others."""
    for reason, times in reasons.most_common(most):
        cut = reason if len(reason) <= length else f"{reason[: length - 3]}..."
        yield f"{times} x {cut}" if times > 1 and len(reasons) > 1 else cut
    if 0 < most < len(reasons):
        yield f"{len(reasons) - most} more"


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode("utf-8", "backslashreplace")[: max(0, most_bytes - 3)]
    return data.decode("utf-8", "ignore") + "..."
