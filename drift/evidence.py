"""Collecting evidence against Roughtime servers that lie: a chained sequence, and a report of it.

The first responses of a run are not chained: everybody is asked at once. So when one of them is
outvoted, or two contradict each other, some servers are asked once more, in sequence, each nonce
made from the response before: honest ones, the suspect, the honest ones again. A liar ahead is
proven by what comes after it, a liar behind by what came before. Only what proves something by
itself (drift/malfeasance.py) is written, and what cannot be written costs no answer.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from drift.gather import Gathered
from drift.malfeasance import Judgement, Link, chained_nonce, judge, to_json
from drift.verdict import AGREES, FALSETICKER, verdicts
from sources.base import Run, Sample, SourceError
from sources.clock import NS
from sources.record import Record
from sources.roughtime import RoughtimeSource
from sources.wire.dialects import nonce_of

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
    notes = []
    for suspect in _suspects(heard)[:_MOST_SUSPECTS]:
        # Only those who agree with the majority, if anybody does: liars of one mind would, as
        # witnesses, convict an honest one.
        others = [one for one in heard if one is not suspect]
        witnesses = [one for one in others if not _is_doubtful(one)] or others
        links = _sequence(witnesses[:_WITNESSES], suspect, run)
        judgement = judge(links)
        if judgement.contradictions:
            notes.append(_write(links, judgement, suspect, directory))
        else:
            name = suspect.source.name
            notes.append(f"evidence: asked in sequence, {name} contradicted nobody")
    return notes


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
    """Return who was outvoted, and of those that contradict each other who is not in a majority."""
    if len(heard) == 1:
        return []
    return [
        one
        for one in heard
        if one.word == FALSETICKER or (_is_doubtful(one) and _contradicts_any(one, heard))
    ]


def _contradicts_any(one: _Heard, heard: Sequence[_Heard]) -> bool:
    return any(not one.sample.certain.meets(other.sample.certain) for other in heard)


def _sequence(witnesses: Sequence[_Heard], suspect: _Heard, run: Run) -> list[Link]:
    """Return the chained exchanges, as far as the servers answer; the first is of the vote."""
    assert witnesses[0].sample.transcript is not None  # noqa: S101 - Roughtime samples have one
    request, response = witnesses[0].sample.transcript
    first = witnesses[0].source
    # Other clients' checkers want a rand in the first entry too: its nonce is as random as any.
    links = [Link(first.public_key, request, response, nonce_of(first.form, request))]
    for heard in (*witnesses[1:], suspect, *witnesses):
        source = heard.source
        rand = run.random_bytes(source.form.nonce_bytes)
        nonce = chained_nonce(source.form, links[-1].response, rand)
        try:
            found = source.exchange(run, partial(bytes, nonce))
        except SourceError:
            break
        links.append(Link(source.public_key, found.request, found.response, rand))
    return links


def _write(links: Sequence[Link], judgement: Judgement, suspect: _Heard, directory: str) -> str:
    """Write the report, all of it or nothing, readable by us only; return a note."""
    seconds = min(judgement.replies[0].midpoint_unix_ns // NS, _LAST_UNIX_S)
    stamp = _EPOCH + timedelta(seconds=seconds)
    liar = re.sub(r"[^A-Za-z0-9.]+", "-", suspect.source.operator).strip("-.") or "unnamed"
    key = suspect.source.public_key.hex()[:8]
    path = os.path.join(directory, f"{_PREFIX}{stamp:%Y%m%dT%H%M%SZ}-{liar[:60]}-{key}.json")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        held = sum(name.startswith(_PREFIX) for name in os.listdir(directory))
        if held >= MOST_REPORTS:
            return f"evidence: {directory} holds {held} reports: no further one is written"
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
