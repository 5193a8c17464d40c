"""An HTTPS server that can be made to lie, with a certificate authority of its own."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Self

from lab.authority import DAY_S, FOR_LIFE, LIFETIME, Authority
from lab.behaviour import Behaviour, Honest, Reply, honest
from sources.clock import NS
from sources.https import wire_date as http_date
from sources.record import Record

_LONGEST_REQUEST = 8192
_END = b"\r\n\r\n"
_AT_ONCE_CLOSED = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""


class Identity(Record):
    """What kind of certificate a server shows."""

    names: tuple[str, ...] = ()
    """Whom it names; not given, the server's own address."""
    lifetime: tuple[int, int] = LIFETIME
    intermediate: tuple[int, int] = FOR_LIFE
    known: bool = True
    """Whether clients are given the CA that signed it, or another one."""


_ORDINARY = Identity()
EXPIRED = Identity(lifetime=(-2 * DAY_S, -DAY_S))


class HttpsServer:
    """Listens from construction on; answers each request as its behaviour wants."""

    kind = "https"

    def __init__(  # noqa: PLR0913 - all that a server can be
        self,
        operator: str,
        behaviour: Behaviour = honest,
        *,
        time_unix_ns: Callable[[], int] = time.time_ns,
        identity: Identity = _ORDINARY,
        address: str = "127.0.0.1",
        port: int = 0,
        greeting: Behaviour | None = None,
        patience_s: float | None = None,
    ) -> None:
        """Make the certificates, bind, and serve in threads.

        `greeting` is what each connection begins with, unasked. A connection by which nothing is
        asked for `patience_s` is closed; 0 closes it after its first answer.
        """
        self.operator = operator
        self._behaviour = behaviour
        self._greeting = greeting
        self._patience_s = patience_s
        self._time_unix_ns = time_unix_ns
        self._closing = threading.Event()
        self._authority = Authority(time_unix_ns())
        self._stranger = Authority(time_unix_ns(), "Another Root")
        self._known = identity.known
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(
            *self._authority.identity(
                identity.names or (address,), identity.lifetime, identity.intermediate
            )
        )
        self._socket = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self.address = address
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._links: list[socket.socket] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._authority.close()
        self._stranger.close()

    def close(self) -> None:
        """Stop serving and free the port; the certificates stay until the end of the block."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()
        for link in self._links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def toml(self) -> str:
        """Return the table that configures this server as a source."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        authority = self._authority if self._known else self._stranger
        return (
            f'[[sources.https]]\nurl = "https://{host}:{self.port}/"\n'
            f'operator = "{self.operator}"\nca_file = "{authority.ca_file}"\ndate_lag = 0\n'
        )

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with suppress(OSError), self._tls.wrap_socket(link, server_side=True) as secured:
            self._links.append(secured)
            if self._greeting is not None:
                self._send(secured, self._greeting)
            received = b""
            while data := secured.recv(_LONGEST_REQUEST):
                received += data
                while _END in received:
                    request, _, received = received.partition(_END)
                    self._answer(secured, request)
                if self._patience_s == 0:
                    break
                secured.settimeout(self._patience_s)

    def _answer(self, link: ssl.SSLSocket, request: bytes) -> None:
        self.requests.append(request)
        self._send(link, self._behaviour)

    def _send(self, link: ssl.SSLSocket, behaviour: Behaviour) -> None:
        began = time.monotonic()
        try:
            replies = list(behaviour(self._honest))
        except ConnectionResetError:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE_CLOSED)
            socket.socket.close(link)
            return
        for reply in replies:
            self._closing.wait(max(0, began + reply.delay_s - time.monotonic()))
            link.sendall(reply.data)

    def _honest(self, off_ns: int) -> bytes:
        date = http_date.encode((self._time_unix_ns() + off_ns) // NS)
        return f"HTTP/1.1 204 No Content\r\nDate: {date}\r\nServer: lab\r\n\r\n".encode()


def replaced(old: bytes, new: bytes) -> Behaviour:
    """Answer truthfully, but for these bytes of the response."""
    return lambda reply: [Reply(reply(0).replace(old, new))]


def with_header(name: str, value: str, off_s: float = 0) -> Behaviour:
    """Answer from a clock that is off by so much, with one more header."""

    def behave(reply: Honest) -> Iterable[Reply]:
        line = f"\r\n{name}: {value}\r\nServer".encode()
        return [Reply(reply(round(off_s * NS)).replace(b"\r\nServer", line))]

    return behave


def dated(text: str) -> Behaviour:
    """Answer with this Date."""

    def behave(reply: Honest) -> Iterable[Reply]:
        before, _, after = reply(0).partition(b"Date: ")
        return [Reply(before + b"Date: " + text.encode() + after[after.index(b"\r") :])]

    return behave


def without_date(reply: Honest) -> Iterable[Reply]:
    """Answer without a Date."""
    before, _, after = reply(0).partition(b"Date: ")
    return [Reply(before + after[after.index(b"\n") + 1 :])]


def redirect(location: str) -> Behaviour:
    """Send the client elsewhere, truthfully dated."""
    status = f"302 Found\r\nLocation: {location}\r\nContent-Length: 0".encode()
    return replaced(b"204 No Content", status)


def with_body(body: bytes, headers: bytes = b"", delay_s: float | None = None) -> Behaviour:
    """Send a body though the request is HEAD, by default in one segment with the headers."""

    def behave(reply: Honest) -> Iterable[Reply]:
        data = reply(0).replace(b"204 No Content", b"404 Not Found")
        data = data.replace(b"Server", headers + b"Server")
        if delay_s is None:
            return [Reply(data + body)]
        return [Reply(data), Reply(body, delay_s)]

    return behave


def huge_headers(reply: Honest) -> Iterable[Reply]:
    """Answer with a megabyte of headers before the Date."""
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(1000))
    return [Reply(reply(0).replace(b"Date: ", lines + b"Date: "))]


def drip(seconds: float) -> Behaviour:
    """Answer truthfully, a byte every so many seconds."""

    def behave(reply: Honest) -> Iterable[Reply]:
        data = reply(0)
        return [Reply(data[i : i + 1], delay_s=i * seconds) for i in range(len(data))]

    return behave


def reset(reply: Honest) -> Iterable[Reply]:  # noqa: ARG001 - that is the point
    """Reset the connection instead of answering."""
    raise ConnectionResetError


CONTRACT = partial(HttpsServer, identity=Identity(lifetime=FOR_LIFE))
"""What tests hold every kind of source to its contract with: (operator, behaviour, options)."""
DATAGRAMS = False
"""Whether each datagram stands for itself, so that junk does not spoil what follows it."""
