"""An XRP Ledger node: `/crawl` inside TLS, under a certificate that nobody vouches for."""

import asyncio
import json
import ssl
from typing import Any

from lab.behaviour import Behaviour, honest
from lab.nodes.base import LabNode
from lab.nodes.https import tls
from nodes.wire import xrpl as wire

_END = b"\r\n\r\n"
_PEER = {"complete_ledgers": "1-2", "ip": "::ffff:192.0.2.1", "type": "in", "time": "no time"}


class XrplNode(LabNode):
    """Answers `/crawl`, whose list of peers comes before the time."""

    kind = "xrpl"

    def __init__(
        self,
        behaviour: Behaviour = honest,
        *,
        peers: int = 20,
        crawl: bool = True,
        software: str = "rippled-2.4.0",
        **options: Any,
    ) -> None:
        """Choose how many peers it has, and whether the crawl is switched on."""
        super().__init__(behaviour, **options)
        self._peers = peers
        self._crawl = crawl
        self._software = software

    def _tls(self) -> ssl.SSLContext:
        return tls("node.invalid").context

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        await reader.readuntil(_END)

    def _honest(self, off_ns: int) -> bytes:
        if not self._crawl:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        server = {
            "build_version": self._software.rpartition("-")[2],
            "server_state": "full",
            "time": wire.encode(self._now_unix_ns(off_ns)),
            "uptime": 1,
        }
        document = {"overlay": {"active": [_PEER] * self._peers}, "server": server, "version": 2}
        body = json.dumps(document, separators=(",", ":"))
        return (
            f"HTTP/1.1 200 OK\r\nServer: {self._software}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


NODE = XrplNode
