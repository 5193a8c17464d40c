"""Roughtime sources that ask the lab's server, and a server that follows a script."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

from lab.behaviour import Behaviour, Honest, Reply
from lab.roughtime import (
    Manner,
    RoughtimeServer,
    Signer,
    roughenough_1_3,
    roughenough_2_0,
    roughenough_2026,
)
from lab.udp import one_port
from sources.base import Sample
from sources.clock import NS, Clock
from sources.roughtime import wire
from sources.roughtime.source import Endpoint, RoughtimeSource
from sources.roughtime.versions import OFFERS, Offer
from sources.roughtime.wire_dialects import Framing

CLOCK = Clock()
MS = NS // 1000
D7, D8, D11, D12, D19 = 0x80000007, 0x80000008, 0x8000000B, 0x8000000C, 0x80000013
NAMES = {
    1: "RFC 10049",
    D7: "draft 7",
    D8: "draft 8-11",
    D11: "draft 8-11",
    D12: "draft 12-19",
    D19: "draft 12-19",
    None: "Google's",
}
REQUEST_BYTES = 1024
"""In all, the packet's header included: roughenough 2.0.0-draft14 wants exactly that."""


def framing_for(version: int | None) -> Framing:
    return Framing.GOOGLE if version is None else Framing.IETF


def offer_for(version: int | None) -> Offer:
    """Return what the configuration has to say of a server of this version: often nothing."""
    return () if version is None or version in OFFERS[0] else (version,)


def source_of(
    server: "RoughtimeServer | Stream",
    transport: str = "auto",
    framing: Framing = Framing.IETF,
    offer: Offer = (),
) -> RoughtimeSource:
    endpoint = Endpoint(server.address, server.port)
    return RoughtimeSource(
        endpoint,
        server.signer.public_key,
        "Alpha",
        transport=transport,
        framing=framing,
        offer=offer,
    )


def holds_the_truth(sample: Sample) -> bool:
    """Whether raw - true, true time being this machine's clock, is in the certain interval."""
    truth_ns = -CLOCK.wall_minus_raw_ns()
    return sample.certain.low_ns <= truth_ns <= sample.certain.high_ns


def forged(reply: Honest) -> Iterable[Reply]:
    """Answer a response that is signed by the wrong key, and an hour ahead."""
    values = dict(_values(wire.decode(wire.unframe(reply(3600 * NS)))))
    values[wire.SIG] = bytes(64)
    return [Reply(wire.frame(wire.encode(values)))]


def _values(message: wire.Message) -> Iterator[tuple[bytes, bytes]]:
    beside = (wire.SIG, wire.VER, wire.NONC, wire.TYPE, wire.PATH, wire.CERT, wire.INDX)
    yield wire.SREP, message.value(wire.SREP)
    for tag in beside:
        if tag in message:
            yield tag, message.value(tag)


def cut(reply: Honest) -> Iterable[Reply]:
    """Answer a response without its last four bytes."""
    return [Reply(reply(0)[:-4])]


def both(*behaviours: Behaviour) -> Behaviour:
    """Answer with everything that these do, one after the other."""
    return lambda reply: [each for behave in behaviours for each in behave(reply)]


GATES: dict[str, tuple[Manner, int]] = {
    "roughenough 1.3.0-draft14": (Manner(versions=(D12,), gate=roughenough_1_3), 1),
    "roughenough 2.0.0-draft14": (Manner(versions=(D12,), gate=roughenough_2_0), 2),
    "roughenough of August 2026": (Manner(versions=(1, D12), gate=roughenough_2026), 1),
    "Cloudflare": (Manner(versions=(D11,)), 1),
    "Netnod": (Manner(versions=(D7,)), 1),
    "TimeNL": (Manner(versions=(1,)), 1),
    "ilimit": (Manner(versions=(D8 + 2,)), 3),
}
"""How servers of today look at a request, and which request of ours is the first that they take."""


UNSIGNED = "response signature: not made with the delegated key"


Script = Callable[[Any, bytes, Signer], None]
"""What to do with a connection, a request, and the keys."""


class Stream:
    """A server that does by TCP what a script says, and by UDP the same, in one datagram."""

    def __init__(
        self, script: Script, *, datagrams: bool = True, answer_datagrams: bool = True
    ) -> None:
        self.script = script
        self.signer = Signer()
        self.connections = 0
        self.datagrams: list[bytes] = []
        self._answer_datagrams = answer_datagrams
        self.address = "127.0.0.1"
        self._udp, self._tcp = one_port(self.address)
        self.port: int = self._udp.getsockname()[1]
        if not datagrams:
            self._udp.close()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        if datagrams:
            self._threads.append(threading.Thread(target=self._receive, daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._tcp, self._udp):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        self._tcp.close()
        self._udp.close()

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._tcp.accept()
            except OSError:
                return
            self.connections += 1
            with link, suppress(OSError):
                request = link.recv(REQUEST_BYTES, socket.MSG_WAITALL)
                self.script(link, request, self.signer)

    def _receive(self) -> None:
        while True:
            try:
                request, client = self._udp.recvfrom(4096)
            except OSError:
                return
            if not client:
                return
            self.datagrams.append(request)
            if self._answer_datagrams:
                with suppress(OSError):
                    self.script(_Sender(self._udp, client), request, self.signer)


class _Sender:
    """Sends to one client what is written to it."""

    def __init__(self, through: socket.socket, client: tuple[str, int]) -> None:
        self._through = through
        self._client = client

    def sendall(self, data: bytes) -> None:
        self._through.sendto(data, self._client)
