"""Many Bitcoin nodes in one process: one socket, one epoll loop, and an address of 127/8 each.

    python -m tools.bench.servers.node_crowd PORT

prints "ready", and serves every address of this machine until terminated. Each address is a node
of its own: `behaviour_of` has its drift, or that it is silent. For a network namespace.
"""

import selectors
import socket
import sys
import time
from contextlib import suppress

from nodes.wire import bitcoin as wire

MAGIC = bytes.fromhex("f9beb4d9")
SILENT = None
_AGENT = "/Satoshi:29.0.0/"
_BACKLOG = 4096


def address_of(number: int) -> str:
    """Return the address of a node: numbers from 0 to 4 million."""
    return f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def behaviour_of(number: int) -> int | None:
    """Return how many seconds a node's clock is off, SILENT for one that says nothing."""
    if number % 20 == 0:
        return SILENT
    return {1: -4, 2: 17, 3: 3600}.get(number % 100, 0)


def main() -> None:
    """Serve until terminated."""
    listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=_BACKLOG)  # noqa: S104
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                _accept(listener, selector)
            else:
                _answer(key.fileobj, selector)  # type: ignore[arg-type]


def _accept(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    with suppress(BlockingIOError):
        while True:
            link, _ = listener.accept()
            link.setblocking(False)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(link, selectors.EVENT_READ)


def _answer(link: socket.socket, selector: selectors.BaseSelector) -> None:
    """Answer a `version`, which is one read here; the other side closes."""
    try:
        data = link.recv(4096)
        _, high, middle, low = map(int, link.getsockname()[0].split("."))
        off_s = behaviour_of((high - 64) << 16 | middle << 8 | low)
        if data and off_s is not SILENT:
            unix_s = time.time_ns() // 10**9 + off_s
            link.send(wire.encode(MAGIC, 70016, unix_s, bytes(8), _AGENT))
    except OSError:
        data = b""
    if not data:
        selector.unregister(link)
        link.close()


if __name__ == "__main__":
    main()
