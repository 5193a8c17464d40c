"""The Merkle tree leads from our request, nonce and all, to the root that was signed."""

import pytest

from lab.roughtime import Change
from sources.base import Malformed, Unverified
from sources.roughtime import wire
from sources.roughtime.wire_dialects import DIALECTS, GOOGLE, Framing
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.roughtime_proof import (
    BITS,
    D7,
    NONCE,
    NONCES,
    SIGNED_VERSION,
    SIGNER,
    VERSIONS,
    Changes,
    dialect_of,
    every_version,
    flipped,
    forged,
    framing_for,
    honest,
    parts_of,
    refused,
    request_to,
    uint32,
    verified,
)

TREE = "Merkle tree: PATH does not lead from our request to ROOT"


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_another_requests_nonce(version: int) -> None:
    """NONC has to be ours, to the bit."""
    for bit in (0, 255):
        packet = forged(version, {"response": {wire.NONC: flipped(NONCES[Framing.IETF], bit)}})

        assert refused(version, packet) == (Unverified, NONCE)


@every_version
def test_a_response_to_another_request(version: int | None) -> None:
    """A replay is seen by its nonce; with the right one written into it, by the tree."""
    framing = framing_for(version)
    other = request_to(SIGNER, version, bytes(reversed(NONCES[framing])))
    packet = SIGNER.respond(other, version, TRUE_UNIX_NS)

    if version is not None:
        assert refused(version, packet) == (Unverified, NONCE)
        packet = forged(version, {"response": {wire.NONC: NONCES[framing]}}, packet=packet)
    assert refused(version, packet) == (Unverified, TREE)


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_the_whole_request_is_in_the_tree(version: int) -> None:
    """Since draft 12 a bit of the request's padding matters, not only its nonce."""
    request = bytearray(request_to(SIGNER, version))
    request[-1] ^= 1
    packet = SIGNER.respond(bytes(request), version, TRUE_UNIX_NS)

    assert refused(version, packet) == (Unverified, TREE)


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
    leaf = request if dialect.leaf_is_request else NONCES[framing_for(version)]
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
