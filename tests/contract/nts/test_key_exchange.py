"""Answers of key servers: odd, endless, slow, cut off."""

import ssl
import threading
import time
from collections.abc import Callable

import pytest

from lab.behaviour import silent
from lab.nts import (
    AEAD,
    COOKIE,
    END,
    ERROR,
    NEXT_PROTOCOL,
    PORT,
    SERVER,
    WARNING,
    Manner,
    NtsServer,
    Records,
)
from sources.base import Malformed, Refused, SourceError, TimedOut
from sources.nts import wire_ke as nts_ke
from tests.support.sources.nts import asked, but, holds_the_truth

UNKNOWN = 0x0400
"""A type of record that nobody knows."""


def answering(data: bytes) -> Manner:
    """Answer requests for keys with these bytes."""
    return Manner(bend=lambda _: data)


RESPONSES: dict[str, tuple[Manner, type[SourceError], str]] = {
    "error 0": (but(ERROR, b"\0\0"), Refused, "NTS-KE error 0: unrecognized critical record"),
    "error 1": (but(ERROR, b"\0\1"), Refused, "NTS-KE error 1: bad request"),
    "error 2": (but(ERROR, b"\0\2"), Refused, "NTS-KE error 2: internal server error"),
    "error 3": (but(ERROR, b"\0\3"), Refused, "NTS-KE error 3: unknown"),
    "error 65535": (but(ERROR, b"\xff\xff"), Refused, "NTS-KE error 65535: unknown"),
    "an error and nothing else": (
        answering(nts_ke.encode([(ERROR, b"\0\1", True), (END, b"", True)])),
        Refused,
        "NTS-KE error 1: bad request",
    ),
    "a warning": (but(WARNING, b"\0\7"), Refused, "NTS-KE warning 7: unknown"),
    "an unknown critical record": (
        but(UNKNOWN, b"abc"),
        Malformed,
        "NTS-KE record 1024: critical, and unknown",
    ),
    "no cookies": (Manner(cookies=0), Malformed, "NTS-KE: no cookie of 1 to 1024 bytes"),
    "AEAD 30": (
        but(AEAD, b"\0\x1e"),
        Malformed,
        "NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)",
    ),
    "no AEAD": (
        but(AEAD),
        Malformed,
        "NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)",
    ),
    "no next protocol": (
        but(NEXT_PROTOCOL),
        Malformed,
        "NTS-KE: the server does not offer NTPv4",
    ),
    "another next protocol": (
        but(NEXT_PROTOCOL, b"\0\1"),
        Malformed,
        "NTS-KE: the server does not offer NTPv4",
    ),
    "two servers": (
        but(SERVER, b"127.0.0.1", b"127.0.0.1"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a server of no name": (
        but(SERVER, b""),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a name that is none": (
        but(SERVER, b"time..test"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a name of bytes": (
        but(SERVER, b"\xff\0"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "port 0": (but(PORT, b"\0\0"), Malformed, "NTS-KE: names 1 ports, the first 0: one wanted"),
    "nothing": (answering(b""), Malformed, "NTS-KE: the response ends without End of Message"),
    "half a header": (
        answering(b"\x80\1\0"),
        Malformed,
        "NTS-KE: the response ends without End of Message",
    ),
    "half a body": (answering(b"\x80\1\0\2\0"), Malformed, "NTS-KE record 1: ends after 1 bytes"),
    "HTTP": (
        answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Malformed,
        "NTS-KE record 18516: ends after 24 bytes",
    ),
    "ALPN for something else": (
        Manner(protocol="http/1.1"),
        Malformed,
        "127.0.0.1: speaks no ntske/1",
    ),
    "no ALPN": (Manner(protocol=None), Malformed, "127.0.0.1: speaks no ntske/1"),
    "TLS 1.2": (
        Manner(newest=ssl.TLSVersion.TLSv1_2),
        Malformed,
        "127.0.0.1: TLS 1.2 or older offered: TLS 1.3 or newer wanted",
    ),
}
"""Exchanges that yield no keys, and what is said of them."""


@pytest.mark.parametrize("name", RESPONSES)
def test_an_exchange_that_yields_no_keys(name: str) -> None:
    """Fails at once, by name, after one connection, and nobody is asked for the time."""
    manner, error, says = RESPONSES[name]
    with NtsServer("Alpha") as server:
        server.manner = manner
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server)

        assert time.monotonic() - began < 1
        assert (server.connections, server.requests) == (1, [])
    assert str(caught.value) == says


def crumbs(link: ssl.SSLSocket, data: bytes) -> None:
    """Send one byte after the other, each in a record of TLS."""
    for byte in data:
        link.sendall(bytes([byte]))


@pytest.mark.parametrize(
    "manner",
    [
        but(UNKNOWN, b"abc", b"", critical=False),
        but(0x7FFF, bytes(4000), critical=False),
        but(NEXT_PROTOCOL, b"\0\0", critical=False),
        but(AEAD, b"\0\x0f", critical=False),
        Manner(bend=lambda records: nts_ke.encode(records) + b"more of it"),
        Manner(bend=lambda records: nts_ke.encode([*records[-2::-1], records[-1]])),
        Manner(cookies=200),
        Manner(send=crumbs),
    ],
    ids=[
        "unknown",
        "long and unknown",
        "uncritical protocol",
        "uncritical AEAD",
        "more",
        "backwards",
        "200 cookies",
        "crumbs",
    ],
)
def test_an_exchange_that_is_unusual(manner: Manner) -> None:
    """Unknown records that are not critical, another order, more than was to be said, crumbs."""
    with NtsServer("Alpha") as server:
        server.manner = manner
        assert holds_the_truth(asked(server))


def test_cookies_that_cannot_be_sent_are_passed_over() -> None:
    """An empty one, and one longer than a request may be; the good one is used."""

    def bend(records: Records) -> bytes:
        useless = [(COOKIE, b"", False), (COOKIE, bytes(1025), False)]
        return nts_ke.encode([*useless, *records])

    with NtsServer("Alpha") as server:
        server.manner = Manner(cookies=1, bend=bend)
        assert holds_the_truth(asked(server))


def endless(record: bytes) -> Callable[[ssl.SSLSocket, bytes], None]:
    """Send one record again and again, for as long as anybody reads."""

    def send(link: ssl.SSLSocket, data: bytes) -> None:
        while True:
            link.sendall(record)

    return send


@pytest.mark.parametrize(
    "record",
    [
        nts_ke.encode([(UNKNOWN, b"", False)]),
        nts_ke.encode([(COOKIE, bytes(100), False)]) * 50,
        nts_ke.encode([(UNKNOWN, bytes(65_535), False)]),
    ],
    ids=["small", "cookies", "large"],
)
def test_endless_records_are_not_read_to_the_end(record: bytes) -> None:
    """They are malformed long before the deadline."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(send=endless(record))
        began = time.monotonic()
        with pytest.raises(Malformed, match=r"^NTS-KE: more than 65536 bytes or 256 records$"):
            asked(server, 5)

        assert time.monotonic() - began < 1.5


def drip(link: ssl.SSLSocket, data: bytes) -> None:
    """Send one byte a third of a second, for as long as anybody reads."""
    for byte in data:
        link.sendall(bytes([byte]))
        threading.Event().wait(0.3)


def held_back(link: ssl.SSLSocket, data: bytes) -> None:
    """Send nothing, and wait for the client to go."""
    link.recv(1)


@pytest.mark.parametrize("send", [drip, held_back])
def test_keys_that_are_slow_to_come_cost_the_time_until_the_deadline(
    send: Callable[[ssl.SSLSocket, bytes], None],
) -> None:
    """And not more, though there may never be a long silence."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(send=send)
        began = time.monotonic()
        with pytest.raises(TimedOut, match="NTS-KE response"):
            asked(server, 0.8)

        assert 0.75 < time.monotonic() - began < 1.1


def test_the_deadline_is_one_for_keys_and_time() -> None:
    """What the exchange of keys has used up is not there for the time."""

    def slowly(link: ssl.SSLSocket, data: bytes) -> None:
        threading.Event().wait(0.4)
        link.sendall(data)

    with NtsServer("Alpha", silent) as server:
        server.manner = Manner(send=slowly)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            asked(server, 0.7)

        assert 0.65 < time.monotonic() - began < 1


@pytest.mark.parametrize("left", [0, 3, 6, 12, 115, 400, -5, -1])
def test_a_response_that_ends_early_is_malformed(left: int) -> None:
    """Though every cookie may be there."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(bend=lambda records: nts_ke.encode(records)[:left])
        with pytest.raises(Malformed, match=r"^NTS-KE"):
            asked(server)
