"""A UDP server in a thread: the socket half of every datagram kind of lab server."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

from lab.behaviour import Reply
from sources.net.addresses import socket_address

_LONGEST = 4096
_ELSEWHERE = "127.254.254.254"
"""Another address of loopback; IPv6 has one only, there another port has to do."""


class UdpServer:
    """Listens on a free port of a loopback address from construction on; stops when closed."""

    def __init__(
        self, respond: Callable[[bytes], Iterable[Reply]], address: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Bind at once, so that nobody can ask before somebody listens; serve in a thread."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._respond = respond
        self._timers: list[threading.Timer] = []
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._other = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind(socket_address(address, port))
        self._other.bind(socket_address(address if ":" in address else _ELSEWHERE, 0))
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
