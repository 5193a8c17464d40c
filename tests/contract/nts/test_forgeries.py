"""Replies that are not to be believed: changed, stripped, foreign, replayed."""

import time
from collections.abc import Iterable

import pytest

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, silent
from lab.nts import (
    Manner,
    NtsServer,
    another_identifier,
    flipped,
    kiss,
    replayed,
    replayed_in_disguise,
    unauthenticated,
)
from sources.base import Malformed, SourceError, TimedOut, Unverified
from sources.clock import NS
from sources.nts import wire as nts
from tests.support.sources.nts import asked, both, holds_the_truth

HEADER, IDENTIFIER, AUTHENTICATOR = range(48), range(48, 84), range(84, 224)
"""Where the parts of the lab's replies are."""
ORIGIN, IDENTIFIER_BODY = range(24, 32), range(52, 84)
IGNORED = (
    "keys exchanged, but no usable reply before the deadline: 1 reply came, none to our request"
)
UNHEARD = "keys exchanged, but no reply to NTP requests of 224 bytes"


def followed_by(data: bytes) -> Behaviour:
    """Answer truthfully, with more bytes after the authenticator."""
    return lambda reply: [Reply(reply(0) + data)]


def verdict_on_a_flip(position: int) -> tuple[type[SourceError], str]:
    """Return what the last bit of a byte, flipped, has to lead to."""
    if position in ORIGIN or position in IDENTIFIER:
        return TimedOut, IGNORED
    if position in AUTHENTICATOR[:2]:
        return Unverified, "NTS: the reply is not authenticated"
    if position in AUTHENTICATOR[2:4]:
        return Malformed, "NTS: field 0x0404 of "
    if position in AUTHENTICATOR[4:8]:
        return Malformed, "NTS: nonce of "
    return Unverified, "NTS: the authenticator does not hold"


@pytest.mark.parametrize(
    "position",
    [0, 1, 3, 12, 16, 24, 31, 32, 40, 47, 48, 49, 50, 51, 52, 83, *range(84, 93), 108, 223],
)
def test_a_flipped_bit_is_no_sample(position: int) -> None:
    """Wherever it is: what is not ours is ignored, what is does not hold, and is named."""
    error, says = verdict_on_a_flip(position)
    with NtsServer("Alpha", flipped(position)) as server, pytest.raises(error) as caught:
        asked(server, 0.25)

    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("bit", [0, 3, 7])
@pytest.mark.parametrize("part", [HEADER, IDENTIFIER, AUTHENTICATOR])
def test_a_bit_flipped_in_every_byte_and_then_the_truth(part: range, bit: int) -> None:
    """None of the copies is taken, none of them ends the question."""
    behave = both(flipped(*part, bit=bit), behaviour.honest)
    with NtsServer("Alpha", behave) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("part", [HEADER, IDENTIFIER, AUTHENTICATOR])
def test_a_bit_flipped_in_every_byte_and_nothing_else(part: range, bit: int) -> None:
    """A copy for each byte, and no sample of any."""
    with (
        NtsServer("Alpha", flipped(*part, bit=bit)) as server,
        pytest.raises((Unverified, TimedOut, Malformed)),
    ):
        asked(server, 0.25)


STRIPPED = unauthenticated(behaviour.honest)
NOT_HELD = "NTS: the authenticator does not hold"


def plain(reply: Honest) -> Iterable[Reply]:
    """Answer as a server of plain NTP does."""
    return [Reply(reply(0)[:48])]


def twice_identified(reply: Honest) -> Iterable[Reply]:
    """Answer with the identifier field twice."""
    data = reply(0)
    return [Reply(data[:84] + data[48:])]


def identified_too_late(reply: Honest) -> Iterable[Reply]:
    """Answer with the identifier after the authenticator, where it proves nothing."""
    data = reply(0)
    return [Reply(data[:48] + data[84:] + data[48:84])]


def of_the_client(reply: Honest) -> Iterable[Reply]:
    """Answer an hour ahead, and unsealed: the authenticator is that of the true reply."""
    return [Reply(reply(3600 * NS)[:84] + reply(0)[84:])]


BAD_REPLIES: dict[str, tuple[Behaviour, type[SourceError], str]] = {
    "stripped": (STRIPPED, Unverified, "NTS: the reply is not authenticated"),
    "stripped of everything": (plain, TimedOut, IGNORED),
    "a foreign identifier": (another_identifier, TimedOut, IGNORED),
    "two identifiers": (twice_identified, Malformed, "NTS: 2 unique identifiers: one wanted"),
    "identified too late": (
        identified_too_late,
        Malformed,
        "NTS: 0 unique identifiers: one wanted",
    ),
    "another header": (of_the_client, Unverified, NOT_HELD),
    "a kiss that anybody can forge": (
        unauthenticated(kiss("RATE")),
        Unverified,
        "NTS: the reply is not authenticated",
    ),
    "elsewhere": (behaviour.elsewhere, TimedOut, UNHEARD),
}
"""Replies that are not to be believed, and what comes of them."""


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_that_does_not_hold_is_named_at_the_deadline(name: str) -> None:
    """Not before: the true one might have come."""
    behave, error, says = BAD_REPLIES[name]
    with NtsServer("Alpha", behave) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server, 0.3)

        assert 0.25 < time.monotonic() - began < 0.6
        assert server.connections == 1
    assert str(caught.value) == says


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_that_does_not_hold_is_not_the_end(name: str) -> None:
    """The true one after it is taken, at once."""
    behave, _, _ = BAD_REPLIES[name]
    with NtsServer("Alpha", both(behave, behaviour.honest)) as server:
        sample = asked(server)

        assert len(server.requests) == 1
    assert holds_the_truth(sample)
    assert sample.rtt_ns < NS // 2


@pytest.mark.parametrize("cookies", [1, 8])
def test_keys_that_come_and_a_time_that_does_not_are_distinguished(cookies: int) -> None:
    """Some networks drop NTP packets of more than 48 bytes: how large ours are is said.

    They cannot be smaller: header, identifier, the server's own cookie, authenticator, no more.
    """
    with NtsServer("Alpha", silent) as server:
        server.manner = Manner(cookies=cookies)
        with pytest.raises(TimedOut) as caught:
            asked(server, 0.3)
        (request,) = server.requests

    assert (
        str(caught.value) == f"keys exchanged, but no reply to NTP requests of {len(request)} bytes"
    )
    cookie = nts.cookie_of(request)
    assert len(request) == 48 + (4 + 32) + (4 + len(cookie)) + (4 + 4 + 16 + 16)


def test_the_last_reply_that_did_not_hold_names_the_failure() -> None:
    """Of two failures the later one is reported."""
    behave = both(twice_identified, flipped(0))
    with NtsServer("Alpha", behave) as server, pytest.raises(Unverified, match=NOT_HELD):
        asked(server, 0.3)


@pytest.mark.parametrize(
    ("behave", "error"),
    [(replayed(), TimedOut), (replayed_in_disguise(), Unverified)],
    ids=["to the byte", "in disguise"],
)
def test_a_replayed_reply_is_no_sample(behave: Behaviour, error: type[SourceError]) -> None:
    """An earlier reply, as it was or with this request's origin and identifier written into it."""
    with NtsServer("Alpha", behave) as server:
        assert holds_the_truth(asked(server))
        with pytest.raises(error):
            asked(server, 0.3)


@pytest.mark.parametrize("more", [bytes.fromhex("00000010") + bytes(12), b"\xff", bytes(100)])
def test_what_comes_after_the_authenticator_is_ignored(more: bytes) -> None:
    """It is nobody's word (RFC 8915 section 5.6)."""
    with NtsServer("Alpha", followed_by(more)) as server:
        assert holds_the_truth(asked(server))
