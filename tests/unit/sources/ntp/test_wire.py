"""The NTP codec: bytes both ways, stamps across eras, and any bytes at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import EPOCH_FLOOR_UNIX_NS, Malformed, SourceError
from sources.clock import NS
from sources.ntp import wire as ntp

ERA_NS = (1 << 32) * NS
ERA_1_UNIX_NS = 2_085_978_496 * NS
"""2036-02-07 06:28:16, where the 32-bit seconds of NTP start again."""

stamps = st.integers(0, (1 << 64) - 1)
packets = st.builds(
    ntp.Packet,
    leap=st.integers(0, 3),
    version=st.integers(0, 7),
    mode=st.integers(0, 7),
    stratum=st.integers(0, 255),
    poll=st.integers(0, 255),
    precision=st.integers(-128, 127),
    root_delay=st.integers(0, (1 << 32) - 1),
    root_dispersion=st.integers(0, (1 << 32) - 1),
    reference_id=st.binary(min_size=4, max_size=4),
    reference=stamps,
    origin=stamps,
    receive=stamps,
    transmit=stamps,
)


@given(packets)
def test_what_is_encoded_is_decoded_again(packet: ntp.Packet) -> None:
    """Every field of every packet survives the way to bytes and back, to the bit."""
    data = ntp.encode(packet)

    assert len(data) == ntp.PACKET_BYTES
    assert ntp.decode(data) == packet


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_malformed(data: bytes) -> None:
    """Arbitrary bytes give a packet or one of our errors; short ones never a packet."""
    try:
        packet = ntp.decode(data)
    except SourceError:
        assert len(data) < ntp.PACKET_BYTES
    else:
        assert len(data) >= ntp.PACKET_BYTES
        assert ntp.encode(packet) == data[: ntp.PACKET_BYTES]


def test_a_short_packet_is_named_with_its_length() -> None:
    """The error says how many bytes came and how many are wanted."""
    with pytest.raises(Malformed, match="47 bytes: at least 48"):
        ntp.decode(bytes(47))


def test_a_known_reply_decodes_field_by_field() -> None:
    """A reply written out by hand from RFC 5905 figure 8 decodes to its fields."""
    data = bytes.fromhex(
        "24 01 06 e7 00000001 00000002 47505300"
        "e9000000 00000000 0123456789abcdef e9000001 80000000 e9000001 c0000000"
    )

    assert ntp.decode(data) == ntp.Packet(
        leap=0,
        version=4,
        mode=4,
        stratum=1,
        poll=6,
        precision=-25,
        root_delay=1,
        root_dispersion=2,
        reference_id=b"GPS\0",
        reference=0xE9000000_00000000,
        origin=0x0123456789ABCDEF,
        receive=0xE9000001_80000000,
        transmit=0xE9000001_C0000000,
    )


def test_a_request_says_nothing_but_its_nonce() -> None:
    """A request is a client packet of version 4 that is zero but for the random transmit stamp."""
    data = ntp.request(b"\xff\xee\xdd\xcc\xbb\xaa\x99\x88")

    assert data == b"\x23" + bytes(39) + b"\xff\xee\xdd\xcc\xbb\xaa\x99\x88"


@given(st.integers(0, ERA_NS - 1))
def test_a_stamp_means_the_earliest_time_from_the_floor_on(after_floor_ns: int) -> None:
    """A time up to 136 years after the floor survives as a stamp, to the nanosecond below."""
    time_unix_ns = EPOCH_FLOOR_UNIX_NS + after_floor_ns

    read_ns = ntp.unix_ns(ntp.stamp_of(time_unix_ns), EPOCH_FLOOR_UNIX_NS)

    assert 0 <= time_unix_ns - read_ns <= 1 or (after_floor_ns == 0 and read_ns == time_unix_ns)


def test_the_era_changes_without_a_jump() -> None:
    """The nanosecond before 2036-02-07 06:28:16 and the one after are two nanoseconds apart."""
    before = ntp.stamp_of(ERA_1_UNIX_NS - 1)
    after = ntp.stamp_of(ERA_1_UNIX_NS + 1)

    assert after < before
    assert 1 <= ntp.elapsed_ns(before, after) <= 2
    assert ntp.unix_ns(after, EPOCH_FLOOR_UNIX_NS) - ntp.unix_ns(before, EPOCH_FLOOR_UNIX_NS) <= 3


@given(stamps, st.integers(-(1 << 62), (1 << 62)))
def test_elapsed_is_signed_and_blind_to_eras(stamp: int, difference: int) -> None:
    """A later stamp is positive, an earlier one negative, also over the end of an era."""
    later = (stamp + difference) % (1 << 64)

    assert ntp.elapsed_ns(stamp, later) == (difference * NS) >> 32


@pytest.mark.parametrize(
    ("precision", "expected_ns"), [(0, NS), (-1, NS // 2), (-30, 1), (-20, 954)]
)
def test_precision_is_rounded_up(precision: int, expected_ns: int) -> None:
    """2^precision seconds never count as less than they are."""
    assert ntp.precision_ns(precision) == expected_ns


@given(st.integers(0, (1 << 32) - 1))
def test_spans_are_rounded_up(short: int) -> None:
    """A short-format span is the least number of nanoseconds that is not less than it."""
    assert 0 <= ntp.span_ns(short) * (1 << 16) - short * NS < (1 << 16)
