"""NTP packets and stamps (RFC 5905 section 7.3). Pure: no socket, no clock.

ntplib packs and unpacks the header. It turns the four stamps into floats of a fixed era, so they
are read here, as the 64-bit numbers that they are: 2^-32 s since 1900, modulo 2^32 s.
"""

import struct

import ntplib  # type: ignore[import-untyped]

from sources.base import Malformed
from sources.clock import NS
from sources.record import Record

PACKET_BYTES = 48
STAMP_BYTES = 8
VERSION = 4
CLIENT, SERVER = 3, 4
LEAP_ALARM = 3
"""Leap indicator of a server whose clock is not set (RFC 5905 figure 9)."""

_STAMPS = struct.Struct("!4Q")
_STAMPS_AT = 16
_ORIGIN = slice(24, 32)
_UNIX_MINUS_NTP_S = 2_208_988_800
"""Seconds from 1900 to 1970."""
_SHORT = 1 << 16
"""Units of a short-format second (RFC 5905 section 6)."""


class Packet(Record):
    """One NTP packet. Stamps are raw 64-bit numbers, spans are in 2^-16 s, as on the wire."""

    leap: int = 0
    version: int = VERSION
    mode: int = CLIENT
    stratum: int = 0
    poll: int = 0
    precision: int = 0
    """log2 of seconds, signed."""
    root_delay: int = 0
    root_dispersion: int = 0
    reference_id: bytes = bytes(4)
    reference: int = 0
    origin: int = 0
    receive: int = 0
    transmit: int = 0


def encode(packet: Packet) -> bytes:
    """Return the packet's 48 bytes."""
    header = ntplib.NTPPacket(packet.version, packet.mode)
    header.leap = packet.leap
    header.stratum = packet.stratum
    header.poll = packet.poll
    header.precision = packet.precision
    header.root_delay = packet.root_delay / _SHORT
    header.root_dispersion = packet.root_dispersion / _SHORT
    header.ref_id = int.from_bytes(packet.reference_id, "big")
    stamps = _STAMPS.pack(packet.reference, packet.origin, packet.receive, packet.transmit)
    data: bytes = header.to_data()
    return data[:_STAMPS_AT] + stamps


def decode(data: bytes) -> Packet:
    """Return the packet in `data`, extension fields and MAC ignored; raise Malformed if short."""
    header = ntplib.NTPPacket()
    try:
        header.from_data(data)
    except ntplib.NTPException as error:
        raise Malformed(f"NTP packet of {len(data)} bytes: at least 48 wanted") from error
    return Packet(
        header.leap,
        header.version,
        header.mode,
        header.stratum,
        header.poll,
        header.precision,
        int(header.root_delay * _SHORT),
        int(header.root_dispersion * _SHORT),
        header.ref_id.to_bytes(4, "big"),
        *_STAMPS.unpack_from(data, _STAMPS_AT),
    )


def request(nonce: bytes) -> bytes:
    """Return a client request whose transmit stamp is the 8-byte `nonce`.

    Servers echo it as the origin stamp, so it proves which request a reply belongs to, and it
    shows nobody what time we think it is.
    """
    return _REQUEST + nonce


_REQUEST = encode(Packet())[:40]
"""What every request begins with: version 4, mode client, all else zero."""


def origin_bytes(data: bytes) -> bytes:
    """Return the origin stamp of a packet as it stands there; shorter if the packet is."""
    return data[_ORIGIN]


def unix_ns(stamp: int, floor_unix_ns: int) -> int:
    """Return the earliest time not before `floor_unix_ns` (whole seconds) that `stamp` can mean.

    A stamp repeats every 2^32 s (RFC 5905 section 6, eras), so a floor decides the era; the
    local clock, which may be decades off, has no say.
    """
    floor = (floor_unix_ns // NS + _UNIX_MINUS_NTP_S) << 32
    return floor_unix_ns + (((stamp - floor) % (1 << 64)) * NS >> 32)


def stamp_of(unix_ns_: int) -> int:
    """Return the 64-bit stamp of a time, rounded down; its era is lost."""
    return ((unix_ns_ + _UNIX_MINUS_NTP_S * NS) << 32) // NS % (1 << 64)


def elapsed_ns(earlier: int, later: int) -> int:
    """Return `later` minus `earlier` as a signed 64-bit difference, so that eras do not matter."""
    difference = (later - earlier + (1 << 63)) % (1 << 64) - (1 << 63)
    return (difference * NS) >> 32


def span_ns(short: int) -> int:
    """Return a short-format span (root delay, root dispersion) in nanoseconds, rounded up."""
    return -(-short * NS // _SHORT)


def precision_ns(precision: int) -> int:
    """Return 2^precision seconds in nanoseconds, rounded up, for any precision."""
    return NS << precision if precision >= 0 else -(-NS // (1 << -precision))
