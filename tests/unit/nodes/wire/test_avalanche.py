"""Avalanche's Handshake: exact bytes both ways, and everything that is none."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire import avalanche
from sources.base import Malformed
from sources.clock import NS


@given(st.integers(0, 9_223_372_035), st.binary(max_size=50))
def test_a_handshake_comes_back(unix_s: int, more: bytes) -> None:
    """And it is not taken before its last byte is there."""
    data = avalanche.encode(5, unix_s, "avalanchego", (1, 13, 0))

    handshake = avalanche.Handshake(5, unix_s * NS, "avalanchego/1.13.0")
    assert avalanche.decode(data + more) == handshake
    assert all(avalanche.decode(data[:count]) is None for count in range(len(data)))


def test_a_handshake_written_by_hand() -> None:
    """As protoc would write it: field 13 with 1: 1, 2: 1800000000."""
    data = bytes.fromhex("0000000a 6a08 0801 1080a4a7da06")

    assert avalanche.decode(data) == avalanche.Handshake(1, 1_800_000_000 * NS, "")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes(4), "0 bytes"),
        (b"\xff" * 4, "4294967295 bytes"),
        (b"\0\0\0\2\x58\1", "no Handshake"),
        (b"\0\0\0\2\x68\1", "is an integer"),
        (b"\0\0\0\4\x6a\2\x08\1", "without a time"),
        (b"\0\0\0\x0d\x6a\x0b\x10" + b"\xff" * 9 + b"\1", "no clock can show"),
    ],
)
def test_what_is_no_handshake(data: bytes, why: str) -> None:
    """Each with its reason."""
    with pytest.raises(Malformed, match=why):
        avalanche.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_into_the_avalanche_codec(data: bytes) -> None:
    """Only Malformed comes out."""
    for candidate in (data, len(data).to_bytes(4, "big") + data):
        with contextlib.suppress(Malformed):
            avalanche.decode(candidate)
