"""The Roughtime codec: exact bytes both ways, and everything that is not a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import LONGEST_MESSAGE, Malformed
from sources.roughtime import wire
from sources.roughtime.wire_dialects import (
    DIALECTS,
    Framing,
    decode_reply,
    encode_request,
    framing_of,
    nonce_of,
    versions_in,
)

BY_HAND = bytes.fromhex(
    "03000000"  # three tags
    "04000000 0c000000"  # where the second value begins, and the third
    "53494700 4e4f4e43 4d494450"  # SIG, NONC, MIDP: ascending, read as little-endian numbers
    "01020304"
    "a1a2a3a4 a5a6a7a8"
    "15cd5b07 00000000"
)
VALUES = {
    wire.SIG: b"\1\2\3\4",
    wire.NONC: b"\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8",
    wire.MIDP: (123_456_789).to_bytes(8, "little"),
}

tags = st.binary(min_size=4, max_size=4)
values = st.integers(0, 20).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))
messages = st.dictionaries(tags, values, min_size=1, max_size=64)


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def test_a_message_written_by_hand_decodes() -> None:
    """Every value comes out as it came in, and as the number that it is."""
    message = wire.decode(BY_HAND)

    assert {tag: message.value(tag) for tag in VALUES} == VALUES
    assert message.uint32(wire.SIG) == 0x04030201
    assert message.uint64(wire.MIDP) == 123_456_789
    assert message.uint32s(wire.NONC) == [0xA4A3A2A1, 0xA8A7A6A5]
    assert wire.SIG in message
    assert wire.SREP not in message


def test_a_message_encodes_to_the_bytes_written_by_hand() -> None:
    """The order in which the values are given does not matter."""
    backwards = dict(reversed(VALUES.items()))

    assert wire.encode(backwards) == BY_HAND


def test_a_message_of_one_tag_has_no_offsets() -> None:
    """One tag: its number, its name, its value."""
    data = words(1) + b"TYPE" + words(7)

    assert wire.encode({wire.TYPE: words(7)}) == data
    assert wire.decode(data).uint32(wire.TYPE) == 7


def test_a_value_may_be_empty_and_the_last_one_too() -> None:
    """A PATH without nodes is there, and empty."""
    message = wire.decode(words(2, 0) + b"PATHINDX")

    assert message.value(wire.PATH) == message.value(wire.INDX, 0) == b""


@given(messages)
def test_what_is_encoded_is_decoded_again(given_values: dict[bytes, bytes]) -> None:
    """Every value of every message survives the way to bytes and back; bytes are unique."""
    data = wire.encode(given_values)
    message = wire.decode(data)

    assert {tag: message.value(tag) for tag in given_values} == given_values
    assert wire.unframe(wire.frame(data)) == data
    assert len(data) == 8 * len(given_values) + sum(map(len, given_values.values()))


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_malformed(data: bytes) -> None:
    """Arbitrary bytes are a message or Malformed, and so is each use of the message."""
    for read in (wire.decode, wire.unframe, lambda d: wire.length_in(d, 10**6)):
        try:
            read(data)
        except Malformed as error:
            assert 0 < len(str(error)) <= LONGEST_MESSAGE


@given(messages, st.data())
def test_a_broken_message_decodes_or_is_malformed(
    given_values: dict[bytes, bytes], data: st.DataObject
) -> None:
    """One byte of a message changed: again a message, whose bytes are those, or Malformed."""
    packet = bytearray(wire.encode(given_values))
    at = data.draw(st.integers(0, min(len(packet), 600) - 1))
    packet[at] = data.draw(st.integers(0, 255))

    try:
        message = wire.decode(bytes(packet))
    except Malformed:
        return

    names = bytes(packet)
    count = int.from_bytes(names[:4], "little")
    found = [names[4 * count + 4 * i :][:4] for i in range(count)]
    assert wire.encode({tag: message.value(tag) for tag in found}) == packet


@given(st.sampled_from(Framing), st.binary(max_size=400))
def test_any_bytes_are_a_reply_or_malformed(framing: Framing, data: bytes) -> None:
    """Arbitrary bytes, in a packet too, never raise anything but Malformed."""
    for packet in (data, wire.frame(data)):
        assert framing_of(packet) in Framing
        for read in (decode_reply, nonce_of):
            try:
                read(framing, packet)
            except Malformed:
                continue


NO_MESSAGES = {
    "nothing": (b"", "the number of tags needs 4 bytes, 0 are left"),
    "half a number": (b"\1\0", "the number of tags needs 4 bytes, 2 are left"),
    "no tags": (words(0), "0 tags: 1 to 64 wanted"),
    "no tags, but values": (words(0, 1, 2), "0 tags: 1 to 64 wanted"),
    "65 tags": (
        words(65, *[0] * 64, *range(65)),
        "65 tags: 1 to 64 wanted",
    ),
    "four thousand million tags": (words(0xFFFFFFFF), "4294967295 tags: 1 to 64 wanted"),
    "an offset missing": (words(3, 4), "offset 2 needs 4 bytes, 0 are left"),
    "a tag missing": (words(2, 4) + b"SIG\0", "tag 2 needs 4 bytes, 0 are left"),
    "half a tag": (words(1) + b"SI", "tag 1 needs 4 bytes, 2 are left"),
    "tags out of order": (
        words(2, 4) + b"NONCSIG\0" + bytes(8),
        "tag 0x00474953 after 0x434e4f4e: ascending ones wanted",
    ),
    "a tag twice": (
        words(2, 4) + b"NONCNONC" + bytes(8),
        "tag 0x434e4f4e after 0x434e4f4e: ascending ones wanted",
    ),
    "ascending as text, not as numbers": (
        words(2, 4) + b"AAABAAAA" + bytes(8),
        "tag 0x41414141 after 0x42414141: ascending ones wanted",
    ),
    "an offset of 2": (
        words(2, 2) + b"SIG\0NONC" + bytes(8),
        "offset 2 after 0, of 8 bytes: ascending multiples of 4 wanted",
    ),
    "offsets that descend": (
        words(3, 8, 4) + b"SIG\0NONCPATH" + bytes(12),
        "offset 4 after 8, of 12 bytes: ascending multiples of 4 wanted",
    ),
    "an offset beyond the end": (
        words(2, 12) + b"SIG\0NONC" + bytes(8),
        "offset 8 after 12, of 8 bytes: ascending multiples of 4 wanted",
    ),
    "an offset far beyond the end": (
        words(2, 0xFFFFFFFC) + b"SIG\0NONC" + bytes(8),
        "offset 8 after 4294967292, of 8 bytes: ascending multiples of 4 wanted",
    ),
    "one byte more": (
        BY_HAND + b"\0",
        "offset 21 after 12, of 21 bytes: ascending multiples of 4 wanted",
    ),
    "one byte less": (
        BY_HAND[:-1],
        "offset 19 after 12, of 19 bytes: ascending multiples of 4 wanted",
    ),
}
"""What is no message, and what the error says of it."""


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_breaks_a_rule_is_malformed(name: str) -> None:
    """The error says what was found, and what was wanted."""
    data, says = NO_MESSAGES[name]

    with pytest.raises(Malformed) as caught:
        wire.decode(data, "response")

    assert str(caught.value) == f"response: {says}"


def test_64_tags_are_a_message() -> None:
    """The limit is a message still."""
    full = {number.to_bytes(4, "little"): b"" for number in range(64)}

    assert (63).to_bytes(4, "little") in wire.decode(wire.encode(full))


def test_equal_offsets_are_a_message() -> None:
    """Two values at the same place: the first one is empty."""
    message = wire.decode(words(3, 0, 0) + b"SIG\0NONCPATH" + words(5))

    assert [message.value(tag) for tag in (wire.SIG, wire.NONC, wire.PATH)] == [b"", b"", words(5)]


@pytest.mark.parametrize("length", range(len(BY_HAND) - 8))
def test_a_message_cut_off_is_malformed(length: int) -> None:
    """At each byte before the last value, the rest missing is missed; of what has no other name it
    is said of the message.
    """
    with pytest.raises(Malformed, match=r"^message: "):
        wire.decode(BY_HAND[:length])


@pytest.mark.parametrize("length", range(12 + len(BY_HAND)))
def test_a_packet_cut_off_is_malformed(length: int) -> None:
    """At each byte, a packet says how long it is, and is not."""
    with pytest.raises(Malformed):
        wire.unframe(wire.frame(BY_HAND)[:length])


def test_a_packet_is_the_magic_the_length_and_the_message() -> None:
    """The header is twelve bytes."""
    assert wire.frame(BY_HAND) == b"ROUGHTIM" + b"\x2c\0\0\0" + BY_HAND
    assert wire.HEADER_BYTES == 12


NO_PACKETS = {
    "nothing": (b"", "ROUGHTIM needs 8 bytes, 0 are left"),
    "half the magic": (b"ROUG", "ROUGHTIM needs 8 bytes, 4 are left"),
    "another magic": (b"ROUGHTIN" + words(0), "begins with b'ROUGHTIN': b'ROUGHTIM' wanted"),
    "the magic in lower case": (
        b"roughtim" + words(0),
        "begins with b'roughtim': b'ROUGHTIM' wanted",
    ),
    "no magic": (BY_HAND, "begins with b'\\x03\\x00\\x00\\x00\\x04\\x00\\x00\\x00': "),
    "half a length": (b"ROUGHTIM\0\0", "the length needs 4 bytes, 2 are left"),
    "shorter than it says": (
        b"ROUGHTIM" + words(48) + BY_HAND,
        "message of 48 bytes: at most 44 wanted",
    ),
    "four thousand million bytes": (
        b"ROUGHTIM" + words(0xFFFFFFFF) + BY_HAND,
        "message of 4294967295 bytes: at most 44 wanted",
    ),
    "longer than it says": (
        b"ROUGHTIM" + words(40) + BY_HAND,
        "message of 44 bytes: its length says 40",
    ),
    "a byte behind it": (
        wire.frame(BY_HAND) + b"\0",
        "message of 45 bytes: its length says 44",
    ),
}
"""What is no packet, and what the error says of it."""


@pytest.mark.parametrize("name", NO_PACKETS)
def test_what_is_no_packet_is_malformed(name: str) -> None:
    """Wrong magic, and a length that is not exactly the message's."""
    data, says = NO_PACKETS[name]

    with pytest.raises(Malformed) as caught:
        wire.unframe(data)

    assert str(caught.value).startswith(f"packet: {says}")


def test_a_length_is_refused_before_it_is_read() -> None:
    """A stream's header is judged alone, by the most that is wanted."""
    header = b"ROUGHTIM" + words(1024)

    assert wire.length_in(header, 1024) == 1024
    with pytest.raises(Malformed, match=r"^packet: message of 1024 bytes: at most 1023 wanted$"):
        wire.length_in(header, 1023)


@pytest.mark.parametrize(
    ("tag", "count", "says"),
    [
        (wire.SREP, None, "no tag SREP"),
        (wire.VER, 4, "no tag VER"),
        (wire.INDX, 4, "no tag INDX"),
        (b"PAD\xff", None, "no tag PAD\\xff"),
        (wire.NONC, 32, "NONC of 8 bytes: 32 wanted"),
        (wire.SIG, 64, "SIG of 4 bytes: 64 wanted"),
    ],
)
def test_a_value_that_is_wanted_is_missed_by_name(tag: bytes, count: int | None, says: str) -> None:
    """No such tag, or not as long as it has to be."""
    with pytest.raises(Malformed) as caught:
        wire.decode(BY_HAND, "SREP").value(tag, count)

    assert str(caught.value) == f"SREP: {says}"


def test_numbers_have_their_length() -> None:
    """A uint32 has four bytes, a uint64 eight, a list of uint32 a multiple of four."""
    message = wire.decode(BY_HAND)

    with pytest.raises(Malformed, match="NONC of 8 bytes: 4 wanted"):
        message.uint32(wire.NONC)
    with pytest.raises(Malformed, match="SIG of 4 bytes: 8 wanted"):
        message.uint64(wire.SIG)


def test_a_message_within_is_named_by_its_tag() -> None:
    """What is wrong inside of SREP is said of SREP."""
    message = wire.decode(wire.encode({wire.SREP: words(0)}), "response")

    with pytest.raises(Malformed, match=r"^SREP: 0 tags"):
        message.message(wire.SREP)


def test_a_request_is_what_the_rfc_says() -> None:
    """A packet of 1024 bytes: every version, ascending, SRV, nonce, TYPE 0, and zeros.

    SRV is the first half of the SHA-512 of ff and the key, here worked out with sha512sum.
    """
    key, nonce = bytes(32), bytes(range(32))

    request = encode_request(Framing.IETF, nonce, key)

    versions = [1, *range(0x80000007, 0x80000014)]
    assert list(DIALECTS) == versions
    assert request == (
        b"ROUGHTIM"
        + words(1012)
        + words(5, 56, 88, 120, 124)
        + b"VER\0SRV\0NONCTYPEZZZZ"
        + words(*versions)
        + bytes.fromhex("869807f2d387f1560493a87f4e0d07bdb8e68189999354e9907647eda74240f0")
        + nonce
        + words(0)
        + bytes(1012 - 40 - 56 - 32 - 32 - 4)
    )
    assert framing_of(request) is Framing.IETF
    assert nonce_of(Framing.IETF, request) == nonce


def test_googles_request_has_a_nonce_and_padding() -> None:
    """A message of 1024 bytes, in no packet: a nonce of 64 bytes, and zeros."""
    nonce = bytes(range(64))

    request = encode_request(Framing.GOOGLE, nonce, bytes(32))

    assert request == words(2, 64) + b"NONCPAD\xff" + nonce + bytes(1024 - 16 - 64)
    assert framing_of(request) is Framing.GOOGLE
    assert nonce_of(Framing.GOOGLE, request) == nonce


@pytest.mark.parametrize(("framing", "length"), [(Framing.IETF, 64), (Framing.GOOGLE, 32)])
def test_a_nonce_of_another_length_is_malformed(framing: Framing, length: int) -> None:
    """Each form has its own length of nonce."""
    message = wire.encode({wire.NONC: bytes(length)})
    request = message if framing is Framing.GOOGLE else wire.frame(message)

    with pytest.raises(Malformed, match=f"^request: NONC of {length} bytes"):
        nonce_of(framing, request)


def test_a_request_offers_the_versions_that_it_has() -> None:
    """In their order; one without them is malformed, and is called a request."""
    request = encode_request(Framing.IETF, bytes(32), bytes(32), [1, 0x8000000C])

    assert versions_in(request) == [1, 0x8000000C]
    with pytest.raises(Malformed, match=r"^request: no tag VER$"):
        versions_in(wire.frame(wire.encode({wire.NONC: bytes(32)})))
