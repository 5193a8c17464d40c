"""Which versions of Roughtime to offer a server, in which order, and what to remember. Pure.

Many servers read a few entries of VER only, and some just one (decision D-63); no server says so,
it is silent. So a server is offered few versions at a time: first the one in which it last
answered, then one offer after the other, each of which some server of today needs. A run has time
for two or three; the next run continues there.
"""

from collections.abc import Sequence

from sources.clock import NS
from sources.memory import Entry
from sources.record import Record
from sources.roughtime.wire_dialects import DIALECTS

Offer = tuple[int, ...]

_RFC, _DRAFT_7, _DRAFT_11, _DRAFT_12 = 1, 0x8000_0007, 0x8000_000B, 0x8000_000C
_COMMON = (_RFC, _DRAFT_7, _DRAFT_11, _DRAFT_12)
"""What all public servers but one speak, one at least: roughenough 1.3 reads no more than four."""
OFFERS: tuple[Offer, ...] = (
    _COMMON,
    (_DRAFT_12,),  # roughenough 2.0.0-draft14: a list of one, or silence
    tuple(version for version in DIALECTS if version not in _COMMON),
)

_TURNS = (OFFERS[0], OFFERS[1], OFFERS[0], OFFERS[2])
"""Of the runs: the likeliest offer has every second one, for servers that were down meanwhile."""

NAMED: dict[str, Offer] = {
    "rfc": (_RFC,),
    **{f"draft-{number}": (0x8000_0000 | number,) for number in range(7, 13)},
}
"""Versions by the name that config.toml has for them; drafts 12 to 19 all carry 12."""

SHELF = "roughtime"
MOST_AGE_NS = 30 * 86_400 * NS
_MOST_UNANSWERED = 1_000_000


class Known(Record):
    """What is known of a server."""

    version: int | None = None
    """In which it answered last."""
    unanswered: int = 0
    """How many of the offers it has left unanswered since."""


def known_in(entry: Entry | None) -> Known:
    """Return what an entry of the memory says; nothing if it is of no use."""
    if entry is None:
        return Known()
    version, unanswered = entry.get("version"), entry.get("unanswered")
    is_count = isinstance(unanswered, int) and 0 <= unanswered <= _MOST_UNANSWERED
    return Known(
        version if isinstance(version, int) and version in DIALECTS else None,
        unanswered if isinstance(unanswered, int) and is_count else 0,
    )


def entry_of(known: Known) -> Entry:
    """Return what to keep."""
    return {"version": known.version or 0, "unanswered": min(known.unanswered, _MOST_UNANSWERED)}


def offers_to(known: Known) -> tuple[Offer, ...]:
    """Return all offers, in the order in which to make them."""
    turn = known.unanswered % len(_TURNS)
    in_turn = tuple(dict.fromkeys(_TURNS[turn:] + _TURNS[:turn]))
    if known.version is None or known.unanswered > len(OFFERS):
        return in_turn
    alone = (known.version,)
    return (alone, *(offer for offer in in_turn if offer != alone))


def offer_by_connection(offers: Sequence[Offer]) -> Offer:
    """Return the one to make by TCP, where there is time for one.

    No server that wants a list of one is known to speak TCP: the others come first.
    """
    return next((offer for offer in offers if offer != OFFERS[1]), offers[0])


def after_silence(known: Known, made: Sequence[Offer]) -> Known:
    """Return what is known when none of the offers that were made got an answer.

    A version that it answered in once is believed for some runs more.
    """
    if not made:
        return known
    in_turn = sum(offer in OFFERS for offer in set(made))
    return Known(known.version, min(known.unanswered + max(1, in_turn), _MOST_UNANSWERED))
