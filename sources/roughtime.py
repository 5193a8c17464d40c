"""Roughtime (RFC 10049 and the dialects before it): the socket half. Signed time, no certificate.

A reply that does not hold is not the end: servers send bad ones on purpose (section 7, grease), so
that clients check, and anybody can forge one. Only at the deadline the last one names the failure.
A request is sent again, the same to the bit, after 1 s, 1.5 s more, and so on (section 5). Whoever
answers may have seen the first one: what is certain is measured from the first sending, what is
likely from that of the socket that the answer came to.
"""

import base64
import binascii
from collections.abc import Callable

from sources import keys, tcp, udp
from sources.base import (
    Interval,
    Malformed,
    Run,
    Sample,
    Source,
    SourceError,
    TimedOut,
    TooWide,
    Unavailable,
    admit,
)
from sources.clock import NS
from sources.record import Record
from sources.wire import roughtime as wire
from sources.wire.dialects import Form, Reply, encode_request

PORT = 5319
"""Assigned by RFC 10049 section 12.1; most servers of before use 2002."""

_KEY_BYTES = 32
_WIDEST_RADIUS_NS = 10 * NS
_PATIENCE = udp.Patience((NS, 3 * NS // 2, 9 * NS // 4, 27 * NS // 8), after_error_ns=NS)
"""RFC 10049 section 5: retry after 1 s, then after half as long again each time."""


def _read_key(value: object) -> bytes:
    try:
        key = base64.b64decode(keys.read_text(value), validate=True)
    except binascii.Error as error:
        raise ValueError(value) from error
    if len(key) != _KEY_BYTES:
        raise ValueError(value)
    return key


KEYS = {
    "host": keys.HOST,
    "port": keys.port(PORT),
    "public_key": keys.Key("the base64 of the server's long-term key, 32 bytes", _read_key),
    "transport": keys.one_of("auto", "udp", "tcp"),
    "dialect": keys.one_of(*(form.value for form in Form)),
}
"""What a [[sources.roughtime]] table may hold beside the keys of every kind."""


class Endpoint(Record):
    """Where a server is."""

    host: str
    port: int
    fallback: tuple[str, ...] = ()
    """Addresses for when the host cannot be resolved."""


class Exchange(Record):
    """One request and its verified response, to the byte."""

    request: bytes
    response: bytes
    reply: Reply
    sent_raw_ns: int
    """When the request was first sent."""
    asked_raw_ns: int
    """When it was sent the way that the response came."""
    received_raw_ns: int
    server: str


class RoughtimeSource(Source):
    """One Roughtime server."""

    kind = "roughtime"
    cheap = True
    backs_off = True
    libraries = ("sources.signed", "cryptography.hazmat.primitives.asymmetric.ed25519")

    def __init__(
        self,
        endpoint: Endpoint,
        public_key: bytes,
        operator: str,
        *,
        transport: str = "auto",
        form: Form = Form.IETF,
    ) -> None:
        """Configure it."""
        host, port, _ = endpoint
        endpoint_key = f"{keys.same(host)} {port} {public_key.hex()}"
        super().__init__(keys.shown(host, port, PORT), operator, endpoint_key)
        self.precise = form is Form.GOOGLE
        self.public_key = public_key
        self.form = form
        self._endpoint = endpoint
        # Google's dialect has no packets to be told apart in a stream.
        self._transport = "udp" if form is Form.GOOGLE else transport

    def sample(self, run: Run) -> Sample:
        """Ask with a random nonce."""
        found = self.exchange(run, lambda: run.random_bytes(self.form.nonce_bytes))
        reply = found.reply
        if reply.radius_ns > _WIDEST_RADIUS_NS:
            raise TooWide(f"radius of {reply.radius_ns / NS:g} s: at most 10 s wanted")
        earliest_unix_ns = reply.midpoint_unix_ns - reply.radius_ns
        latest_unix_ns = reply.midpoint_unix_ns + reply.radius_ns
        likely_unix_ns = reply.midpoint_unix_ns + min(reply.dialect.unit_ns, reply.radius_ns)
        sample = Sample(
            operator=self.operator,
            kind=self.kind,
            authenticated=True,
            certain=Interval(
                found.sent_raw_ns - latest_unix_ns, found.received_raw_ns - earliest_unix_ns
            ),
            likely=Interval(
                found.asked_raw_ns - likely_unix_ns, found.received_raw_ns - reply.midpoint_unix_ns
            ),
            rtt_ns=found.received_raw_ns - found.asked_raw_ns,
            server=found.server,
            detail=f"{reply.dialect.name}, radius {reply.radius_ns / NS:g} s",
            transcript=(found.request, found.response),
        )
        return admit(sample, latest_unix_ns)

    def exchange(self, run: Run, nonce: Callable[[], bytes]) -> Exchange:
        """Ask with a nonce for each transport; return the response that holds, or raise why none.

        One that has gone by UDP could by TCP be answered with what was made for it before.
        """
        addresses = run.addresses(self._endpoint.host, self._endpoint.fallback)
        if self._transport == "tcp":
            return self._by_tcp(run, addresses, nonce())
        if self._transport == "udp":
            return self._by_udp(run, addresses, nonce())
        now_ns = run.clock.raw_ns()
        two_thirds_ns = now_ns + (run.deadline_raw_ns - now_ns) * 2 // 3
        try:
            return self._by_udp(run.until(two_thirds_ns), addresses, nonce())
        except Unavailable:
            raise
        except SourceError as by_udp:
            try:
                return self._by_tcp(run, addresses, nonce())
            except SourceError as by_tcp:
                raise type(by_udp)(f"{by_udp}; by TCP: {by_tcp}") from by_tcp

    def _by_udp(self, run: Run, addresses: tuple[str, ...], nonce: bytes) -> Exchange:
        request = encode_request(self.form, nonce, self.public_key)
        problems: list[SourceError] = []

        def accept(datagram: udp.Datagram) -> Exchange | None:
            try:
                reply = self._verified(request, datagram.data)
            except Unavailable:
                raise  # no other reply would do
            except SourceError as problem:
                problems.append(problem)
                return None
            return Exchange(
                request,
                datagram.data,
                reply,
                datagram.sent_raw_ns[request],
                datagram.asked_raw_ns,
                datagram.received_raw_ns,
                datagram.server,
            )

        try:
            return udp.ask(addresses, self._endpoint.port, lambda: request, accept, run, _PATIENCE)
        except TimedOut:
            if problems:
                raise problems[-1] from None
            raise

    def _by_tcp(self, run: Run, addresses: tuple[str, ...], nonce: bytes) -> Exchange:
        request = encode_request(self.form, nonce, self.public_key)
        link, server = tcp.connect(addresses, self._endpoint.port, run)
        with link:
            sent_raw_ns = run.clock.raw_ns()
            with tcp.bounded(link, server, "request", run):
                link.sendall(request)
            header = tcp.receive(link, wire.HEADER_BYTES, server, "response", run)
            length = wire.length_in(header, len(request) - wire.HEADER_BYTES)
            message = tcp.receive(link, length, server, "response", run)
            received_raw_ns = run.clock.raw_ns()
        reply = self._verified(request, header + message)
        return Exchange(
            request, header + message, reply, sent_raw_ns, sent_raw_ns, received_raw_ns, server
        )

    def _verified(self, request: bytes, response: bytes) -> Reply:
        from sources.signed import verify  # noqa: PLC0415 - 25 ms, for which no request waits

        if len(response) > len(request):
            raise Malformed(f"response of {len(response)} bytes: at most {len(request)} wanted")
        return verify(request, response, self.form, self.public_key)


def build(table: keys.Table) -> list[Source]:
    """Return the source of one [[sources.roughtime]] table."""
    host, form = table.text("host"), Form(table.text("dialect"))
    transport = table.text("transport")
    if form is Form.GOOGLE and transport == "tcp":
        raise ValueError('transport = "tcp": allowed is "udp" with dialect = "google"')
    source = RoughtimeSource(
        Endpoint(host, table.whole("port"), table.addresses()),
        table.data("public_key"),
        table.operator(host),
        transport=transport,
        form=form,
    )
    return [source]
