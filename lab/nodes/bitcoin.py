"""A node of Bitcoin's family: silent until it has heard a `version`, unless it speaks first."""

import asyncio
import os
from typing import Any

from lab.behaviour import Behaviour, honest
from lab.nodes.base import LabNode, floored
from nodes.wire import bitcoin as wire

MAINNET = bytes.fromhex("f9beb4d9")
CORE = "/Satoshi:29.0.0/"


class BitcoinNode(LabNode):
    """Shows the time that its software would."""

    kind = "bitcoin"

    def __init__(
        self,
        behaviour: Behaviour = honest,
        *,
        agent: str = CORE,
        magic: bytes = MAINNET,
        speaks_first: bool = False,
        **options: Any,
    ) -> None:
        """Choose its user agent; Zebra speaks first, and rounds down to five minutes."""
        super().__init__(behaviour, **options)
        self._agent = agent
        self._magic = magic
        self._speaks_first = speaks_first
        self._grain_s = 300 if agent.startswith("/Zebra:") else 1
        self.heard: list[wire.Version] = []
        """What clients announced."""
        self.others: list[bytes] = []
        """What clients sent beside that."""

    def settings(self) -> dict[str, object]:
        """Return its network's magic."""
        return {"magic": self._magic.hex()}

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        received = b""
        while not self._speaks_first:
            received += await reader.readexactly(1)
            version = wire.decode(received, self._magic)
            if version is not None:
                self.heard.append(version)
                return

    def _honest(self, off_ns: int) -> bytes:
        unix_s = floored(self._now_unix_ns(off_ns), self._grain_s)
        nonce = os.urandom(wire.NONCE_BYTES)
        return wire.encode(self._magic, 70016, unix_s, nonce, self._agent)


NODE = BitcoinNode
