"""NTS key establishment records (RFC 8915 section 4). Pure: bytes in, an agreement out.

A record is two octets of type, whose first bit says that it must be understood, two of length, and
a body. There is one request and one response. What the response lacks or contradicts is an error:
half an agreement is of no use.
"""

import struct

from sources.base import Malformed, Refused
from sources.record import Record
from sources.schema import read_host

PROTOCOL = "ntske/1"
"""TLS's name for it (ALPN, RFC 8915 section 7.2)."""
PORT = 4460
NTP_PORT = 123
AES_SIV_CMAC_256 = 15
"""The AEAD that every server has (RFC 8915 section 5.1, by RFC 5116's registry)."""
MOST_BYTES = 65_536
"""Of a response, which RFC 8915 does not limit: eight cookies take one kilobyte, chrony's client
takes 16."""
MOST_RECORDS = 256

_HEADER = struct.Struct("!HH")
_CRITICAL = 0x8000
_END, _NEXT_PROTOCOL, _ERROR, _WARNING, _AEAD, _COOKIE, _SERVER, _PORT = range(8)
_NTP_V4 = b"\0\0"
_LONGEST_COOKIE = 1024
"""Of what a request may carry without being fragmented on its way."""
_ERRORS = {0: "unrecognized critical record", 1: "bad request", 2: "internal server error"}
"""RFC 8915 section 4.1.3."""


class Agreement(Record):
    """What the server agreed to."""

    cookies: tuple[bytes, ...]
    server: str | None
    """Whom to ask for the time; None: the key server itself."""
    port: int


def _record(kind: int, body: bytes, *, critical: bool) -> bytes:
    return _HEADER.pack(kind | (_CRITICAL if critical else 0), len(body)) + body


REQUEST = (
    _record(_NEXT_PROTOCOL, _NTP_V4, critical=True)
    + _record(_AEAD, AES_SIV_CMAC_256.to_bytes(2, "big"), critical=True)
    + _record(_END, b"", critical=True)
)
"""NTPv4 by AES-SIV-CMAC-256, and nothing else to choose from."""


def encode(records: list[tuple[int, bytes, bool]]) -> bytes:
    """Return records of (type, body, critical) as they are sent."""
    return b"".join(_record(kind, body, critical=critical) for kind, body, critical in records)


class Incoming:
    """A message as it comes, in pieces of any size; each byte is looked at once."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._data = bytearray()
        self._next = self._records = 0
        """Where the next record begins, and how many have begun before."""
        self._ended = False

    @property
    def data(self) -> bytes:
        """What has come so far."""
        return bytes(self._data)

    def take(self, data: bytes) -> bool:
        """Add a piece; return whether the End of Message has come, so that no more is to come.

        Raises Malformed for more than any server has to say.
        """
        self._data += data
        while not self._ended and self._next + _HEADER.size <= len(self._data):
            kind, length = _HEADER.unpack_from(self._data, self._next)
            self._next += _HEADER.size + length
            self._records += 1
            if self._next > MOST_BYTES or self._records > MOST_RECORDS:
                raise Malformed(f"NTS-KE: more than {MOST_BYTES} bytes or {MOST_RECORDS} records")
            self._ended = kind & ~_CRITICAL == _END
        return self._ended and self._next <= len(self._data)


def decode(data: bytes) -> Agreement:
    """Return what the response agrees to; raise Refused or Malformed, the record named."""
    found: dict[int, list[bytes]] = {}
    for kind, critical, body in _records(data):
        if kind == _ERROR:
            code = _number(kind, body)
            raise Refused(f"NTS-KE error {code}: {_ERRORS.get(code, 'unknown')}")
        if kind == _WARNING:  # none is known, and unknown ones are errors (section 4.1.4)
            raise Refused(f"NTS-KE warning {_number(kind, body)}: unknown")
        if critical and kind > _PORT:
            raise Malformed(f"NTS-KE record {kind}: critical, and unknown")
        found.setdefault(kind, []).append(body)
    if found.get(_NEXT_PROTOCOL) != [_NTP_V4]:
        raise Malformed("NTS-KE: the server does not offer NTPv4")
    if found.get(_AEAD) != [AES_SIV_CMAC_256.to_bytes(2, "big")]:
        raise Malformed("NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)")
    cookies = tuple(cookie for cookie in found.get(_COOKIE, []) if usable(cookie))
    if not cookies:
        raise Malformed("NTS-KE: no cookie of 1 to 1024 bytes")
    return Agreement(cookies, _server(found.get(_SERVER)), _port(found.get(_PORT)))


def usable(cookie: bytes) -> bool:
    """Whether a cookie can be sent in a request."""
    return 0 < len(cookie) <= _LONGEST_COOKIE


def _records(data: bytes) -> list[tuple[int, bool, bytes]]:
    """Return (type, critical, body) of each record up to End of Message."""
    found: list[tuple[int, bool, bytes]] = []
    position = 0
    while True:
        if position + _HEADER.size > len(data):
            raise Malformed("NTS-KE: the response ends without End of Message")
        kind, length = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        body = data[position : position + length]
        position += length
        if len(body) < length:
            raise Malformed(f"NTS-KE record {kind & ~_CRITICAL}: ends after {len(body)} bytes")
        if kind & ~_CRITICAL == _END:
            return found
        found.append((kind & ~_CRITICAL, bool(kind & _CRITICAL), body))


def _number(kind: int, body: bytes) -> int:
    if len(body) != 2:  # noqa: PLR2004 - codes and ports are 16 bits
        raise Malformed(f"NTS-KE record {kind}: {len(body)} bytes: 2 wanted")
    return int.from_bytes(body, "big")


def _server(bodies: list[bytes] | None) -> str | None:
    """Return the host that the server names (section 4.1.7)."""
    if not bodies:
        return None
    try:
        (body,) = bodies
        host = read_host(body.decode("ascii"))
    except ValueError as error:  # none, too many, or no ASCII
        raise Malformed("NTS-KE: names no host that can be asked") from error
    if host.encode() != body and ":" not in host:  # IPv6 is read in one of its many spellings
        raise Malformed("NTS-KE: names a host with blanks around it")
    return host


def _port(bodies: list[bytes] | None) -> int:
    """Return the port that the server names (section 4.1.8)."""
    if not bodies:
        return NTP_PORT
    port = _number(_PORT, bodies[0])
    if len(bodies) > 1 or port == 0:
        raise Malformed(f"NTS-KE: names {len(bodies)} ports, the first {port}: one wanted")
    return port
