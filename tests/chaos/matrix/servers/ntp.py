"""Plain NTP servers at fault."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, flooding, only
from lab.ntp import NtpServer, altered, kiss
from lab.world import Server
from sources.clock import NS
from sources.ntp import wire
from tests.chaos.fault import Expected, Fault
from tests.chaos.servers import Closed, lab_time_unix_ns

_HOUR_S = 3600
_APART_S = {"A": 3600, "B": -3600, "C": 86_400, "Y": 3600, "Z": -3600}
"""Liars that do not agree: three that did would be the majority."""
_DATAGRAM_BYTES = 65_507


def _row(name: str, does: str, behave: Behaviour, **more: Any) -> Fault:
    def server(operator: str) -> Server:
        return NtpServer(operator, behave, time_unix_ns=lab_time_unix_ns)

    return Fault(name=f"ntp: {name}", does=does, server=server, **more)


def _each(name: str, does: str, behave: Callable[[str], Behaviour], **more: Any) -> Fault:
    """Return a row whose servers differ by their names."""

    def server(operator: str) -> Server:
        return NtpServer(operator, behave(operator), time_unix_ns=lab_time_unix_ns)

    return Fault(name=f"ntp: {name}", does=does, server=server, **more)


def _echo(reply: Honest) -> Iterable[Reply]:
    """Send what looks like the request come back."""
    packet = wire.decode(reply(0))
    return [Reply(wire.encode(wire.Packet(transmit=packet.origin)))]


def _for_another(reply: Honest) -> Iterable[Reply]:
    packet = wire.decode(reply(_HOUR_S * NS))
    return [Reply(wire.encode(packet.replaced(origin=packet.origin ^ 1)))]


def _backwards(reply: Honest) -> Iterable[Reply]:
    packet = wire.decode(reply(0))
    return [Reply(wire.encode(packet.replaced(receive=packet.transmit + (1 << 40))))]


def _held(reply: Honest) -> Iterable[Reply]:
    """Claim to have held the request for an hour, which leaves no trip."""
    packet = wire.decode(reply(0))
    return [Reply(wire.encode(packet.replaced(transmit=packet.receive + (_HOUR_S << 32))))]


def _forged(reply: Honest) -> Iterable[Reply]:
    return [*_for_another(reply)] * 3 + [Reply(reply(0))]


def _followed(data: bytes) -> Behaviour:
    return lambda reply: [Reply(reply(0) + data)]


def _cut(count: int) -> Behaviour:
    return lambda reply: [Reply(reply(0)[:count])]


def _contradicts(reply: Honest) -> Iterable[Reply]:
    """Send the truth, and right after it another time for the same request."""
    return [Reply(reply(0)), Reply(reply(_HOUR_S * NS))]


def _lying(operator: str) -> Behaviour:
    return behaviour.shifted(_APART_S[operator])


def _dated(unix_s: int) -> Behaviour:
    def behave(reply: Honest) -> Iterable[Reply]:
        stamp = wire.stamp_of(unix_s * NS)
        packet = wire.decode(reply(0))
        return [Reply(wire.encode(packet.replaced(reference=stamp, receive=stamp, transmit=stamp)))]

    return behave


def _of_a_decade(operator: str) -> Behaviour:
    return _dated((ord(operator) - ord("A")) * 10 * 365 * 86_400)


_JUNK = b"\x24" + bytes(47)
FAULTS = [
    _row("silent", "says nothing", behaviour.silent, says="ntp timeout"),
    Fault("ntp: closed", "nobody listens", partial(Closed, "ntp"), says="Connection refused"),
    _row("empty", "an empty datagram", only(b""), says="ntp"),
    _row("a byte", "one byte", only(b"\x24")),
    _row("47 bytes", "a byte is missing", _cut(47)),
    _row("64 KiB", "the longest datagram there is", only(bytes(_DATAGRAM_BYTES))),
    _row("text", "an HTTP response", only(b"HTTP/1.1 200 OK\r\n\r\n" * 4)),
    _row("request back", "our own request comes back", _echo),
    _row("another's reply", "the origin is not ours", _for_another, says="none to our request"),
    _row("client mode", "mode 3", altered(mode=3)),
    _row("broadcast", "mode 5", altered(mode=5)),
    _row("control", "mode 6", altered(mode=6)),
    _row("version 0", "version 0", altered(version=0)),
    _row("unsynchronised", "leap 3", altered(leap=3), says="unsynchronised"),
    _row("stratum 16", "stratum 16", altered(stratum=16), says="unsynchronised"),
    _row("stratum 255", "a stratum that is reserved", altered(stratum=255)),
    _row("no stamps", "receive and transmit 0", altered(receive=0, transmit=0), says="malformed"),
    _row("no transmit", "transmit 0", altered(transmit=0), says="malformed"),
    _row("backwards", "received after it was sent", _backwards, says="malformed"),
    _row("held an hour", "held longer than the trip took", _held, says="malformed"),
    _row("wide", "a root distance of 30 s", altered(root_dispersion=30 << 16), says="too wide"),
    _row("widest", "every field of error at its most", altered(root_delay=(1 << 31) - 1)),
    _row("precision 127", "good to 2^127 s", altered(precision=127)),
    _row("kiss DENY", "kiss-o'-death DENY", kiss("DENY"), says="DENY"),
    _row("kiss RATE", "kiss-o'-death RATE", kiss("RATE"), says="RATE"),
    _row("kiss of control characters", "an escape sequence for a code", kiss("\x1b[2J")),
    _row("kiss of newlines", "a second line for a code", kiss("\n\r\n\0")),
    _each("liars", "hours off, each another way", _lying, says="no majority"),
    _each(
        "liars, very fast",
        "the same, flooding",
        lambda name: flooding(_lying(name)),
        says="no majority",
    ),
    _each("decades", "each in another decade of the past", _of_a_decade, says="no majority"),
    _row("flood", "junk without end", flooding(only(_JUNK))),
    _row("flood of the longest", "60 KB datagrams without end", flooding(only(bytes(60_000)))),
    _row("forged, then true", "three forged replies first", _forged, alone=Expected.ANSWER),
    _row("contradicts", "the truth, then a lie", _contradicts, alone=Expected.ANSWER),
    _row("twice", "the same bytes twice", behaviour.twice, alone=Expected.ANSWER),
    _row("elsewhere", "from another address", behaviour.elsewhere),
    _row("too late", "after the deadline", behaviour.late(5), says="ntp timeout"),
    _row("an hour later", "held on the way for an hour", behaviour.late(3600)),
    _row("junk, then true", "a broken one first", behaviour.junk(_JUNK), alone=Expected.ANSWER),
    _row(
        "fields behind",
        "40 KB of extension fields",
        _followed(bytes(40_000)),
        alone=Expected.ANSWER,
    ),
    _row(
        "a MAC behind", "20 bytes that we cannot check", _followed(bytes(20)), alone=Expected.ANSWER
    ),
]
