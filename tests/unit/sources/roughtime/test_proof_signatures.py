"""Signatures hold to the bit, by the right key, in the right context."""

import hashlib

import pytest

from lab.roughtime import Signer
from sources.base import Unavailable, Unverified
from sources.roughtime import wire
from sources.roughtime.wire_dialects import DIALECTS, GOOGLE
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.roughtime_proof import (
    D8,
    D11,
    DELEGATION,
    RESPONSE,
    SIGNER,
    dialect_of,
    every_version,
    flipped,
    forged,
    honest,
    parts_of,
    refused,
    verified,
)

STRANGER = Signer()


@every_version
def test_a_machine_without_the_hash_cannot_ask(
    monkeypatch: pytest.MonkeyPatch, version: int | None
) -> None:
    """Where the system's rules leave out SHA-512 it is the machine that lacks it, not a bug."""

    def refuse(name: str, data: bytes) -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)

    with pytest.raises(
        Unavailable, match=r"^sha512\w* cannot be had: unsupported hash type sha512"
    ):
        dialect_of(version).hashed(b"")


@every_version
@pytest.mark.parametrize("bit", [0, 255, 256, 511])
def test_a_signature_holds_to_the_bit(version: int | None, bit: int) -> None:
    """Each signature is missed by its own name: first R, then S, their first and last bit."""
    parts = parts_of(honest(version))
    packet = honest(version)

    certificate = flipped(parts_of(packet)["CERT"][wire.SIG], bit)
    response = flipped(parts["response"][wire.SIG], bit)

    assert refused(version, forged(version, {"CERT": {wire.SIG: certificate}})) == (
        Unverified,
        DELEGATION,
    )
    assert refused(version, forged(version, {"response": {wire.SIG: response}})) == (
        Unverified,
        RESPONSE,
    )


@every_version
def test_zeros_are_no_signature(version: int | None) -> None:
    """Nor are 64 bytes of zeros."""
    for part, says in (("CERT", DELEGATION), ("response", RESPONSE)):
        packet = forged(version, {part: {wire.SIG: bytes(64)}})

        assert refused(version, packet) == (Unverified, says)


@every_version
@pytest.mark.parametrize(
    "key", [STRANGER.public_key, bytes(32), b"\xff" * 32], ids=["other", "zeros", "no point"]
)
def test_another_long_term_key_did_not_delegate(version: int | None, key: bytes) -> None:
    """Neither a stranger's key nor 32 bytes that are no key at all have signed DELE."""
    assert refused(version, honest(version), key) == (Unverified, DELEGATION)


@every_version
@pytest.mark.parametrize(
    "key", [STRANGER.public_key, bytes(32), b"\xff" * 32], ids=["other", "zeros", "no point"]
)
def test_another_delegated_key_did_not_sign(version: int | None, key: bytes) -> None:
    """The long-term key delegated to another than the one that signed SREP."""
    packet = forged(version, {"DELE": {wire.PUBK: key}})

    assert refused(version, packet) == (Unverified, RESPONSE)


@every_version
def test_the_long_term_key_does_not_sign_responses(version: int | None) -> None:
    """Its signature of SREP is not the delegated key's."""
    signed = parts_of(honest(version))["response"][wire.SREP]
    signature = SIGNER._long_term.sign(dialect_of(version).contexts[0][1] + signed)

    assert refused(version, forged(version, {"response": {wire.SIG: signature}})) == (
        Unverified,
        RESPONSE,
    )


CONTEXTS = {
    context
    for dialect in (*DIALECTS.values(), GOOGLE)
    for pair in dialect.contexts
    for context in pair
}


def test_the_contexts_are_those_of_the_documents() -> None:
    """Written out: the RFC's, that of the drafts from 12 on and 7, and that of 8 to 11."""
    assert {
        b"Roughtime v1 delegation signature\0",
        b"Roughtime v1 response signature\0",
        b"RoughTime v1 delegation signature\0",
        b"RoughTime v1 response signature\0",
        b"RoughTime v1 delegation signature--\0",
    } == CONTEXTS


def right_contexts(version: int | None) -> set[tuple[bytes, bytes]]:
    """Return the pairs that a version may be signed with, by the documents."""
    old, rfc = b"RoughTime", b"Roughtime"
    dashes = b"--" if version in {D8, D11, None} else b""
    pairs = {
        (name + b" v1 delegation signature" + dashes + b"\0", name + b" v1 response signature\0")
        for name in ((rfc, old) if version == 1 else (old,))
    }
    assert pairs == set(dialect_of(version).contexts)
    return pairs


@every_version
def test_contexts_of_another_dialect_do_not_hold(version: int | None) -> None:
    """Every pair of contexts there is: only the dialect's own is verified, and never a mixture."""
    right = right_contexts(version)
    befores = {before for before, _ in right}
    strangers = {context.rstrip(b"\0") for context in CONTEXTS} | {b""}

    for first in CONTEXTS | strangers:
        for second in CONTEXTS | strangers:
            packet = forged(version, {}, contexts=(first, second))
            if (first, second) in right:
                assert verified(version, packet).midpoint_unix_ns == TRUE_UNIX_NS
            else:
                why = RESPONSE if first in befores else DELEGATION
                assert refused(version, packet) == (Unverified, why), (first, second)
