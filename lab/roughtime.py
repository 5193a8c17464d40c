"""A Roughtime server of any dialect, by UDP and TCP, that can be made to lie."""

import base64
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.behaviour import Behaviour, Honest, Reply, honest
from lab.udp import UdpServer, one_port
from sources.base import Malformed
from sources.clock import NS
from sources.record import Record
from sources.roughtime import wire
from sources.roughtime.versions import NAMED, OFFERS
from sources.roughtime.wire_dialects import (
    DIALECTS,
    GOOGLE,
    REQUEST_BYTES,
    Dialect,
    Framing,
    framing_of,
    nonce_of,
    sha512_half,
)

_DAY_NS = 86_400 * NS
_US = 1000
_MJD_OF_1970 = 40_587
_LEAF, _NODE = b"\0", b"\1"
_DRAFT_12 = 0x8000_000C
_DRAFTS = range(0x8000_0000, 0xC000_0000)
"""RFC 10049 section 12.2."""
_NOTHING: dict[bytes, bytes] = {}


class Change(Record):
    """What to do differently from an honest response."""

    contexts: int = 0
    """Which of the dialect's pairs of contexts to sign with."""
    levels: int = 0
    """How many levels the Merkle tree has above the request's leaf."""
    leaf_index: int = 0
    delegation: dict[bytes, bytes] = _NOTHING
    """Values of DELE to replace before it is signed."""
    signed: dict[bytes, bytes] = _NOTHING
    """Values of SREP to replace before it is signed."""
    certificate: dict[bytes, bytes] = _NOTHING
    """Values of CERT to replace afterwards."""
    response: dict[bytes, bytes] = _NOTHING
    """Values of the response to replace afterwards."""


HONEST = Change()


def _open_gate(request: bytes) -> bool:  # noqa: ARG001 - that is the point
    return True


class Manner(Record):
    """How a server speaks."""

    versions: tuple[int | None, ...] = (1,)
    """What it answers in, the best first; None is Google's dialect."""
    radius_ns: int = NS
    udp: bool = True
    """Whether it answers datagrams."""
    tcp: bool = True
    gate: Callable[[bytes], bool] = _open_gate
    """Which requests it looks at, by UDP and TCP."""


RFC = Manner()


def roughenough_1_3(request: bytes) -> bool:
    """Whether roughenough 1.3.0-draft14 answers: by `src/request.rs` of that tag.

    1024 to 1500 bytes in all, TYPE 0, and 0x8000000c among the first four of VER.
    """
    message = wire.decode(wire.unframe(request))
    return (
        len(request) in range(1024, 1501)
        and not message.uint32(wire.TYPE)
        and _DRAFT_12 in message.uint32s(wire.VER)[:4]
    )


def roughenough_2_0(request: bytes) -> bool:
    """Whether roughenough 2.0.0-draft14 answers: by `crates/roughenough-*` of that tag.

    Exactly 1024 bytes in all, four tags or, with SRV, five, and a VER of 0x8000000c alone.
    """
    message = wire.decode(wire.unframe(request))
    tags = (wire.VER, wire.SRV, wire.NONC, wire.TYPE, wire.ZZZZ)
    count = int.from_bytes(request[wire.HEADER_BYTES :][:4], "little")
    return (
        len(request) == REQUEST_BYTES
        and count == sum(tag in message for tag in tags)
        and count == len(tags) - (wire.SRV not in message)
        and message.uint32s(wire.VER) == [_DRAFT_12]
    )


def roughenough_2026(request: bytes) -> bool:
    """Whether roughenough of August 2026 answers: by commit 7534d16.

    1024 to 1472 bytes in all; the first eight of VER ascend, with 1 or a draft's among them.
    """
    versions = wire.decode(wire.unframe(request)).uint32s(wire.VER)[:8]
    return (
        len(request) in range(1024, 1473)
        and versions == sorted(versions)
        and any(version == 1 or version in _DRAFTS for version in versions)
    )


class Signer:
    """A long-term key, a delegated one, and responses signed by them."""

    def __init__(self) -> None:
        """Make both keys."""
        self._long_term = Ed25519PrivateKey.generate()
        self._delegated = Ed25519PrivateKey.generate()
        self.public_key = _public(self._long_term)

    def respond(
        self,
        request: bytes,
        version: int | None,
        unix_ns: int,
        radius_ns: int = NS,
        change: Change = HONEST,
    ) -> bytes:
        """Return the response to a request, in the dialect of a version (None: Google's)."""
        dialect = GOOGLE if version is None else DIALECTS[version]
        before_delegation, before_response = dialect.contexts[change.contexts]
        dele = {
            wire.PUBK: _public(self._delegated),
            wire.MINT: _stamp(dialect, unix_ns - _DAY_NS),
            wire.MAXT: _stamp(dialect, unix_ns + _DAY_NS),
        } | change.delegation
        cert = {
            wire.DELE: wire.encode(dele),
            wire.SIG: self._long_term.sign(before_delegation + wire.encode(dele)),
        } | change.certificate
        path, root = _tree(dialect, request, change.leaf_index, change.levels)
        srep = {
            wire.RADI: _uint32(-(-radius_ns // dialect.unit_ns)),
            wire.MIDP: _stamp(dialect, unix_ns),
            wire.ROOT: root,
        }
        values = {
            wire.PATH: path,
            wire.CERT: wire.encode(cert),
            wire.INDX: _uint32(change.leaf_index),
        }
        if version is not None:
            values[wire.NONC] = nonce_of(Framing.IETF, request)
            if dialect.version_is_signed:
                srep |= {wire.VER: _uint32(version), wire.VERS: _uint32(version)}
                values[wire.TYPE] = _uint32(1)
            else:
                values[wire.VER] = _uint32(version)
        srep |= change.signed
        values[wire.SREP] = wire.encode(srep)
        values[wire.SIG] = self._delegated.sign(before_response + values[wire.SREP])
        message = wire.encode(values | change.response)
        return message if version is None else wire.frame(message)


class RoughtimeServer(UdpServer):
    """Answers by UDP and TCP on one port, in the first of its versions that is asked for."""

    kind = "roughtime"

    def __init__(
        self,
        operator: str,
        behaviour: Behaviour = honest,
        *,
        time_unix_ns: Callable[[], int] = time.time_ns,
        manner: Manner = RFC,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Serve."""
        self.operator = operator
        self.signer = Signer()
        self._behaviour = behaviour
        self._time_unix_ns = time_unix_ns
        self._manner = manner
        self._listener: socket.socket | None = None
        bound = None
        if manner.tcp:
            bound, self._listener = one_port(address, port)
        answer = self._answer if manner.udp else lambda _: []
        super().__init__(answer, address, port, bound=bound)
        if self._listener is not None:
            threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Stop serving and free the port."""
        super().close()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def toml(self) -> str:
        """Return the table that configures this server as a source."""
        key = base64.b64encode(self.signer.public_key).decode()
        return (
            f'[[sources.roughtime]]\nhost = "{self.address}"\nport = {self.port}\n'
            f'operator = "{self.operator}"\npublic_key = "{key}"\ndialect = "{self._dialect()}"\n'
        )

    def _dialect(self) -> str:
        """Return what the configuration has to say: the version, where it is not offered first."""
        spoken = self._manner.versions
        if spoken == (None,):
            return Framing.GOOGLE.value
        if set(spoken) & set(OFFERS[0]):
            return Framing.IETF.value
        return next((name for name, offer in NAMED.items() if offer == spoken), Framing.IETF.value)

    def _answer(self, request: bytes) -> Iterable[Reply]:
        try:
            version = self._version_for(request)
        except (Malformed, LookupError):
            return []

        def reply(off_ns: int) -> bytes:
            return self.signer.respond(request, version, unix_ns + off_ns, self._manner.radius_ns)

        unix_ns = self._time_unix_ns()
        return self._behaviour(reply)

    def _version_for(self, request: bytes) -> int | None:
        """Return the version to answer in; raise LookupError where the request is not for us."""
        if framing_of(request) is Framing.GOOGLE:
            nonce_of(Framing.GOOGLE, request)
            if None not in self._manner.versions:
                raise LookupError("a dialect that is not spoken here")
            return None
        message = wire.decode(wire.unframe(request))
        if not self._manner.gate(request):
            raise LookupError("a request that this release ignores")
        if message.value(wire.SRV) != sha512_half(b"\xff" + self.signer.public_key):
            raise LookupError("another server's")
        offered = message.uint32s(wire.VER)
        found = [version for version in self._manner.versions if version in offered]
        return found[0]

    def _listen(self) -> None:
        assert self._listener is not None  # noqa: S101 - there is one where there is this thread
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(link,), daemon=True).start()

    def _serve_stream(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            while header := link.recv(wire.HEADER_BYTES, socket.MSG_WAITALL):
                length = int.from_bytes(header[len(wire.MAGIC) :], "little")
                request = header + link.recv(length, socket.MSG_WAITALL)
                self.requests.append(request)
                began = time.monotonic()
                for reply in self._answer(request):
                    threading.Event().wait(max(0, began + reply.delay_s - time.monotonic()))
                    link.sendall(reply.data)


def greased(every: int) -> Behaviour:
    """Answer each n-th request with a broken signature and a wrong time, the others truthfully."""
    asked = iter(range(1, 1_000_000))

    def behave(reply: Honest) -> Iterable[Reply]:
        if next(asked) % every:
            return [Reply(reply(0))]
        packet = reply(3600 * NS)
        return [Reply(packet[:-1] + bytes([packet[-1] ^ 1]))]

    return behave


def contradicting(seconds: float) -> Behaviour:
    """Answer ahead by so much, then behind, and so on: asked twice, it contradicts itself."""
    ahead, behind = (round(sign * seconds * NS) for sign in (1, -1))
    lies = itertools.cycle((ahead, behind))
    return lambda reply: [Reply(reply(next(lies)))]


def _tree(dialect: Dialect, request: bytes, index: int, siblings: int) -> tuple[bytes, bytes]:
    """Return PATH and ROOT of a tree with so many levels above the request's leaf."""
    framing = framing_of(request)
    leaf = request if dialect.leaf_is_request else nonce_of(framing, request)
    node, path = dialect.hashed(_LEAF + leaf), b""
    for level in range(siblings):
        sibling = dialect.hashed(_LEAF + bytes([level]))
        path += sibling
        node = dialect.hashed(_NODE + (sibling + node if index >> level & 1 else node + sibling))
    return path, node


def _stamp(dialect: Dialect, unix_ns: int) -> bytes:
    """Return a timestamp as the dialect counts time, rounded down."""
    if dialect is DIALECTS[0x8000_0007]:
        day, rest_ns = divmod(unix_ns, _DAY_NS)
        stamp = (day + _MJD_OF_1970) << 40 | rest_ns // _US
    else:
        stamp = unix_ns // dialect.unit_ns
    return stamp.to_bytes(8, "little")


def _uint32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


CONTRACT = RoughtimeServer
"""What tests hold every kind of source to its contract with: (operator, behaviour, options)."""
DATAGRAMS = True
"""Whether each datagram stands for itself, so that junk does not spoil what follows it."""
