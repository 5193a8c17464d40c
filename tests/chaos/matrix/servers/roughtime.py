"""Roughtime servers at fault."""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, flooding, only
from lab.roughtime import RFC, Manner, RoughtimeServer, greased
from lab.world import Server
from sources.clock import NS
from sources.roughtime import wire
from tests.chaos import servers
from tests.chaos.fault import Expected, Fault
from tests.chaos.servers import Closed, Stream, lab_time_unix_ns


def _row(
    name: str,
    does: str,
    behave: Behaviour,
    manner: Manner = RFC,
    **more: Any,
) -> Fault:
    def server(operator: str) -> Server:
        return RoughtimeServer(operator, behave, time_unix_ns=lab_time_unix_ns, manner=manner)

    return Fault(name=f"roughtime: {name}", does=does, server=server, **more)


def _forged(reply: Honest) -> Iterable[Reply]:
    """Answer our request with a signature that does not hold."""
    packet = reply(3600 * NS)
    signature = wire.decode(wire.unframe(packet)).value(wire.SIG)
    return [Reply(packet.replace(signature, bytes(len(signature))))]


def _cut(count: int) -> Behaviour:
    return lambda reply: [Reply(reply(0)[:count])]


def _long(reply: Honest) -> Iterable[Reply]:
    return [Reply(reply(0) + bytes(60_000))]


class _Replayed:
    """The first reply that it ever made, to everybody."""

    def __init__(self) -> None:
        self.first = b""

    def __call__(self, reply: Honest) -> Iterable[Reply]:
        self.first = self.first or reply(3600 * NS)
        made = bytearray(self.first)
        nonce = wire.decode(wire.unframe(reply(0))).value(wire.NONC)
        old = wire.decode(wire.unframe(self.first)).value(wire.NONC)
        return [Reply(bytes(made).replace(old, nonce) if old != nonce else b"")]


_LEGAL = wire.MAGIC + (1000).to_bytes(4, "little") + os.urandom(1000)
_MANY_TAGS = wire.frame((0xFFFF_FFFC).to_bytes(4, "little") + bytes(1000))
_TCP = Manner(udp=False)
FAULTS = [
    _row("silent", "says nothing", behaviour.silent, says="roughtime timeout"),
    Fault("roughtime: closed", "nobody listens", partial(Closed, "roughtime"), says="refused"),
    Fault(
        "roughtime: TCP says nothing",
        "accepts connections, no more",
        partial(Stream, "roughtime", act=servers.say_nothing),
    ),
    Fault(
        "roughtime: TCP without end",
        "zeros for ever",
        partial(Stream, "roughtime", act=servers.endless(bytes(100))),
    ),
    Fault(
        "roughtime: TCP drips",
        "a frame of 4 GB, a byte at a time",
        partial(Stream, "roughtime", act=servers.dripping(wire.MAGIC + b"\xff" * 100, 0.1)),
    ),
    _row("empty", "an empty datagram", only(b"")),
    _row("64 KiB", "the longest datagram there is", only(bytes(65_507))),
    _row("tags without end", "says to have 4 billion", only(_MANY_TAGS)),
    _row("cut", "half a reply", _cut(200)),
    _row("longer than asked", "60 KB behind the reply", _long, Manner(tcp=False)),
    _row("forged", "a signature that does not hold", _forged, says="unverified"),
    _row("flood, junk", "legal junk without end", flooding(only(_LEGAL))),
    _row("flood, forged", "forged replies without end", flooding(_forged)),
    _row("flood by TCP", "the same by TCP", flooding(only(_LEGAL)), _TCP),
    _row("replays", "an old reply under our nonce", _Replayed()),
    _row(
        "a radius of a minute",
        "knows nothing",
        behaviour.honest,
        Manner(radius_ns=60 * NS),
        says="too wide",
    ),
    _row("elsewhere", "from another address", behaviour.elsewhere, Manner(tcp=False)),
    _row("twice", "the same bytes twice", behaviour.twice, alone=Expected.ANSWER),
    _row("greased", "every second reply is junk", greased(2), alone=Expected.EITHER),
    _row("junk, then true", "legal junk first", behaviour.junk(_LEGAL), alone=Expected.ANSWER),
    _row("too late", "after the deadline", behaviour.late(5), says="roughtime timeout"),
]
