"""NTS servers at fault: keys by TLS, then time by datagrams."""

import ssl
import threading
from functools import partial
from pathlib import Path
from typing import Any

from lab import behaviour
from lab.behaviour import Behaviour, flooding, only
from lab.https import EXPIRED, Identity
from lab.nts import (
    AEAD,
    COOKIE,
    END,
    ERROR,
    NEXT_PROTOCOL,
    Manner,
    NtsServer,
    Records,
    another_identifier,
    flipped,
    kiss,
    nak,
    replayed,
    unauthenticated,
)
from lab.world import Server
from sources.nts import wire_ke
from tests.chaos import servers
from tests.chaos.fault import Expected, Fault
from tests.chaos.servers import Closed, Stream, lab_time_unix_ns

_USUAL = Identity()


def _row(
    name: str,
    does: str,
    behave: Behaviour = behaviour.honest,
    manner: Manner | None = None,
    identity: Identity = _USUAL,
    **more: Any,
) -> Fault:
    def server(operator: str) -> Server:
        made = NtsServer(operator, behave, time_unix_ns=lab_time_unix_ns, identity=identity)
        made.manner = manner or Manner()
        return made

    return Fault(name=f"nts: {name}", does=does, server=server, **more)


def _stream(name: str, does: str, act: servers.Act, **more: Any) -> Fault:
    made = partial(Stream, "nts", act=act)
    return Fault(name=f"nts: {name}", does=does, server=made, **more)


def _sending(record: bytes) -> Manner:
    def send(link: ssl.SSLSocket, data: bytes) -> None:
        while True:
            link.sendall(record)

    return Manner(send=send)


def _bytewise(link: ssl.SSLSocket, data: bytes) -> None:
    for byte in data:
        link.sendall(bytes([byte]))
        threading.Event().wait(0.1)


def _not_at_all(link: ssl.SSLSocket, data: bytes) -> None:
    threading.Event().wait(5)


def _bent(*records: tuple[int, bytes, bool]) -> Manner:
    return Manner(bend=lambda _: wire_ke.encode([*records, (END, b"", True)]))


def _unknown(records: Records) -> bytes:
    return wire_ke.encode([(0x7000, b"must", True), *records])


def _cut(records: Records) -> bytes:
    return wire_ke.encode(records)[:-7]


def _a_megabyte(operator: str) -> Server:
    made = NtsServer(operator, time_unix_ns=lab_time_unix_ns)
    chain, _ = made._files
    root = Path(made.ca_file).read_bytes()
    with open(chain, "ab") as file:
        file.write(root * (1_400_000 // len(root)))
    return made


_CLIENT_HELLO = bytes.fromhex("1603010005010000010000")
_HUGE_RECORD = b"\x16\x03\x03\xff\xff" + bytes(65_535)
FAULTS = [
    Fault("nts: closed", "no key server", partial(Closed, "nts"), says="Connection refused"),
    _stream("says nothing", "accepts, and says nothing", servers.say_nothing, says="nts timeout"),
    _stream("hangs up", "accepts, and closes", servers.hang_up),
    _stream("resets", "accepts, and resets", servers.reset),
    _stream("plain text", "HTTP instead of TLS", servers.saying(b"HTTP/1.0 400 Bad\r\n\r\n")),
    _stream("a client's hello", "speaks TLS as a client", servers.saying(_CLIENT_HELLO)),
    _stream("zeros without end", "no TLS, for ever", servers.endless(bytes(100))),
    _stream("a record too long", "a TLS record of 64 KiB", servers.saying(_HUGE_RECORD)),
    _stream("drips", "a TLS record, a byte every 0.2 s", servers.dripping(_HUGE_RECORD, 0.2)),
    _row("TLS 1.2", "no TLS 1.3", manner=Manner(newest=ssl.TLSVersion.TLSv1_2)),
    _row("no ALPN", "does not choose ntske/1", manner=Manner(protocol=None)),
    _row("expired", "a certificate that is no more", identity=EXPIRED, says="unverified"),
    _row("unknown CA", "signed by a stranger", identity=Identity(known=False), says="unverified"),
    _row("another's", "another's certificate", identity=Identity(("time.lab.test",))),
    Fault("nts: certificates", "a megabyte of certificates", _a_megabyte),
    _row("no keys", "exchanges nothing", manner=Manner(send=_not_at_all), says="nts timeout"),
    _row("small records", "empty records without end", manner=_sending(b"\x04\0\0\0")),
    _row("large records", "64 KiB records", manner=_sending(b"\x04\0\xff\xff" + bytes(65_535))),
    _row("a byte a record", "drips its keys", manner=Manner(send=_bytewise)),
    _row("cut", "ends within a record", manner=Manner(bend=_cut), says="malformed"),
    _row("no cookies", "keys without cookies", manner=Manner(cookies=0), says="no cookie"),
    _row("error", "an error record", manner=_bent((ERROR, b"\0\2", True)), says="internal"),
    _row("unknown record", "one that is critical", manner=Manner(bend=_unknown), says="malformed"),
    _row(
        "another AEAD",
        "an algorithm that was not offered",
        manner=_bent(
            (NEXT_PROTOCOL, b"\0\0", True), (AEAD, b"\0\x1e", True), (COOKIE, bytes(100), False)
        ),
    ),
    _row("names a host with controls", "an escape", manner=Manner(host="\x1b[31m.example")),
    _row("mute clock", "keys, but no time", behaviour.silent, says="keys exchanged, but no reply"),
    _row("plain", "time without authentication", unauthenticated(behaviour.shifted(3600))),
    _row("bent", "a bit flipped", flipped(223), says="unverified"),
    _row("flood, bent", "the same without end", flooding(flipped(223))),
    _row("flood, junk", "junk without end", flooding(only(b"\x24" + bytes(227)))),
    _row("knows no cookie", "NTSN to everything", nak),
    _row("another request's", "an identifier of nobody", another_identifier),
    _row("kiss", "an authentic DENY", kiss("DENY"), says="DENY"),
    _row("elsewhere", "from another address", behaviour.elsewhere),
    _row("twice", "the same bytes twice", behaviour.twice, alone=Expected.ANSWER),
    _row("replays", "the first reply for ever", replayed(), alone=Expected.EITHER),
]
