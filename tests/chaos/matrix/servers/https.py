"""HTTPS servers at fault."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, only
from lab.https import (
    EXPIRED,
    HttpsServer,
    Identity,
    dated,
    drip,
    redirect,
    replaced,
    reset,
    with_body,
    with_header,
    without_date,
)
from lab.world import Server
from tests.chaos import servers
from tests.chaos.fault import Expected, Fault
from tests.chaos.servers import Closed, Stream, lab_time_unix_ns

_MB = 1 << 20


_USUAL = Identity()


def _row(
    name: str,
    does: str,
    behave: Behaviour = behaviour.honest,
    identity: Identity = _USUAL,
    greeting: Behaviour | None = None,
    patience_s: float | None = None,
    **more: Any,
) -> Fault:
    def server(operator: str) -> Server:
        return HttpsServer(
            operator,
            behave,
            time_unix_ns=lab_time_unix_ns,
            identity=identity,
            greeting=greeting,
            patience_s=patience_s,
        )

    return Fault(name=f"https: {name}", does=does, server=server, **more)


def _stream(name: str, does: str, act: servers.Act, **more: Any) -> Fault:
    made = partial(Stream, "https", act=act)
    return Fault(name=f"https: {name}", does=does, server=made, **more)


def _chunks(data: bytes, count: int) -> Behaviour:
    """Answer with these bytes again and again, and then truthfully."""

    def behave(reply: Honest) -> Iterable[Reply]:
        return [*[Reply(data)] * count, Reply(reply(0))]

    return behave


def _bare(reply: Honest) -> Iterable[Reply]:
    """Separate lines by a newline alone."""
    return [Reply(reply(0).replace(b"\r\n", b"\n"))]


_CODINGS = ", ".join(["gzip"] * 10_000)
FAULTS = [
    Fault("https: closed", "nobody listens", partial(Closed, "https"), says="Connection refused"),
    _stream("says nothing", "accepts, and says nothing", servers.say_nothing, says="https timeout"),
    _stream("hangs up", "accepts, and closes", servers.hang_up),
    _stream("resets", "accepts, and resets", servers.reset),
    _stream("plain text", "HTTP without TLS", servers.saying(b"HTTP/1.0 400 Bad\r\n\r\n")),
    _stream("zeros without end", "no TLS, for ever", servers.endless(bytes(100))),
    _stream(
        "drips TLS", "a record, a byte every 0.2 s", servers.dripping(b"\x16\x03\x03\xff", 0.2)
    ),
    _row("says nothing then", "a handshake, and no answer", behaviour.silent, says="timeout"),
    _row("drips", "a byte every 0.1 s", drip(0.1), says="https timeout"),
    _row("resets then", "a handshake, and a reset", reset),
    _row("no date", "no Date", without_date, says="no Date"),
    _row("no date at all", "a Date that is none", dated("yesterday"), says="malformed"),
    _row("31 February", "a Date that never was", dated("Sun, 31 Feb 2027 00:00:00 GMT")),
    _row("a date of digits", "10,000 digits", dated("9" * 10_000)),
    _row("1970", "a Date of 1970", dated("Thu, 01 Jan 1970 00:00:00 GMT"), says="unverified"),
    _row("two dates", "two that differ", with_header("Date", "Thu, 05 Nov 2026 00:00:00 GMT")),
    _row("cached", "Age: 3600", with_header("Age", "3600"), says="stale"),
    _row(
        "redirects",
        "to a place on this machine",
        redirect("http://127.0.0.1:1/"),
        alone=Expected.EITHER,
    ),
    _row("headers of 8 MB", "one header", replaced(b"Date", b"X: " + b"x" * 8 * _MB + b"\r\nDate")),
    _row(
        "headers without end", "thousands", with_header("X", "\r\n".join(["", *["A: b"] * 60_000]))
    ),
    _row("no end of line", "8 MB without a newline", _chunks(b"x" * _MB, 8)),
    _row(
        "hints without end",
        "1xx, a hundred thousand",
        _chunks(b"HTTP/1.1 103 H\r\n\r\n" * 1000, 100),
    ),
    _row(
        "10,000 codings",
        "gzip of gzip",
        with_header("Content-Encoding", _CODINGS),
        alone=Expected.EITHER,
    ),
    _row("a body", "16 MB after HEAD", with_body(b"x" * 16 * _MB), alone=Expected.EITHER),
    _row("unasked", "an answer before the question", behaviour.silent, greeting=behaviour.honest),
    _row("junk", "no HTTP", only(bytes(range(256)) * 8), says="malformed"),
    _row("HTTP/0.9", "a body alone", only(b"<html>hello</html>\r\n\r\n")),
    _row("HTTP/2", "frames of HTTP/2", only(b"\0\0\x12\4\0\0\0\0\0" + bytes(18)), says="malformed"),
    _row("NUL", "a NUL in a header", with_header("X", "a\0b")),
    _row("newlines alone", "no carriage returns", _bare, alone=Expected.EITHER),
    _row(
        "status 999",
        "no such status",
        replaced(b"204 No Content", b"999 \x1b[2J"),
        alone=Expected.EITHER,
    ),
    _row("status of letters", "not a number", replaced(b"204", b"two"), says="malformed"),
    _row("closes", "closes after each answer", patience_s=0, alone=Expected.EITHER),
    _row("expired", "a certificate that is no more", identity=EXPIRED, says="unverified"),
    _row("unknown CA", "signed by a stranger", identity=Identity(known=False), says="unverified"),
    _row(
        "another's", "another's certificate", identity=Identity(("a.example",)), says="unverified"
    ),
    _row(
        "certificate of a megabyte",
        "40,000 names",
        identity=Identity(tuple(f"n{n}.example" for n in range(40_000))),
    ),
    _row("too late", "after the deadline", behaviour.late(5), says="https timeout"),
    _row("twice", "a second answer behind the first", behaviour.twice, alone=Expected.EITHER),
]
