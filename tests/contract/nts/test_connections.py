"""Key servers that speak no TLS, are silent, or hang up; nothing is left open."""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from lab.behaviour import silent
from lab.nts import ERROR, Manner, NtsServer
from sources.base import Malformed, Refused, Sample, SourceError, TimedOut, Unreachable
from sources.nts.source import NtsSource
from tests.support.fakes import a_run
from tests.support.sources.nts import Listener, asked, but, holds_the_truth

RAW: dict[str, tuple[bytes, type[SourceError]]] = {
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", Malformed),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", Malformed),
    "zeros": (bytes(100), Malformed),
    "an alert": (b"\x15\3\3\0\2\2\x28", Malformed),
    "half a record": (b"\x16\3\3\1\0\2", Unreachable),
    "nothing": (b"", Unreachable),
}
"""What is no TLS, and what comes of it."""


@pytest.mark.parametrize("name", RAW)
def test_a_server_that_speaks_no_tls(name: str) -> None:
    """Fails by name, at once."""
    data, error = RAW[name]

    def say(link: socket.socket) -> None:
        link.recv(4096)
        link.sendall(data)

    with Listener(say) as server:
        began = time.monotonic()
        with pytest.raises(error, match=r"^127\.0\.0\.1: TLS handshake: "):
            asked(server)

        assert time.monotonic() - began < 1


def test_a_connection_that_is_reset_is_unreachable() -> None:
    """By name."""

    def reset(link: socket.socket) -> None:
        link.recv(4096)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    says = r"^127\.0\.0\.1: TLS handshake: Connection reset"
    with Listener(reset) as server, pytest.raises(Unreachable, match=says):
        asked(server)


def drip_a_handshake(link: socket.socket) -> None:
    """Send the beginning of a TLS record, one byte a tenth of a second."""
    for byte in b"\x16\3\3\x40\0\2" + bytes(100):
        link.sendall(bytes([byte]))
        threading.Event().wait(0.1)


def say_nothing(link: socket.socket) -> None:
    """Read until the client goes."""
    while link.recv(4096):
        pass


@pytest.mark.parametrize("script", [drip_a_handshake, say_nothing])
def test_a_silent_key_server_is_a_timeout_at_the_deadline(
    script: Callable[[socket.socket], None],
) -> None:
    """Not later, and the handshake is named."""
    with Listener(script) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut, match="TLS handshake not done before the deadline"):
            asked(server, 0.4)

        assert 0.35 < time.monotonic() - began < 0.7


def passing(server: NtsServer, most: int, passed: list[int]) -> Callable[[socket.socket], None]:
    """Pass bytes between client and server; close once the server has sent so many."""

    def script(link: socket.socket) -> None:
        with socket.create_connection((server.address, server.port)) as behind:
            left = most
            while left and (ready := select.select([link, behind], [], [], 5)[0]):
                data = ready[0].recv(left if ready[0] is behind else 4096)
                if not data:
                    return
                (link if ready[0] is behind else behind).sendall(data)
                if ready[0] is behind:
                    left -= len(data)
                    passed.append(len(data))

    return script


def test_a_connection_that_ends_at_any_point_is_a_named_failure() -> None:
    """In the handshake, before the response, within it: no sample, no waiting."""
    with NtsServer("Alpha") as server:

        def through(most: int, passed: list[int]) -> Sample:
            with Listener(passing(server, most, passed)) as listener:
                source = NtsSource("127.0.0.1", listener.port, "Alpha", (), server.ca_file)
                return source.sample(a_run())

        whole: list[int] = []
        assert holds_the_truth(through(1_000_000, whole))
        for most in range(0, sum(whole) - 64, 97):  # signatures differ by a few bytes in length
            began = time.monotonic()
            with pytest.raises((Unreachable, Malformed)):
                through(most, [])
            assert time.monotonic() - began < 1
        assert len(server.requests) == 1


def test_files_and_sockets_are_not_leaked() -> None:
    """Forty questions, answered, refused and timed out, leave nothing open behind."""
    with NtsServer("Alpha") as good, NtsServer("Alpha", silent) as bad:
        refusing = partial(but, ERROR)
        asked(good)
        before = after = open_files()
        for _ in range(20):
            asked(good)
            bad.manner = refusing(b"\0\2")
            with pytest.raises(Refused):
                asked(bad)
            bad.manner = Manner()
            with pytest.raises(TimedOut):
                asked(bad, 0.03)
        for _ in range(100):
            if (after := open_files()) <= before:
                break
            threading.Event().wait(0.02)  # the server's ends

    assert after <= before


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
