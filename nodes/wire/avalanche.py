"""The first message of an Avalanche node. Pure; any bytes in, only Malformed out.

A length of four bytes, the most significant one first, and a protobuf `Message` of that length;
its field 13 is `Handshake`: 1 network_id, 2 my_time in Unix seconds, 9 client (1 name, 2 to 4 its
version). ava-labs/avalanchego 1cf1fc3 proto/p2p/p2p.proto; sent first, and made only when TLS is
established: network/peer/peer.go writeMessages.
"""

from nodes.wire import protobuf
from nodes.wire.stamps import plausible
from sources.base import Malformed
from sources.clock import NS
from sources.record import Record

LONGEST = 64 * 1024
"""Bytes of the message; the filter of known peers is a few thousand of them."""
_LENGTH = 4
_HANDSHAKE = 13
_NETWORK, _TIME, _CLIENT = 1, 2, 9
_NAME, _VERSION = 1, (2, 3, 4)


class Handshake(Record):
    """What a node says of itself."""

    network: int
    """1 is the main network, 5 is Fuji."""
    time_unix_ns: int
    software: str


def decode(data: bytes) -> Handshake | None:
    """Return the message in what a node has sent; None while it is not all there."""
    if len(data) < _LENGTH:
        return None
    length = int.from_bytes(data[:_LENGTH], "big")
    if not 0 < length <= LONGEST:
        raise Malformed(f"message of {length} bytes: 1 to {LONGEST} wanted")
    message = data[_LENGTH : _LENGTH + length]
    if len(message) < length:
        return None
    handshake = protobuf.data(dict(protobuf.fields(message)), _HANDSHAKE)
    if handshake is None:
        raise Malformed("the first message is no Handshake")
    found = dict(protobuf.fields(handshake))
    unix_s = protobuf.integer(found, _TIME)
    if unix_s is None:
        raise Malformed("a Handshake without a time")
    client = dict(protobuf.fields(protobuf.data(found, _CLIENT) or b""))
    version = ".".join(str(protobuf.integer(client, number) or 0) for number in _VERSION)
    name = protobuf.text(client, _NAME)
    network = protobuf.integer(found, _NETWORK) or 0
    return Handshake(network, plausible(unix_s * NS), f"{name}/{version}" if name else "")


def encode(network: int, unix_s: int, name: str, version: tuple[int, int, int]) -> bytes:
    """Return the message of a node."""
    client = protobuf.encode(_NAME, name.encode())
    for number, part in enumerate(version, _VERSION[0]):
        client += protobuf.encode(number, part)
    handshake = (
        protobuf.encode(_NETWORK, network)
        + protobuf.encode(_TIME, unix_s)
        + protobuf.encode(_CLIENT, client)
    )
    message = protobuf.encode(_HANDSHAKE, handshake)
    return len(message).to_bytes(_LENGTH, "big") + message
