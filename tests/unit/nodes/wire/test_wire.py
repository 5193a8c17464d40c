"""The codecs of nodes: exact bytes both ways, and everything that is no answer."""

import contextlib
import itertools
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes.wire import avalanche, bitcoin, http, kaspa, protobuf, xrpl
from nodes.wire.stamps import plausible
from sources.base import Malformed, Refused
from sources.clock import NS

MAGIC = bytes.fromhex("f9beb4d9")
NONCE = b"12345678"
NODE = "/Satoshi:29.0.0/"

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


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the same bytes, cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


cuts = st.lists(st.integers(0, 10_000), max_size=5)


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


# Protocol Buffers.


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


# Avalanche.


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


# Kaspa.

SETTINGS = kaspa.frame(kaspa.SETTINGS, 0, 0)


def data_frames(payload: bytes, size: int = 10_000) -> bytes:
    """Return the payload in DATA frames of at most `size` bytes."""
    return b"".join(
        kaspa.frame(kaspa.DATA, 0, 1, payload[at : at + size])
        for at in range(0, len(payload), size)
    )


@given(st.integers(-2_208_988_800_000, 9_223_372_036_000), st.integers(1, 40), cuts)
def test_a_version_of_kaspa_comes_back(stamp_ms: int, size: int, places: list[int]) -> None:
    """However the message is split into frames, and the frames into segments."""
    version = kaspa.Version(stamp_ms * 1_000_000, "/kaspad:1.0.0/", "kaspa-mainnet")
    data = SETTINGS + data_frames(kaspa.encode(version), size)

    conversation = kaspa.Conversation()
    answered = b"".join(conversation.feed(piece) for piece in in_pieces(data, places))

    assert conversation.version == version
    assert answered == kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0)


def test_what_http_2_wants_answered() -> None:
    """SETTINGS and PING are acknowledged; acknowledgements, HEADERS and WINDOW_UPDATE are not."""
    conversation = kaspa.Conversation()
    ping = kaspa.frame(kaspa.PING, 0, 0, b"12345678")
    rest = kaspa.frame(kaspa.SETTINGS, kaspa.ACK, 0) + kaspa.frame(8, 0, 0, bytes(4))

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


@pytest.mark.parametrize(
    ("frames", "error", "why"),
    [
        (b"\xff" * 9, Malformed, "frame of"),
        (kaspa.frame(kaspa.DATA, 0, 1), Malformed, "begins with"),
        (SETTINGS + kaspa.frame(kaspa.DATA, 0, 1, b"\1" + bytes(4)), Malformed, "compressed 1"),
        (SETTINGS + kaspa.frame(kaspa.DATA, 0, 1, b"\0\1\0\0\0"), Malformed, "message of"),
        (SETTINGS + kaspa.frame(kaspa.DATA, 8, 1, b"\5ab"), Malformed, "padding"),
        (SETTINGS + kaspa.frame(kaspa.DATA, 8, 1), Malformed, "padding"),
        (SETTINGS + kaspa.frame(kaspa.RST_STREAM, 0, 1, bytes(4)), Refused, "ends the stream"),
        (SETTINGS + kaspa.frame(kaspa.GOAWAY, 0, 0, bytes(8)), Refused, "ends the stream"),
        (SETTINGS + kaspa.frame(kaspa.HEADERS, 5, 1, b"\x88"), Refused, "without a version"),
        (
            SETTINGS + data_frames(b"\0\0\0\0\3" + protobuf.encode(20, b"")),
            Malformed,
            "without a timestamp",
        ),
    ],
)
def test_what_is_no_version_of_kaspa(
    frames: bytes, error: type[Malformed | Refused], why: str
) -> None:
    """Each with its reason."""
    with pytest.raises(error, match=why):
        kaspa.Conversation().feed(frames)


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


# XRPL.


def crawl_of(text: str) -> bytes:
    return (
        '{"overlay":{"active":[{"time":"x","s":"\\"server\\":{"},["time"]]},"server" : {"a":'
        f'{{"time":"no"}},"build_version":"2.4.0","time": "{text}"}},"version":2}}'
    ).encode()


@given(st.integers(-2_208_988_800 * 10**6, 9_223_372_036 * 10**6), cuts)
def test_the_time_of_a_crawl(unix_us: int, places: list[int]) -> None:
    """Of the server itself, wherever the body is cut, and not of what looks like it."""
    unix_ns = unix_us * 1000
    body = crawl_of(xrpl.encode(unix_ns))

    crawl = xrpl.Crawl()
    for piece in in_pieces(body, places):
        if crawl.feed(piece) is not None:
            break

    assert crawl.time == xrpl.Time(unix_ns, 1000)
    assert crawl.build == "2.4.0"


@pytest.mark.parametrize(
    ("text", "unix_ns", "grain_ns"),
    [
        ("2020-Jan-09 02:55:55.288460 UTC", 1_578_538_555_288_460_000, 1000),
        ("2020-Jan-09 02:55:55 UTC", 1_578_538_555 * NS, NS),
        ("2020-Jan-09 02:55:55.5 UTC", 1_578_538_555_500_000_000, NS // 10),
        ("2020-Jan-09 02:55:55.123456789 UTC", 1_578_538_555_123_456_789, 1),
    ],
)
def test_times_of_any_number_of_decimals(text: str, unix_ns: int, grain_ns: int) -> None:
    """The grain is that of the last decimal."""
    assert xrpl.time_of(text) == xrpl.Time(unix_ns, grain_ns)


@pytest.mark.parametrize(
    "text",
    [
        "", "2020-Jan-09 02:55:55.288460", "2020-Jan-32 02:55:55 UTC", "2020-Foo-09 02:55:55 UTC",
        "2020-Jan-09 24:55:55 UTC", "2020-Jan-09 02:55:60 UTC", "٢020-Jan-09 02:55:55 UTC",
        "2020-Jan-09 02:55:55.1234567890 UTC", "2020-Jan-09 02:55:55. UTC",
        "9999-Dec-31 00:00:00 UTC",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        xrpl.time_of(text)


def test_a_crawl_without_a_server_ends() -> None:
    """Switched off: the document is over, and no time was in it."""
    crawl = xrpl.Crawl()

    assert crawl.feed(b' {"overlay":{"active":[]},"version":2}') is None
    assert crawl.ended


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"time"', b'{"a":"' + b"x" * 20_000])
def test_what_is_no_crawl(body: bytes) -> None:
    """Not an object, or a string that does not end."""
    with pytest.raises(Malformed):
        xrpl.Crawl().feed(body)


def test_a_long_crawl_is_not_kept() -> None:
    """Of megabytes nothing stays but what is not complete yet."""
    crawl = xrpl.Crawl()
    crawl.feed(b'{"overlay":[')
    for _ in range(2000):
        crawl.feed(b'{"public_key":"n9MXXueo837zYH36D","uptime":12345},' * 20)

    assert len(crawl._rest) < 100


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"{", b'"server"', b":", b'"time"'])))
def test_any_bytes_into_the_crawl(pieces: list[bytes]) -> None:
    """Only Malformed comes out."""
    crawl = xrpl.Crawl()
    try:
        for piece in (b"{", *pieces):
            crawl.feed(piece)
    except Malformed:
        pass


# HTTP.

RESPONSE = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: x\r\n\r\nbody"


def test_a_response_with_its_date() -> None:
    """Status, headers by their names in any case, and what follows."""
    head = http.decode(RESPONSE)

    assert head is not None
    assert (head.status, head.value("server"), head.value("via")) == (200, "x", "")
    assert head.body == b"body"
    assert http.date_unix_ns(head) == 784_111_777 * NS
    assert http.decode(RESPONSE.partition(b"\r\n\r\n")[0]) is None


def test_interim_responses_are_skipped() -> None:
    """Their Dates are not asked for."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    assert http.decode(early) is None
    assert http.decode(early + RESPONSE) == http.decode(RESPONSE)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    ],
)
def test_what_is_no_response(data: bytes) -> None:
    """Each of these is Malformed as soon as it can be."""
    with pytest.raises(Malformed):
        http.decode(data)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:38 GMT")),
        (("date", "now"),),
        (("date", "Sun, 06 Nov 9994 08:49:37 GMT"),),
    ],
)
def test_a_response_without_one_good_date(headers: tuple[tuple[str, str], ...]) -> None:
    """None, two, or none that can be read."""
    with pytest.raises(Malformed):
        http.date_unix_ns(http.Head(200, headers, b""))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("via", "1.1 google", "Via"),
        ("cf-ray", "8f-AMS", "CF-Ray"),
        ("x-amz-cf-id", "x", "X-Amz-Cf-Id"),
        ("x-served-by", "cache-ams", "X-Served-By"),
        ("x-cache", "MISS", "X-Cache"),
        ("age", "0", "Age"),
        ("server", "cloudflare", "Server: cloudflare"),
        ("server", "CloudFront", "Server: CloudFront"),
        ("server", "AkamaiGHost", "Server: AkamaiGHost"),
        ("server", "nginx", ""),
        ("server", "my-cloudflare-free-node", ""),
        ("x-request-id", "1", ""),
    ],
)
def test_by_what_a_proxy_shows_itself(name: str, value: str, shown: str) -> None:
    """Headers that no node of its own adds."""
    assert http.proxy(http.Head(200, ((name, value),), b"")) == shown


@pytest.mark.parametrize(
    ("server", "lag_ns"),
    [("Caddy", 0), ("nginx/1.22.1", NS // 10), ("Kestrel", NS), ("", NS), ("xnginx", NS)],
)
def test_how_late_a_date_may_be(server: str, lag_ns: int) -> None:
    """By the server's own name, and a second where that says nothing."""
    assert http.lag_ns(server) == lag_ns


@pytest.mark.parametrize(
    ("host", "port", "shown"),
    [("a.example.", 80, "a.example"), ("::1", 80, "[::1]"), ("192.0.2.1", 81, "192.0.2.1:81")],
)
def test_the_host_header(host: str, port: int, shown: str) -> None:
    """As RFC 9110 section 7.2 wants it."""
    assert http.authority(host, port, 80) == shown


@pytest.mark.parametrize("path", ["/a b\r\nX: y", "/\r\nX: y", "/\0", "/ä", ""])
def test_nothing_ends_a_line_of_the_request(path: str) -> None:
    """Whoever lets such a target through has a bug, and no request leaves."""
    with pytest.raises(ValueError, match="no line"):
        http.encode("HEAD", path, "host", "agent")


@given(st.binary(max_size=200))
def test_any_bytes_into_the_http_codec(data: bytes) -> None:
    """Only Malformed comes out."""
    candidates = (
        data,
        b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: " + data + b"\r\n\r\n",
        b"HTTP/1.1 100 OK\r\n\r\n" + data,
    )
    for candidate in candidates:
        try:
            head = http.decode(candidate)
            if head is not None:
                http.proxy(head)
                http.lag_ns(head.value("server"))
                http.date_unix_ns(head)
        except Malformed:
            pass


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("edge", [-2_208_988_800 * NS, (1 << 63) - 1])
def test_what_a_clock_can_show(edge: int, change: int) -> None:
    """From 1900 to 2262, both ends among them."""
    outside = (change < 0) == (edge < 0)
    check: Callable[[], int] = lambda: plausible(edge + change)  # noqa: E731 - two uses

    assert plausible(edge) == edge
    if outside:
        with pytest.raises(Malformed):
            check()
    else:
        assert check() == edge + change
