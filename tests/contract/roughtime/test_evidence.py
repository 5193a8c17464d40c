"""Exchanges with a given nonce, of which evidence is made."""

import os

import pytest

from lab.roughtime import RoughtimeServer
from sources.clock import NS
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import Framing
from tests.support.fakes import a_run
from tests.support.sources.roughtime import CLOCK, GATES, source_of


def test_an_exchange_is_handed_out_to_the_byte() -> None:
    """With the nonce that was given: what evidence is made of."""
    nonce = bytes(range(32))
    with RoughtimeServer("Alpha") as server:
        found = source_of(server).exchange(a_run(), lambda: nonce)

        assert [found.request] == server.requests
    assert found.reply.nonce == nonce
    assert found.response.startswith(b"ROUGHTIM")
    assert found.sent_raw_ns == found.asked_raw_ns <= found.received_raw_ns


@pytest.mark.parametrize("name", GATES)
def test_a_link_of_a_chain_has_its_nonce_in_whatever_offer_is_answered(name: str) -> None:
    """The nonce of evidence is made of the response before: it cannot be another for each offer.

    So the reply may be to any request with that nonce, and counts from the first of them.
    """
    manner, asked = GATES[name]
    nonce = os.urandom(32)
    with RoughtimeServer("Alpha", manner=manner) as server:
        source = source_of(server, "udp")
        run = a_run(deadline_s=2.8)
        began_raw_ns = CLOCK.raw_ns()
        found = source.exchange(run, lambda: nonce)

        assert found.request == server.requests[asked - 1]
    assert found.reply.nonce == nonce
    assert verify(found.request, found.response, Framing.IETF, source.public_key) == found.reply
    assert found.sent_raw_ns - began_raw_ns < NS // 5
    assert found.received_raw_ns - found.asked_raw_ns < NS // 5
