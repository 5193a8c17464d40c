"""An Avalanche node: speaks first, once TLS is established.

Unlike the real ones it asks for no certificate: Python's ssl can only ask for those of authorities
that it knows. What a client shows is tried against another server (tests/interop).
"""

import asyncio
import ssl

from lab.nodes.base import LabNode, floored
from lab.nodes.https import tls
from nodes.wire import avalanche as wire


class AvalancheNode(LabNode):
    """Sends its Handshake, and waits."""

    kind = "avalanche"

    def _tls(self) -> ssl.SSLContext:
        return tls("node.invalid").context

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Hear nothing: the node speaks first."""

    def _honest(self, off_ns: int) -> bytes:
        unix_s = floored(self._now_unix_ns(off_ns), 1)
        return wire.encode(1, unix_s, "avalanchego", (1, 13, 0))


NODE = AvalancheNode
