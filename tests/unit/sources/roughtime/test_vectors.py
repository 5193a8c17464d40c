"""Responses that other implementations made, and what one flipped bit does to them."""

import base64
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from sources.base import Malformed, Unverified
from sources.record import Record
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import Reply, framing_of, nonce_of
from tests.conftest import ROOT

DIRECTORY = ROOT / "tests/vectors" / "roughtime"
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.json"))
BY_DIALECT = {
    "RFC 10049": "roughly-1-tree",
    "draft 12-19": "roughly-12-tree",
    "draft 8-11": "roughly-11-tree",
    "draft 7": "netnod-draft7",
    "Google's": "roughly-google-tree",
}
"""For each dialect the vector of which every bit is flipped."""
FLIPPED = 200
"""How many bits of each other vector are."""


class Vector(Record):
    """One request, its response, and what they say."""

    request: bytes
    response: bytes
    public_key: bytes
    said: dict[str, Any]

    def verified(self, response: bytes | None = None) -> Reply:
        given = self.response if response is None else response
        return verify(self.request, given, framing_of(self.request), self.public_key)

    def bits_that_do_not_matter(self, bits: Iterable[int]) -> list[int]:
        """Flip each of these bits; return those with which the response is verified still."""
        return [bit for bit in bits if self._holds_without(bit)]

    def _holds_without(self, bit: int) -> bool:
        flipped = bytearray(self.response)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            reply = self.verified(bytes(flipped))
        except (Malformed, Unverified):
            return False
        assert reply.replaced(version=None) == self.verified().replaced(version=None)
        return True


def vector(name: str) -> Vector:
    said = json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    request, response, key = (
        base64.b64decode(said.pop(which)) for which in ("request", "response", "public_key")
    )
    return Vector(request, response, key, said)


def bits_of(response: bytes, part: bytes) -> set[int]:
    """Return the bits of a part of the response, where it is found first."""
    at = response.index(part)
    return set(range(at * 8, (at + len(part)) * 8))


def bound_to_nothing(response: bytes, reply: Reply) -> set[int]:
    """Return the bits that nothing signs, hashes or checks; none of them says anything.

    - Google's dialect has no NONC in the response; `roughly` sends it, as an unknown tag to us.
    - Drafts 8 to 19 need no TYPE: where the tag is called otherwise, it is an unknown one.
    - Drafts 8 to 11: the last two bits of VER, where SREP has not got it too (as `roughly` does).
      It is not signed then, and these drafts read the same.
    """
    if reply.version is None:
        tag = response.index(b"NONC")
        return bits_of(response, b"NONC") | bits_of(response, nonce_in(response, tag))
    bits: set[int] = set()
    if not reply.dialect.typed and b"TYPE" in response:
        bits |= bits_of(response, b"TYPE")
    if reply.dialect.name == "draft 8-11":
        at = min(bits_of(response, reply.version.to_bytes(4, "little")))
        bits |= {at, at + 1}
    return bits


def nonce_in(response: bytes, tag_at: int) -> bytes:
    """Return the value of the second of six tags, the first of which is SIG."""
    assert tag_at == 4 * 6 + 4
    return response[48 + 64 : 48 + 64 + 64]


def test_there_is_a_vector_of_every_dialect() -> None:
    """None of the table's dialects rests on our own word alone."""
    found = {vector(name).said["dialect"]: name for name in NAMES}

    assert set(found) == set(BY_DIALECT)
    assert set(BY_DIALECT.values()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_is_verified_and_read_as_its_maker_meant_it(name: str) -> None:
    """Dialect, version, midpoint and radius are those that the independent decoder found."""
    found = vector(name)

    reply = found.verified()

    assert {
        "dialect": reply.dialect.name,
        "version": reply.version,
        "midpoint_unix_ns": reply.midpoint_unix_ns,
        "radius_ns": reply.radius_ns,
    } == found.said


def test_vectors_with_a_path_prove_their_place_in_the_tree() -> None:
    """Batches of 4 to 7 have trees of 2 and 3 levels, and leaves on either side."""
    places = {
        name: (reply.leaf_index, len(reply.path))
        for name in NAMES
        if (reply := vector(name).verified()).path
    }

    assert places == {
        "roughly-1-tree": (5, 3),
        "roughly-11-tree": (5, 3),
        "roughly-12-tree": (2, 3),
        "roughly-google-tree": (2, 2),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_proves_nothing_to_another_request(name: str) -> None:
    """Any bit of the request's nonce changed, the response is not to this request."""
    found = vector(name)
    other = bytearray(found.request)
    other[found.request.index(nonce_of(framing_of(found.request), found.request))] ^= 1

    with pytest.raises(Unverified):
        verify(bytes(other), found.response, framing_of(found.request), found.public_key)


@pytest.mark.parametrize(
    ("dialect", "count"),
    [("RFC 10049", 0), ("draft 12-19", 26), ("draft 8-11", 26), ("draft 7", 0), ("Google's", 540)],
)
def test_no_bit_can_be_flipped(dialect: str, count: int) -> None:
    """Each bit of a response is signed, hashed or checked, but for the few that say nothing.

    32 of them name TYPE, 6 of which change its place among the tags; for NONC that is 4.
    """
    found = vector(BY_DIALECT[dialect])

    loose = found.bits_that_do_not_matter(range(len(found.response) * 8))

    assert set(loose) <= bound_to_nothing(found.response, found.verified())
    assert len(loose) == count


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(BY_DIALECT.values())))
def test_hardly_a_bit_can_be_flipped(name: str) -> None:
    """The same for a sample of the bits of the other vectors."""
    found = vector(name)
    dice = random.Random(name)  # noqa: S311 - a test that can be repeated
    bits = dice.sample(range(len(found.response) * 8), FLIPPED)

    loose = found.bits_that_do_not_matter(bits)

    assert set(loose) <= bound_to_nothing(found.response, found.verified())
