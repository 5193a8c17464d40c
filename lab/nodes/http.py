"""A server that speaks HTTP in the clear: a node's RPC port, or the CDN before it."""

import asyncio
from typing import Any

from lab.behaviour import Behaviour, honest
from lab.nodes.base import LabNode, floored
from sources.https import wire_date

_END = b"\r\n\r\n"


class HttpNode(LabNode):
    """Answers every request with a Date and no content."""

    kind = "http"

    def __init__(
        self,
        behaviour: Behaviour = honest,
        *,
        headers: tuple[tuple[str, str], ...] = (("Server", "lab"),),
        status: str = "204 No Content",
        status_of_head: str = "",
        **options: Any,
    ) -> None:
        """Choose its headers, and its status; `status_of_head` is for HEAD alone."""
        super().__init__(behaviour, **options)
        self._headers = headers
        self._status = status
        self._status_of_head = status_of_head or status
        self.requests: list[bytes] = []

    def settings(self) -> dict[str, object]:
        """Return that its Date is made when it answers."""
        return {"date_lag": 0}

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        self.requests.append(await reader.readuntil(_END))

    def _honest(self, off_ns: int) -> bytes:
        date = wire_date.encode(floored(self._now_unix_ns(off_ns), 1))
        head = self.requests[-1].startswith(b"HEAD ")
        status = self._status_of_head if head else self._status
        lines = [f"{name}: {value}" for name, value in (("Date", date), *self._headers)]
        return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


NODE = HttpNode
