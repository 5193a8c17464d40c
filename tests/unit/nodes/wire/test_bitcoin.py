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


VERACK = MAGIC + b"verack".ljust(12, b"\0") + bytes(4) + bytes.fromhex("5df6e0e2")
PING = MAGIC + b"ping".ljust(12, b"\0") + bytes.fromhex("08000000 18b84ae5") + b"12345678"


@pytest.mark.parametrize("before", [VERACK, PING, VERACK + PING, PING * 3])
def test_other_messages_before_a_version_are_skipped(before: bytes) -> None:
    """Whatever a node thinks it has to say first, and however much of it."""
    assert bitcoin.decode(before, MAGIC) is None
    assert bitcoin.decode(before + BY_HAND, MAGIC) == bitcoin.decode(BY_HAND, MAGIC)
    assert bitcoin.decode(before + BY_HAND[:-1], MAGIC) is None
    with pytest.raises(Malformed, match=r"^magic 00000000: f9beb4d9 wanted$"):
        bitcoin.decode(before + bytes(24), MAGIC)


@pytest.mark.parametrize(
    ("command", "most"), [(b"version", 1024), (b"verack", 2048)], ids=["version", "another"]
)
def test_how_long_a_message_may_be(command: bytes, most: int) -> None:
    """What may come is waited for; a byte more is no node's message."""
    beginning = MAGIC + command.ljust(12, b"\0")

    assert bitcoin.decode(beginning + most.to_bytes(4, "little") + bytes(4), MAGIC) is None
    with pytest.raises(Malformed) as caught:
        bitcoin.decode(beginning + (most + 1).to_bytes(4, "little") + bytes(4), MAGIC)

    found = f"message of {most + 1} bytes before a version: at most {most} wanted"
    assert str(caught.value) == found


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        (0, b"\x00", "magic 00beb4d9: f9beb4d9 wanted"),
        (
            16,
            b"\xff\xff\xff\xff",
            "message of 4294967295 bytes before a version: at most 1024 wanted",
        ),
        (20, b"\x00", "version: its checksum is of other bytes"),
        (40, b"\x01", "version: its checksum is of other bytes"),
    ],
)
def test_a_version_with_one_thing_changed(at: int, new: bytes, why: str) -> None:
    """Each part of the header holds the rest."""
    data = BY_HAND[:at] + new + BY_HAND[at + len(new) :]

    with pytest.raises(Malformed) as caught:
        bitcoin.decode(data, MAGIC)

    assert str(caught.value) == why


def with_checksum(payload: bytes) -> bytes:
    """Return a version message of this payload."""
    import hashlib

    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    length = len(payload).to_bytes(4, "little")
    return MAGIC + b"version".ljust(12, b"\0") + length + checksum + payload


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "version of 0 bytes: 80 wanted at least"),
        (bytes(79), "version of 79 bytes: 80 wanted at least"),
        (bytes(12) + b"\xff" * 8 + bytes(70), None),
        (
            bytes(12) + (1 << 62).to_bytes(8, "little") + bytes(70),
            "a stamp that no clock can show: from 1900 to 2262 wanted",
        ),
        (bytes(80) + b"\x09/short/", "version: user agent of 9 bytes, 7 are left"),
        (bytes(80) + b"\xfd\1\1" + bytes(300), "version: user agent of 257 bytes, 257 are left"),
        (bytes(80) + b"\xfe" + bytes(300), "version: user agent of 65536 bytes, 300 are left"),
        (
            bytes(80) + b"\xfd\xff\xff" + bytes(300),
            "version: user agent of 65535 bytes, 300 are left",
        ),
    ],
)
def test_payloads_of_the_wrong_shape(payload: bytes, why: str | None) -> None:
    """What a checksum does not catch. One second before 1970 is a time like any other."""
    if why is None:
        version = bitcoin.decode(with_checksum(payload), MAGIC)
        assert version is not None
        assert version.time_unix_ns == -NS
        return

    with pytest.raises(Malformed) as caught:
        bitcoin.decode(with_checksum(payload), MAGIC)

    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("agent", "shown"), [(b"\x01\xff", "\ufffd"), (b"\x02\xc3\xa9", "\xe9"), (b"\x02/a/", "/a")]
)
def test_an_agent_is_utf_8_as_far_as_it_goes(agent: bytes, shown: str) -> None:
    """What is none is replaced, and nothing behind its length is read."""
    version = bitcoin.decode(with_checksum(bytes(80) + agent), MAGIC)

    assert version is not None
    assert version.agent == shown


@pytest.mark.parametrize(
    ("agent", "written"),
    [
        ("a" * 252, b"\xfc" + b"a" * 252),
        ("a" * 253, b"\xfd\xfd\0" + b"a" * 253),
        ("a" * 256, b"\xfd\0\1" + b"a" * 256),
        ("a\xe9\u20ac", b"\3a??"),
    ],
)
def test_an_agent_to_the_byte(agent: str, written: bytes) -> None:
    """Lengths from 253 on take three bytes; what is no ASCII is replaced."""
    data = bitcoin.encode(MAGIC, 70016, 1_800_000_000, NONCE, agent)

    assert data[24 + 80 : -5] == written
    version = bitcoin.decode(data, MAGIC)
    assert version is not None
    assert version.agent == agent.encode("ascii", "replace").decode()


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
        ("time-drift/0.2/x", "/time-drift:0.2/x/"),
        ("probe", "/probe/"),
    ],
)
def test_who_we_are_as_bip_14_writes_it(http_agent: str, agent: str) -> None:
    """The contact stays, its scheme goes; a colon is between name and version alone."""
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
