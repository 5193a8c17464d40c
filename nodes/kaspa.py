"""Kaspa nodes, by the `version` that they send as soon as a stream is opened; to the millisecond.

Of our own we send none: a node waits 4 s for it, and we have left long before.
"""

from typing import ClassVar

from nodes.base import Node, Question, Stamp, printable
from nodes.link import Link
from nodes.wire import http
from nodes.wire import kaspa as wire
from sources import schema
from sources.net.steps import Steps

_PORT = 16111
_MOST_BYTES = 64 << 10
_GRAIN_NS = 1_000_000
_NO_PORT = 0


class KaspaNode(Node):
    """Nodes of a Kaspa network."""

    kind = "kaspa"
    is_light = True
    KEYS: ClassVar = {"port": schema.port(_PORT)}

    def conversation(self, question: Question) -> Steps[Stamp]:
        """Open a stream, and listen."""
        opening = wire.opening(
            http.authority(question.host, question.port, _NO_PORT), question.agent
        )
        with Link(question, _MOST_BYTES) as link:
            yield from link.connect()
            sent_raw_ns = link.clock.raw_ns()
            yield from link.send(opening)
            conversation = wire.Conversation()
            while conversation.version is None:
                answer = conversation.feed((yield from link.receive()))
                if answer and conversation.version is None:
                    yield from link.send(answer)
            version = conversation.version
            return Stamp(
                stamp_unix_ns=version.time_unix_ns,
                grain_ns=_GRAIN_NS,
                lag_ns=0,
                sent_raw_ns=sent_raw_ns,
                received_raw_ns=link.received_raw_ns,
                server=link.server,
                software=printable(version.agent),
                authenticated=False,
                note=printable(version.network),
            )


NODE = KaspaNode
