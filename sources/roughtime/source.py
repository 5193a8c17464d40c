"""Roughtime (RFC 10049 and the dialects before it): the socket half. Signed time, no certificate.

A reply that does not hold is not the end: servers send bad ones on purpose (section 7, grease), so
that clients check, and anybody can forge one. Only at the deadline the last one names the failure.
A server that is silent is asked again after 1 s, 1.5 s more, and so on (section 5), with other
versions to choose from (versions.py); one that has answered, the same to the bit. Whoever answers
may have seen the first such request: what is certain is measured from its first sending, what is
likely from that of the socket that the answer came to.
"""

import binascii
from collections.abc import Callable

from sources import ciphers, schema
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
    Unreachable,
    admit,
)
from sources.clock import NS
from sources.memory import Memory
from sources.net import resolver, tcp, udp
from sources.record import Record
from sources.roughtime import versions, wire
from sources.roughtime.versions import Known, Offer
from sources.roughtime.wire_dialects import (
    Framing,
    Reply,
    decode_reply,
    encode_request,
    nonce_of,
    versions_in,
)

PORT = 5319
"""Assigned by RFC 10049 section 12.1; most servers of today use 2002."""

_KEY_BYTES = 32
_WIDEST_RADIUS_NS = 10 * NS
PATIENCE = udp.Patience((NS, 3 * NS // 2, 9 * NS // 4, 27 * NS // 8), after_error_ns=NS)
"""RFC 10049 section 5: retry after 1 s, then after half as long again each time."""
BY_UDP = (2, 3)
"""The share of the time that UDP has before TCP is tried."""


def _read_key(value: object) -> bytes:
    try:
        key = binascii.a2b_base64(schema.read_text(value), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(value) from error
    if len(key) != _KEY_BYTES:
        raise ValueError(value)
    return key


KEYS = {
    "host": schema.HOST,
    "port": schema.port(PORT),
    "public_key": schema.Key("the base64 of the server's long-term key, 32 bytes", _read_key),
    "transport": schema.one_of("auto", "udp", "tcp"),
    "dialect": schema.one_of(*(framing.value for framing in Framing), *versions.NAMED),
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
    """When it was sent by the socket that the response came to."""
    received_raw_ns: int
    server: str


class RoughtimeSource(Source):
    """One Roughtime server."""

    kind = "roughtime"
    cheap = True
    backs_off = True
    libraries = ("sources.roughtime.proof", ciphers.RUST)

    def __init__(
        self,
        endpoint: Endpoint,
        public_key: bytes,
        operator: str,
        *,
        transport: str = "auto",
        framing: Framing = Framing.IETF,
        offer: Offer = (),
    ) -> None:
        """Configure it. An `offer`, of versions that it is known to speak, is made alone."""
        host, port, fallback = endpoint
        endpoint_key = f"{schema.same(host)} {port} {public_key.hex()}"
        name = schema.shown(host, port, PORT)
        super().__init__(name, operator, endpoint_key, host, fallback)
        self.precise = framing is Framing.GOOGLE
        self.public_key = public_key
        self.framing = framing
        self._endpoint = endpoint
        # Google's dialect has no packets to be told apart in a stream.
        self.transport = "udp" if framing is Framing.GOOGLE else transport
        self.offer = offer
        self._known = Known()
        """What this process has learnt: state may be switched off, or changed by another run."""

    def sample(self, run: Run) -> Sample:
        """Ask with a random nonce."""
        found = self.exchange(run, lambda: run.random_bytes(self.framing.nonce_bytes))
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

        With one nonce for both, a reply by TCP could be an older one, made for the UDP request.
        """
        known = self._recalled(run.memory)
        made: list[Offer] = []
        try:
            found = self._exchanged(run, nonce, self._offers(known), made)
        except (Unavailable, Unreachable):
            raise
        except SourceError:
            self._remember(run.memory, known, versions.after_silence(known, made))
            raise
        self._remember(run.memory, known, Known(found.reply.version))
        return found

    def request(self, nonce: bytes, offer: Offer) -> bytes:
        """Return the request with a nonce."""
        return encode_request(self.framing, nonce, self.public_key, offer)

    def verified(self, request: bytes, response: bytes) -> Reply:
        """Return the response to a request; raise the SourceError that says why it is none."""
        from sources.roughtime.proof import verify  # noqa: PLC0415 - 25 ms, for which no request waits

        if len(response) > len(request):
            raise Malformed(f"response of {len(response)} bytes: at most {len(request)} wanted")
        return verify(request, response, self.framing, self.public_key)

    def is_addressed(self, request: bytes, data: bytes) -> bool:
        """Whether the data looks like a response to the request, which may be forged."""
        try:
            reply = decode_reply(self.framing, data)
        except Malformed:
            return False
        if reply.version is None:
            return True
        nonce = nonce_of(self.framing, request)
        return reply.nonce == nonce and reply.version in versions_in(request)

    def _exchanged(
        self,
        run: Run,
        nonce: Callable[[], bytes],
        offers: tuple[Offer, ...],
        made: list[Offer],
    ) -> Exchange:
        """Ask; `made` gets what has been offered."""
        addresses = run.addresses(self._endpoint.host, self._endpoint.fallback)
        asking = _Asking(self, offers, nonce, len(addresses), made)
        found = self._by_either(run, addresses, asking)
        resolver.note_answer(self._endpoint.host, addresses, found.server, run)
        return found

    def _by_either(self, run: Run, addresses: tuple[str, ...], asking: "_Asking") -> Exchange:
        if self.transport == "tcp":
            return self._by_tcp(run, addresses, asking.alone())
        if self.transport == "udp":
            return self._by_udp(run, addresses, asking)
        now_ns = run.clock.raw_ns()
        share, of = BY_UDP
        until_ns = now_ns + (run.deadline_raw_ns - now_ns) * share // of
        try:
            return self._by_udp(run.until(until_ns), addresses, asking)
        except Unavailable:
            raise
        except SourceError as by_udp:
            try:
                return self._by_tcp(run, addresses, asking.alone())
            except Unavailable:
                raise
            except SourceError as by_tcp:
                raise type(by_udp)(f"{by_udp}; by TCP: {by_tcp}") from None

    def _offers(self, known: Known) -> tuple[Offer, ...]:
        if self.framing is Framing.GOOGLE or self.offer:
            return (self.offer,)
        return versions.offers_to(known)

    def _recalled(self, memory: Memory) -> Known:
        entry = memory.recall(versions.SHELF, self.endpoint, versions.MOST_AGE_NS)
        return self._known if entry is None else versions.known_in(entry)

    def _remember(self, memory: Memory, before: Known, known: Known) -> None:
        if known == before or self.framing is Framing.GOOGLE or self.offer:
            return
        self._known = known
        entry = versions.entry_of(known)
        memory.change(versions.SHELF, self.endpoint, lambda _: entry, versions.MOST_AGE_NS)

    def _by_udp(self, run: Run, addresses: tuple[str, ...], asking: "_Asking") -> Exchange:
        def accept(datagram: udp.Datagram) -> Exchange | None:
            found = asking.judge(datagram.data)
            if found is None:
                return None
            request, reply = found
            return Exchange(
                request,
                datagram.data,
                reply,
                min(
                    datagram.sent_raw_ns[twin]
                    for twin in asking.twins(request)
                    if twin in datagram.sent_raw_ns
                ),
                datagram.asked_raw_ns,
                datagram.received_raw_ns,
                datagram.server,
            )

        port = self._endpoint.port
        try:
            return udp.ask(addresses, port, asking.next, accept, run, PATIENCE)
        except TimedOut:
            if asking.problem is not None:
                raise asking.problem from None
            raise

    def _by_tcp(self, run: Run, addresses: tuple[str, ...], request: bytes) -> Exchange:
        link, server = tcp.connect(addresses, self._endpoint.port, run)
        with link:
            sent_raw_ns = run.clock.raw_ns()
            with tcp.bounded(link, server, "request", run):
                link.sendall(request)
            header = tcp.receive(link, wire.HEADER_BYTES, server, "response", run)
            length = wire.length_in(header, len(request) - wire.HEADER_BYTES)
            message = tcp.receive(link, length, server, "response", run)
            received_raw_ns = run.clock.raw_ns()
        reply = self.verified(request, header + message)
        return Exchange(
            request, header + message, reply, sent_raw_ns, sent_raw_ns, received_raw_ns, server
        )


class _Asking:
    """The requests of one question by datagrams, and what is an answer to one of them."""

    def __init__(
        self,
        source: RoughtimeSource,
        offers: tuple[Offer, ...],
        nonce: Callable[[], bytes],
        addresses: int,
        made: list[Offer],
    ) -> None:
        """Ask each of so many addresses one offer after the other; `made` gets those."""
        self._made = made
        self._source = source
        self._offers = offers
        self._nonce = nonce
        self._addresses = addresses
        self._sendings = 0
        self._nonces: dict[bytes, bytes] = {}
        """Of each request, in the order of the offers."""
        self._is_understood = False
        """Whether a reply came to the latest offer, though none that holds."""
        self.problem: SourceError | None = None
        """Why the last reply that was no answer is none: of what came, nothing else is kept."""

    def next(self) -> bytes:
        """Return the request to send: that of the next offer, unless the latest is understood."""
        made = list(self._nonces)
        turn = self._sendings // self._addresses % len(self._offers)
        self._sendings += 1
        if self._is_understood:
            return made[-1]
        if turn < len(made):
            return made[turn]
        nonce = self._nonce()
        request = self._request(nonce, self._offers[turn])
        self._nonces[request] = nonce
        return request

    def alone(self) -> bytes:
        """Return a request with a nonce of its own, for a connection."""
        return self._request(self._nonce(), versions.offer_by_connection(self._offers))

    def _request(self, nonce: bytes, offer: Offer) -> bytes:
        self._made.append(offer)
        return self._source.request(nonce, offer)

    def judge(self, data: bytes) -> tuple[bytes, Reply] | None:
        """Return the response in a datagram, and the request that it answers; None if it is none.

        Raises Unavailable where it cannot be judged.
        """
        for request in reversed(self._nonces):
            try:
                return request, self._source.verified(request, data)
            except Unavailable:
                raise
            except SourceError as problem:
                # A copy: the traceback of the original would keep the datagram.
                self.problem = type(problem)(str(problem))
        self._is_understood |= self._source.is_addressed(next(reversed(self._nonces)), data)
        return None

    def twins(self, request: bytes) -> list[bytes]:
        """Return the requests that have the nonce of this one, which is one of them."""
        return [each for each, nonce in self._nonces.items() if nonce == self._nonces[request]]


def build(table: schema.Table) -> list[Source]:
    """Return the source of one [[sources.roughtime]] table."""
    host, dialect = table.text("host"), table.text("dialect")
    offer = versions.NAMED.get(dialect, ())
    framing = Framing.IETF if offer else Framing(dialect)
    transport = table.text("transport")
    if framing is Framing.GOOGLE and transport == "tcp":
        raise ValueError('transport = "tcp": allowed is "udp" with dialect = "google"')
    source = RoughtimeSource(
        Endpoint(host, table.whole("port"), table.addresses()),
        table.data("public_key"),
        table.operator(host),
        transport=transport,
        framing=framing,
        offer=offer,
    )
    return [source]
