"""Roughtime messages and packets (RFC 10049 sections 4 and 5). Pure: no socket, no clock, no key.

A message maps tags to values, sorted by tag; values may be messages again. A packet is a message
behind "ROUGHTIM" and its length; Google's original dialect has no packets.

Rules of this file: any bytes in, only Malformed out; nothing is read beyond what is there; values
are handed out as they came, since signatures and proofs are over exactly these bytes.
"""

from collections.abc import Mapping
from itertools import pairwise

from sources.base import Malformed

MAGIC = b"ROUGHTIM"

CERT, DELE, INDX, MAXT, MIDP, MINT = b"CERT", b"DELE", b"INDX", b"MAXT", b"MIDP", b"MINT"
NONC, PATH, PUBK, RADI, ROOT, SIG = b"NONC", b"PATH", b"PUBK", b"RADI", b"ROOT", b"SIG\0"
SREP, SRV, TYPE, VER, VERS, ZZZZ = b"SREP", b"SRV\0", b"TYPE", b"VER\0", b"VERS", b"ZZZZ"
PAD_GOOGLE = b"PAD\xff"

HEADER_BYTES = 12
"""What a packet has before its message."""
_WORD = 4
_MOST_TAGS = 64
"""The RFC registers 18 tags; what has more than this is no Roughtime message."""


class Cursor:
    """Reads a value from its beginning to its end, and never beyond."""

    def __init__(self, data: bytes, name: str) -> None:
        """Read `data`, which errors call `name`."""
        self._data = data
        self._name = name
        self._at = 0

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes."""
        left = len(self._data) - self._at
        if count > left:
            raise Malformed(f"{self._name}: {what} needs {count} bytes, {left} are left")
        self._at += count
        return self._data[self._at - count : self._at]

    def uint32(self, what: str) -> int:
        """Return the next number of four bytes, the least significant one first."""
        return int.from_bytes(self.take(_WORD, what), "little")

    def rest(self) -> bytes:
        """Return all that has not been taken."""
        return self._data[self._at :]


class Message:
    """A decoded message: its values, by tag, exactly as they came."""

    def __init__(self, name: str, values: Mapping[bytes, bytes]) -> None:
        """Hold the values of the message that errors call `name`."""
        self._name = name
        self._values = values

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._values

    def value(self, tag: bytes, count: int | None = None) -> bytes:
        """Return the value of a tag that must be there, `count` bytes long if that is given."""
        if tag not in self._values:
            raise Malformed(f"{self._name}: no tag {shown(tag)}")
        value = self._values[tag]
        if count is not None and len(value) != count:
            raise Malformed(f"{self._name}: {shown(tag)} of {len(value)} bytes: {count} wanted")
        return value

    def uint32(self, tag: bytes) -> int:
        """Return the value of a tag that holds one number of four bytes."""
        return int.from_bytes(self.value(tag, _WORD), "little")

    def uint64(self, tag: bytes) -> int:
        """Return the value of a tag that holds one number of eight bytes."""
        return int.from_bytes(self.value(tag, 2 * _WORD), "little")

    def message(self, tag: bytes) -> "Message":
        """Return the message that is the value of a tag."""
        return decode(self.value(tag), shown(tag))

    def uint32s(self, tag: bytes) -> list[int]:
        """Return the numbers of four bytes in a tag's value; `decode` lets in whole ones only."""
        value = self.value(tag)
        return [int.from_bytes(value[i : i + _WORD], "little") for i in range(0, len(value), _WORD)]


def shown(tag: bytes) -> str:
    """Return a tag for people: "SIG"."""
    return tag.rstrip(b"\0").decode("ascii", "backslashreplace")


def decode(data: bytes, name: str = "message") -> Message:
    """Return the message in `data`, all of it; raise Malformed with what was found and wanted."""
    cursor = Cursor(data, name)
    count = cursor.uint32("the number of tags")
    if not 0 < count <= _MOST_TAGS:
        raise Malformed(f"{name}: {count} tags: 1 to {_MOST_TAGS} wanted")
    offsets = [0, *(cursor.uint32(f"offset {number}") for number in range(1, count))]
    tags = [cursor.take(_WORD, f"tag {number}") for number in range(1, count + 1)]
    values = cursor.rest()
    offsets.append(len(values))
    for before, after in pairwise(offsets):
        if before > after or after % _WORD:
            raise Malformed(
                f"{name}: offset {after} after {before}, of {len(values)} bytes: "
                "ascending multiples of 4 wanted"
            )
    numbers = [int.from_bytes(tag, "little") for tag in tags]
    for before, after in pairwise(numbers):
        if before >= after:
            raise Malformed(
                f"{name}: tag {after:#010x} after {before:#010x}: ascending ones wanted"
            )
    found = {tag: values[offsets[i] : offsets[i + 1]] for i, tag in enumerate(tags)}
    return Message(name, found)


def encode(values: Mapping[bytes, bytes]) -> bytes:
    """Return the message with these values, each a multiple of four bytes long."""
    tags = sorted(values, key=lambda tag: int.from_bytes(tag, "little"))
    at, offsets = 0, []
    for tag in tags[:-1]:
        at += len(values[tag])
        offsets.append(at)
    header = [len(tags), *offsets]
    words = b"".join(number.to_bytes(_WORD, "little") for number in header)
    return words + b"".join(tags) + b"".join(values[tag] for tag in tags)


def frame(message: bytes) -> bytes:
    """Return the packet that carries a message."""
    return MAGIC + len(message).to_bytes(_WORD, "little") + message


def unframe(packet: bytes) -> bytes:
    """Return the message that a packet carries; raise Malformed unless it is exactly that."""
    message = packet[HEADER_BYTES:]
    length = length_in(packet[:HEADER_BYTES], len(message))
    if length != len(message):
        raise Malformed(f"packet: message of {len(message)} bytes: its length says {length}")
    return message


def length_in(header: bytes, most: int) -> int:
    """Return the length that a packet's header announces; raise Malformed if it is above `most`."""
    cursor = Cursor(header, "packet")
    magic = cursor.take(len(MAGIC), "ROUGHTIM")
    if magic != MAGIC:
        raise Malformed(f"packet: begins with {magic!r}: {MAGIC!r} wanted")
    length = cursor.uint32("the length")
    if length > most:
        raise Malformed(f"packet: message of {length} bytes: at most {most} wanted")
    return length
