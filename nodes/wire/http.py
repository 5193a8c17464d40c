"""HTTP/1.1 as far as a Date needs it: a request, the head of a response, and whose Date it is.
Pure; any bytes in, only Malformed out."""

import re
from collections.abc import Iterable

from nodes.wire.stamps import plausible
from sources.base import Malformed
from sources.clock import NS
from sources.https import wire_date
from sources.record import Record

LONGEST_HEAD = 16 * 1024
"""Bytes of headers; what CDNs add, and policies of some kilobytes, are among them."""
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_INTERIM = 200
_SENDABLE = re.compile(r"[!-~]+( [!-~]+)*")

_PROXIES = (
    "via", "cf-ray", "cf-cache-status", "x-amz-cf-id", "x-amz-cf-pop", "x-served-by", "x-cache",
    "x-cache-status", "x-proxy-cache", "x-varnish", "x-fastly-request-id", "x-azure-ref",
    "x-akamai-transformed", "akamai-grn", "age",
)  # fmt: skip
"""Headers that only something between the node and us adds."""
_PROXY_SERVERS = re.compile(
    r"(?i)(cloudflare|cloudfront|akamai\w*|varnish|google frontend|bunnycdn|fastly|ddos-guard)\b"
)
_LAGS = (
    # Go's net/http reads the clock for each response (golang/go src/net/http/server.go).
    (re.compile(r"(?i)caddy\b"), 0),
    # nginx reads it whenever it wakes for events (ngx_epoll_process_events), of which one's answer
    # may wait for those before it.
    (re.compile(r"(?i)nginx\b"), NS // 10),
)
"""How late the Date of a server may be, by its own name."""
LAG_NS = NS
"""The same, of all others: Kestrel, lighttpd and older hyper make it once a second, unaligned."""


class Head(Record):
    """The status line and the headers of one response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    """What came behind them."""

    def value(self, name: str) -> str:
        """Return the header of this name, empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")


def encode(method: str, path: str, authority: str, agent: str) -> bytes:
    """Return a request that asks for nothing that is cached; raise ValueError for what none can be.

    Callers pass checked targets; that nothing ends the line is made sure of here all the same.
    """
    lines = [
        f"{method} {path} HTTP/1.1", f"Host: {authority}", f"User-Agent: {agent}", "Accept: */*",
        "Accept-Encoding: identity", "Cache-Control: no-cache", "Connection: close",
    ]  # fmt: skip
    for line in lines:
        if not _SENDABLE.fullmatch(line):
            raise ValueError(f"no line of an HTTP request: {line!r}")
    return "\r\n".join([*lines, "", ""]).encode()


def decode(data: bytes) -> Head | None:
    """Return the head of the response in what a server has sent; None while it is not all there.

    Interim responses (1xx) before it are skipped.
    """
    while True:
        if not b"HTTP/1.".startswith(data[:7]):
            raise Malformed(f"no HTTP response: begins with {data[:16]!r}")
        head, end, body = data.partition(_END)
        if not end:
            if len(data) > LONGEST_HEAD:
                raise Malformed(f"response headers of more than {LONGEST_HEAD} bytes")
            return None
        found = _head(head, body)
        if found.status >= _INTERIM:
            return found
        data = body


def date_unix_ns(head: Head) -> int:
    """Return the time that the one Date of a response says."""
    dates = {value for name, value in head.headers if name == "date"}
    if len(dates) != 1:
        raise Malformed(f"{len(dates) or 'no'} Date headers in the response: one wanted")
    return plausible(wire_date.decode(dates.pop()) * NS)


def proxy(head: Head) -> str:
    """Return the header by which another machine between shows itself, empty where none does."""
    for name, value in head.headers:
        if name in _PROXIES:
            return name.title() if name != "cf-ray" else "CF-Ray"
        if name == "server" and _PROXY_SERVERS.match(value):
            return f"Server: {value[:40]}"
    return ""


def lag_ns(server: str) -> int:
    """Return how late the Date of a server that calls itself this may be."""
    return next((lag for name, lag in _LAGS if name.match(server)), LAG_NS)


def authority(host: str, port: int, usual_port: int) -> str:
    """Return a host and its port the way a Host header has them."""
    bare = host.removesuffix(".")
    bracketed = f"[{bare}]" if ":" in bare else bare
    return bracketed if port == usual_port else f"{bracketed}:{port}"


def _head(head: bytes, body: bytes) -> Head:
    first, *lines = head.split(b"\r\n")
    match = _STATUS.fullmatch(first)
    if match is None:
        raise Malformed(f"status line {first[:40]!r}")
    return Head(int(match[1]), tuple(_headers(lines)), body)


def _headers(lines: Iterable[bytes]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise Malformed(f"header line {line[:40]!r}")
        yield name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")
