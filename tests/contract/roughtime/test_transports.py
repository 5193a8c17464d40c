"""When TCP follows UDP; no socket is left open."""

import os
import socket
import time
from typing import Any

import pytest

from lab import behaviour
from lab.behaviour import late
from lab.roughtime import Manner, RoughtimeServer, Signer
from sources.base import SourceError, TimedOut, Unverified
from sources.clock import NS
from sources.roughtime.wire_dialects import Framing
from tests.support.fakes import a_run
from tests.support.sources.roughtime import (
    D7,
    MS,
    UNSIGNED,
    Stream,
    forged,
    holds_the_truth,
    source_of,
)


def test_tcp_is_tried_when_udp_is_silent() -> None:
    """After two thirds of the time."""
    with RoughtimeServer("Alpha", manner=Manner(udp=False)) as server:
        began = time.monotonic()
        sample = source_of(server).sample(a_run(deadline_s=0.9))

        assert 0.55 < time.monotonic() - began < 0.85
        assert len(server.requests) == len(set(server.requests)) == 2
    assert holds_the_truth(sample)
    assert sample.certain.width_ns < 2.3 * NS


def test_a_reply_to_the_datagram_that_comes_by_tcp_is_not_believed_too_much() -> None:
    """Who is on the way can hold back the reply to a datagram, and hand it out by TCP later.

    It would be measured from the sending by TCP, so TCP asks with a nonce of its own.
    """
    held: list[bytes] = []

    def hold(link: Any, request: bytes, signer: Signer) -> None:
        if isinstance(link, socket.socket):
            link.sendall(held[0])
        else:
            held.append(signer.respond(request, D7, time.time_ns(), MS))

    with Stream(hold) as server, pytest.raises(TimedOut, match="by TCP: nonce: another request"):
        source_of(server).sample(a_run(deadline_s=0.9))

    assert len(held) == 1


def test_tcp_is_tried_when_udp_is_refused() -> None:
    """A port that is closed for datagrams costs a second, and not the answer."""
    with Stream(honest, datagrams=False) as server:
        sample = source_of(server).sample(a_run(deadline_s=5))

    assert holds_the_truth(sample)


def test_tcp_is_tried_when_datagrams_are_forged() -> None:
    """Who forges every datagram on the way does not silence the server."""
    behave = behaviour.in_turn(forged, behaviour.honest)
    with RoughtimeServer("Alpha", behave) as server:
        sample = source_of(server).sample(a_run(deadline_s=0.9))

    assert holds_the_truth(sample)
    assert len(server.requests) == 2


def test_both_failures_are_reported() -> None:
    """The class is that of UDP's; what TCP came to is reported as well."""
    with (
        RoughtimeServer("Alpha", forged, manner=Manner(tcp=False)) as server,
        pytest.raises(Unverified) as caught,
    ):
        source_of(server).sample(a_run(deadline_s=0.4))

    assert str(caught.value) == (
        f"{UNSIGNED}; by TCP: no address can be reached "
        f"(127.0.0.1 port {server.port}: Connection refused)"
    )


def test_udp_alone_never_connects() -> None:
    """With transport = "udp" a server that answers by TCP only stays silent."""
    with Stream(honest, answer_datagrams=False) as server:
        with pytest.raises(TimedOut):
            source_of(server, "udp").sample(a_run(deadline_s=0.4))

        assert server.connections == 0
        assert len(server.datagrams) == 1


def test_tcp_alone_never_sends_a_datagram() -> None:
    """With transport = "tcp" the first thing that the server sees is a connection."""
    with Stream(honest) as server:
        sample = source_of(server, "tcp").sample(a_run())

        assert (server.connections, server.datagrams) == (1, [])
    assert holds_the_truth(sample)


def test_googles_dialect_has_all_the_time_for_datagrams() -> None:
    """There is no TCP to keep time for: a reply at 80 % of the time counts."""
    manner = Manner(versions=(None,), tcp=False)
    with RoughtimeServer("Alpha", late(0.8), manner=manner) as server:
        sample = source_of(server, framing=Framing.GOOGLE).sample(a_run(deadline_s=1))

    assert holds_the_truth(sample)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sockets_are_not_leaked(transport: str) -> None:
    """Fifty questions, answered, refused and timed out, leave no open socket behind."""
    with Stream(honest) as good, Stream(lambda *_: None) as bad:
        sources = [source_of(good, transport), source_of(bad, transport)]
        before = after = open_files()
        for _ in range(25):
            sources[0].sample(a_run())
            with pytest.raises(SourceError):
                sources[1].sample(a_run(deadline_s=0.02))
        for _ in range(100):
            if (after := open_files()) <= before:
                break
            time.sleep(0.02)  # the server's ends

    assert after <= before


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def honest(link: Any, request: bytes, signer: Signer) -> None:
    """Answer truthfully."""
    link.sendall(signer.respond(request, 1, time.time_ns()))
