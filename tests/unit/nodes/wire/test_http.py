"""Requests, responses, and whose Date it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire import http
from sources.base import Malformed
from sources.clock import NS

RESPONSE = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: x\r\n\r\nbody"


def test_a_response_with_its_date() -> None:
    """Status, headers by their names in any case, and what follows."""
    head = http.decode(RESPONSE)

    assert head is not None
    assert (head.status, head.value("server"), head.value("via")) == (200, "x", "")
    assert head.body == b"body"
    assert http.date_unix_ns(head) == 784_111_777 * NS
    assert http.decode(RESPONSE.partition(b"\r\n\r\n")[0]) is None


def test_a_request_to_the_byte() -> None:
    """It asks for nothing kept by a cache, nothing compressed, and no second request."""
    assert http.encode("HEAD", "/a?b", "[2001:db8::1]:80", "time-drift/1") == (
        b"HEAD /a?b HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nUser-Agent: time-drift/1\r\n"
        b"Accept: */*\r\nAccept-Encoding: identity\r\nCache-Control: no-cache\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize("path", ["/a b ", "/a\r\nX: y", "/\xe9", "/a\tb"])
def test_what_would_break_a_request_is_none(path: str) -> None:
    """A line holds printable ASCII, and single blanks between it."""
    with pytest.raises(ValueError, match=r"^no line of an HTTP request: "):
        http.encode("GET", path, "node.test", "agent")


@pytest.mark.parametrize(("dates", "found"), [([], "no"), (["one", "two", "two"], "2")])
def test_one_date_is_wanted(dates: list[str], found: str) -> None:
    """None, and how many that differ, are counted."""
    data = "".join(["HTTP/1.1 200 OK\r\n", *(f"Date: {date}\r\n" for date in dates), "\r\n"])
    head = http.decode(data.encode())
    assert head is not None

    with pytest.raises(Malformed, match=f"^{found} Date headers in the response: one wanted$"):
        http.date_unix_ns(head)


def test_interim_responses_are_skipped() -> None:
    """Their Dates are not asked for."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    assert http.decode(early) is None
    assert http.decode(early + RESPONSE) == http.decode(RESPONSE)


OK = b"HTTP/1.1 200 OK\r\n"
LONG = b"x" * 40


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"S", "no HTTP response: begins with b'S'"),
        (b"SSH-2.0-OpenSSH_9.2p1 D\r\n", "no HTTP response: begins with b'SSH-2.0-OpenSSH_'"),
        (b"HTTP/2 200\r\n\r\n", "no HTTP response: begins with b'HTTP/2 200\\r\\n\\r\\n'"),
        (b"HTTP/1.1 999 x\r\n\r\n", "status line b'HTTP/1.1 999 x'"),
        (b"HTTP/1.1 200OK" + LONG + b"\r\n\r\n", f"status line b'HTTP/1.1 200OK{'x' * 26}'"),
        (OK + b"no colon" + LONG + b"\r\n\r\n", f"header line b'no colon{'x' * 32}'"),
        (OK + b" folded: x\r\n\r\n", "header line b' folded: x'"),
        (OK + b"blank : x\r\n\r\n", "header line b'blank : x'"),
        (OK + b": x\r\n\r\n", "header line b': x'"),
        (OK + b"\n\r\n\r\n", "header line b'\\n'"),
    ],
)
def test_what_is_no_response(data: bytes, why: str) -> None:
    """Each of these is Malformed as soon as it can be, with its beginning."""
    with pytest.raises(Malformed) as caught:
        http.decode(data)

    assert str(caught.value) == why


def test_headers_of_16_kib_are_waited_for() -> None:
    """And not a byte more, though the end of them may come with it."""
    data = (OK + b"X: ").ljust(16 * 1024, b"x")

    assert http.decode(data) is None
    with pytest.raises(Malformed, match=r"^response headers of more than 16384 bytes$"):
        http.decode(data + b"x")
    assert all(http.decode(OK[:length]) is None for length in range(len(OK) + 1))


def test_a_value_is_whatever_bytes_it_has() -> None:
    """Without the blanks and tabs around it, and nothing else is taken off (RFC 9110 5.5)."""
    head = http.decode(OK + b"A:X b\xe9: c\x0c \t\r\n\xc9:\x0bd\xa0X\r\nb:\r\n\r\nbody\r\n\r\nmore")

    assert head is not None
    assert head.headers == (("a", "X b\xe9: c\x0c"), ("\xe9", "\x0bd\xa0X"), ("b", ""))
    assert head.body == b"body\r\n\r\nmore"


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
        ("server", "Varnish " + "x" * 40, "Server: Varnish " + "x" * 32),
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
