"""Messages of Bitcoin's family: exact bytes both ways, and everything that is no answer."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes.wire import bitcoin
from sources.base import Malformed
from sources.clock import NS

MAGIC = bytes.fromhex("f9beb4d9")
NONCE = b"12345678"
BY_HAND = bytes.fromhex(
    "f9beb4d9 76657273696f6e0000000000 59000000 e318b38a"  # magic, "version", 89 bytes, checksum
    "80110100"  # protocol 70016
    "0000000000000000"  # no services
    "00d2496b00000000"  # 1,800,000,000 s
    "0000000000000000 00000000000000000000000000000000 0000"  # to
    "0000000000000000 00000000000000000000000000000000 0000"  # from
    "3132333435363738"  # nonce
    "03 2f612f"  # "/a/"
    "00000000 00"  # height, relay
)
seconds = st.integers(-2_208_988_800, 9_223_372_035)
agents = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=256)


def test_a_version_written_by_hand() -> None:
    """Both ways, to the byte."""
    written = bitcoin.encode(MAGIC, 70016, 1_800_000_000, NONCE, "/a/")

    assert written == BY_HAND
    assert bitcoin.decode(BY_HAND, MAGIC) == bitcoin.Version(
        70016, 1_800_000_000 * NS, NONCE, "/a/"
    )


@given(seconds, st.binary(min_size=8, max_size=8), agents)
def test_a_version_comes_back(unix_s: int, nonce: bytes, agent: str) -> None:
    """Of any time and user agent; and it is not taken before its last byte is there."""
    data = bitcoin.encode(MAGIC, 70016, unix_s, nonce, agent)

    assert bitcoin.decode(data, MAGIC) == bitcoin.Version(70016, unix_s * NS, nonce, agent)
    assert bitcoin.decode(data[:-1], MAGIC) is None
    assert bitcoin.decode(data + b"more", MAGIC) is not None


def test_other_messages_before_a_version_are_skipped() -> None:
    """Whatever a node thinks it has to say first."""
    verack = MAGIC + b"verack".ljust(12, b"\0") + bytes(4) + bytes.fromhex("5df6e0e2")

    assert bitcoin.decode(verack, MAGIC) is None
    assert bitcoin.decode(verack + BY_HAND, MAGIC) == bitcoin.decode(BY_HAND, MAGIC)


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        (0, b"\x00", "magic"),
        (16, b"\xff\xff\xff\xff", "bytes before a version"),
        (20, b"\x00", "checksum"),
        (40, b"\x01", "checksum"),
    ],
)
def test_a_version_with_one_thing_changed(at: int, new: bytes, why: str) -> None:
    """Each part of the header holds the rest."""
    data = BY_HAND[:at] + new + BY_HAND[at + len(new) :]

    with pytest.raises(Malformed, match=why):
        bitcoin.decode(data, MAGIC)


def with_checksum(payload: bytes) -> bytes:
    """Return a version message of this payload."""
    import hashlib

    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    length = len(payload).to_bytes(4, "little")
    return MAGIC + b"version".ljust(12, b"\0") + length + checksum + payload


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "80 wanted"),
        (bytes(79), "80 wanted"),
        (bytes(12) + b"\xff" * 8 + bytes(70), None),
        (bytes(12) + (1 << 62).to_bytes(8, "little") + bytes(70), "no clock can show"),
        (bytes(80) + b"\x09/short/", "user agent of 9"),
        (bytes(80) + b"\xfe" + bytes(300), "user agent of 65536"),
        (bytes(80) + b"\xfd\xff\xff" + bytes(300), "user agent of 65535"),
    ],
)
def test_payloads_of_the_wrong_shape(payload: bytes, why: str | None) -> None:
    """What a checksum does not catch. One second before 1970 is a time like any other."""
    if why is None:
        version = bitcoin.decode(with_checksum(payload), MAGIC)
        assert version is not None
        assert version.time_unix_ns == -NS
        return

    with pytest.raises(Malformed, match=why):
        bitcoin.decode(with_checksum(payload), MAGIC)


def test_a_version_may_end_before_its_agent() -> None:
    """As protocol versions before 106 did."""
    version = bitcoin.decode(with_checksum(bytes(80)), MAGIC)

    assert version is not None
    assert version.agent == ""


@pytest.mark.parametrize(
    ("http_agent", "agent"),
    [
        ("time-drift/0.2 (+https://example.org/why)", "/time-drift:0.2(+example.org/why)/"),
        ("time-drift/0.2", "/time-drift:0.2/"),
        ("probe", "/probe/"),
    ],
)
def test_who_we_are_as_bip_14_writes_it(http_agent: str, agent: str) -> None:
    """The contact stays, its scheme goes."""
    assert bitcoin.agent_of(http_agent) == agent


def test_an_agent_longer_than_nodes_take_is_cut() -> None:
    """256 bytes, whose length takes three."""
    version = bitcoin.decode(bitcoin.encode(MAGIC, 1, 0, NONCE, "a" * 1000), MAGIC)

    assert version is not None
    assert version.agent == "a" * 256


@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes_into_the_bitcoin_codec(data: bytes) -> None:
    """Only Malformed comes out."""
    for candidate in (data, MAGIC + data, with_checksum(data), BY_HAND[:24] + data):
        with contextlib.suppress(Malformed):
            bitcoin.decode(candidate, MAGIC)
