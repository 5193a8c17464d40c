"""Servers that drag, cut off or lie about length by TCP."""

import socket
import struct
import time

import pytest

from lab.roughtime import RoughtimeServer, Signer
from sources.base import Malformed, TimedOut, Unreachable, Unverified
from sources.clock import NS
from tests.support.fakes import a_run
from tests.support.sources.roughtime import UNSIGNED, Stream, forged, holds_the_truth, source_of


def test_a_late_reply_by_tcp_is_wide_but_true() -> None:
    """From before the sending until the last byte was read."""

    def slowly(link: socket.socket, request: bytes, signer: Signer) -> None:
        time.sleep(0.2)
        packet = signer.respond(request, 1, time.time_ns())
        link.sendall(packet[:100])
        time.sleep(0.2)
        link.sendall(packet[100:])

    with Stream(slowly) as server:
        sample = source_of(server, "tcp").sample(a_run())

    assert 0.4 * NS < sample.rtt_ns < 0.7 * NS
    assert holds_the_truth(sample)


def test_a_reply_by_tcp_may_come_in_pieces() -> None:
    """Byte by byte, if it likes, and what comes after it is not read."""

    def crumbs(link: socket.socket, request: bytes, signer: Signer) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in signer.respond(request, 1, time.time_ns()) + b"more of it":
            link.sendall(bytes([byte]))

    with Stream(crumbs) as server:
        sample = source_of(server, "tcp").sample(a_run())

    assert holds_the_truth(sample)


def test_a_server_that_drips_costs_the_time_until_the_deadline() -> None:
    """A byte every 20 ms is no answer in time, though there is never a long silence."""

    def drip(link: socket.socket, request: bytes, signer: Signer) -> None:
        for byte in signer.respond(request, 1, time.time_ns()):
            link.sendall(bytes([byte]))
            time.sleep(0.02)

    with Stream(drip) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut, match=r"response not done before|no time left"):
            source_of(server, "tcp").sample(a_run(deadline_s=0.5))

        assert 0.45 < time.monotonic() - began < 0.8


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0 of 12"), (7, "7 of 12"), (12, "0 of"), (100, "88 of")]
)
def test_a_server_that_closes_early(count: int, says: str) -> None:
    """Half a response is malformed, at once, and the error says how much there was of it."""

    def part(link: socket.socket, request: bytes, signer: Signer) -> None:
        link.sendall(signer.respond(request, 1, time.time_ns())[:count])

    with Stream(part) as server:
        began = time.monotonic()
        with pytest.raises(Malformed, match=f"^127.0.0.1: response ends after {says}"):
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ROUGHTIM" + b"\xff" * 4, "packet: message of 4294967295 bytes: at most 1012 wanted"),
        (b"HTTP/1.1 400 Bad Request\r\n", "packet: begins with b'HTTP/1.1': b'ROUGHTIM' wanted"),
        (b"ROUGHTIM" + bytes(4), "response: the number of tags needs 4 bytes, 0 are left"),
    ],
    ids=["4 GB", "HTTP", "empty"],
)
def test_a_header_is_judged_before_anything_is_read(data: bytes, says: str) -> None:
    """Four thousand million bytes are not waited for, nor is anything that is no packet."""

    def answer(link: socket.socket, _request: bytes, _signer: Signer) -> None:
        link.sendall(data)
        time.sleep(0.5)

    with Stream(answer) as server:
        began = time.monotonic()
        with pytest.raises(Malformed) as caught:
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.4
    assert str(caught.value) == says


def test_a_connection_that_is_reset_is_unreachable() -> None:
    """By name, at once."""

    def reset(link: socket.socket, _request: bytes, _signer: Signer) -> None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    says = r"^127\.0\.0\.1: response: Connection reset"
    with Stream(reset) as server, pytest.raises(Unreachable, match=says):
        source_of(server, "tcp").sample(a_run())


def test_a_bad_response_by_tcp_ends_the_question() -> None:
    """A stream has one answer."""
    with RoughtimeServer("Alpha", forged) as server:
        began = time.monotonic()
        with pytest.raises(Unverified, match=f"^{UNSIGNED}$"):
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.5
