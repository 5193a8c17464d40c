"""Servers that drag, hang up, say too much or never end."""

import ssl

import pytest

from lab.https import HttpsServer, drip, huge_headers, with_header
from sources.base import Malformed, TimedOut, Unreachable
from sources.clock import NS
from tests.support.fakes import Elapsed, a_run
from tests.support.sources.https import (
    SLACK_S,
    SOON_S,
    Scripted,
    World,
    sample_of,
    source_of,
)


def test_a_response_that_drips_is_cut_off_at_the_deadline() -> None:
    """A byte every 20 ms keeps a server talking for seconds, but not us listening."""
    with (
        HttpsServer("Alpha", drip(0.02)) as server,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match=r"response not done before the deadline|no time left"),
    ):
        sample_of(server, deadline_s=0.5)

    assert len(server.requests) == 1
    assert 0.45 < elapsed.s < 0.5 + SLACK_S


def test_an_end_without_a_response_is_reported() -> None:
    """A server that closes the connection after the request is unreachable, and says so."""
    with (
        Scripted(lambda link, _: None) as server,
        pytest.raises(Unreachable, match="connection closed instead of a response"),
    ):
        sample_of(server)


def test_half_a_response_is_malformed() -> None:
    """One that breaks off in the middle of its headers has begun to answer, and badly."""
    with (
        Scripted(lambda link, honest: link.sendall(honest[:40])) as server,
        pytest.raises(Malformed, match="HTTP: "),
    ):
        sample_of(server)


def test_huge_headers_are_malformed() -> None:
    """A megabyte of headers is not read to its end to find a Date there."""
    with (
        HttpsServer("Alpha", huge_headers) as server,
        Elapsed() as elapsed,
        pytest.raises(Malformed, match=r"^response headers of more than 65536 bytes$"),
    ):
        sample_of(server)

    assert elapsed.s < SOON_S


@pytest.mark.parametrize(("kilobytes", "fits"), [(48, True), (80, False)])
def test_headers_may_be_large(kilobytes: int, fits: bool) -> None:
    """Up to 64 KiB are read, which is more than any browser takes."""
    lines = [f"{number:03}" + "x" * 1000 for number in range(kilobytes)]
    with HttpsServer("Alpha", with_header("X", "\r\nX: ".join(lines))) as server:
        if fits:
            assert sample_of(server).authenticated
        else:
            with pytest.raises(Malformed, match="more than 65536 bytes"):
                sample_of(server)


def test_a_machine_that_was_away_does_not_wait_again(world: World) -> None:
    """Held up past the deadline in the middle of a response, we do not read on."""

    def answer_late(link: ssl.SSLSocket, honest: bytes) -> None:
        world.clock.ahead_ns += 10 * NS
        link.sendall(honest[:20])
        world.go_on.wait(5)

    with Scripted(answer_late, world.time_unix_ns) as server:
        with pytest.raises(TimedOut, match=r"no time left for the re(quest|sponse)"):
            source_of(server).sample(a_run(5, clock=world.clock))
        world.go_on.set()


@pytest.mark.parametrize(
    ("endless", "says"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "more than 65536 bytes"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", "more than 65536 bytes"),
        (b"HTTP/1.1 204 No Content\r\nX: " + b"x" * 1000, "more than 65536 bytes"),
        (b"HTTP/1.1 204 No Content\r\n" + b"X: x\r\n" * 100, "more than 65536 bytes"),
        (b"\r\n", "HTTP: "),
        (b"x", "HTTP: |more than 65536 bytes"),
    ],
)
def test_a_response_without_end_is_malformed(endless: bytes, says: str) -> None:
    """Interim responses, or headers, without end are cut off after 64 KiB, not kept and not read
    until the deadline.
    """

    def go_on(link: ssl.SSLSocket, _: bytes) -> None:
        while True:
            link.sendall(endless * (4096 // len(endless) + 1))

    with Scripted(go_on) as server:
        source = source_of(server)
        with Elapsed() as elapsed, pytest.raises(Malformed, match=says):
            source.sample(a_run(5))

    assert elapsed.s < 2
