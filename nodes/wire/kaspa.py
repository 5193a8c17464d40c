"""The first message of a Kaspa node: protobuf in gRPC in HTTP/2. Pure.

A node sends its `version` as soon as a stream is opened (kaspanet/rusty-kaspa 593399e
protocol/p2p/src/handshake.rs): KaspadMessage, whose field 20 is VersionMessage, with 3 timestamp in
milliseconds, 6 userAgent, 10 network (protocol/p2p/proto). So little of HTTP/2 (RFC 9113) is needed
that it is spoken here: of HPACK only how to write literals, since no header that comes is read.

Rules of this file: any bytes in, only Malformed and Refused out.
"""

import struct

from nodes.wire import protobuf
from nodes.wire.stamps import plausible
from sources.base import Malformed, Refused
from sources.record import Record

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM = ACK = 1
END_HEADERS = 4
_PADDED = 8
_STREAM = 1
_STREAM_BITS = 0x7FFF_FFFF
_HEADER = struct.Struct(">BHBBI")
_LONGEST_FRAME = 16 * 1024
"""SETTINGS_MAX_FRAME_SIZE as it is unless one says otherwise, and we do not."""
_GRPC = struct.Struct(">BI")
_LONGEST_MESSAGE = 16 * 1024
_VERSION = 20
_TIMESTAMP, _AGENT, _NETWORK = 3, 6, 10
_MS = 1_000_000
_POST, _HTTP = b"\x83", b"\x86"
"""`:method: POST` and `:scheme: http` in HPACK's static table (RFC 7541 appendix A)."""
_SEVEN_BITS = 127


class Version(Record):
    """What a node says of itself."""

    time_unix_ns: int
    agent: str
    network: str


def opening(authority: str, agent: str) -> bytes:
    """Return all that a client has to send for a node to speak."""
    block = _POST + _HTTP
    for name, value in (
        (":path", "/protowire.P2P/MessageStream"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", agent),
    ):
        block += b"\0" + _string(name) + _string(value)
    return PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, _STREAM, block)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return _HEADER.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


class Conversation:
    """One connection to a node: takes what comes, and has what is to be answered."""

    def __init__(self) -> None:
        """Begin, the opening having been sent."""
        self.version: Version | None = None
        self._begun = False
        self._frames = bytearray()
        self._data = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return what HTTP/2 wants to be answered.

        Raises Refused when the node ends the stream, Malformed for what is no HTTP/2.
        """
        self._frames += data
        answer = b""
        while self.version is None and len(self._frames) >= _HEADER.size:
            high, low, kind, flags, stream = _HEADER.unpack_from(self._frames)
            length = high << 16 | low
            if length > _LONGEST_FRAME:
                raise Malformed(f"HTTP/2: frame of {length} bytes: at most {_LONGEST_FRAME} wanted")
            if len(self._frames) < _HEADER.size + length:
                break
            payload = bytes(self._frames[_HEADER.size : _HEADER.size + length])
            del self._frames[: _HEADER.size + length]
            answer += self._take(kind, flags, stream, payload)
        return answer

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if not self._begun and kind != SETTINGS:  # RFC 9113 section 3.4
            raise Malformed(f"HTTP/2: begins with a frame of type {kind}: SETTINGS wanted")
        self._begun = True
        if kind in (RST_STREAM, GOAWAY):
            raise Refused("the node ends the stream")
        if kind == SETTINGS and not flags & ACK:
            return frame(SETTINGS, ACK, 0)
        if kind == PING and not flags & ACK:
            return frame(PING, ACK, 0, payload)
        if kind == DATA and stream & _STREAM_BITS == _STREAM:
            self._data += _unpadded(flags, payload)
            self._read_messages()
        if kind in (DATA, HEADERS) and flags & END_STREAM and self.version is None:
            raise Refused("the node ends the stream without a version message")
        return b""

    def _read_messages(self) -> None:
        while self.version is None and len(self._data) >= _GRPC.size:
            compressed, length = _GRPC.unpack_from(self._data)
            if compressed or length > _LONGEST_MESSAGE:
                raise Malformed(
                    f"gRPC: message of {length} bytes, compressed {compressed}: at most "
                    f"{_LONGEST_MESSAGE} and 0 wanted"
                )
            if len(self._data) < _GRPC.size + length:
                return
            self.version = _version(bytes(self._data[_GRPC.size : _GRPC.size + length]))
            del self._data[: _GRPC.size + length]


def encode(version: Version) -> bytes:
    """Return a node's `version` as gRPC has it."""
    found = (
        protobuf.encode(_TIMESTAMP, version.time_unix_ns // _MS % (1 << 64))
        + protobuf.encode(_AGENT, version.agent.encode())
        + protobuf.encode(_NETWORK, version.network.encode())
    )
    message = protobuf.encode(_VERSION, found)
    return _GRPC.pack(0, len(message)) + message


def _version(message: bytes) -> Version | None:
    """Return the version in a KaspadMessage, None if it holds another one."""
    payload = protobuf.data(dict(protobuf.fields(message)), _VERSION)
    if payload is None:
        return None
    found = dict(protobuf.fields(payload))
    stamp_ms = protobuf.integer(found, _TIMESTAMP)
    if stamp_ms is None:
        raise Malformed("a version message without a timestamp")
    if stamp_ms >> 63:  # int64: the two's complement
        stamp_ms -= 1 << 64
    return Version(
        plausible(stamp_ms * _MS), protobuf.text(found, _AGENT), protobuf.text(found, _NETWORK)
    )


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & _PADDED:
        return payload
    padding = int.from_bytes(payload[:1])
    if padding >= len(payload):  # and where there is no payload at all
        raise Malformed(f"HTTP/2: padding of {padding} bytes in {len(payload)}")
    return payload[1 : len(payload) - padding]


def _string(text: str) -> bytes:
    """Return a literal of HPACK (RFC 7541 section 5.2), without Huffman's code."""
    data = text.encode("ascii", "replace")
    if len(data) < _SEVEN_BITS:
        return bytes([len(data)]) + data
    rest = len(data) - _SEVEN_BITS
    length = bytearray([_SEVEN_BITS])
    while rest > _SEVEN_BITS:
        length.append(rest & _SEVEN_BITS | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes(length) + data
