"""Kaspa's version inside gRPC inside HTTP/2, in whatever pieces it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire import kaspa, protobuf
from sources.base import Malformed, Refused
from sources.clock import NS
from tests.support.fleet.pieces import cuts, in_pieces

SETTINGS = kaspa.frame(kaspa.SETTINGS, 0, 0)


def data_frames(payload: bytes, size: int = 10_000) -> bytes:
    """Return the payload in DATA frames of at most `size` bytes."""
    return b"".join(
        kaspa.frame(kaspa.DATA, 0, 1, payload[at : at + size])
        for at in range(0, len(payload), size)
    )


def literal(name: bytes, value: bytes, length: bytes = b"") -> bytes:
    """Return a field of HPACK that is not indexed and not compressed (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + (length or bytes([len(value)])) + value


@pytest.mark.parametrize(
    ("agent", "length"),
    [
        ("a/1", b"\x03"),
        # A prefix of seven bits holds up to 126 (RFC 7541 section 5.1).
        ("a" * 126, b"\x7e"),
        ("a" * 127, b"\x7f\0"),
        ("a" * (127 + 127), b"\x7f\x7f"),
        ("a" * (127 + 128), b"\x7f\x80\x01"),
        ("a" * 1464, b"\x7f\xb9\x0a"),
    ],
)
def test_an_opening_to_the_byte(agent: str, length: bytes) -> None:
    """Preface, SETTINGS, and the HEADERS of a call of gRPC on stream 1, which stays open."""
    block = (
        b"\x83\x86"  # :method POST, :scheme http, of RFC 7541's static table
        + literal(b":path", b"/protowire.P2P/MessageStream")
        + literal(b":authority", b"node.test:16111")
        + literal(b"content-type", b"application/grpc")
        + literal(b"te", b"trailers")
        + literal(b"user-agent", agent.encode(), length)
    )

    assert kaspa.opening("node.test:16111", agent) == (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + bytes.fromhex("000000 04 00 00000000")
        + len(block).to_bytes(3, "big")
        + bytes.fromhex("01 04 00000001")
        + block
    )


def test_an_opening_has_nothing_but_ascii() -> None:
    """What is none is replaced: a name of another script cannot break off the opening."""
    assert b"\x03a?b" in kaspa.opening("a\xe9b", "")


@given(st.integers(-2_208_988_800_000, 9_223_372_036_000), st.integers(1, 40), cuts)
def test_a_version_of_kaspa_comes_back(stamp_ms: int, size: int, places: list[int]) -> None:
    """However the message is split into frames, and the frames into segments."""
    version = kaspa.Version(stamp_ms * 1_000_000, "/kaspad:1.0.0/", "kaspa-mainnet")
    data = SETTINGS + data_frames(kaspa.encode(version), size)

    conversation = kaspa.Conversation()
    answered = b"".join(conversation.feed(piece) for piece in in_pieces(data, places))

    assert conversation.version == version
    assert answered == kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0)


def test_a_version_to_the_byte() -> None:
    """A timestamp before 1970 is the two's complement in 64 bits, as int64 is in protobuf."""
    data = kaspa.encode(kaspa.Version(-1_000_000, "a", "b"))

    assert data == bytes.fromhex("00 00000014 a201 11 18ffffffffffffffffff01 320161 520162")


@pytest.mark.parametrize(
    ("length", "written"),
    [(0, "000000"), (65_535, "00ffff"), (65_537, "010001"), (131_072, "020000")],
)
def test_the_length_of_a_frame_has_three_bytes(length: int, written: str) -> None:
    """Before type, flags and stream (RFC 9113 section 4.1)."""
    data = kaspa.frame(kaspa.DATA, 1, 5, bytes(length))

    assert data == bytes.fromhex(f"{written} 00 01 00000005") + bytes(length)


@pytest.mark.parametrize("length", [0, 16_384])
def test_a_frame_is_taken_with_its_last_byte(length: int) -> None:
    """And no earlier, of any length up to 16 KiB."""
    conversation = kaspa.Conversation()
    data = kaspa.frame(kaspa.SETTINGS, 0, 0, bytes(length))

    assert conversation.feed(data[:-1]) == b""
    assert conversation.feed(data[-1:]) == kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0)


def test_what_http_2_wants_answered() -> None:
    """SETTINGS and PING are acknowledged; acknowledgements, HEADERS and WINDOW_UPDATE are not."""
    conversation = kaspa.Conversation()
    ping = kaspa.frame(kaspa.PING, 0, 0, b"12345678")
    rest = (
        kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0)
        + kaspa.frame(kaspa.PING, kaspa.ACK, 0, bytes(8))
        + kaspa.frame(8, 0, 0, bytes(4))
    )

    answered = conversation.feed(SETTINGS + ping + rest + kaspa.frame(kaspa.HEADERS, 4, 1, b"\x88"))

    assert answered == (
        kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0)
        + kaspa.frame(kaspa.PING, kaspa.ACK, 0, b"12345678")
    )


def test_other_messages_and_padding_are_skipped() -> None:
    """A gRPC message of another field comes first, and frames are padded."""
    version = kaspa.Version(1_800_000_000 * NS, "", "")
    other = protobuf.encode(16, b"ping")
    message = bytes([0, 0, 0, 0, len(other)]) + other + kaspa.encode(version)
    padded = kaspa.frame(kaspa.DATA, 8, 1, b"\x05" + message + bytes(5))

    conversation = kaspa.Conversation()
    conversation.feed(SETTINGS + padded)

    assert conversation.version == version


def test_only_data_of_the_stream_is_read() -> None:
    """Not headers, another stream, or padding; the first bit of a stream's number is none of it."""
    version = kaspa.Version(1_800_000_000 * NS, "", "")
    message = kaspa.encode(version)
    conversation = kaspa.Conversation()

    conversation.feed(
        SETTINGS
        + kaspa.frame(kaspa.HEADERS, 4, 1, b"\xff" * 8)
        + kaspa.frame(kaspa.DATA, 0, 3, b"\xff" * 8)
        + kaspa.frame(kaspa.DATA, 8, 1, b"\x03" + message[:2] + b"\xff" * 3)
        + kaspa.frame(kaspa.DATA, 0, 1 | 1 << 31, message[2:5])
    )
    assert conversation.version is None
    conversation.feed(kaspa.frame(kaspa.DATA, kaspa.END_STREAM, 1, message[5:]))
    assert conversation.version == version


def test_a_message_of_16_kib_is_waited_for() -> None:
    """And none that is longer."""
    beginning = b"\0" + (16_384).to_bytes(4, "big")
    conversation = kaspa.Conversation()

    assert conversation.feed(SETTINGS + data_frames(beginning + bytes(10)))
    assert conversation.version is None


@pytest.mark.parametrize(
    ("frames", "error", "why"),
    [
        (b"\xff" * 9, Malformed, "HTTP/2: frame of 16777215 bytes: at most 16384 wanted"),
        (
            bytes.fromhex("004001 04 00 00000000"),
            Malformed,
            "HTTP/2: frame of 16385 bytes: at most 16384 wanted",
        ),
        (
            kaspa.frame(kaspa.DATA, 0, 1),
            Malformed,
            "HTTP/2: begins with a frame of type 0: SETTINGS wanted",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.DATA, 0, 1, b"\1" + bytes(4)),
            Malformed,
            "gRPC: message of 0 bytes, compressed 1: at most 16384 and 0 wanted",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.DATA, 0, 1, bytes.fromhex("00 00004001")),
            Malformed,
            "gRPC: message of 16385 bytes, compressed 0: at most 16384 and 0 wanted",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.DATA, 8, 1, b"\3ab"),
            Malformed,
            "HTTP/2: padding of 3 bytes in 3",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.DATA, 8, 1),
            Malformed,
            "HTTP/2: padding of 0 bytes in 0",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.RST_STREAM, 0, 1, bytes(4)),
            Refused,
            "the node ends the stream",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.GOAWAY, 0, 0, bytes(8)),
            Refused,
            "the node ends the stream",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.HEADERS, 5, 1, b"\x88"),
            Refused,
            "the node ends the stream without a version message",
        ),
        (
            SETTINGS + kaspa.frame(kaspa.DATA, kaspa.END_STREAM, 1),
            Refused,
            "the node ends the stream without a version message",
        ),
        (
            SETTINGS + data_frames(b"\0\0\0\0\3" + protobuf.encode(20, b"")),
            Malformed,
            "a version message without a timestamp",
        ),
    ],
)
def test_what_is_no_version_of_kaspa(
    frames: bytes, error: type[Malformed | Refused], why: str
) -> None:
    """Each with its reason."""
    with pytest.raises(error) as caught:
        kaspa.Conversation().feed(frames)

    assert str(caught.value) == why


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_into_the_kaspa_codec(pieces: list[bytes]) -> None:
    """Only Malformed and Refused come out."""
    for beginning in (b"", SETTINGS, SETTINGS + b"\0\0\x20\0\0\0\0\0\1"):
        conversation = kaspa.Conversation()
        try:
            for piece in (beginning, *pieces):
                conversation.feed(piece)
        except (Malformed, Refused):
            pass


def test_long_names_in_the_opening() -> None:
    """HPACK writes lengths beyond 126 in two bytes (RFC 7541 section 5.1)."""
    opening = kaspa.opening("a" * 127, "b" * 300)

    assert b"\x7f\x00" + b"a" * 127 in opening
    assert b"\x7f\xad\x01" + b"b" * 300 in opening
