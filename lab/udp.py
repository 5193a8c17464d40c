"""A UDP server in a thread: the socket half of every datagram kind of lab server."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

from lab.behaviour import Reply
from sources.net.addresses import socket_address

_LONGEST = 4096
_TRIES = 20
_ELSEWHERE = "127.254.254.254"
"""Another address of loopback; IPv6 has one only, there another port has to do."""


class UdpServer:
    """Listens on a free port of a loopback address from construction on; stops when closed."""

    def __init__(
        self,
        respond: Callable[[bytes], Iterable[Reply]],
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        bound: socket.socket | None = None,
    ) -> None:
        """Bind at once, so that nobody can ask before somebody listens; serve in a thread.

        `bound` is a socket that is bound to that address already.
        """
        self._respond = respond
        self._timers: list[threading.Timer] = []
        self._socket = bound or _bound(address, port)
        self._other = _bound(address if ":" in address else _ELSEWHERE, 0)
        self.address = address
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._closing = True
        for timer in self._timers:
            timer.cancel()
        with suppress(OSError):  # it says ENOTCONN, and wakes the reader all the same
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()
        self._other.close()

    def _serve(self) -> None:
        while True:
            try:
                data, client = self._socket.recvfrom(_LONGEST)
            except OSError:
                return
            if not client:
                return
            self.requests.append(data)
            for reply in self._respond(data):
                if self._closing:
                    return
                self._send(reply, client)

    def _send(self, reply: Reply, client: Any) -> None:
        sender = self._other if reply.elsewhere else self._socket
        if not reply.delay_s:
            self._try_to_send(sender, reply.data, client)
            return
        timer = threading.Timer(reply.delay_s, self._try_to_send, args=(sender, reply.data, client))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    @staticmethod
    def _try_to_send(sender: socket.socket, data: bytes, client: Any) -> None:
        try:
            sender.sendto(data, client)
        except OSError:
            return  # the client, or this server, has gone meanwhile


def one_port(address: str, port: int = 0) -> tuple[socket.socket, socket.socket]:
    """Return sockets for datagrams and for connections on one port, any that is free for both.

    What is free for the one need not be free for the other.
    """
    for _ in range(_TRIES):
        datagrams = _bound(address, port)
        try:
            return datagrams, socket.create_server(
                datagrams.getsockname()[:2], family=datagrams.family
            )
        except OSError:
            datagrams.close()
            if port:
                raise
    raise OSError(f"{address}: no port is free for both")


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind(socket_address(address, port))
    except OSError:
        made.close()
        raise
    return made
