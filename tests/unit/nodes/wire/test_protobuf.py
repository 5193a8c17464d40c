"""The part of Protocol Buffers' encoding that stamps come in."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire import protobuf
from sources.base import Malformed


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_malformed(data: bytes) -> None:
    """Only Malformed comes out."""
    with contextlib.suppress(Malformed):
        list(protobuf.fields(data))


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 2**64 - 1) | st.binary())))
def test_fields_come_back(found: list[tuple[int, int | bytes]]) -> None:
    """In their order, numbers and bytes alike."""
    data = b"".join(protobuf.encode(number, value) for number, value in found)

    assert list(protobuf.fields(data)) == found


def test_fixed_fields_are_bytes() -> None:
    """Wire types 1 and 5 are skipped by their lengths."""
    assert list(protobuf.fields(b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x18\x07")) == [
        (1, bytes(8)),
        (2, bytes(4)),
        (3, 7),
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (129, "8101"),
        (300, "ac02"),
        (16_384, "808001"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_a_number_to_the_byte(value: int, written: str) -> None:
    """Seven bits a byte, the least significant ones first."""
    data = b"\x08" + bytes.fromhex(written)

    assert protobuf.encode(1, value) == data
    assert list(protobuf.fields(data)) == [(1, value)]


def test_a_number_has_64_bits() -> None:
    """Ten bytes hold 70: what is above is cut off, as protoc's readers do."""
    assert list(protobuf.fields(b"\x08" + b"\xff" * 9 + b"\x7f")) == [(1, 2**64 - 1)]
    assert list(protobuf.fields(b"\x08" + b"\x80" * 9 + b"\x03")) == [(1, 2**63)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x0b", "wire type 3"),
        (b"\x08", "a number that does not end"),
        (b"\x08" + b"\xff" * 9, "a number that does not end"),
        (b"\x08" + b"\xff" * 10 + b"\1", "a number that does not end"),
        (b"\x0a\x05abc", "field of 5 bytes, 3 are left"),
        (b"\x08\1\x09" + bytes(7), "field of 8 bytes, 7 are left"),
        (b"\x15" + bytes(3), "field of 4 bytes, 3 are left"),
    ],
)
def test_fields_that_do_not_end(data: bytes, why: str) -> None:
    """Groups, missing values, numbers of more than ten bytes, too few bytes."""
    with pytest.raises(Malformed) as caught:
        list(protobuf.fields(data))

    assert str(caught.value) == f"protobuf: {why}"


def test_a_field_of_the_wrong_type() -> None:
    """Bytes are no number, a number is no bytes and no text."""
    with pytest.raises(Malformed, match=r"^protobuf: field 2 is no integer$"):
        protobuf.integer({2: b""}, 2)
    for read in (protobuf.data, protobuf.text):
        with pytest.raises(Malformed, match=r"^protobuf: field 2 is an integer$"):
            read({2: 1}, 2)


def test_a_field_of_the_right_type() -> None:
    """Each by its number; text is UTF-8 as far as it goes."""
    found: dict[int, int | bytes] = {1: 5, 2: b"a\xc3\xa9\xff"}

    assert (protobuf.integer(found, 1), protobuf.integer(found, 3)) == (5, None)
    assert (protobuf.data(found, 2), protobuf.data(found, 3)) == (b"a\xc3\xa9\xff", None)
    assert (protobuf.text(found, 2), protobuf.text(found, 3)) == ("a\xe9\ufffd", "")
