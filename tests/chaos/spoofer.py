"""An attacker off the path: forged datagrams, 50,000 a second, from servers' addresses.

    python -m tests.chaos.spoofer CONFIGURATION WHAT SECONDS

It knows whom the program asks, and in which few ports the program listens, as no real one would. It
does not see what is sent, so it knows neither nonce nor id. Root only: the senders are forged by
raw sockets.
"""

import ctypes
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sources.ntp import wire
from sources.roughtime import wire as roughtime
from tests.chaos.servers import lab_time_unix_ns

RATE = 50_000
_HOUR_NS = 3600 * 10**9
_BATCH = 512
_HERE = socket.inet_aton("127.0.0.1")
_DNS_SERVER, _DNS_PORT = "127.0.0.9", 53
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("sent", ctypes.c_uint64),
    )


def _ntp(**fields: object) -> bytes:
    stamp = wire.stamp_of(lab_time_unix_ns() + _HOUR_NS)
    packet = wire.Packet(
        mode=wire.SERVER, stratum=1, precision=-20, reference=stamp, receive=stamp, transmit=stamp
    )
    return wire.encode(packet.replaced(origin=int.from_bytes(os.urandom(8)), **fields))


def _kiss() -> bytes:
    return _ntp(leap=3, stratum=0, reference_id=b"DENY", receive=0, transmit=0)


def _nts() -> bytes:
    return _ntp() + struct.pack("!HH", 0x0104, 36) + os.urandom(32) + os.urandom(140)


def _roughtime() -> bytes:
    return roughtime.frame(os.urandom(400))


def _dns() -> bytes:
    """Return that a.lab.test is at an address of the attacker's, under some id."""
    question = b"\1a\3lab\4test\0\0\1\0\1"
    head = struct.pack("!6H", int.from_bytes(os.urandom(2)), 0x8180, 1, 1, 0, 0)
    return head + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.18.66.6")


FORGED: dict[str, Callable[[], bytes]] = {
    "ntp": _ntp,
    "kiss": _kiss,
    "nts": _nts,
    "roughtime": _roughtime,
    "dns": _dns,
}


def _datagram(server: tuple[str, int], port: int, data: bytes) -> bytes:
    """Return IP packet and UDP datagram of a server's; without a checksum, as IPv4 allows."""
    udp = struct.pack("!4H", server[1], port, 8 + len(data), 0) + data
    return _ip(server[0], socket.IPPROTO_UDP, udp)


def _unreachable(server: tuple[str, int], port: int) -> bytes:
    """Return the ICMP error that says that nobody listens where the program asks."""
    udp = struct.pack("!4H", port, server[1], 56, 0)
    asked = _ip("127.0.0.1", socket.IPPROTO_UDP, udp, to=socket.inet_aton(server[0]))
    body = bytearray(struct.pack("!BBHI", 3, 3, 0, 0) + asked)
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = (total & 0xFFFF) + (total >> 16)
    body[2:4] = (~(total + (total >> 16)) & 0xFFFF).to_bytes(2)
    return _ip(server[0], socket.IPPROTO_ICMP, bytes(body))


def _ip(source: str, protocol: int, body: bytes, to: bytes = _HERE) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    return head + socket.inet_aton(source) + to + body


def _batch(packets: Sequence[bytes]) -> tuple["ctypes.Array[_Header]", list[object]]:
    """Return what sendmmsg takes, and what has to live as long as that."""
    # Where to is in each packet already, but the kernel wants it beside.
    address = ctypes.create_string_buffer(struct.pack("=HH4s8x", socket.AF_INET, 0, _HERE))
    kept: list[object] = [address]
    headers = (_Header * len(packets))()
    for header, packet in zip(headers, packets, strict=True):
        buffer = ctypes.create_string_buffer(packet, len(packet))
        vector = _Vector(ctypes.addressof(buffer), len(packet))
        header.name, header.name_length = ctypes.addressof(address), 16
        header.vectors, header.vector_count = ctypes.pointer(vector), 1
        kept += [buffer, vector]
    return headers, kept


def _below(limit: int) -> int:
    return int.from_bytes(os.urandom(4)) % limit


def main(config: str, what: str, seconds: float) -> None:
    """Send for so long, to the ports that the kernel gives out here."""
    servers = [
        ("127.0.0.1", int(port)) for port in re.findall("port = ([0-9]+)", Path(config).read_text())
    ]
    if what == "dns":
        servers = [(_DNS_SERVER, _DNS_PORT)]
    low, high = map(int, _PORTS.read_text().split())
    packets = []
    for _ in range(_BATCH):
        server = servers[_below(len(servers))]
        port = low + _below(high - low + 1)
        packets.append(
            _unreachable(server, port)
            if what == "icmp"
            else _datagram(server, port, FORGED[what]())
        )
    headers, kept = _batch(packets)
    send = ctypes.CDLL(None, use_errno=True).sendmmsg
    sent, elapsed_s, began_s = 0, 0.0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        while (elapsed_s := time.monotonic() - began_s) < seconds:
            if sent < RATE * elapsed_s:
                sent += max(0, send(raw.fileno(), headers, len(packets), 0))
            else:
                time.sleep(_BATCH / RATE / 4)
    del kept


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
