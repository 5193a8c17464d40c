"""Roughtime responses, valid and changed before they are signed, without the codec under test."""

from collections.abc import Mapping

import pytest

from lab.roughtime import HONEST, Change, Signer
from sources.base import Malformed, SourceError, Unverified
from sources.clock import NS
from sources.roughtime import wire
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import (
    DIALECTS,
    GOOGLE,
    Dialect,
    Framing,
    Reply,
    encode_request,
)
from tests.support.fakes import TRUE_UNIX_NS

D7, D8, D11, D12, D19 = 0x80000007, 0x80000008, 0x8000000B, 0x8000000C, 0x80000013
VERSIONS = (1, D7, D8, D11, D12, D19, None)
SIGNED_VERSION = (1, D12, D19)
"""Versions whose SREP says which it is."""
NONCES = {Framing.IETF: bytes(range(32)), Framing.GOOGLE: bytes(range(64))}
SIGNER = Signer()

DELEGATION = "delegation signature: not made with the server's long-term key"
BITS = "Merkle tree: INDX has more bits than PATH has nodes"
RESPONSE = "response signature: not made with the delegated key"
NONCE = "nonce: another request's"

every_version = pytest.mark.parametrize(
    "version", VERSIONS, ids=lambda v: "google" if v is None else f"{v:x}"
)


def dialect_of(version: int | None) -> Dialect:
    return GOOGLE if version is None else DIALECTS[version]


def framing_for(version: int | None) -> Framing:
    return Framing.GOOGLE if version is None else Framing.IETF


def request_to(signer: Signer, version: int | None, nonce: bytes | None = None) -> bytes:
    framing = framing_for(version)
    return encode_request(framing, nonce or NONCES[framing], signer.public_key)


def uint32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


Tree = dict[bytes, bytes]
Changes = Mapping[str, Mapping[bytes, bytes | None]]
"""By message ("DELE"), by tag: another value, or None to leave the tag out."""


def values_of(message: bytes) -> Tree:
    """Take a message apart, without the codec under test."""
    count = int.from_bytes(message[:4], "little")
    ends = [int.from_bytes(message[4 * i :][:4], "little") for i in range(1, count)]
    names, values = message[4 * count : 8 * count], message[8 * count :]
    return {
        names[4 * i :][:4]: values[low:high]
        for i, (low, high) in enumerate(
            zip([0, *ends], [*ends, len(values)], strict=True),
        )
    }


def changed(values: Tree, changes: Mapping[bytes, bytes | None]) -> Tree:
    """Return the values with some of them replaced or left out."""
    whole: dict[bytes, bytes | None] = {**values, **changes}
    return {tag: value for tag, value in whole.items() if value is not None}


def parts_of(packet: bytes) -> dict[str, Tree]:
    """Return the values of each message in a response."""
    response = values_of(packet[12:] if packet.startswith(wire.MAGIC) else packet)
    certificate = values_of(response[wire.CERT])
    return {
        "response": response,
        "SREP": values_of(response[wire.SREP]),
        "CERT": certificate,
        "DELE": values_of(certificate[wire.DELE]),
    }


def honest(version: int | None, change: Change = HONEST) -> bytes:
    return SIGNER.respond(request_to(SIGNER, version), version, TRUE_UNIX_NS, NS, change)


def forged(
    version: int | None,
    changes: Changes,
    contexts: tuple[bytes, bytes] | None = None,
    packet: bytes | None = None,
) -> bytes:
    """Return a response whose inner messages are changed before they are signed, and so valid
    signatures over wrong things; changes of "CERT" and "response" come after signing.
    """
    parts = parts_of(honest(version) if packet is None else packet)
    before_delegation, before_response = contexts or dialect_of(version).contexts[0]
    none: Mapping[bytes, bytes | None] = {}
    delegation = wire.encode(changed(parts["DELE"], changes.get("DELE", none)))
    signed = wire.encode(changed(parts["SREP"], changes.get("SREP", none)))
    certificate = {
        wire.DELE: delegation,
        wire.SIG: SIGNER._long_term.sign(before_delegation + delegation),
    }
    response = parts["response"] | {
        wire.CERT: wire.encode(changed(certificate, changes.get("CERT", none))),
        wire.SREP: signed,
        wire.SIG: SIGNER._delegated.sign(before_response + signed),
    }
    message = wire.encode(changed(response, changes.get("response", none)))
    return message if version is None else wire.frame(message)


def verified(version: int | None, packet: bytes, public_key: bytes | None = None) -> Reply:
    request = request_to(SIGNER, version)
    return verify(request, packet, framing_for(version), public_key or SIGNER.public_key)


def refused(
    version: int | None, packet: bytes, public_key: bytes | None = None
) -> tuple[type[SourceError], str]:
    """Return the error with which a response is refused."""
    with pytest.raises((Malformed, Unverified)) as caught:
        verified(version, packet, public_key)
    return caught.type, str(caught.value)


def flipped(data: bytes, bit: int) -> bytes:
    changed_data = bytearray(data)
    changed_data[bit // 8] ^= 1 << bit % 8
    return bytes(changed_data)
