"""Whole conversations over real sockets with servers whose every reply is fuzzed.

A server answers as an honest one would, with the edits that the fuzzer's bytes stand for: so
nonces, identifiers and lengths are right unless the edits are of them. Whatever comes, there is a
sample that is plausible, or one of our errors, by the deadline and a little.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial

import dns.message
import dns.nameserver
import dns.rrset

from lab.behaviour import Honest, Reply
from lab.https import HttpsServer
from lab.nodes.avalanche import AvalancheNode
from lab.nodes.base import LabNode
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.loop import Loop
from lab.nodes.xrpl import XrplNode
from lab.ntp import NtpServer
from lab.nts import Manner as NtsManner
from lab.nts import NtsServer, Records
from lab.roughtime import RoughtimeServer
from lab.udp import UdpServer
from nodes.base import make
from sources.base import Source
from sources.clock import NS, Clock
from sources.https.source import HttpsSource
from sources.net.addresses import is_address
from sources.net.name_servers import NameServers
from sources.ntp.source import NtpSource
from sources.nts import wire_ke
from sources.nts.source import NtsSource
from sources.roughtime.source import Endpoint, RoughtimeSource
from tests.contract.nodes.asking import a_question
from tests.fuzz.targets.edits import edited
from tests.fuzz.targets.target import Target, ours
from tests.support.fakes import a_run

_CLOCK = Clock()
_DEADLINE_S = 0.03
"""Most replies that are no answer are waited behind until then."""
_TLS_DEADLINE_S = 0.1
_LATE_NS = 2 * NS
"""A machine that fuzzes is busy."""


class _Edits:
    """What is done to the next replies."""

    now = b""


def _bent(reply: Honest) -> Iterable[Reply]:
    """Answer with the edits, and once more: what follows junk has to be heard."""
    data = edited(reply(0), _Edits.now)
    return [Reply(data)] if data else []


def _sampled(source: Source, data: bytes, deadline_s: float = _DEADLINE_S) -> None:
    _Edits.now = data
    began_ns = _CLOCK.raw_ns()
    with ours():
        sample = source.sample(a_run(deadline_s))
        assert sample.certain.contains(sample.likely)
    assert _CLOCK.raw_ns() - began_ns < deadline_s * NS + _LATE_NS


@cache
def _ntp() -> Source:
    server = NtpServer("Alpha", _bent)
    return NtpSource(server.address, server.port, "Alpha", ())


@cache
def _nts(server: NtsServer) -> Source:
    return NtsSource(server.address, server.port, "Alpha", (), server.ca_file)


@cache
def _nts_datagrams() -> Source:
    return _nts(NtsServer("Alpha", _bent))


@cache
def _nts_keys() -> Source:
    server = NtsServer("Alpha")

    def bend(records: Records) -> bytes:
        return edited(wire_ke.encode(records), _Edits.now)

    server.manner = NtsManner(bend=bend)
    return _nts(server)


@cache
def _roughtime(transport: str) -> Source:
    server = RoughtimeServer("Alpha", _bent)
    endpoint = Endpoint(server.address, server.port)
    return RoughtimeSource(endpoint, server.signer.public_key, "Alpha", transport=transport)


@cache
def _https() -> Source:
    server = HttpsServer("Alpha", _bent)
    url = f"https://{server.address}:{server.port}/"
    return HttpsSource(url, "Alpha", (server.address,), server._authority.ca_file, 0, ())


@cache
def _not_tls() -> Source:
    """Return a source whose server sends the edits in place of TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=partial(_greet, listener), daemon=True).start()
    port = listener.getsockname()[1]
    return HttpsSource(f"https://127.0.0.1:{port}/", "Alpha", ("127.0.0.1",), None, 0, ())


def _greet(listener: socket.socket) -> None:
    while True:
        link, _ = listener.accept()
        with link, suppress(OSError):
            link.recv(4096)
            link.sendall(_Edits.now)


@cache
def _loop() -> Loop:
    return Loop()


@cache
def _node(kind: type[LabNode]) -> LabNode:
    return kind(_bent, loop=_loop()).__enter__()


def _read(kind: type[LabNode], data: bytes) -> None:
    node = _node(kind)
    _Edits.now = data
    question = a_question(node, _TLS_DEADLINE_S)
    with ours():
        stamp = make(node.kind, node.settings()).read(question)
        assert stamp.software.isprintable()
        assert stamp.note.isprintable()
        assert stamp.sent_raw_ns <= stamp.received_raw_ns
    assert _CLOCK.raw_ns() - question.deadline_raw_ns < _LATE_NS


@cache
def _name_server() -> UdpServer:
    def answer(question: bytes) -> Iterable[Reply]:
        asked = dns.message.from_wire(question)
        response = dns.message.make_response(asked)
        name = asked.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
        return [Reply(edited(response.to_wire(), _Edits.now))]

    return UdpServer(answer)


def _names(data: bytes) -> None:
    _Edits.now = data
    server = dns.nameserver.Do53Nameserver("127.0.0.1", _name_server().port)
    heard: list[tuple[tuple[str, ...], str]] = []
    NameServers(lambda: _DEADLINE_S)._ask(
        server, "time.example", "A", lambda *said: heard.append(said)
    )
    ((addresses, error),) = heard
    assert all(map(is_address, addresses))
    assert addresses or error
    assert len(addresses) < 300


def _talk(source: Callable[[], Source], data: bytes, deadline_s: float = _DEADLINE_S) -> None:
    _sampled(source(), data, deadline_s)


def _seeds() -> list[bytes]:
    """Return edits of one field each, near the beginning and farther on, and none."""
    return [b"", *(bytes([what, 0, at, 7]) for what in range(7) for at in (1, 40))]


def _of_tls() -> list[bytes]:
    """Return an alert (RFC 8446 section 6), and the beginning of a ServerHello."""
    return [b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"]


def _target(run: Callable[[bytes], None]) -> Target:
    return Target(run, _seeds, talks=True)


TARGETS = {
    "talk-ntp": _target(partial(_talk, _ntp)),
    "talk-nts": _target(partial(_talk, _nts_datagrams, deadline_s=_TLS_DEADLINE_S)),
    "talk-nts-keys": _target(partial(_talk, _nts_keys, deadline_s=_TLS_DEADLINE_S)),
    "talk-roughtime-udp": _target(partial(_talk, partial(_roughtime, "udp"))),
    "talk-roughtime-tcp": _target(partial(_talk, partial(_roughtime, "tcp"))),
    "talk-https": _target(partial(_talk, _https, deadline_s=_TLS_DEADLINE_S)),
    "talk-no-tls": Target(
        partial(_talk, _not_tls, deadline_s=_TLS_DEADLINE_S), _of_tls, talks=True
    ),
    "talk-names": _target(_names),
    **{
        f"talk-{kind.kind}": _target(partial(_read, kind))
        for kind in (AvalancheNode, BitcoinNode, HttpNode, KaspaNode, XrplNode)
    },
}
