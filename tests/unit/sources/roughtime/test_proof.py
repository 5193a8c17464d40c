"""Start from a valid response, change one thing: exactly which error, in every dialect."""

import sys
from collections.abc import Callable, Mapping

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519

from lab.roughtime import HONEST, Change, Signer
from sources.base import Malformed, SourceError, Unavailable, Unverified
from sources.clock import NS
from sources.roughtime import proof, wire
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import DIALECTS, GOOGLE, Dialect, Form, Reply, encode_request
from tests.support.fakes import TRUE_UNIX_NS

D7, D8, D11, D12, D19 = 0x80000007, 0x80000008, 0x8000000B, 0x8000000C, 0x80000013
VERSIONS = (1, D7, D8, D11, D12, D19, None)
SIGNED_VERSION = (1, D12, D19)
"""Versions whose SREP says which it is."""
UNSIGNED_VERSION = (D7, D8, D11)
NONCES = {Form.IETF: bytes(range(32)), Form.GOOGLE: bytes(range(64))}
SIGNER = Signer()
STRANGER = Signer()

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

DELEGATION = "delegation signature: not made with the server's long-term key"
WINDOW = "delegation: MIDP is outside MINT to MAXT"
TREE = "Merkle tree: PATH does not lead from our request to ROOT"
BITS = "Merkle tree: INDX has more bits than PATH has nodes"
RESPONSE = "response signature: not made with the delegated key"
NONCE = "nonce: another request's"

every_version = pytest.mark.parametrize(
    "version", VERSIONS, ids=lambda v: "google" if v is None else f"{v:x}"
)


def dialect_of(version: int | None) -> Dialect:
    return GOOGLE if version is None else DIALECTS[version]


def form_for(version: int | None) -> Form:
    return Form.GOOGLE if version is None else Form.IETF


def request_to(signer: Signer, version: int | None, nonce: bytes | None = None) -> bytes:
    form = form_for(version)
    return encode_request(form, nonce or NONCES[form], signer.public_key)


def uint32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def uint64(number: int) -> bytes:
    return number.to_bytes(8, "little")


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
    return verify(request, packet, form_for(version), public_key or SIGNER.public_key)


def refused(
    version: int | None, packet: bytes, public_key: bytes | None = None
) -> tuple[type[SourceError], str]:
    """Return the error with which a response is refused."""
    with pytest.raises((Malformed, Unverified)) as caught:
        verified(version, packet, public_key)
    return caught.type, str(caught.value)


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
    assert reply.nonce == (None if version is None else NONCES[Form.IETF])


@every_version
def test_what_is_put_together_again_is_valid(version: int | None) -> None:
    """The forger of these tests, told to change nothing, changes nothing."""
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


def flipped(data: bytes, bit: int) -> bytes:
    changed_data = bytearray(data)
    changed_data[bit // 8] ^= 1 << bit % 8
    return bytes(changed_data)


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


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_another_requests_nonce(version: int) -> None:
    """NONC has to be ours, to the bit."""
    for bit in (0, 255):
        packet = forged(version, {"response": {wire.NONC: flipped(NONCES[Form.IETF], bit)}})

        assert refused(version, packet) == (Unverified, NONCE)


@every_version
def test_a_response_to_another_request(version: int | None) -> None:
    """A replay is seen by its nonce; with the right one written into it, by the tree."""
    form = form_for(version)
    other = request_to(SIGNER, version, bytes(reversed(NONCES[form])))
    packet = SIGNER.respond(other, version, TRUE_UNIX_NS)

    if version is not None:
        assert refused(version, packet) == (Unverified, NONCE)
        packet = forged(version, {"response": {wire.NONC: NONCES[form]}}, packet=packet)
    assert refused(version, packet) == (Unverified, TREE)


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_the_whole_request_is_in_the_tree(version: int) -> None:
    """Since draft 12 a bit of the request's padding matters, not only its nonce."""
    request = bytearray(request_to(SIGNER, version))
    request[-1] ^= 1
    packet = SIGNER.respond(bytes(request), version, TRUE_UNIX_NS)

    assert refused(version, packet) == (Unverified, TREE)


@pytest.mark.parametrize(
    "other", [0, 2, 0x7FFFFFFF, 0x80000001, 0x80000006, 0x80000014, 0xFFFFFFFF]
)
@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_a_version_that_was_not_offered(version: int, other: int) -> None:
    """What no request offers is refused before anything else of it is read."""
    part = "SREP" if version in SIGNED_VERSION else "response"
    packet = forged(version, {part: {wire.VER: uint32(other)}})

    assert refused(version, packet) == (
        Malformed,
        f"response: version {other:#x}: none that was offered",
    )


VERS_OF = "SREP: VERS {}: at most 32, ascending, wanted"


@pytest.mark.parametrize("version", SIGNED_VERSION)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda v: [], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v - 1], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v - 1, v + 1], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v + 1, v], VERS_OF),
        (lambda v: [v, v], VERS_OF),
        (lambda v: [v, v - 1, v + 1], VERS_OF),
        (lambda v: list(range(v, v + 33)), VERS_OF),
    ],
    ids=["empty", "one lower", "around it", "descending", "twice", "unsorted", "33"],
)
def test_vers_is_a_list_with_the_version_in_it(
    version: int, make: Callable[[int], list[int]], says: str
) -> None:
    """Ascending, none twice, at most 32, and the version is one of them."""
    versions = make(version)

    packet = forged(version, {"SREP": {wire.VERS: uint32(*versions)}})

    assert refused(version, packet) == (Malformed, says.format(versions, v=version))


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_vers_may_have_32_versions(version: int) -> None:
    """The most there may be, ours the first, and ours the last."""
    for versions in (range(version, version + 32), [*range(31 * (version > 99)), version]):
        packet = forged(version, {"SREP": {wire.VERS: uint32(*versions)}})

        assert verified(version, packet).version == version


@pytest.mark.parametrize("version", UNSIGNED_VERSION)
def test_a_version_is_where_its_draft_has_it(version: int) -> None:
    """Drafts 7 to 11 have VER beside SREP; in SREP alone it does not count, nor against it."""
    alone = forged(version, {"response": {wire.VER: None}, "SREP": {wire.VER: uint32(version)}})
    twice = forged(version, {"SREP": {wire.VER: uint32(version)}})
    against = forged(version, {"SREP": {wire.VER: uint32(0x80000009)}})

    assert refused(version, alone) == (Malformed, "response: no tag VER")
    assert verified(version, twice).version == version
    assert refused(version, against) == (
        Malformed,
        "response: version 0x80000009 in SREP, another one beside it",
    )


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_a_version_that_has_to_be_signed_is(version: int) -> None:
    """Since draft 12 VER is in SREP; beside it it does not do."""
    packet = forged(version, {"SREP": {wire.VER: None}, "response": {wire.VER: uint32(version)}})

    assert refused(version, packet) == (Malformed, "SREP: no tag VER")


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
@pytest.mark.parametrize("other", DIALECTS)
def test_a_response_does_not_pass_for_another_dialect(version: int, other: int) -> None:
    """Whoever writes another version beside SREP, where it is not signed, gains nothing."""
    packet = forged(version, {"response": {wire.VER: uint32(other)}})

    if version in SIGNED_VERSION:
        assert verified(version, packet).version == version
    elif dialect_of(other) is dialect_of(version):
        assert verified(version, packet).version == other
    else:
        refused(version, packet)


@pytest.mark.parametrize(("version", "other"), [(D12, D19), (D19, 1), (D12, 1), (1, D12)])
def test_the_signed_version_is_the_version(version: int, other: int) -> None:
    """What is not signed cannot say otherwise than SREP, whatever VERS lists."""
    versions = uint32(*sorted((version, other)))
    packet = forged(version, {"SREP": {wire.VERS: versions}, "response": {wire.VER: uint32(other)}})

    reply = verified(version, packet)

    assert (reply.version, reply.dialect) == (version, dialect_of(version))


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
@pytest.mark.parametrize("number", [0, 2, 0xFFFFFFFF])
def test_a_type_that_is_no_response(version: int, number: int) -> None:
    """TYPE 1, where there is one: drafts that do not ask for it may have it."""
    packet = forged(version, {"response": {wire.TYPE: uint32(number)}})

    assert refused(version, packet) == (Malformed, f"response: TYPE {number}: 1 wanted")


@every_version
def test_type_1_is_welcome_everywhere(version: int | None) -> None:
    """Also where it is not asked for."""
    packet = forged(version, {"response": {wire.TYPE: uint32(1)}})

    assert verified(version, packet).midpoint_unix_ns == TRUE_UNIX_NS


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
@pytest.mark.parametrize("levels", range(33))
def test_a_path_of_up_to_32_nodes(version: int | None, levels: int) -> None:
    """At each height of the tree the first leaf, the last one, and one in between are proven."""
    last = (1 << levels) - 1
    for index in {0, last, 0x5A5A5A5A & last}:
        reply = verified(version, honest(version, Change(levels=levels, leaf_index=index)))

        assert (len(reply.path), reply.leaf_index) == (levels, index)


@every_version
def test_a_path_of_33_nodes_is_malformed(version: int | None) -> None:
    """However right it is."""
    node = dialect_of(version).node_bytes

    assert refused(version, honest(version, Change(levels=33))) == (
        Malformed,
        f"response: PATH of {33 * node} bytes: up to 32 nodes of {node} wanted",
    )


@every_version
@pytest.mark.parametrize("levels", [0, 1, 2, 7, 31])
def test_bits_of_the_index_that_the_path_does_not_use(version: int | None, levels: int) -> None:
    """Each one has to be zero: otherwise one leaf would have many names."""
    packet = honest(version, Change(levels=levels, leaf_index=(1 << levels) - 1))
    index = (1 << levels) - 1
    for bit in {levels, 31}:
        wrong: Changes = {"response": {wire.INDX: uint32(index | 1 << bit)}}

        assert refused(version, forged(version, wrong, packet=packet)) == (Unverified, BITS)


@every_version
@pytest.mark.parametrize("bit", range(5))
def test_another_leafs_index(version: int | None, bit: int) -> None:
    """Each bit that the path uses says on which side our half is."""
    packet = honest(version, Change(levels=5, leaf_index=0b10110))
    wrong: Changes = {"response": {wire.INDX: uint32(0b10110 ^ 1 << bit)}}

    assert refused(version, forged(version, wrong, packet=packet)) == (Unverified, TREE)


@every_version
def test_a_path_that_leads_elsewhere(version: int | None) -> None:
    """A wrong bit in any node, a node too few, one too many, two of them exchanged."""
    node = dialect_of(version).node_bytes
    packet = honest(version, Change(levels=3))
    path = parts_of(packet)["response"][wire.PATH]
    wrong = [flipped(path, 8 * node * level) for level in range(3)]
    wrong += [path[node:], path[:-node], path + bytes(node), b""]
    wrong += [path[node : 2 * node] + path[:node] + path[2 * node :]]

    for other in wrong:
        forgery = forged(version, {"response": {wire.PATH: other}}, packet=packet)
        assert refused(version, forgery) == (Unverified, TREE)


@every_version
@pytest.mark.parametrize("levels", [0, 3])
def test_another_root(version: int | None, levels: int) -> None:
    """The root that is signed has to be the one that the path leads to, to the bit."""
    packet = honest(version, Change(levels=levels))
    root = parts_of(packet)["SREP"][wire.ROOT]
    for bit in (0, 8 * len(root) - 1):
        forgery = forged(version, {"SREP": {wire.ROOT: flipped(root, bit)}}, packet=packet)

        assert refused(version, forgery) == (Unverified, TREE)


@every_version
def test_a_leaf_is_no_node(version: int | None) -> None:
    """A tree whose leaf was hashed like a node, or whose nodes like leaves, proves nothing."""
    dialect = dialect_of(version)
    request = request_to(SIGNER, version)
    leaf = request if dialect.leaf_is_request else NONCES[form_for(version)]
    sibling = bytes(dialect.node_bytes)
    as_node = dialect.hashed(b"\1" + leaf)
    as_leaf = dialect.hashed(b"\0" + dialect.hashed(b"\0" + leaf) + sibling)

    lone = forged(version, {"SREP": {wire.ROOT: as_node}})
    pair = forged(version, {"SREP": {wire.ROOT: as_leaf}, "response": {wire.PATH: sibling}})

    assert refused(version, lone) == refused(version, pair) == (Unverified, TREE)


def test_hashes_are_those_of_the_documents() -> None:
    """Of "abc", by FIPS 180: the first half of SHA-512, SHA-512/256, the whole of SHA-512."""
    sha512 = bytes.fromhex(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    )
    sha512_256 = bytes.fromhex("53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23")

    assert GOOGLE.hashed(b"abc") == sha512
    assert DIALECTS[D7].hashed(b"abc") == sha512_256
    for version, dialect in DIALECTS.items():
        if version != D7:
            assert dialect.hashed(b"abc") == sha512[:32]


@every_version
def test_a_response_of_the_other_form_is_malformed(version: int | None) -> None:
    """A packet where a bare message was asked for, and the other way round."""
    request = request_to(SIGNER, version)
    other = Form.IETF if version is None else Form.GOOGLE

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


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_a_version_that_this_request_did_not_offer(version: int) -> None:
    """Another client's request may offer less than ours: its response has to keep to that."""
    values = values_of(wire.unframe(request_to(SIGNER, version)))
    other = next(number for number in DIALECTS if number != version)
    request = wire.frame(wire.encode(changed(values, {wire.VER: uint32(other)})))
    packet = SIGNER.respond(request, version, TRUE_UNIX_NS)

    with pytest.raises(Unverified, match=f"version: {version:#x} was not offered"):
        verify(request, packet, Form.IETF, SIGNER.public_key)


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
    monkeypatch.setattr(ed25519, "Ed25519PublicKey", _Broken(refuses))
    proof._check_machine.cache_clear()
    with pytest.raises(Unavailable) as caught:
        verified(1, honest(1))

    assert str(caught.value).startswith(says)


def test_a_library_that_cannot_be_loaded_is_no_fault_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a file system that is mounted noexec."""
    monkeypatch.setitem(sys.modules, ed25519.__name__, None)
    with pytest.raises(Unavailable, match=r"^cryptography cannot be loaded: "):
        verified(1, honest(1))
