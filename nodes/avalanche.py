"""Avalanche nodes, by the Handshake that they send first.

A node wants a certificate of its client, any one of a P-256 key, and speaks as soon as TLS 1.3 is
established (ava-labs/avalanchego 1cf1fc3 network/peer/tls_config.go). Ours is made once a process
and thrown away with it. Nothing is sent.
"""

import os
import ssl
import threading
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

from nodes import secure
from nodes.base import Node, Question, Stamp, printable
from nodes.wire import avalanche as wire
from sources import schema
from sources.clock import NS
from sources.net.steps import Steps

_PORT = 9651
_MOST_BYTES = wire.LONGEST + (16 << 10)
"""The message, and TLS around it."""
_lock = threading.Lock()


class AvalancheNode(Node):
    """Nodes of an Avalanche network."""

    kind = "avalanche"
    KEYS: ClassVar = {"port": schema.port(_PORT)}

    def conversation(self, question: Question) -> Steps[Stamp]:
        """Establish TLS, and listen."""
        with secure.SecureLink(question, _MOST_BYTES, _context()) as link:
            yield from link.connect()
            sent_raw_ns = link.last_flight_raw_ns
            received = b""
            handshake = None
            while handshake is None:
                received += yield from link.receive()
                handshake = wire.decode(received)
            return Stamp(
                stamp_unix_ns=handshake.time_unix_ns,
                grain_ns=NS,
                lag_ns=0,
                sent_raw_ns=sent_raw_ns,
                received_raw_ns=link.received_raw_ns,
                server=link.server,
                software=printable(handshake.software),
                authenticated=False,
                note=f"network {handshake.network}",
            )


def _context() -> ssl.SSLContext:
    with _lock:
        return _made_once()


@cache
def _made_once() -> ssl.SSLContext:
    """Return the context that shows our certificate; no file on any disk ever holds its key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    held = os.memfd_create("time-drift")
    try:
        os.write(held, _identity())
        made.load_cert_chain(f"/proc/self/fd/{held}")
    finally:
        os.close(held)
    return made


def _identity() -> bytes:
    """Return a new key and a certificate of it, valid whatever any clock says, as PEM."""
    # 30 ms to import, and of this kind alone.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2200, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


NODE = AvalancheNode
