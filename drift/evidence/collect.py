"""Collecting evidence against Roughtime servers that lie: a chained sequence, and a report of it.

The first responses of a run are not chained: everybody is asked at once. So when one of them is
outvoted, or two contradict each other, some servers are asked once more, in sequence, each nonce
made from the response before: honest ones, the suspect, the honest ones again. Later responses
contradict a clock that is ahead, earlier ones a clock that is behind. Only what proves something by
itself (drift/evidence/malfeasance.py) is written, and what cannot be written costs no answer.
"""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from drift.consensus.verdict import AGREES, FALSETICKER, verdicts
from drift.evidence.malfeasance import Judgement, Link, chained_nonce, judge, to_json
from drift.run.gather import Gathered
from sources.base import Run, Sample, SourceError
from sources.clock import NS
from sources.record import Record
from sources.roughtime.source import RoughtimeSource
from sources.roughtime.wire_dialects import framing_of, nonce_of

MOST_REPORTS = 100
"""How many reports the directory may hold; further ones are not written."""

_PREFIX = "malfeasance-"
_MOST_SUSPECTS = 3
_WITNESSES = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_UNIX_S = 253_402_300_799
"""The end of the year 9999, beyond which nothing can be written as a date."""


class _Heard(Record):
    """A Roughtime source that has answered, and what became of it."""

    source: RoughtimeSource
    sample: Sample
    word: str


def collect(gathered: Gathered, directory: str, run: Run, tolerance_ns: int) -> list[str]:
    """Ask again where somebody seems to lie, write what that proves; return notes for people."""
    heard = _heard(gathered, tolerance_ns)
    notes: list[str] = []
    for suspect in _suspects(heard)[:_MOST_SUSPECTS]:
        if run.clock.raw_ns() >= run.deadline_raw_ns:
            return [*notes, "evidence: no time left for asking in sequence"]
        links = _sequence(_witnesses(suspect, heard), suspect, run)
        judgement = judge(links)
        if judgement.contradictions:
            notes.append(_write(links, judgement, heard, directory))
        else:
            found = f"no contradiction in a sequence of {len(links)} responses"
            notes.append(f"evidence: {suspect.source.name}: {found}")
    return notes


def _witnesses(suspect: _Heard, heard: Sequence[_Heard]) -> list[_Heard]:
    """Return two who agree with the majority, or one of the others where nobody does.

    As witnesses, two servers with the same lie would convict an honest one; one server cannot.
    """
    others = {one.source.public_key: one for one in heard if one is not suspect}
    agreeing = [one for one in others.values() if not _is_doubtful(one)]
    return agreeing[:_WITNESSES] or list(others.values())[:1]


def _heard(gathered: Gathered, tolerance_ns: int) -> list[_Heard]:
    found = zip(gathered.sources, gathered.outcomes, verdicts(gathered, tolerance_ns), strict=True)
    return [
        _Heard(source, outcome, verdict.word)
        for source, outcome, verdict in found
        if isinstance(source, RoughtimeSource) and isinstance(outcome, Sample)
    ]


def _is_doubtful(heard: _Heard) -> bool:
    return heard.word != AGREES


def _suspects(heard: Sequence[_Heard]) -> list[_Heard]:
    """Return those that were outvoted, and those in no majority that contradict each other.

    If there are none, the first of those that contradict each other.
    """
    if len({one.source.public_key for one in heard}) < 2:  # noqa: PLR2004 - who would witness?
        return []
    contradicting = [one for one in heard if _contradicts_any(one, heard)]
    suspects = [
        one
        for one in heard
        if one.word == FALSETICKER or (_is_doubtful(one) and one in contradicting)
    ]
    return suspects or contradicting[:1]


def _contradicts_any(one: _Heard, heard: Sequence[_Heard]) -> bool:
    return any(not one.sample.certain.meets(other.sample.certain) for other in heard)


def _sequence(witnesses: Sequence[_Heard], suspect: _Heard, run: Run) -> list[Link]:
    """Return the chained exchanges, as far as the servers answer; the first is of the vote."""
    assert witnesses[0].sample.transcript is not None  # noqa: S101 - Roughtime samples have one
    request, response = witnesses[0].sample.transcript
    first = witnesses[0].source
    # Other clients' checkers want a rand in the first entry too: its nonce is as random as any.
    links = [Link(first.public_key, request, response, nonce_of(first.framing, request))]
    for heard in (*witnesses[1:], suspect, *witnesses):
        source = heard.source
        rand = run.random_bytes(source.framing.nonce_bytes)
        nonce = chained_nonce(source.framing, links[-1].response, rand)
        try:
            found = source.exchange(run, partial(bytes, nonce))
        except SourceError:
            break
        links.append(Link(source.public_key, found.request, found.response, rand))
    return links


def _named(key: bytes | None, heard: Sequence[_Heard]) -> str | None:
    """Return what the holder of a key is called in a file's name, None if it is nobody's here."""
    for one in heard:
        if one.source.public_key == key:
            operator = re.sub(r"[^A-Za-z0-9.]+", "-", one.source.operator).strip("-.")
            return f"{operator[:60]}-{one.source.public_key.hex()[:8]}"
    return None


def _write(
    links: Sequence[Link], judgement: Judgement, heard: Sequence[_Heard], directory: str
) -> str:
    """Write the report, all of it or nothing, readable by us only; return a note."""
    seconds = min(judgement.replies[0].midpoint_unix_ns // NS, _LAST_UNIX_S)
    stamp = _EPOCH + timedelta(seconds=seconds)
    liar = _named(judgement.convicted, heard)
    if liar is None:  # it is not proven who lied, so nobody is named
        last = links[-1].request
        liar = f"one-of-two-{nonce_of(framing_of(last), last).hex()[:8]}"
    path = os.path.join(directory, f"{_PREFIX}{stamp:%Y%m%dT%H%M%SZ}-{liar}.json")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        held = sum(name.startswith(_PREFIX) for name in os.listdir(directory))
        if held >= MOST_REPORTS:
            return f"evidence: {directory} holds {held} reports: no further one is written"
        import tempfile  # noqa: PLC0415 - 17 ms, and nearly nobody lies

        number, draft = tempfile.mkstemp(dir=directory, prefix=".draft-")
        try:
            with open(number, "w", encoding="ascii") as file:
                file.write(to_json(links))
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        return f"evidence: {error.filename or path}: cannot be written: {error.strerror}"
    return f"evidence: {path}"
