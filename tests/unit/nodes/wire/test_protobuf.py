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


@pytest.mark.parametrize("data", [b"\x0b", b"\x08", b"\x08" + b"\xff" * 11, b"\x0a\x05ab"])
def test_fields_that_do_not_end(data: bytes) -> None:
    """Groups, missing values, numbers of more than ten bytes, too few bytes."""
    with pytest.raises(Malformed):
        list(protobuf.fields(data))


def test_a_field_of_the_wrong_type() -> None:
    """Bytes are no number, a number is no bytes."""
    with pytest.raises(Malformed):
        protobuf.integer({2: b""}, 2)
    with pytest.raises(Malformed):
        protobuf.data({2: 1}, 2)
