"""Edits of an honest message that a fuzzer's bytes stand for. Pure.

Bytes alone seldom get past a length, an identifier or a nonce. As edits of what an honest server
sends just now they leave the rest of it right, and so reach what comes behind.
"""

from itertools import islice

_LONGEST = 1 << 16
_MOST_EDITS = 24


class Taker:
    """Takes what it needs from a fuzzer's bytes; when they are over, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def whole(self, count: int = 1) -> int:
        """Return the next whole number, of so many bytes."""
        return int.from_bytes(self.take(count), "big")

    def take(self, count: int) -> bytes:
        """Return the next bytes, zeros for those that are missing."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken + bytes(count - len(taken))

    def rest(self) -> bytes:
        """Return what is left."""
        left = self._data[self._at :]
        self._at = len(self._data)
        return left


def edited(honest: bytes, edits: bytes) -> bytes:
    """Return the honest message with edits; without any it stays as it is.

    An edit is what to do, where, and with what. The first byte 0xff replaces the whole message.
    """
    if edits[:1] == b"\xff":
        return edits[1:]
    taker = Taker(edits)
    message = bytearray(honest)
    for _ in islice(iter(taker.__bool__, False), _MOST_EDITS):
        _edit(message, taker)
    return bytes(message[:_LONGEST])


def _edit(message: bytearray, taker: Taker) -> None:
    what = taker.whole()
    at = taker.whole(2) % (len(message) + 1)
    match what % 7:
        case 0:
            message[at : at + 1] = bytes([taker.whole()])
        case 1:
            message[at : at + 2] = taker.take(2)
        case 2:
            message[at : at + 4] = taker.take(4)
        case 3:
            message[at:at] = taker.take(taker.whole() % 64)
        case 4:
            del message[at : at + taker.whole() % 64]
        case 5:
            message[at:at] = message[at : at + taker.whole() % 64] * (1 + taker.whole() % 8)
        case _:
            del message[at:]
