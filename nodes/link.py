"""One bounded TCP conversation with one node.

Bounded in time by the question's deadline, whatever is done, and in bytes by what its protocol can
want. Leaving the block closes it, at once: what the node still sends is answered with a reset.
"""

import socket
from collections.abc import Callable
from typing import Self

from nodes.base import Question
from sources.base import Malformed, Refused, TimedOut
from sources.net import tcp
from sources.net.steps import READABLE, WRITABLE, Steps, Wait

_AT_ONCE = 4096
"""Bytes received at a time: more than most nodes have to say."""


class Link:
    """A connection to whichever address of a node takes it first. What waits comes in steps."""

    def __init__(self, question: Question, most_bytes: int) -> None:
        """Note when it begins; a node that sends more than `most_bytes` is malformed."""
        self.clock = question.clock
        self.began_raw_ns = self.clock.raw_ns()
        """Before the node can have known of us."""
        self.received_raw_ns = 0
        """When the latest bytes had come."""
        self.server = ""
        """The address that it leads to."""
        self._question = question
        self._most_bytes = self._bytes_left = most_bytes
        self._link: socket.socket
        self._close: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def connect(self) -> Steps[None]:
        """Connect; raise Unreachable or TimedOut."""
        question = self._question
        self._link, self.server = yield from tcp.connecting(
            question.addresses, question.port, question.run()
        )
        self._close = self._link.close

    def send(self, data: bytes) -> Steps[None]:
        """Send it all. Whether the other side has closed meanwhile shows when receiving."""
        while data:
            try:
                data = data[self._link.send(data) :]  # a fresh connection takes it all at once
            except BlockingIOError:
                yield from self._wait(WRITABLE, "request")
            except ConnectionError:  # what it sent before it closed is worth reading
                return
            except OSError as error:
                raise tcp.failure(error, self.server, "request") from error

    def receive(self) -> Steps[bytes]:
        """Return what comes next, at least a byte; raise Refused or Malformed at the end."""
        data = None
        while data is None:
            yield from self._wait(READABLE, "answer")
            data = self._received()
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

    def _received(self) -> bytes | None:
        """Return what has come, nothing at the end, None while there is neither."""
        try:
            return self._link.recv(_AT_ONCE)
        except BlockingIOError:
            return None
        except ConnectionError:  # closed with something of ours unread
            return b""
        except OSError as error:
            raise tcp.failure(error, self.server, "answer") from error

    def _wait(self, events: int, what: str) -> Steps[None]:
        """Wait until the socket is ready, until the deadline at most: raise TimedOut then."""
        deadline_raw_ns = self._question.deadline_raw_ns
        if self.clock.raw_ns() >= deadline_raw_ns:
            raise TimedOut(f"no time left for the {what}")
        ready = yield Wait(((self._link.fileno(), events),), deadline_raw_ns)
        if not ready:
            raise TimedOut(f"{self.server}: {what} not done before the deadline")
