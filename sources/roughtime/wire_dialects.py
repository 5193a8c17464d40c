"""The dialects of Roughtime, in one table, and requests and replies in each of them. Pure.

RFC 10049 is version 1. Its drafts 7 to 19, and Google's original, are what many public servers
still speak. They differ in signature contexts, hashes, what a leaf of the Merkle tree is made of,
where the version stands and how time is counted; all of that is in the table and nowhere else.

There are two framings of a request. The IETF's offers versions of the table (versions.py says
which); Google's is older than versions, packets and 32-byte nonces.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from sources.base import Malformed, Unavailable
from sources.clock import NS
from sources.record import Record
from sources.roughtime import wire

REQUEST_BYTES = 1024
"""Of all that is sent, the packet's header included: some servers answer to exactly that size.

RFC 10049 section 5.1 wants as many of the message, 12 more; no server is known that insists.
"""

_US = NS // 1_000_000
_DAY_NS = 86_400 * NS
_MJD_OF_1970 = 40_587
_US_BITS = 40
_DRAFT = 0x8000_0000
"""Version numbers of drafts begin here."""
_MOST_NODES = 32
_MOST_VERSIONS = 32
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_REQUEST, _RESPONSE = 0, 1
"""What TYPE says."""


class Framing(Enum):
    """The framing of a request; the value is its name in config.toml."""

    IETF = "ietf"
    GOOGLE = "google"

    @property
    def nonce_bytes(self) -> int:
        """How long the nonce is."""
        return 32 if self is Framing.IETF else 64


class Dialect(Record):
    """What is particular about some versions of the protocol."""

    name: str
    contexts: tuple[tuple[bytes, bytes], ...]
    """What is signed before the delegation, and before the response; the first pair is right."""
    hashed: Callable[[bytes], bytes]
    node_bytes: int
    """Length of a hash in the Merkle tree."""
    leaf_is_request: bool
    """Whether a leaf is made of the whole request packet, or of the nonce."""
    version_is_signed: bool
    """Whether VER stands in SREP, with VERS, or unsigned beside it."""
    typed: bool
    """Whether a response has to have a TYPE."""
    unit_ns: int
    """In which MIDP is truncated, and RADI counted."""
    unix_ns: Callable[[int], int]
    """Turns a timestamp of the dialect into Unix time."""


def _contexts(name: str, tail: str) -> tuple[bytes, bytes]:
    return (
        f"{name} v1 delegation signature{tail}\0".encode(),
        f"{name} v1 response signature\0".encode(),
    )


def _digest(name: str, data: bytes) -> bytes:
    import hashlib  # noqa: PLC0415 - loads OpenSSL, which reading a configuration can do without

    try:
        return hashlib.new(name, data).digest()
    except ValueError as error:  # as under FIPS
        raise Unavailable(f"{name} cannot be had: {error}") from error


def sha512(data: bytes) -> bytes:
    """Return the 64 bytes of SHA-512: H of Google's dialect."""
    return _digest("sha512", data)


def sha512_half(data: bytes) -> bytes:
    """Return the first 32 bytes of SHA-512: H of RFC 10049."""
    return sha512(data)[:32]


def _sha512_256(data: bytes) -> bytes:
    return _digest("sha512_256", data)


def _from_seconds(stamp: int) -> int:
    return stamp * NS


def _from_microseconds(stamp: int) -> int:
    return stamp * _US


def _from_julian(stamp: int) -> int:
    """Draft 7: a modified Julian day in 24 bits, the microseconds of that day in 40."""
    day, microseconds = stamp >> _US_BITS, stamp % (1 << _US_BITS)
    return (day - _MJD_OF_1970) * _DAY_NS + microseconds * _US


_DRAFT_12 = Dialect(
    name="draft 12-19",
    contexts=(_contexts("RoughTime", ""),),
    hashed=sha512_half,
    node_bytes=32,
    leaf_is_request=True,
    version_is_signed=True,
    typed=False,  # since draft 14, under the same number
    unit_ns=NS,
    unix_ns=_from_seconds,
)
_RFC = _DRAFT_12.replaced(
    name="RFC 10049",
    # The RFC Editor changed the letter case; older servers, and the RFC's own example of a report,
    # have version 1 with the case of the drafts.
    contexts=(_contexts("Roughtime", ""), _contexts("RoughTime", "")),
    typed=True,
)
_DRAFT_8 = _DRAFT_12.replaced(
    name="draft 8-11",
    contexts=(_contexts("RoughTime", "--"),),
    leaf_is_request=False,
    version_is_signed=False,
)
_DRAFT_7 = _DRAFT_8.replaced(
    name="draft 7",
    contexts=(_contexts("RoughTime", ""),),
    hashed=_sha512_256,
    unit_ns=_US,
    unix_ns=_from_julian,
)
GOOGLE = _DRAFT_8.replaced(
    name="Google's",
    hashed=sha512,
    node_bytes=64,
    unit_ns=_US,
    unix_ns=_from_microseconds,
)

DIALECTS = {
    1: _RFC,
    _DRAFT | 7: _DRAFT_7,
    **{_DRAFT | number: _DRAFT_8 for number in range(8, 12)},
    **{_DRAFT | number: _DRAFT_12 for number in range(12, 20)},
}
"""Every version that a request may offer, in ascending order."""


class Reply(Record):
    """A decoded response. Nothing of it is verified."""

    dialect: Dialect
    version: int | None
    midpoint_unix_ns: int
    radius_ns: int
    nonce: bytes | None
    root: bytes
    path: tuple[bytes, ...]
    leaf_index: int
    not_before_unix_ns: int
    not_after_unix_ns: int
    """From when until when the delegated key may sign."""
    delegation: bytes
    delegation_signature: bytes
    delegated_key: bytes
    signed: bytes
    signature: bytes


def encode_request(
    framing: Framing, nonce: bytes, public_key: bytes, versions: Sequence[int] = tuple(DIALECTS)
) -> bytes:
    """Return the request with this nonce to the server that has this long-term key.

    The IETF's framing offers the versions, which are in ascending order.
    """
    if framing is Framing.GOOGLE:
        values = {wire.NONC: nonce}
        return wire.encode(values | {wire.PAD_GOOGLE: _padding(values, REQUEST_BYTES)})
    values = {
        wire.VER: _uint32s(*versions),
        wire.SRV: sha512_half(b"\xff" + public_key),
        wire.NONC: nonce,
        wire.TYPE: _uint32s(_REQUEST),
    }
    padding = _padding(values, REQUEST_BYTES - wire.HEADER_BYTES)
    return wire.frame(wire.encode(values | {wire.ZZZZ: padding}))


def nonce_of(framing: Framing, request: bytes) -> bytes:
    """Return the nonce of a request; raise Malformed if it is none."""
    message = wire.decode(
        request if framing is Framing.GOOGLE else wire.unframe(request), "request"
    )
    return message.value(wire.NONC, framing.nonce_bytes)


def versions_in(request: bytes) -> list[int]:
    """Return the versions that an IETF request offers; raise Malformed if it is none."""
    return wire.decode(wire.unframe(request), "request").uint32s(wire.VER)


def framing_of(packet: bytes) -> Framing:
    """Return the framing of a packet."""
    return Framing.IETF if packet.startswith(wire.MAGIC) else Framing.GOOGLE


def decode_reply(framing: Framing, packet: bytes) -> Reply:
    """Return the response in a packet; raise Malformed with what was found and wanted."""
    if framing is Framing.GOOGLE:
        message = wire.decode(packet, "response")
        signed = message.message(wire.SREP)
        return _reply(GOOGLE, None, message, signed, None)
    message = wire.decode(wire.unframe(packet), "response")
    signed = message.message(wire.SREP)
    version = (signed if wire.VER in signed else message).uint32(wire.VER)
    dialect = DIALECTS.get(version)
    if dialect is None:
        raise Malformed(f"response: version {version:#x}: none that was offered")
    if dialect.version_is_signed:
        _check_versions(signed, signed.uint32(wire.VER))
    elif message.uint32(wire.VER) != version:
        raise Malformed(f"response: version {version:#x} in SREP, another one beside it")
    if (dialect.typed or wire.TYPE in message) and message.uint32(wire.TYPE) != _RESPONSE:
        raise Malformed(f"response: TYPE {message.uint32(wire.TYPE)}: {_RESPONSE} wanted")
    nonce = message.value(wire.NONC, framing.nonce_bytes)
    return _reply(dialect, version, message, signed, nonce)


def _reply(
    dialect: Dialect,
    version: int | None,
    message: wire.Message,
    signed: wire.Message,
    nonce: bytes | None,
) -> Reply:
    certificate = message.message(wire.CERT)
    delegation = certificate.message(wire.DELE)
    radius = signed.uint32(wire.RADI)
    if not radius:
        raise Malformed("SREP: RADI 0: more wanted")
    return Reply(
        dialect=dialect,
        version=version,
        midpoint_unix_ns=dialect.unix_ns(signed.uint64(wire.MIDP)),
        radius_ns=radius * dialect.unit_ns,
        nonce=nonce,
        root=signed.value(wire.ROOT, dialect.node_bytes),
        path=_nodes(message.value(wire.PATH), dialect.node_bytes),
        leaf_index=message.uint32(wire.INDX),
        not_before_unix_ns=dialect.unix_ns(delegation.uint64(wire.MINT)),
        not_after_unix_ns=dialect.unix_ns(delegation.uint64(wire.MAXT)),
        delegation=certificate.value(wire.DELE),
        delegation_signature=certificate.value(wire.SIG, _SIGNATURE_BYTES),
        delegated_key=delegation.value(wire.PUBK, _KEY_BYTES),
        signed=message.value(wire.SREP),
        signature=message.value(wire.SIG, _SIGNATURE_BYTES),
    )


def _check_versions(signed: wire.Message, version: int) -> None:
    """Raise Malformed unless VERS is a list of versions, ascending, that has the version in it."""
    versions = signed.uint32s(wire.VERS)
    if len(versions) > _MOST_VERSIONS or versions != sorted(set(versions)):
        raise Malformed(f"SREP: VERS {versions}: at most {_MOST_VERSIONS}, ascending, wanted")
    if version not in versions:
        raise Malformed(f"SREP: version {version:#x} is not in VERS {versions}")


def _nodes(path: bytes, node_bytes: int) -> tuple[bytes, ...]:
    if len(path) % node_bytes or len(path) > _MOST_NODES * node_bytes:
        raise Malformed(
            f"response: PATH of {len(path)} bytes: up to {_MOST_NODES} nodes of {node_bytes} wanted"
        )
    return tuple(path[i : i + node_bytes] for i in range(0, len(path), node_bytes))


def _uint32s(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _padding(values: dict[bytes, bytes], count: int) -> bytes:
    """Return the zeros that make the message with these values, and one more, so long."""
    return bytes(count - len(wire.encode(values | {wire.ZZZZ: b""})))
