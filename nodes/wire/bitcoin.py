"""Bitcoin's `version` message, version 1 of the transport. Pure.

    magic 4, command 12, payload length 4, first bytes of SHA-256(SHA-256(payload)) 4
    payload: protocol 4, services 8, time 8, receiver 26, sender 26, nonce 8,
             user agent (its length, then itself), height 4, relay 1

All numbers are little-endian (bitcoin/bitcoin src/protocol.h, net_processing.cpp PushNodeVersion).
Rules of this file: any bytes in, only Malformed out.
"""

import hashlib
import re
import struct
from functools import lru_cache

from nodes.wire.stamps import plausible
from sources.base import Malformed
from sources.clock import NS
from sources.record import Record

MAGIC_BYTES = 4
NONCE_BYTES = 8
_HEADER = struct.Struct("<4s12sI4s")
_BEGINNING = struct.Struct("<iQq26s26s8s")
_NOWHERE = bytes(26)
"""An address of services, address and port that says nothing; accepted everywhere."""
_END = bytes(5)
"""No block yet, and no transactions wanted."""
_COMMAND = b"version".ljust(12, b"\0")
_LONGEST_PAYLOAD = 1024
_LONGEST_OTHER = 2048
"""Of a message that comes before the node's `version`, as no known node sends one."""
_LONGEST_AGENT = 256
"""MAX_SUBVERSION_LENGTH: who sends more is disconnected."""
_TWO_BYTES_FOLLOW = 0xFD
_FAR_TOO_LONG = 1 << 16
"""For lengths that need more than two bytes."""


class Version(Record):
    """What one side says of itself."""

    protocol: int
    time_unix_ns: int
    nonce: bytes
    agent: str


def encode(magic: bytes, protocol: int, unix_s: int, nonce: bytes, agent: str) -> bytes:
    """Return a `version` message of a peer that serves nothing and wants no transactions."""
    name = agent.encode("ascii", "replace")[:_LONGEST_AGENT]
    if len(name) < _TWO_BYTES_FOLLOW:
        length = bytes([len(name)])
    else:
        length = bytes([_TWO_BYTES_FOLLOW]) + len(name).to_bytes(2, "little")
    beginning = _BEGINNING.pack(protocol, 0, unix_s, _NOWHERE, _NOWHERE, nonce)
    payload = beginning + length + name + _END
    return _HEADER.pack(magic, _COMMAND, len(payload), _checksum(payload)) + payload


def decode(data: bytes, magic: bytes) -> Version | None:
    """Return the first `version` message in what a node has sent; None while it is not all there.

    Raises Malformed, once that is clear, for bytes that are of another network or of none.
    """
    at = 0
    while True:
        if not magic.startswith(data[at : at + MAGIC_BYTES]):
            raise Malformed(f"magic {data[at : at + MAGIC_BYTES].hex()}: {magic.hex()} wanted")
        if len(data) - at < _HEADER.size:
            return None
        _, command, length, checksum = _HEADER.unpack_from(data, at)
        most = _LONGEST_PAYLOAD if command == _COMMAND else _LONGEST_OTHER
        if length > most:
            raise Malformed(f"message of {length} bytes before a version: at most {most} wanted")
        payload = data[at + _HEADER.size : at + _HEADER.size + length]
        if len(payload) < length:
            return None
        if command == _COMMAND:
            if checksum != _checksum(payload):
                raise Malformed("version: its checksum is of other bytes")
            return _version(payload)
        at += _HEADER.size + length


@lru_cache(10)
def agent_of(agent: str) -> str:
    """Return our HTTP user agent as BIP 14 writes it.

    "time-drift/0.2 (+https://example.org/why)" is "/time-drift:0.2(+example.org/why)/".
    """
    product, _, comment = agent.partition(" ")
    comment = re.sub(r"[a-z]+://", "", comment)
    return f"/{product.replace('/', ':', 1)}{comment}/"


def _version(payload: bytes) -> Version:
    if len(payload) < _BEGINNING.size:
        raise Malformed(f"version of {len(payload)} bytes: {_BEGINNING.size} wanted at least")
    protocol, _, unix_s, _, _, nonce = _BEGINNING.unpack_from(payload)
    rest = payload[_BEGINNING.size :]
    length, begins = int.from_bytes(rest[:1]), 1
    if length > _TWO_BYTES_FOLLOW:
        length = _FAR_TOO_LONG
    elif length == _TWO_BYTES_FOLLOW:
        length, begins = int.from_bytes(rest[1:3], "little"), 3
    agent = rest[begins : begins + length]
    if length > _LONGEST_AGENT or len(agent) < length:
        raise Malformed(f"version: user agent of {length} bytes, {len(agent)} are left")
    return Version(protocol, plausible(unix_s * NS), nonce, agent.decode(errors="replace"))


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
