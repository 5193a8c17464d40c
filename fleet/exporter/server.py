"""A server that cannot be exhausted: past its limit it says so at once, and goes on.

One thread a request, with a deadline for the request to arrive and for the response to be taken.
Accepting goes on in the thread that calls `serve_forever`.
"""

import socket
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from fleet.exporter.messages import TEXT, BadRequest, Request, Response, decode, encode
from sources.clock import NS, Clock

_STACK_BYTES = 256 * 1024
_READING_NS = 5 * NS
_WRITING_S = 5.0
_BACKLOG = 1024
_AT_ONCE = 4096
_BUSY = Response(
    HTTPStatus.SERVICE_UNAVAILABLE, TEXT, "busy: as many requests as there can be at once\n"
)

Answer = Callable[[Request, int], Response]
"""Returns what a request gets; the second argument is when it arrived, on the raw clock."""


class Server:
    """Listens from construction on."""

    def __init__(
        self, place: tuple[str, int], answer: Answer, most_requests: int, clock: Clock
    ) -> None:
        """Bind to an address and a port, 0 for any; raise OSError."""
        self._answer = answer
        self._clock = clock
        self._slots = threading.BoundedSemaphore(most_requests)
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self._socket = socket.create_server(place, family=family, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]

    def serve_forever(self) -> None:
        """Accept for ever."""
        threading.stack_size(_STACK_BYTES)
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:  # a client that has gone, or no file to be had: the next one, perhaps
                threading.Event().wait(0.01)
                continue
            if not self._slots.acquire(blocking=False):
                _refuse(link)
                continue
            try:
                start_new_thread(self._work, (link, self._clock.raw_ns()))
            except RuntimeError:
                self._slots.release()
                _refuse(link)

    def _work(self, link: socket.socket, arrived_raw_ns: int) -> None:
        try:
            with suppress(OSError), link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(link, arrived_raw_ns)
        finally:
            self._slots.release()

    def _serve(self, link: socket.socket, arrived_raw_ns: int) -> None:
        with_body = True
        try:
            request = self._read(link, arrived_raw_ns + _READING_NS)
            with_body = request.method != "HEAD"
            response = self._answer(request, arrived_raw_ns)
        except BadRequest as error:
            response = Response(HTTPStatus.BAD_REQUEST, TEXT, f"{error}\n")
        except Exception as bug:
            response = Response(
                HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, f"bug: {type(bug).__name__}\n"
            )
            link.settimeout(_WRITING_S)
            link.sendall(encode(response, with_body=with_body))
            raise
        link.settimeout(_WRITING_S)
        link.sendall(encode(response, with_body=with_body))

    def _read(self, link: socket.socket, deadline_raw_ns: int) -> Request:
        """Return the request; raise BadRequest if it has not come by the deadline."""
        received = b""
        while True:
            left_ns = deadline_raw_ns - self._clock.raw_ns()
            if left_ns <= 0:
                raise BadRequest("the request did not arrive in time")
            link.settimeout(left_ns / NS)
            try:
                data = link.recv(_AT_ONCE)
            except TimeoutError as error:
                raise BadRequest("the request did not arrive in time") from error
            if not data:
                raise BadRequest("the request ends too early")
            received += data
            request = decode(received)
            if request is not None:
                return request


def _refuse(link: socket.socket) -> None:
    """Say that there is no more to be had, without waiting for anybody."""
    with suppress(OSError), link:
        link.setblocking(False)
        link.send(encode(_BUSY))
        link.shutdown(socket.SHUT_WR)
