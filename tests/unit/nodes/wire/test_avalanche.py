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
    ("client", "software"),
    [
        ("0a0161 1001 1802 2003", "a/1.2.3"),
        ("0a0161 1802", "a/0.2.0"),
        ("0a0161", "a/0.0.0"),
        ("1001 1802 2003", ""),
        ("0a01ff", "\ufffd/0.0.0"),
    ],
)
def test_numbers_that_are_0_are_not_sent(client: str, software: str) -> None:
    """As proto3 has it: a part of the version, or the network; without a name there is neither."""
    body = bytes.fromhex(client)
    handshake = bytes.fromhex("1080a4a7da06 4a") + bytes([len(body)]) + body
    message = b"\x6a" + bytes([len(handshake)]) + handshake

    found = avalanche.decode(len(message).to_bytes(4, "big") + message)

    assert found == avalanche.Handshake(0, 1_800_000_000 * NS, software)


def test_a_message_of_64_kib_is_waited_for() -> None:
    """And none that is longer."""
    assert avalanche.decode(bytes.fromhex("00010000") + bytes(65_535)) is None
    with pytest.raises(Malformed, match=r"^message of 65537 bytes: 1 to 65536 wanted$"):
        avalanche.decode(bytes.fromhex("00010001"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes(4), "message of 0 bytes: 1 to 65536 wanted"),
        (b"\xff" * 4, "message of 4294967295 bytes: 1 to 65536 wanted"),
        (b"\0\0\0\1\x08", "protobuf: a number that does not end"),
        (b"\0\0\0\2\x58\1", "the first message is no Handshake"),
        (b"\0\0\0\2\x68\1", "protobuf: field 13 is an integer"),
        (b"\0\0\0\4\x6a\2\x08\1", "a Handshake without a time"),
        (
            b"\0\0\0\x0d\x6a\x0b\x10" + b"\xff" * 9 + b"\1",
            "a stamp that no clock can show: from 1900 to 2262 wanted",
        ),
    ],
)
def test_what_is_no_handshake(data: bytes, why: str) -> None:
    """Each with its reason."""
    with pytest.raises(Malformed) as caught:
        avalanche.decode(data)

    assert str(caught.value) == why


@given(st.binary(max_size=200))
def test_any_bytes_into_the_avalanche_codec(data: bytes) -> None:
    """Only Malformed comes out."""
    for candidate in (data, len(data).to_bytes(4, "big") + data):
        with contextlib.suppress(Malformed):
            avalanche.decode(candidate)
