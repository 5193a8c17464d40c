"""Nodes of Bitcoin and of the networks that speak its protocol, by their `version` message.

What that stamp is of depends on the software: nodes/wire/bitcoin_software.py. We send our own
`version`, with true time, as old nodes take it for a sample; the node answers with its own, and we
leave: no `verack`, nothing asked for.
"""

import re
from typing import ClassVar

from nodes.base import Node, NodeTable, Question, Stamp, flag, printable
from nodes.link import Link
from nodes.wire import bitcoin as wire
from nodes.wire import bitcoin_software
from sources import schema
from sources.base import Malformed
from sources.clock import NS
from sources.net.steps import Steps

_MOST_BYTES = 4096
_HEX = re.compile(r"[0-9a-f]{8}")
_LAST_PROTOCOL = (1 << 31) - 1


def _read_magic(value: object) -> bytes:
    text = schema.read_text(value).lower()
    if not _HEX.fullmatch(text):
        raise ValueError(value)
    return bytes.fromhex(text)


class BitcoinNode(Node):
    """Nodes of one network of the family."""

    kind = "bitcoin"
    is_light = True
    KEYS: ClassVar = {
        "port": schema.port(8333),
        "magic": schema.Key(
            "the four bytes every message begins with, in hex digits", _read_magic,
            bytes.fromhex("f9beb4d9"),
        ),
        "protocol": schema.whole("the protocol version to announce", 1, _LAST_PROTOCOL, 70016),
        "wall_clock": flag("the software is known to show its wall clock", default=False),
    }  # fmt: skip

    def __init__(self, table: NodeTable) -> None:
        """Configure it."""
        super().__init__(table)
        self._magic = table.data("magic")
        self._protocol = table.whole("protocol")
        self._wall_clock = table.flag("wall_clock")

    def conversation(self, question: Question) -> Steps[Stamp]:
        """Exchange `version` messages."""
        nonce = question.random_bytes(wire.NONCE_BYTES)
        ours = wire.encode(
            self._magic,
            self._protocol,
            question.true_unix_ns() // NS,
            nonce,
            wire.agent_of(question.agent),
        )
        with Link(question, _MOST_BYTES) as link:
            yield from link.connect()
            yield from link.send(ours)
            received = b""
            version = None
            while version is None:
                received += yield from link.receive()
                version = wire.decode(received, self._magic)
            if version.nonce == nonce:
                raise Malformed("our own message came back")
            claim = bitcoin_software.judge(version.agent)
            if self._wall_clock:
                claim = bitcoin_software.DECLARED
            return Stamp(
                stamp_unix_ns=version.time_unix_ns,
                grain_ns=claim.grain_ns,
                lag_ns=0,
                # Zebra, and who knows who else, speaks before it has heard anything.
                sent_raw_ns=link.began_raw_ns,
                received_raw_ns=link.received_raw_ns,
                server=link.server,
                software=printable(version.agent),
                authenticated=False,
                verdict=claim.verdict,
                note=claim.note,
            )


NODE = BitcoinNode
