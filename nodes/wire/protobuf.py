"""The part of Protocol Buffers' encoding that stamps come in. Pure.

Rules of this file: any bytes in, only Malformed out. https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator

from sources.base import Malformed

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: an unsigned integer, or the bytes as they came."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise Malformed(f"protobuf: wire type {kind}")
        if length > len(data) - at:
            raise Malformed(f"protobuf: field of {length} bytes, {len(data) - at} are left")
        yield tag >> 3, data[at : at + length]
        at += length


def integer(found: dict[int, int | bytes], number: int) -> int | None:
    """Return a field that has to be a number, None where it is not there."""
    value = found.get(number)
    if isinstance(value, bytes):
        raise Malformed(f"protobuf: field {number} is no integer")
    return value


def data(found: dict[int, int | bytes], number: int) -> bytes | None:
    """Return a field that has to be bytes, None where it is not there."""
    value = found.get(number)
    if isinstance(value, int):
        raise Malformed(f"protobuf: field {number} is an integer")
    return value


def text(found: dict[int, int | bytes], number: int) -> str:
    """Return a field that has to be text, empty where it is not there."""
    return (data(found, number) or b"").decode(errors="replace")


def encode(number: int, value: int | bytes) -> bytes:
    """Return one field: an unsigned integer, or bytes."""
    if isinstance(value, int):
        return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(value)) + value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at `at`, and where it ends."""
    value = 0
    for position, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + position + 1
    raise Malformed("protobuf: a number that does not end")


def _encode_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - the bit that says that more follows
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
