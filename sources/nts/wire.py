"""NTP extension fields of NTS (RFC 8915 section 5). Pure; encryption itself is in proof.py.

A field is two octets of type, two of length, the header's four included, and a body, padded to a
multiple of four (RFC 7822). What is before the authenticator is authenticated, what is in it is
encrypted as well, and what comes after it is neither.
"""

import struct
from collections.abc import Iterator

from sources.base import Malformed, Unverified
from sources.ntp import wire as ntp
from sources.record import Record

IDENTIFIER_BYTES = 32
NONCE_BYTES = 16
NAK = b"NTSN"
"""Kiss code of a server that does not know our cookie (section 5.7): never authenticated."""

_HEADER = struct.Struct("!HH")
_UNIQUE_IDENTIFIER, _COOKIE, _PLACEHOLDER, _AUTHENTICATOR = 0x0104, 0x0204, 0x0304, 0x0404
_LEAST_FIELD = 16
"""RFC 7822 section 3; the last one may have to be longer, and always is."""


class Sealed(Record):
    """A packet, taken apart at its authenticator."""

    identifier: bytes
    before: bytes
    """What is authenticated: everything before the authenticator."""
    nonce: bytes
    ciphertext: bytes


def unsealed_request(stamp: bytes, identifier: bytes, cookie: bytes) -> bytes:
    """Return a request up to its authenticator, which is made of all this."""
    return ntp.request(stamp) + _field(_UNIQUE_IDENTIFIER, identifier) + _field(_COOKIE, cookie)


def authenticator(nonce: bytes, ciphertext: bytes) -> bytes:
    """Return the field that ends a packet (section 5.6); a nonce of 16 bytes is long enough."""
    body = _HEADER.pack(len(nonce), len(ciphertext)) + _padded(nonce) + _padded(ciphertext)
    return _field(_AUTHENTICATOR, body)


def is_nak(data: bytes) -> bool:
    """Whether the packet is a kiss-o'-death NTSN."""
    return data[1:2] == b"\0" and data[12:16] == NAK


def identifier_of(data: bytes) -> bytes | None:
    """Return the unique identifier of a packet, to be believed or not; None if it has none."""
    try:
        for kind, _, body in _fields(data, ntp.PACKET_BYTES):
            if kind == _UNIQUE_IDENTIFIER:
                return body
    except Malformed:
        return None
    return None


def take_apart(data: bytes) -> Sealed:
    """Return the parts of a reply; raise Malformed if it is not one of NTS.

    Only the first authenticator counts, and of identifiers there may be one.
    """
    identifiers = []
    for kind, position, body in _fields(data, ntp.PACKET_BYTES):
        if kind == _UNIQUE_IDENTIFIER:
            identifiers.append(body)
        if kind == _AUTHENTICATOR:
            if len(identifiers) != 1:
                raise Malformed(f"NTS: {len(identifiers)} unique identifiers: one wanted")
            return Sealed(identifiers[0], data[:position], *_nonce_and_ciphertext(body))
    raise Unverified("NTS: the reply is not authenticated")


def cookies_in(plaintext: bytes) -> tuple[bytes, ...]:
    """Return the cookies among the fields that were encrypted, which may be short (section 5.5).

    The list ends at the first field that is malformed: the time is authentic all the same.
    """
    found = []
    try:
        for kind, _, body in _fields(plaintext, 0, least=_HEADER.size):
            if kind == _COOKIE:
                found.append(body)
    except Malformed:
        return tuple(found)
    return tuple(found)


def cookie_of(data: bytes) -> bytes:
    """Return the cookie of a request; raise Malformed if it has none."""
    for kind, _, body in _fields(data, ntp.PACKET_BYTES):
        if kind == _COOKIE:
            return body
    raise Malformed("NTS: no cookie")


def cookie_fields(cookies: list[bytes]) -> bytes:
    """Return what a server encrypts for the client."""
    return b"".join(_field(_COOKIE, cookie) for cookie in cookies)


def identifier_field(identifier: bytes) -> bytes:
    """Return what a server repeats."""
    return _field(_UNIQUE_IDENTIFIER, identifier)


def _field(kind: int, body: bytes) -> bytes:
    padded = _padded(body)
    padded += bytes(max(0, _LEAST_FIELD - _HEADER.size - len(padded)))
    return _HEADER.pack(kind, _HEADER.size + len(padded)) + padded


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _fields(
    data: bytes, position: int, least: int = _LEAST_FIELD
) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, position, body) of each field; raise Malformed where they do not add up."""
    while position < len(data):
        if position + _HEADER.size > len(data):
            raise Malformed(f"NTS: {len(data) - position} bytes after the last field")
        kind, length = _HEADER.unpack_from(data, position)
        if length < least or length % 4 or position + length > len(data):
            raise Malformed(f"NTS: field {kind:#06x} of {length} bytes")
        yield kind, position, data[position + _HEADER.size : position + length]
        position += length


def _nonce_and_ciphertext(body: bytes) -> tuple[bytes, bytes]:
    nonce_bytes, ciphertext_bytes = _HEADER.unpack_from(body)
    begins = _HEADER.size + nonce_bytes + -nonce_bytes % 4
    if begins + ciphertext_bytes > len(body):
        raise Malformed(f"NTS: nonce of {nonce_bytes}, ciphertext of {ciphertext_bytes} bytes")
    nonce = body[_HEADER.size : _HEADER.size + nonce_bytes]
    return nonce, body[begins : begins + ciphertext_bytes]
