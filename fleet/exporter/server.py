"""A server that cannot be exhausted: past its limit it refuses at once, and goes on.

One thread a connection, with a deadline for each request to arrive and for its response to be
taken. A connection stays open for more requests, which saves Prometheus and us most of what a
scrape costs; half of the threads there may be are for such, the others for one request each.
Accepting goes on in the thread that calls `serve_forever`.
"""

import socket
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from fleet.exporter.messages import END, TEXT, BadRequest, Request, Response, decode, encode
from sources.clock import NS, Clock

_STACK_BYTES = 256 * 1024
_READING_NS = 5 * NS
_WRITING_S = 5.0
_IDLE_NS = 15 * NS
"""How long a connection stays open without a request; a scrape interval is longer, but Prometheus
has many targets to use it for."""
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
        self._stays = threading.BoundedSemaphore(max(1, most_requests // 2))
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
        may_stay = self._stays.acquire(blocking=False)
        try:
            with suppress(OSError), link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(link, arrived_raw_ns, may_stay=may_stay)
        finally:
            if may_stay:
                self._stays.release()
            self._slots.release()

    def _converse(self, link: socket.socket, arrived_raw_ns: int, *, may_stay: bool) -> None:
        """Answer one request, or one after the other as long as the client has any."""
        received = b""
        while True:
            try:
                request, received = self._read(link, received, arrived_raw_ns + _READING_NS)
            except BadRequest as error:
                _send(link, Response(HTTPStatus.BAD_REQUEST, TEXT, f"{error}\n"))
                return
            stays = request.stays and may_stay
            self._respond(link, request, arrived_raw_ns, stays=stays)
            if not stays:
                return
            if not received:
                link.settimeout(_IDLE_NS / NS)
                received = link.recv(_AT_ONCE)
                if not received:
                    return
            arrived_raw_ns = self._clock.raw_ns()

    def _respond(
        self, link: socket.socket, request: Request, arrived_raw_ns: int, *, stays: bool
    ) -> None:
        with_body = request.method != "HEAD"
        try:
            response = self._answer(request, arrived_raw_ns)
        except Exception as bug:
            text = f"bug: {type(bug).__name__}\n"
            _send(link, Response(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, text), with_body=with_body)
            raise
        _send(link, response, with_body=with_body, stays=stays)

    def _read(
        self, link: socket.socket, received: bytes, deadline_raw_ns: int
    ) -> tuple[Request, bytes]:
        """Return the request that begins with `received`, and what came after it.

        Raises BadRequest if it has not come by the deadline.
        """
        while True:
            request = decode(received) if received else None
            if request is not None:
                return request, received.partition(END)[2]
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


def _send(
    link: socket.socket, response: Response, *, with_body: bool = True, stays: bool = False
) -> None:
    link.settimeout(_WRITING_S)
    link.sendall(encode(response, with_body=with_body, stays=stays))


def _refuse(link: socket.socket) -> None:
    """Say that there is no more to be had, without waiting for anybody."""
    with suppress(OSError), link:
        link.setblocking(False)
        link.send(encode(_BUSY))
        link.shutdown(socket.SHUT_WR)
