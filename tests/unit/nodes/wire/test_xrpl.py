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
