"""Start from a valid response, change one thing: exactly which error, in every dialect."""

import sys
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519

from sources.base import Malformed, Unavailable, Unverified
from sources.ciphers import RUST
from sources.clock import NS
from sources.roughtime import proof, wire
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import DIALECTS, Framing, encode_request
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.roughtime_proof import (
    BITS,
    D7,
    D8,
    D11,
    D12,
    D19,
    DELEGATION,
    NONCE,
    NONCES,
    RESPONSE,
    SIGNER,
    VERSIONS,
    dialect_of,
    every_version,
    forged,
    honest,
    parts_of,
    refused,
    request_to,
    uint32,
    verified,
)

MIDPOINTS = {
    1: 1_800_000_000,
    D7: 61_420 << 40 | 28_800_000_000,
    D8: 1_800_000_000,
    D11: 1_800_000_000,
    D12: 1_800_000_000,
    D19: 1_800_000_000,
    None: 1_800_000_000_000_000,
}
"""TRUE_UNIX_NS in each dialect: 2027-01-15 08:00:00 UTC, modified Julian day 61420."""
WINDOW = "delegation: MIDP is outside MINT to MAXT"


def uint64(number: int) -> bytes:
    return number.to_bytes(8, "little")


@every_version
def test_an_honest_response_is_read_right(version: int | None) -> None:
    """Each dialect's stamps mean the same time; everything signed is handed out as it came."""
    packet = honest(version)
    parts = parts_of(packet)

    reply = verified(version, packet)

    assert parts["SREP"][wire.MIDP] == uint64(MIDPOINTS[version])
    assert (reply.midpoint_unix_ns, reply.radius_ns) == (TRUE_UNIX_NS, NS)
    assert (reply.version, reply.dialect) == (version, dialect_of(version))
    assert reply.not_before_unix_ns == TRUE_UNIX_NS - 86_400 * NS
    assert reply.not_after_unix_ns == TRUE_UNIX_NS + 86_400 * NS
    assert reply.signed == parts["response"][wire.SREP]
    assert reply.delegation == parts["CERT"][wire.DELE]
    assert (reply.path, reply.leaf_index) == ((), 0)
    assert reply.nonce == (None if version is None else NONCES[Framing.IETF])


@every_version
def test_what_is_put_together_again_is_valid(version: int | None) -> None:
    """The forger of these tests, asked to change nothing, changes nothing."""
    packet = honest(version)

    assert forged(version, {}, packet=packet) == packet


def in_each_part(version: int | None) -> list[tuple[str, bytes]]:
    return [(part, tag) for part, values in parts_of(honest(version)).items() for tag in values]


NOT_MISSED = {(D12, wire.TYPE), (D19, wire.TYPE)}
"""Tags that may be missing: TYPE came in the middle of the drafts 12 to 19."""


@pytest.mark.parametrize(
    ("version", "part", "tag"),
    [(version, part, tag) for version in VERSIONS for part, tag in in_each_part(version)],
)
def test_a_tag_that_is_missing_is_missed(version: int | None, part: str, tag: bytes) -> None:
    """Each tag is needed, whatever is signed rightly without it; the error names both."""
    packet = forged(version, {part: {tag: None}})

    if (version, tag) in NOT_MISSED and part == "response":
        assert verified(version, packet).midpoint_unix_ns == TRUE_UNIX_NS
        return
    if tag == wire.VER:
        part = "response"  # where it was looked for last
    assert refused(version, packet) == (Malformed, f"{part}: no tag {wire.shown(tag)}")


def said_of_length(version: int | None, tag: bytes, was: int, now: int) -> str:
    """Return what is said of values whose length is not simply wrong."""
    nodes = dialect_of(version).node_bytes
    return {
        wire.PATH: f"response: PATH of {now} bytes: up to 32 nodes of {nodes} wanted",
        # What is too much or too little of a message is so of its last value.
        wire.SREP: f"SREP: ROOT of {nodes + now - was} bytes: {nodes} wanted",
        wire.CERT: f"DELE: MAXT of {8 + now - was} bytes: 8 wanted",
        wire.DELE: f"DELE: MAXT of {8 + now - was} bytes: 8 wanted",
        wire.VERS: (
            f"SREP: VERS {[version, 0]}: at most 32, ascending, wanted"
            if now > was
            else f"SREP: version {version or 0:#x} is not in VERS []"
        ),
    }.get(tag, "")


@pytest.mark.parametrize(
    ("version", "part", "tag", "by"),
    [
        (version, part, tag, by)
        for version in VERSIONS
        for part, tag in in_each_part(version)
        for by in (-4, 4)
        if (tag, by) != (wire.PATH, -4)  # it is empty
    ],
)
def test_a_value_of_another_length_is_malformed(
    version: int | None, part: str, tag: bytes, by: int
) -> None:
    """Each value one word shorter or longer, signed as it is: the error says both lengths."""
    value = parts_of(honest(version))[part][tag]

    packet = forged(
        version, {part: {tag: value[:by] if by < 0 else value + bytes(by)}}, packet=honest(version)
    )

    name, now = wire.shown(tag), len(value) + by
    said = said_of_length(version, tag, len(value), now)
    assert refused(version, packet) == (
        Malformed,
        said or f"{part}: {name} of {now} bytes: {len(value)} wanted",
    )


@every_version
@pytest.mark.parametrize("part", ["response", "CERT", "SREP", "DELE"])
@pytest.mark.parametrize(
    "tag", [b"\0\0\0\0", b"\1\0\0\0", b"AAAA", b"LEAP", b"DTAI", b"ZZZZ", b"NOPE", b"\xff" * 4]
)
def test_an_unknown_tag_is_ignored(version: int | None, part: str, tag: bytes) -> None:
    """Wherever it stands, and whatever it holds (RFC 10049 section 4)."""
    for value in (b"", b"\xff" * 40):
        reply = verified(version, forged(version, {part: {tag: value}}))

        assert (reply.midpoint_unix_ns, reply.radius_ns) == (TRUE_UNIX_NS, NS)


@every_version
def test_a_radius_of_zero_is_malformed(version: int | None) -> None:
    """A server that is never wrong does not exist; the smallest radius is one unit."""
    packet = forged(version, {"SREP": {wire.RADI: uint32(0)}})
    smallest = forged(version, {"SREP": {wire.RADI: uint32(1)}})

    assert refused(version, packet) == (Malformed, "SREP: RADI 0: more wanted")
    assert verified(version, smallest).radius_ns == (1000 if version in {D7, None} else NS)


@every_version
@pytest.mark.parametrize(
    ("tag", "by", "outside"),
    [
        (wire.MINT, 0, False),
        (wire.MINT, 1, True),
        (wire.MINT, -1, False),
        (wire.MAXT, 0, False),
        (wire.MAXT, -1, True),
        (wire.MAXT, 1, False),
    ],
)
def test_the_time_lies_in_the_delegation(
    version: int | None, tag: bytes, by: int, outside: bool
) -> None:
    """From MINT to MAXT, both included; by one unit outside of it, it does not."""
    packet = forged(version, {"DELE": {tag: uint64(MIDPOINTS[version] + by)}})

    if outside:
        assert refused(version, packet) == (Unverified, WINDOW)
    else:
        assert verified(version, packet).midpoint_unix_ns == TRUE_UNIX_NS


@every_version
def test_a_delegation_that_ends_before_it_begins(version: int | None) -> None:
    """MINT and MAXT swapped hold no time at all."""
    delegation = parts_of(honest(version))["DELE"]
    swapped: dict[bytes, bytes | None] = {
        wire.MINT: delegation[wire.MAXT],
        wire.MAXT: delegation[wire.MINT],
    }

    assert refused(version, forged(version, {"DELE": swapped})) == (Unverified, WINDOW)


@every_version
def test_extreme_stamps_are_times_like_others(version: int | None) -> None:
    """0 and the greatest number of eight bytes neither overflow nor wrap around."""
    widest: dict[bytes, bytes | None] = {wire.MINT: uint64(0), wire.MAXT: uint64((1 << 64) - 1)}
    for number in (0, (1 << 64) - 1):
        packet = forged(version, {"DELE": widest, "SREP": {wire.MIDP: uint64(number)}})

        assert (verified(version, packet).midpoint_unix_ns > TRUE_UNIX_NS) == (number > 0)


@every_version
def test_a_response_of_the_other_form_is_malformed(version: int | None) -> None:
    """A packet where a bare message was asked for, and the other way round."""
    request = request_to(SIGNER, version)
    other = Framing.IETF if version is None else Framing.GOOGLE

    with pytest.raises(Malformed):
        verify(encode_request(other, NONCES[other], bytes(32)), honest(version), other, bytes(32))
    with pytest.raises(Malformed):
        verify(request, honest(version), other, SIGNER.public_key)


def test_the_first_thing_wrong_is_named() -> None:
    """With everything wrong, the order is that of RFC 10049 section 5.4 and of what is cheap."""
    packet = forged(
        1,
        {
            "response": {wire.NONC: bytes(32), wire.INDX: uint32(9), wire.SIG: bytes(64)},
            "CERT": {wire.SIG: bytes(64)},
            "DELE": {wire.MINT: uint64(MIDPOINTS[1] + 1)},
        },
    )
    said = []
    for cure in (wire.NONC, wire.SIG, wire.MINT, wire.INDX, None):
        said.append(refused(1, packet)[1])
        packet = _cured(packet, cure)

    assert said == [NONCE, DELEGATION, WINDOW, BITS, RESPONSE]


def _cured(packet: bytes, tag: bytes | None) -> bytes:
    """Put one thing right that `test_the_first_thing_wrong_is_named` made wrong."""
    parts = parts_of(packet)
    right = parts_of(honest(1))
    response, certificate = parts["response"], parts["CERT"]
    if tag in {wire.NONC, wire.INDX}:
        assert tag is not None
        response[tag] = right["response"][tag]
    if tag == wire.MINT:
        certificate[wire.DELE] = right["CERT"][wire.DELE]
    if tag in {wire.SIG, wire.MINT}:
        before = DIALECTS[1].contexts[0][0]
        certificate[wire.SIG] = SIGNER._long_term.sign(before + certificate[wire.DELE])
    response[wire.CERT] = wire.encode(certificate)
    return wire.frame(wire.encode(response))


class _Broken:
    """An Ed25519 of a machine that cannot: each key is refused, or no signature holds."""

    def __init__(self, refuses: Exception | None) -> None:
        self._refuses = refuses

    def from_public_bytes(self, _key: bytes) -> "_Broken":
        if self._refuses is not None:
            raise self._refuses
        return self

    def verify(self, _signature: bytes, _data: bytes) -> None:
        raise InvalidSignature


@pytest.mark.parametrize(
    ("refuses", "says"),
    [
        (ValueError("An Ed25519 public key is 32 bytes long"), "Ed25519 cannot be had: An Ed255"),
        (UnsupportedAlgorithm("not here"), "Ed25519 cannot be had: not here"),
        (None, "Ed25519 does not work here: a signature known to hold does not"),
    ],
)
def test_what_this_machine_lacks_is_no_fault_of_the_server(
    monkeypatch: pytest.MonkeyPatch, refuses: Exception | None, says: str
) -> None:
    """Under FIPS an honest server's signature cannot be verified; that is not a wrong one."""
    rust = SimpleNamespace(openssl=SimpleNamespace(ed25519=_Broken(refuses)))
    monkeypatch.setitem(sys.modules, RUST, rust)
    proof._check_machine.cache_clear()
    with pytest.raises(Unavailable) as caught:
        verified(1, honest(1))

    assert str(caught.value).startswith(says)


def test_a_library_that_cannot_be_loaded_is_no_fault_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a file system that is mounted noexec."""
    for name in (RUST, ed25519.__name__):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Unavailable, match=r"^cryptography cannot be loaded: "):
        verified(1, honest(1))
