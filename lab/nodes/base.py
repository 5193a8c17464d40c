"""What all lab nodes share: they listen, hear a question, and answer as their behaviour wants."""

import asyncio
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar, Self

from lab.behaviour import Behaviour, honest
from lab.nodes.loop import Loop
from sources.base import Malformed
from sources.clock import NS

_MOST_HEARD = 1 << 14
_TURNS = 5


class LabNode(ABC):
    """One node; listens inside its block."""

    kind: ClassVar[str]

    def __init__(
        self,
        behaviour: Behaviour = honest,
        *,
        time_unix_ns: Callable[[], int] = time.time_ns,
        address: str = "127.0.0.1",
        loop: Loop | None = None,
    ) -> None:
        """Choose how it behaves and whose clock it shows; without a `loop` it brings its own."""
        self.address = address
        self.port = 0
        self.connections = 0
        self.open_links = 0
        """Connections that the other side has not closed."""
        self._behaviour = behaviour
        self._time_unix_ns = time_unix_ns
        self._shared_loop = loop
        self._loop: Loop
        self._socket: socket.socket
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._loop = self._shared_loop or Loop()
        self._loop.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._shared_loop is None:
            self._loop.close()

    def on(self, loop: Loop) -> Self:
        """Run it on a loop that it shares with others; before its block."""
        self._shared_loop = loop
        return self

    def close(self) -> None:
        """Stop listening; the port refuses connections from now on."""
        if self._socket.fileno() >= 0:
            self._loop.run(self._close())

    @property
    def target(self) -> str:
        """Return how a user names this node."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.kind}://{host}:{self.port}"

    def settings(self) -> dict[str, object]:
        """Return what a [probe.modules.NAME] table needs to read this node, `kind` left out."""
        return {}

    def _tls(self) -> ssl.SSLContext | None:
        """Return what secures its connections, None if nothing does."""
        return None

    @abstractmethod
    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Return once a client has said what makes a node answer."""

    @abstractmethod
    def _honest(self, off_ns: int) -> bytes:
        """Return the answer of a node whose clock is off by so much."""

    def _now_unix_ns(self, off_ns: int) -> int:
        return self._time_unix_ns() + off_ns

    async def _listen(self) -> None:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._socket = socket.create_server((self.address, 0), family=family, backlog=4096)
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    async def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        # What asyncio cancels before it has quite begun, it does not close.
        await _turns()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await _turns()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self) -> None:
        # Not asyncio's server: what that has accepted when it is closed, it forgets to close.
        with suppress(OSError):
            link, _ = self._socket.accept()
            link.setblocking(False)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._begin(self._welcome(link))

    async def _welcome(self, link: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=_MOST_HEARD)
        protocol = asyncio.StreamReaderProtocol(reader, self._serve)
        with suppress(OSError):  # of a handshake that the client breaks off
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol, link, ssl=self._tls()
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_links += 1
        self._writers.add(writer)
        try:
            # ValueError: more than fits in the reader before what was waited for. Malformed: of
            # another network, and so closed without a word.
            with suppress(OSError, EOFError, ValueError, Malformed):
                await self._hear(reader)
                await self._answer(writer)
                while await reader.read(1 << 12):
                    pass
        finally:
            self.open_links -= 1
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        began_s = time.monotonic()
        try:
            for reply in self._behaviour(self._honest):
                await asyncio.sleep(max(0, began_s + reply.delay_s - time.monotonic()))
                writer.write(reply.data)
                await writer.drain()
        except Closed:
            writer.transport.abort()


class Closed(Exception):
    """Raised by a behaviour: the node closes the connection instead of going on."""


async def _turns() -> None:
    """Let the loop do what is due, and what that makes due."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def floored(unix_ns: int, grain_s: int) -> int:
    """Return a time in whole seconds, rounded down to a multiple of `grain_s`."""
    return unix_ns // (grain_s * NS) * grain_s
