"""HTTP servers, by the `Date` of a response (RFC 9110 section 6.6.1): RPC, REST, metrics, any port.

The clock is that of whoever answers. Behind a CDN that is the CDN's, so the verdict is `proxy`.
One HEAD; a GET, of which the headers alone are read, where a server has no HEAD. Redirects are not
followed: their Date is as good as any.
"""

from typing import ClassVar

from nodes.base import PROXY, Node, NodeTable, Question, Stamp, printable
from nodes.link import Link
from nodes.wire import http as wire
from sources import schema
from sources.clock import NS
from sources.net.steps import Steps
from sources.record import Record

_PORT = 80
MOST_BYTES = wire.LONGEST_HEAD + 4096
_NO_HEAD = (405, 501)
_LONGEST_LAG_S = 60


class _Response(Record):
    head: wire.Head
    sent_raw_ns: int
    received_raw_ns: int
    server: str


KEYS = {
    "port": schema.port(_PORT),
    "date_lag": schema.Key(
        f"seconds, 0 to {_LONGEST_LAG_S}", schema.seconds(_LONGEST_LAG_S, default=0).read, None
    ),
}


class HttpNode(Node):
    """Servers that speak HTTP in the clear."""

    kind = "http"
    is_light = True
    KEYS: ClassVar = KEYS
    _authenticates = False
    has_path = True
    _usual_port = _PORT

    def __init__(self, table: NodeTable) -> None:
        """Configure it; without a `date_lag` the server's name says how late its Date may be."""
        super().__init__(table)
        self._lag_ns = table.optional_seconds_ns("date_lag")

    def conversation(self, question: Question) -> Steps[Stamp]:
        """Ask for the headers of the target's path."""
        response = yield from self._ask(question, "HEAD")
        if response.head.status in _NO_HEAD:
            # On a connection of its own: servers without HEAD are seen to send a body to it.
            response = yield from self._ask(question, "GET")
        software = response.head.value("server")
        proxy = wire.proxy(response.head)
        return Stamp(
            stamp_unix_ns=wire.date_unix_ns(response.head),
            grain_ns=NS,
            lag_ns=wire.lag_ns(software) if self._lag_ns is None else self._lag_ns,
            sent_raw_ns=response.sent_raw_ns,
            received_raw_ns=response.received_raw_ns,
            server=response.server,
            software=printable(software),
            authenticated=self._authenticates,
            verdict=PROXY if proxy else "",
            note=f"{printable(proxy)}: the clock of a proxy, not of the node" if proxy else "",
        )

    def _link(self, question: Question) -> Link:
        return Link(question, MOST_BYTES)

    def _ask(self, question: Question, method: str) -> Steps[_Response]:
        authority = wire.authority(question.host, question.port, self._usual_port)
        request = wire.encode(method, question.path, authority, question.agent)
        with self._link(question) as link:
            yield from link.connect()
            sent_raw_ns = link.clock.raw_ns()
            yield from link.send(request)
            received = b""
            head = None
            while head is None:
                received += yield from link.receive()
                head = wire.decode(received)
            return _Response(head, sent_raw_ns, link.received_raw_ns, link.server)


NODE = HttpNode
