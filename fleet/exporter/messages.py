"""HTTP as far as an exporter needs it: a request's bytes to its parts, a response to bytes. Pure.

A response is one write: headers and body sent apart wait for one another on the other side (Nagle's
algorithm against delayed acknowledgements), 40 ms each time.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from sources.record import Record

LONGEST_REQUEST = 16 * 1024
TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
PAGE = "text/html; charset=utf-8"

END = b"\r\n\r\n"
"""What a request ends with: none has a body here."""

_MOST_FIELDS = 10
_LINE_WORDS = 3


class BadRequest(Exception):
    """What a client sent is no request, or not one for us."""


class Request(Record):
    """What a client wants."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By their names in small letters."""
    stays: bool = False
    """Whether the client would ask more on the same connection (RFC 9112 section 9.3)."""


class Response(Record):
    """What it gets."""

    status: HTTPStatus
    kind: str
    body: str
    headers: tuple[tuple[str, str], ...] = ()


def decode(received: bytes) -> Request | None:
    """Return the request, None while it is not all there; raise BadRequest."""
    head, end, _ = received.partition(END)
    if not end:
        if len(received) > LONGEST_REQUEST:
            raise BadRequest("the request is too long")
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != _LINE_WORDS or not words[2].startswith("HTTP/1."):
        raise BadRequest("this is no HTTP request")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    try:
        split = urlsplit(words[1])
        fields = parse_qsl(split.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadRequest(f"the request's target: {error}") from error
    query = dict(fields)
    if len(query) != len(fields):
        raise BadRequest("a parameter stands twice in the query")
    wish = headers.get("connection", "").lower()
    stays = words[2] == "HTTP/1.1" and "close" not in wish and words[0] in ("GET", "HEAD")
    return Request(words[0], unquote(split.path), query, headers, stays)


def encode(response: Response, *, with_body: bool = True, stays: bool = False) -> bytes:
    """Return the whole response, for HEAD without its body; `stays` if the connection does."""
    body = response.body.encode("utf-8", "backslashreplace")
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if stays else 'close'}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(f"{name}: {value}" for name, value in response.headers),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + (body if with_body else b"")
