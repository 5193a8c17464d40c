"""Servers at fault that are no lab server: closed ports, and streams that keep to no protocol."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from lab.world import Server
from sources.clock import NS

AHEAD_S = 4
_CHUNK = 1 << 14
_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""

Act = Callable[[socket.socket], None]


def lab_time_unix_ns() -> int:
    """Return true time in the lab."""
    return time.time_ns() + AHEAD_S * NS


def table(kind: str, port: int, operator: str) -> str:
    """Return the table of a source at this port of loopback."""
    where = f'host = "127.0.0.1"\nport = {port}'
    if kind == "https":
        where = f'url = "https://127.0.0.1:{port}/"'
    if kind == "roughtime":
        where += '\npublic_key = "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE="'
    return f'[[sources.{kind}]]\n{where}\noperator = "{operator}"\n'


class Closed:
    """A port at which nobody listens: the kernel says so."""

    def __init__(self, kind: str, operator: str) -> None:
        self.kind, self.operator = kind, operator
        by_udp = kind in ("ntp", "roughtime")
        with socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM if by_udp else socket.SOCK_STREAM
        ) as was:
            was.bind(("127.0.0.1", 0))
            self.port: int = was.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def close(self) -> None:
        return

    def toml(self) -> str:
        return table(self.kind, self.port, self.operator)


class Stream:
    """Accepts connections and does something to each."""

    def __init__(self, kind: str, operator: str, act: Act) -> None:
        self.kind, self.operator = kind, operator
        self._act = act
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def toml(self) -> str:
        return table(self.kind, self.port, self.operator)

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            self._act(link)


def say_nothing(link: socket.socket) -> None:
    """Read all, and answer nothing."""
    while link.recv(_CHUNK):
        pass


def hang_up(link: socket.socket) -> None:
    """Close at once, orderly."""
    link.shutdown(socket.SHUT_RDWR)


def reset(link: socket.socket) -> None:
    """Reset at once."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)


def saying(data: bytes) -> Act:
    """Send these bytes at once, and read on."""

    def act(link: socket.socket) -> None:
        link.sendall(data)
        say_nothing(link)

    return act


def endless(data: bytes) -> Act:
    """Send these bytes again and again."""

    def act(link: socket.socket) -> None:
        chunk = data * (1 + _CHUNK // len(data))
        while True:
            link.sendall(chunk)

    return act


def dripping(data: bytes, every_s: float) -> Act:
    """Send these bytes one by one."""

    def act(link: socket.socket) -> None:
        for byte in data:
            link.sendall(bytes([byte]))
            threading.Event().wait(every_s)

    return act


class Elsewhere:
    """A source by NTP at an address and port that somebody else may answer for."""

    kind = "ntp"

    def __init__(
        self, operator: str, address: str, port: int, answering: Server | None = None
    ) -> None:
        self.operator = operator
        self._place = f'host = "{address}"\nport = {port}\n'
        self._answering = answering

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._answering is not None:
            self._answering.close()

    def toml(self) -> str:
        return f'[[sources.ntp]]\n{self._place}operator = "{self.operator}"\n'
