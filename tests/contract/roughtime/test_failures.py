"""Replies that prove nothing, each by name."""

import time

import pytest

from lab import behaviour
from lab.behaviour import Behaviour, silent
from lab.roughtime import Change, RoughtimeServer, Signer
from sources.base import Malformed, SourceError, TimedOut, Unverified
from tests.support.fakes import a_run
from tests.support.sources.roughtime import (
    REQUEST_BYTES,
    UNSIGNED,
    Stream,
    both,
    cut,
    forged,
    holds_the_truth,
    source_of,
)


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        (forged, Unverified, UNSIGNED),
        (cut, Malformed, "packet: message of "),
        (both(cut, forged), Unverified, UNSIGNED),
        (both(forged, cut), Malformed, "packet: message of "),
        (silent, TimedOut, "no usable reply before the deadline"),
        (behaviour.elsewhere, TimedOut, "no usable reply before the deadline"),
    ],
    ids=["forged", "cut", "cut, forged", "forged, cut", "silent", "elsewhere"],
)
def test_at_the_deadline_the_last_bad_reply_names_the_failure(
    behave: Behaviour, error: type[SourceError], says: str
) -> None:
    """Not before: a good one might have come. Without any, it is a timeout."""
    with RoughtimeServer("Alpha", behave) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            source_of(server, "udp").sample(a_run(deadline_s=0.4))

        assert str(caught.value).startswith(says)
        assert 0.35 < time.monotonic() - began < 0.7


def test_another_key_is_unverified_by_name() -> None:
    """A server that is not the configured one answers what does not hold."""
    with RoughtimeServer("Alpha") as server:
        server.signer._long_term = Signer()._long_term

        with pytest.raises(Unverified, match=r"^delegation signature: not made with the server's"):
            source_of(server, "udp").sample(a_run(deadline_s=0.3))


def padded(signer: Signer, request: bytes, length: int) -> bytes:
    """Return a valid response of that length: the rest is an unknown tag."""
    packet = signer.respond(request, 1, time.time_ns())
    more = length - len(packet) - 8
    response = Change(response={b"ZZZZ": bytes(more)})
    packet = signer.respond(request, 1, time.time_ns(), change=response)
    assert len(packet) == length
    return packet


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_response_may_be_as_long_as_the_request(transport: str) -> None:
    """1024 bytes are taken."""
    with Stream(lambda link, q, s: link.sendall(padded(s, q, REQUEST_BYTES))) as server:
        sample = source_of(server, transport).sample(a_run())

    assert holds_the_truth(sample)


@pytest.mark.parametrize(
    ("transport", "says"),
    [
        ("udp", "response of 1028 bytes: at most 1024 wanted"),
        ("tcp", "packet: message of 1016 bytes: at most 1012 wanted"),
    ],
)
def test_a_response_longer_than_the_request_is_refused(transport: str, says: str) -> None:
    """However valid: who amplifies is no Roughtime server."""
    with (
        Stream(lambda link, q, s: link.sendall(padded(s, q, REQUEST_BYTES + 4))) as server,
        pytest.raises(Malformed) as caught,
    ):
        source_of(server, transport).sample(a_run(deadline_s=0.4))

    assert str(caught.value) == says
