"""The time in a crawl of the XRP Ledger, in whatever pieces it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire import xrpl
from sources.base import Malformed
from sources.clock import NS
from tests.support.fleet.pieces import cuts, in_pieces


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
    ("unix_ns", "text"),
    [
        (1_578_538_555_288_460_999, "2020-Jan-09 02:55:55.288460 UTC"),
        (1_577_836_799_999_999_999, "2019-Dec-31 23:59:59.999999 UTC"),
        (-1, "1969-Dec-31 23:59:59.999999 UTC"),
        (0, "1970-Jan-01 00:00:00.000000 UTC"),
    ],
)
def test_a_time_as_the_server_writes_it(unix_ns: int, text: str) -> None:
    """Rounded down, also where the next second is a nanosecond away."""
    assert xrpl.encode(unix_ns) == text


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
        "", "2020-Jan-09 02:55:55.288460", "2020-Foo-09 02:55:55 UTC", "٢020-Jan-09 02:55:55 UTC",
        "2020-Jan-09 02:55:55.1234567890 UTC", "2020-Jan-09 02:55:55. UTC",
    ],
)  # fmt: skip
def test_what_does_not_look_like_a_time(text: str) -> None:
    """Nothing is guessed, and no more than 60 characters of it are shown."""
    for shown in (text, text + "x" * (60 - len(text))):
        with pytest.raises(Malformed) as caught:
            xrpl.time_of(shown if shown == text else f"{shown}more")

        wanted = "like 2020-Jan-09 02:55:55.288460 UTC wanted"
        assert str(caught.value) == f"time {shown!r}: {wanted}"


@pytest.mark.parametrize("what", ["Jan-32 02:55:55", "Jan-09 24:55:55", "Jan-09 02:55:60.5"])
def test_a_time_that_no_calendar_has(what: str) -> None:
    """The error shows it, and what Python says of it."""
    with pytest.raises(Malformed, match=rf"^time '2020-{what} UTC': [a-z]"):
        xrpl.time_of(f"2020-{what} UTC")


def test_a_time_too_far_away() -> None:
    """It is read, and no clock of nanoseconds can show it."""
    with pytest.raises(Malformed, match=r"^a stamp that no clock can show: "):
        xrpl.time_of("9999-Dec-31 00:00:00 UTC")


def test_a_crawl_without_a_server_ends() -> None:
    """Switched off: the document is over, and no time was in it."""
    crawl = xrpl.Crawl()
    ended = [crawl.ended]
    for piece in (
        b" \n",
        b' {"overlay":{"active":[]},"version":2',
        b'}{"server":{"time":"2020-Jan-09 02:55:55 UTC"}}',
    ):
        assert crawl.feed(piece) is None
        ended.append(crawl.ended)

    assert ended == [False, False, False, True]
    assert crawl.build == ""


@pytest.mark.parametrize(
    "body",
    [
        b'{"overlay":{"time":"no"},"version":2}',
        b'{"server":{"a":1},"time":"no"}',
        b'{"server":"x","a":{"time":"no"}}',
        b'{"server":[{"time":"no"}]}',
        b'{"server":{"time":{"time":"no"}}}',
        b'{"a":{"server":{"time":"no"}}}',
        b'{"a":{"server":0}:{"time":"no"}}',
        b'{"server",{"time":"no"}}',
    ],
)
def test_a_time_of_something_else(body: bytes) -> None:
    """Only what stands in the server itself is its time, even where JSON is broken."""
    crawl = xrpl.Crawl()

    assert crawl.feed(body) is None
    assert crawl.ended


def test_nothing_after_the_time_is_read() -> None:
    """Neither another one nor what is none."""
    crawl = xrpl.Crawl()

    found = crawl.feed(
        b'{"server":{"time":"2020-Jan-09 02:55:55 UTC","time":"no","build_version":""'
    )

    assert found == crawl.time == xrpl.Time(1_578_538_555 * NS, NS)


def test_a_build_is_utf_8_as_far_as_it_goes() -> None:
    """What is none is replaced."""
    crawl = xrpl.Crawl()
    crawl.feed(b'{"server":{"build_version":"2.4\xc3\xa9\xff"')

    assert crawl.build == "2.4\xe9\ufffd"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\n <!DOCTYPE html><html>\n", "no JSON object: begins with b'<!DOCTYPE html><'"),
        (b"[]", "no JSON object: begins with b'[]'"),
        (b'"time"', "no JSON object: begins with b'\"time\"'"),
        (b'{"a":"' + b"x" * 16_384, "JSON: a string of more than 16384 bytes"),
    ],
)
def test_what_is_no_crawl(body: bytes, why: str) -> None:
    """Not an object, or a string that does not end."""
    with pytest.raises(Malformed) as caught:
        xrpl.Crawl().feed(body)

    assert str(caught.value) == why


def test_a_string_of_16_kib_is_waited_for() -> None:
    """Its first quote counts, the last one does not."""
    crawl = xrpl.Crawl()

    assert crawl.feed(b'{"' + b"x" * 16_383) is None
    assert crawl.feed(b'":0}') is None
    assert crawl.ended


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
