"""One TCP connection to whichever address of a server takes it first.

`connect` makes it, `connecting` in steps; `bounded` keeps the deadline over whatever is then done
with it. The addresses are tried in their order, which alternates the families: the next one when
one is refused, or after 0.25 s of silence, the earlier ones still trying (RFC 8305 section 5). So a
family that leads nowhere costs a quarter of a second and not the run.
"""

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from sources.base import (
    Malformed,
    Run,
    SourceError,
    TimedOut,
    Unavailable,
    Unreachable,
    is_local,
)
from sources.clock import NS
from sources.net.addresses import family_of, socket_address
from sources.net.steps import WRITABLE, Steps, Wait, held

_SILENCE_NS = NS // 4


def connect(addresses: tuple[str, ...], port: int, run: Run) -> tuple[socket.socket, str]:
    """Return a connected socket that sends without delay, and the address it leads to.

    Raises Unreachable when every address has refused, TimedOut at the deadline.
    """
    return held(connecting(addresses, port, run), run.clock)


def connecting(addresses: tuple[str, ...], port: int, run: Run) -> Steps[tuple[socket.socket, str]]:
    """Do what `connect` does, in steps; the socket that it returns does not block."""
    race = _Race(addresses, port, run)
    try:
        while True:
            ready = yield race.begin_due()
            winner = race.winner(ready)
            if winner is not None:
                return winner
    finally:
        race.close()


@contextmanager
def bounded(link: socket.socket, server: str, what: str, run: Run) -> Iterator[None]:
    """Let an operation of the socket last until the deadline at most, and name what went wrong.

    It has to be one operation, as sendall or a handshake are: to receive byte by byte is many.
    """
    left_ns = run.deadline_raw_ns - run.clock.raw_ns()
    if left_ns <= 0:
        raise TimedOut(f"no time left for the {what}")
    link.settimeout(left_ns / NS)
    try:
        yield
    except OSError as error:
        raise failure(error, server, what) from error


def failure(error: OSError, server: str, what: str) -> SourceError:
    """Return what an error means that an operation of a socket has ended with."""
    if isinstance(error, TimeoutError):
        return TimedOut(f"{server}: {what} not done before the deadline")
    kind = Unavailable if is_local(error) else Unreachable
    return kind(f"{server}: {what}: {error.strerror or error}")


def receive(link: socket.socket, count: int, server: str, what: str, run: Run) -> bytes:
    """Return the next `count` bytes; raise Malformed where the server ends before."""
    received = bytearray()
    while len(received) < count:
        with bounded(link, server, what, run):
            data = link.recv(count - len(received))
        if not data:
            raise Malformed(f"{server}: {what} ends after {len(received)} of {count} bytes")
        received += data
    return bytes(received)


class _Race:
    """The attempts of one `connect`."""

    def __init__(self, addresses: tuple[str, ...], port: int, run: Run) -> None:
        self._untried: Iterator[str] = iter(addresses)
        self._port = port
        self._run = run
        self._attempts: dict[int, tuple[socket.socket, str]] = {}
        self._next_raw_ns = 0
        self._errors: list[str] = []
        self._are_local = False
        """Whether all of them are this machine's own."""

    def close(self) -> None:
        """Close what did not win."""
        for link, _ in self._attempts.values():
            link.close()

    def begin_due(self) -> Wait:
        """Begin what is due, and return what to wait for; raise TimedOut or Unreachable."""
        now_ns = self._run.clock.raw_ns()
        if now_ns >= self._run.deadline_raw_ns:
            raise TimedOut(self._with_errors("no connection before the deadline"))
        if now_ns >= self._next_raw_ns or not self._attempts:
            self._next_raw_ns = now_ns + _SILENCE_NS
            more = any(self._begin(address) for address in self._untried)
            if not more:
                self._next_raw_ns = self._run.deadline_raw_ns
        if not self._attempts:
            kind = Unavailable if self._are_local else Unreachable
            raise kind(self._with_errors("no address can be reached"))
        until_ns = min(self._next_raw_ns, self._run.deadline_raw_ns)
        return Wait(tuple((number, WRITABLE) for number in self._attempts), until_ns)

    def winner(self, ready: Collection[int]) -> tuple[socket.socket, str] | None:
        """Return the connection, if there is one among the attempts that have come to an end."""
        for number in ready:
            link, address = self._attempts.pop(number)
            code = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return link, address
            link.close()
            self._note(address, OSError(code, os.strerror(code)))
            self._next_raw_ns = 0
        return None

    def _begin(self, address: str) -> bool:
        """Begin to connect; False, the reason noted, if the system refuses at once."""
        try:
            # Not blocking from the beginning: to make it so afterwards is one more system call.
            kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
            link = socket.socket(family_of(address), kind)
        except OSError as error:
            self._note(address, error)
            return False
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BlockingIOError):
                link.connect(socket_address(address, self._port))
        except OSError as error:
            link.close()
            self._note(address, error)
            return False
        self._attempts[link.fileno()] = (link, address)
        return True

    def _note(self, address: str, error: OSError) -> None:
        self._are_local = is_local(error) and (self._are_local or not self._errors)
        self._errors.append(f"{address} port {self._port}: {error.strerror or error}")

    def _with_errors(self, what: str) -> str:
        return f"{what} ({'; '.join(self._errors)})" if self._errors else what
