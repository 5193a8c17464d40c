"""Connections that servers close, and that they spoil; no socket is left open."""

import gc
import os
import ssl
import time
import warnings
from collections.abc import Callable
from contextlib import suppress

import pytest

from drift.config import parse
from lab.https import HttpsServer, Identity, with_body
from sources.base import Unverified
from sources.https.proof import MOST_REQUESTS
from tests.support.fakes import a_run
from tests.support.sources.https import Scripted, World, sample_of, source_of


def answer_and_close(link: ssl.SSLSocket, honest: bytes) -> None:
    link.sendall(honest.replace(b"\r\nServer", b"\r\nConnection: close\r\nServer"))


def answer_and_leave(link: ssl.SSLSocket, honest: bytes) -> None:
    link.sendall(honest)


@pytest.mark.parametrize("script", [answer_and_close, answer_and_leave])
def test_a_server_that_closes_can_be_asked_again(
    world: World, script: Callable[[ssl.SSLSocket, bytes], None]
) -> None:
    """Whether it announces that or just leaves, each question then gets a connection of its own.

    One more is there if it left before it was settled that there is nothing else to ask.
    """
    with Scripted(script, world.time_unix_ns) as server:
        world.wait_for = server.left
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) > 1
    assert server.connections - len(samples) in (0, 1)
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns


def test_http_1_0_is_understood() -> None:
    """A server of 1996 answers, if only once a connection."""

    def old(link: ssl.SSLSocket, honest: bytes) -> None:
        link.sendall(honest.replace(b"HTTP/1.1", b"HTTP/1.0"))

    with Scripted(old) as server:
        assert sample_of(server).authenticated


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_sockets_are_not_leaked() -> None:
    """Twenty questions, and as many conversations left in the middle, leave nothing open."""
    with HttpsServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        before = open_files()
        for _ in range(20):
            source.sample(a_run())
            conversation = source.conversation(a_run())
            next(conversation)
            conversation.close()
        for _ in range(100):  # the server's threads close theirs a moment later
            if open_files() <= before:
                break
            time.sleep(0.01)

        assert open_files() <= before


@pytest.mark.parametrize("identity", [Identity(known=False), Identity(("other.test",))])
def test_a_failed_handshake_leaves_no_socket_open(identity: Identity) -> None:
    """What cannot be used is closed, and not left to be found by the garbage collector."""
    gc.collect()
    with HttpsServer("Alpha", identity=identity) as server:
        (source,) = parse(server.toml(), "the test").sources
        with warnings.catch_warnings(record=True) as reported:
            warnings.simplefilter("always", ResourceWarning)
            with suppress(Unverified):
                source.sample(a_run())
            gc.collect()

    assert [str(warning.message) for warning in reported] == []


def test_a_connection_that_is_not_clean_is_replaced_before_the_moment(world: World) -> None:
    """A body after HEAD costs a connection, not the question; it is made before the waiting."""
    body = with_body(b"x" * 22, b"Content-Length: 22\r\n")
    with world.server(world.far_away(body)) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) == server.connections == MOST_REQUESTS
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns
