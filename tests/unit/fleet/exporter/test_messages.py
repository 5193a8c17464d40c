"""HTTP as far as an exporter needs it: any bytes in, a request or BadRequest out."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.exporter.answers import _timeout_ns
from fleet.exporter.messages import TEXT, BadRequest, Request, Response, decode, encode
from sources.clock import NS

WHOLE = (
    b"GET /probe?target=bitcoin%3A%2F%2Fa.example&module= HTTP/1.1\r\nHost: x\r\nA-B:  c \r\n\r\n"
)


def test_a_request() -> None:
    """Its method, path, query and headers."""
    assert decode(WHOLE) == Request(
        "GET",
        "/probe",
        {"target": "bitcoin://a.example", "module": ""},
        {"host": "x", "a-b": "c"},
        stays=True,
    )


@pytest.mark.parametrize(
    ("request_line", "header", "stays"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"HEAD / HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"GET / HTTP/1.1", b"Connection: Close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"POST / HTTP/1.1", b"Content-Length: 9\r\n", False),
    ],
)
def test_whether_a_connection_stays(request_line: bytes, header: bytes, stays: bool) -> None:
    """As HTTP/1.1 has it; of what may have a body nothing more is read."""
    found = decode(request_line + b"\r\n" + header + b"\r\n")

    assert found is not None
    assert found.stays is stays
    assert b"Connection: keep-alive\r\n" in encode(Response(HTTPStatus.OK, TEXT, ""), stays=True)


def test_a_request_in_parts() -> None:
    """Nothing is said of it before it is all there."""
    assert all(decode(WHOLE[:end]) is None for end in range(len(WHOLE) - 1))


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /?a=1&a=2 HTTP/1.1\r\n\r\n",
        b"GET /?" + b"&".join(b"%d=1" % n for n in range(20)) + b" HTTP/1.1\r\n\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_what_is_no_request(data: bytes) -> None:
    """Bounded in bytes and in fields."""
    with pytest.raises(BadRequest):
        decode(data)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(data: bytes, is_ended: bool) -> None:
    """Only our error."""
    try:
        decode(data + (b"\r\n\r\n" if is_ended else b""))
    except BadRequest:
        return


def test_a_response() -> None:
    """One piece; for HEAD the same without the body."""
    response = Response(HTTPStatus.OK, TEXT, "healthy\n", (("X-Y", "z"),))

    whole, head = encode(response), encode(response, with_body=False)

    assert whole == head + b"healthy\n"
    assert whole.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n")
    assert b"\r\nContent-Length: 8\r\nConnection: close\r\n" in head
    assert b"\r\nX-Y: z\r\n" in head


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("10", 9.5),
        ("1", 0.75),
        ("0.2", 0.15),
        ("1000", 119.5),
        ("nan", 9.5),
        ("inf", 9.5),
        ("-1", 9.5),
        ("0", 9.5),
        ("soon", 9.5),
        (None, 9.5),
    ],
)
def test_how_long_a_scrape_may_take(header: str | None, seconds: float) -> None:
    """By Prometheus's header, less what it takes to answer."""
    headers = {} if header is None else {"x-prometheus-scrape-timeout-seconds": header}

    assert _timeout_ns(Request("GET", "/probe", {}, headers)) == round(seconds * NS)
