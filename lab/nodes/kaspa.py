"""A Kaspa node: HTTP/2 as far as one stream needs it."""

import asyncio

from lab.nodes.base import LabNode
from nodes.wire import kaspa as wire

_HEADER_BYTES = 9
_OK = b"\x88"
"""`:status: 200` in HPACK's static table."""


class KaspaNode(LabNode):
    """Sends its version when a stream is opened."""

    kind = "kaspa"

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        await reader.readexactly(len(wire.PREFACE))
        kind = -1
        while kind != wire.HEADERS:
            header = await reader.readexactly(_HEADER_BYTES)
            kind = header[3]
            await reader.readexactly(int.from_bytes(header[:3], "big"))

    def _honest(self, off_ns: int) -> bytes:
        version = wire.Version(self._now_unix_ns(off_ns), "/kaspad:1.0.0/", "kaspa-mainnet")
        return (
            wire.frame(wire.SETTINGS, 0, 0)
            + wire.frame(wire.PING, 0, 0, b"whatever")
            + wire.frame(wire.HEADERS, wire.END_HEADERS, 1, _OK)
            + wire.frame(wire.DATA, 0, 1, wire.encode(version))
        )


NODE = KaspaNode
