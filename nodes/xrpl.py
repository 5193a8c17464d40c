"""XRP Ledger nodes, by the time in their `/crawl`: to the microsecond, for anybody, on by default.

On the port of the peers, inside TLS with certificates that nodes sign themselves. The document may
be megabytes; it is read until the time is complete, and none of it is kept.
"""

from typing import ClassVar

from nodes import secure
from nodes.base import Node, Question, Stamp, printable
from nodes.wire import http
from nodes.wire import xrpl as wire
from sources import schema
from sources.base import Malformed, Refused
from sources.net.steps import Steps

_PORT = 51235
_MOST_BYTES = 4 << 20
_OK = 200


class XrplNode(Node):
    """Nodes of the XRP Ledger."""

    kind = "xrpl"
    KEYS: ClassVar = {"port": schema.port(_PORT)}

    def conversation(self, question: Question) -> Steps[Stamp]:
        """Ask for the crawl, and leave once it has said the time."""
        authority = http.authority(question.host, question.port, 443)
        request = http.encode("GET", "/crawl", authority, question.agent)
        with secure.SecureLink(question, _MOST_BYTES, secure.unverified()) as link:
            yield from link.connect()
            sent_raw_ns = link.clock.raw_ns()
            yield from link.send(request)
            head = yield from _head(link)
            crawl = wire.Crawl()
            time = crawl.feed(head.body)
            while time is None:
                if crawl.ended:
                    raise Refused("the crawl says nothing of the server: switched off")
                time = crawl.feed((yield from link.receive()))
            software = head.value("server") or crawl.build
            return Stamp(
                stamp_unix_ns=time.unix_ns,
                grain_ns=time.grain_ns,
                lag_ns=0,
                sent_raw_ns=sent_raw_ns,
                received_raw_ns=link.received_raw_ns,
                server=link.server,
                software=printable(software),
                authenticated=False,
            )


def _head(link: secure.SecureLink) -> Steps[http.Head]:
    received = b""
    head = None
    while head is None:
        received += yield from link.receive()
        head = http.decode(received)
    if head.status != _OK:
        raise Refused(f"HTTP {head.status} for /crawl: switched off, or no peer port")
    if head.value("transfer-encoding"):
        raise Malformed("the crawl comes in chunks: no node sends it so, but a proxy does")
    return head


NODE = XrplNode
