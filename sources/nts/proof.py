"""Keys of NTS, and what they seal: AES-SIV (RFC 8915 section 5.7). Pure."""

from sources import ciphers
from sources.base import Malformed, Unverified
from sources.net.validity import Validity
from sources.nts import wire as nts
from sources.record import Record

_TAG_BYTES = 16


class Keys(Record):
    """What one key establishment yields (RFC 8915 section 5.1)."""

    client_to_server: bytes
    server_to_client: bytes


class Established(Record):
    """Keys and cookies of a server, and the certificates that they were given under."""

    keys: Keys
    cookies: tuple[bytes, ...]
    host: str | None
    """The NTP server that was named; None: it has the key server's address."""
    address: str
    """Of the key server."""
    port: int
    """Of the NTP server."""
    chain: tuple[Validity, ...]


def seal(key: bytes, before: bytes, nonce: bytes, plaintext: bytes = b"") -> bytes:
    """Return a packet with its authenticator, in which the plaintext is encrypted."""
    return before + nts.authenticator(nonce, ciphers.sealed(key, plaintext, [before, nonce]))


def opened(key: bytes, packet: nts.Sealed) -> bytes:
    """Return what is encrypted in a packet; raise Unverified if the key did not make it."""
    if len(packet.ciphertext) < _TAG_BYTES:
        raise Malformed(f"NTS: ciphertext of {len(packet.ciphertext)} bytes: 16 or more wanted")
    plaintext = ciphers.opened(key, packet.ciphertext, [packet.before, packet.nonce])
    if plaintext is None:
        raise Unverified("NTS: the authenticator does not hold")
    return plaintext
