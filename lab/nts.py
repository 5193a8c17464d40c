"""An NTS server that can be made to lie: keys by TLS, authenticated time by datagrams.

Cookies are the keys of a client, sealed by a master key that the two halves share, so that neither
keeps anything of a client (RFC 8915 section 6).
"""

import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from lab.authority import FOR_LIFE, Authority
from lab.behaviour import Behaviour, Honest, Reply, honest
from lab.https import Identity
from lab.ntp import HONEST
from lab.udp import UdpServer
from sources.base import SourceError
from sources.ntp import wire as ntp
from sources.nts import exporter
from sources.nts import proof as nts_proof
from sources.nts import wire as nts
from sources.nts import wire_ke as nts_ke
from sources.nts.proof import Keys
from sources.record import Record

END, NEXT_PROTOCOL, ERROR, WARNING, AEAD, COOKIE, SERVER, PORT = range(8)
"""Types of records of key establishment (RFC 8915 section 4.1)."""
Records = list[tuple[int, bytes, bool]]
"""(type, body, critical) of each."""

_ORDINARY = Identity()
_MASTER_BYTES = 32
_READ_BYTES = 4096
_IDENTIFIER_BODY = slice(ntp.PACKET_BYTES + 4, ntp.PACKET_BYTES + 4 + nts.IDENTIFIER_BYTES)


class Manner(Record):
    """How a server exchanges keys."""

    host: str | None = None
    """The NTP server to name; None names none."""
    port: int | None = None
    """The port to name; unless given, that of the server's own datagrams."""
    cookies: int = 8
    bend: Callable[[Records], bytes] = nts_ke.encode
    """Makes the response of the honest records."""
    send: Callable[[ssl.SSLSocket, bytes], None] = ssl.SSLSocket.sendall
    """Sends the response; the connection is closed afterwards."""
    protocol: str | None = nts_ke.PROTOCOL
    """What to choose by ALPN; None is a server without ALPN."""
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3


PLAIN = Manner()


class NtsServer:
    """Listens for TLS on one port and for datagrams on another, from construction on."""

    kind = "nts"

    def __init__(
        self,
        operator: str,
        behaviour: Behaviour = honest,
        *,
        time_unix_ns: Callable[[], int] = time.time_ns,
        identity: Identity = _ORDINARY,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Make certificates and master key, bind, and serve in threads; `port` is that of TLS."""
        self.operator = operator
        self.manner = PLAIN
        """May be changed at any time."""
        self.master = os.urandom(_MASTER_BYTES)
        """Seals cookies; servers that share it know each other's."""
        self.connections = 0
        self._behaviour = behaviour
        self._time_unix_ns = time_unix_ns
        self._authority = Authority(time_unix_ns())
        self._stranger = Authority(time_unix_ns(), "Another Root")
        self._known = identity.known
        self._files = self._authority.identity(
            identity.names or (address,), identity.lifetime, identity.intermediate
        )
        self._listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self._links: set[socket.socket] = set()
        self._datagrams = UdpServer(self._answer, address)
        self.ntp_port = self._datagrams.port
        self.requests = self._datagrams.requests
        """The datagrams that came, to the byte."""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._authority.close()
        self._stranger.close()

    @property
    def ca_file(self) -> str:
        """The CAs that clients are to trust."""
        return (self._authority if self._known else self._stranger).ca_file

    def close(self) -> None:
        """Stop serving and free the ports; the certificates stay until the end of the block."""
        self._datagrams.close()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._listener.close()
        for link in tuple(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def toml(self) -> str:
        """Return the table that configures this server as a source."""
        return (
            f'[[sources.nts]]\nhost = "{self.address}"\nport = {self.port}\n'
            f'operator = "{self.operator}"\nca_file = "{self.ca_file}"\n'
        )

    def forget(self) -> None:
        """Take another master key: no cookie that was given so far is known any more."""
        self.master = os.urandom(_MASTER_BYTES)

    def cookie_for(self, keys: Keys) -> bytes:
        """Return a new cookie that holds the keys."""
        nonce = os.urandom(nts.NONCE_BYTES)
        both = keys.client_to_server + keys.server_to_client
        return nonce + AESSIV(self.master).encrypt(both, [nonce])

    def keys_in(self, cookie: bytes) -> Keys | None:
        """Return the keys that a cookie holds; None if it is not one of ours."""
        nonce, ciphertext = cookie[: nts.NONCE_BYTES], cookie[nts.NONCE_BYTES :]
        try:
            both = AESSIV(self.master).decrypt(ciphertext, [nonce])
        except (InvalidTag, ValueError):
            return None
        return Keys(both[: len(both) // 2], both[len(both) // 2 :])

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._establish, args=(link,), daemon=True).start()

    def _establish(self, link: socket.socket) -> None:
        """Serve one connection, under a context of its own: its key log holds nobody else's."""
        manner = self.manner
        with (
            link,
            suppress(OSError, SourceError),
            tempfile.NamedTemporaryFile(prefix="time-drift-lab-") as log,
            _context(manner, self._files, log.name).wrap_socket(link, server_side=True) as secured,
        ):
            self._links.add(secured)
            try:
                request = _request(secured)
                name, _, _ = secured.cipher() or ("", "", 0)
                keys = exporter.keys_from(log.read(), name)
                manner.send(secured, manner.bend(self._records(request, keys, manner)))
            finally:
                self._links.discard(secured)

    def _records(self, request: bytes, keys: Keys, manner: Manner) -> Records:
        """Return the records of an honest response."""
        if request != nts_ke.REQUEST:
            return [(ERROR, b"\0\1", True), (END, b"", True)]
        records = [(NEXT_PROTOCOL, b"\0\0", True), (AEAD, _uint16(nts_ke.AES_SIV_CMAC_256), True)]
        records += [(COOKIE, self.cookie_for(keys), False) for _ in range(manner.cookies)]
        if manner.host is not None:
            records.append((SERVER, manner.host.encode(), True))
        records.append((PORT, _uint16(manner.port or self.ntp_port), True))
        return [*records, (END, b"", True)]

    def _answer(self, request: bytes) -> Iterable[Reply]:
        """Answer what is authentic; say NTSN to what may have been, nothing to the rest."""
        received_unix_ns = self._time_unix_ns()
        try:
            asked = nts.take_apart(request)
            keys = self.keys_in(nts.cookie_of(request))
        except SourceError:
            return []
        origin = ntp.decode(request).transmit
        try:
            if keys is None:
                raise InvalidTag
            nts_proof.opened(keys.client_to_server, asked)
        except (InvalidTag, SourceError):
            packet = HONEST.replaced(origin=origin)
            return [Reply(_nak(ntp.encode(packet) + nts.identifier_field(asked.identifier)))]

        def make(off_ns: int, changes: dict[str, object], identifier: bytes) -> bytes:
            packet = HONEST.replaced(
                reference=ntp.stamp_of(received_unix_ns + off_ns),
                origin=origin,
                receive=ntp.stamp_of(received_unix_ns + off_ns),
                transmit=ntp.stamp_of(self._time_unix_ns() + off_ns),
            ).replaced(**changes)
            before = ntp.encode(packet) + nts.identifier_field(identifier)
            cookies = nts.cookie_fields([self.cookie_for(keys)])
            return nts_proof.seal(
                keys.server_to_client, before, os.urandom(nts.NONCE_BYTES), cookies
            )

        return self._behaviour(Answer(make, asked.identifier))


class Answer:
    """Makes authenticated replies to one request: called, honest ones."""

    def __init__(
        self, make: Callable[[int, dict[str, object], bytes], bytes], identifier: bytes
    ) -> None:
        """Make them by `make`, for the request of this identifier."""
        self._make = make
        self._identifier = identifier

    def __call__(self, off_ns: int) -> bytes:
        """Return the reply of a server whose clock is off by so much."""
        return self._make(off_ns, {}, self._identifier)

    def with_fields(self, **fields: object) -> bytes:
        """Return a reply some of whose header's fields are these, authenticated like any other."""
        return self._make(0, fields, self._identifier)

    def with_identifier(self, identifier: bytes) -> bytes:
        """Return a reply to somebody else's request, authenticated by our keys."""
        return self._make(0, {}, identifier)


def altered(**fields: object) -> Behaviour:
    """Answer truthfully but for these fields of the packet, authenticated all the same."""
    return lambda reply: [Reply(_answer_of(reply).with_fields(**fields))]


def kiss(code: str) -> Behaviour:
    """Answer with a kiss-o'-death that is authenticated."""
    return altered(leap=ntp.LEAP_ALARM, stratum=0, reference_id=code.encode())


def unauthenticated(behave: Behaviour) -> Behaviour:
    """Answer as this behaviour does, and then strip the authenticator."""
    return lambda reply: [
        each.replaced(data=nts.take_apart(each.data).before) for each in behave(reply)
    ]


def another_identifier(reply: Honest) -> Iterable[Reply]:
    """Answer with an identifier that nobody asked with, authenticated."""
    return [Reply(_answer_of(reply).with_identifier(os.urandom(nts.IDENTIFIER_BYTES)))]


def nak(reply: Honest) -> Iterable[Reply]:
    """Say that the cookie is unknown, though it is not."""
    return [Reply(_nak(nts.take_apart(reply(0)).before))]


def flipped(*positions: int, bit: int = 0) -> Behaviour:
    """Answer one copy of the honest reply for each position, one bit of that byte flipped."""

    def behave(reply: Honest) -> Iterable[Reply]:
        data = reply(0)
        return [Reply(with_bit_flipped(data, position, bit)) for position in positions]

    return behave


def replayed() -> Behaviour:
    """Answer the first request truthfully, and every later one with that same reply."""
    first: list[bytes] = []

    def behave(reply: Honest) -> Iterable[Reply]:
        first.append(reply(0))
        return [Reply(first[0])]

    return behave


def replayed_in_disguise() -> Behaviour:
    """The same, but origin and identifier are those that were asked with."""
    first: list[bytes] = []

    def behave(reply: Honest) -> Iterable[Reply]:
        data = reply(0)
        first.append(data)
        return [Reply(_as_if_for(data, first[0]))]

    return behave


def with_bit_flipped(data: bytes, position: int, bit: int = 0) -> bytes:
    """Return the data with one bit of one byte flipped."""
    return data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]


def _as_if_for(wanted: bytes, old: bytes) -> bytes:
    """Return the old reply with the origin and the identifier of another one."""
    mixed = bytearray(old)
    for part in (slice(24, 32), _IDENTIFIER_BODY):
        mixed[part] = wanted[part]
    return bytes(mixed)


def _answer_of(reply: Honest) -> Answer:
    """Return what makes replies, as the kind that it is with NTS."""
    assert isinstance(reply, Answer)  # noqa: S101 - NtsServer hands out no other
    return reply


def _nak(unsealed: bytes) -> bytes:
    """Return a reply without authenticator as the NTSN of RFC 8915 section 5.7."""
    packet = ntp.decode(unsealed).replaced(
        leap=ntp.LEAP_ALARM, stratum=0, reference_id=nts.NAK, receive=0, transmit=0
    )
    return ntp.encode(packet) + unsealed[ntp.PACKET_BYTES :]


def _request(link: ssl.SSLSocket) -> bytes:
    """Return what a client asks, or what there is of it when it goes."""
    request = nts_ke.Incoming()
    while data := link.recv(_READ_BYTES):
        if request.take(data):
            break
    return request.data


def _context(manner: Manner, files: tuple[str, str], key_log: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.maximum_version = manner.newest
    context.keylog_filename = key_log
    if manner.protocol is not None:
        context.set_alpn_protocols([manner.protocol])
    return context


def _uint16(number: int) -> bytes:
    return number.to_bytes(2, "big")


CONTRACT = partial(NtsServer, identity=Identity(lifetime=FOR_LIFE))
"""What tests hold every kind of source to its contract with: (operator, behaviour, options)."""
DATAGRAMS = True
"""Whether each datagram stands for itself, so that junk does not spoil what follows it."""
