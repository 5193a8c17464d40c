"""One bounded TCP conversation with one node.

Bounded in time by the question's deadline, whatever is done, and in bytes by what its protocol can
want. Leaving the block closes it, at once: what the node still sends is answered with a reset.
"""

import socket
from contextlib import suppress
from typing import Self

from nodes.base import Question
from sources.base import Malformed, Refused
from sources.net import tcp

_AT_ONCE = 4096
"""Bytes received at a time: more than most nodes have to say."""


class Link:
    """A connection to whichever address of a node takes it first."""

    def __init__(self, question: Question, most_bytes: int) -> None:
        """Connect; a node that sends more than `most_bytes` is malformed.

        Raises Unreachable or TimedOut.
        """
        self.clock = question.clock
        self.began_raw_ns = self.clock.raw_ns()
        """Before the node can have known of us."""
        self.received_raw_ns = 0
        """When the latest bytes had come."""
        self._run = question.run()
        self._most_bytes = self._bytes_left = most_bytes
        self._link: socket.socket
        self._link, self.server = tcp.connect(question.addresses, question.port, self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def send(self, data: bytes) -> None:
        """Send it all. Whether the other side has closed meanwhile shows when receiving."""
        with suppress(OSError):  # whatever it is, it is met again below
            data = data[self._link.send(data) :]  # a fresh connection takes it all at once
        if data:
            # What a node has sent before it closed is worth reading, so that is no failure yet.
            bounded = tcp.bounded(self._link, self.server, "request", self._run)
            with bounded, suppress(ConnectionError):
                self._link.sendall(data)

    def receive(self) -> bytes:
        """Return what comes next, at least a byte; raise Refused or Malformed at the end."""
        data = self._receive()
        if not data:
            received = self._most_bytes - self._bytes_left
            if not received:
                raise Refused(f"{self.server}: connection closed without a word")
            raise Malformed(f"{self.server}: ends after {received} bytes")
        self.received_raw_ns = self.clock.raw_ns()
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise Malformed(f"{self.server}: more than {self._most_bytes} bytes")
        return data

    def _receive(self) -> bytes:
        with tcp.bounded(self._link, self.server, "answer", self._run):
            try:
                return self._link.recv(_AT_ONCE)
            except ConnectionError:  # closed with something of ours unread
                return b""
