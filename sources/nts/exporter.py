"""Keys of NTS from a TLS connection: what RFC 8446 section 7.5 exports. Pure.

The standard library does not export keying material, but it logs TLS 1.3's exporter secret where
one asks it to; RFC 8446 section 7.5 derives from that what RFC 8915 section 5.1 wants.
"""

import hashlib
import hmac
import struct

from sources.base import Unavailable
from sources.nts import wire_ke as nts_ke
from sources.nts.proof import Keys

_LABEL = b"EXPORTER-network-time-security"
_KEY_BYTES = 32
_SECRET = b"EXPORTER_SECRET "
"""How its line in a key log begins (draft-ietf-tls-keylogfile)."""


def keys_from(key_log: bytes, cipher: str) -> Keys:
    """Return the keys of the one connection that the key log holds.

    Raises Unavailable for a log that has none: it is this machine's OpenSSL that writes it.
    """
    digest = "sha384" if cipher.endswith("SHA384") else "sha256"
    secret = _secret_in(key_log)
    if len(secret) != hashlib.new(digest).digest_size:
        raise Unavailable(f"TLS logged an exporter secret of {len(secret)} bytes")
    which = struct.Struct("!HHB")
    return Keys(
        *(
            _exported(digest, secret, which.pack(0, nts_ke.AES_SIV_CMAC_256, direction))
            for direction in (0, 1)
        )
    )


def _secret_in(key_log: bytes) -> bytes:
    lines = [line.split() for line in key_log.splitlines() if line.startswith(_SECRET)]
    if len(lines) != 1:
        raise Unavailable(f"TLS logged {len(lines)} exporter secrets: one wanted")
    try:
        _, _, secret = lines[0]
        return bytes.fromhex(secret.decode("ascii"))
    except ValueError as error:
        raise Unavailable("TLS logged an exporter secret that cannot be read") from error


def _exported(digest: str, secret: bytes, context: bytes) -> bytes:
    """Return TLS-Exporter(label, context, 32) of RFC 8446 section 7.5."""
    empty = hashlib.new(digest).digest()
    derived = _expanded(digest, secret, _LABEL, empty, len(empty))
    return _expanded(
        digest, derived, b"exporter", hashlib.new(digest, context).digest(), _KEY_BYTES
    )


def _expanded(digest: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """Return HKDF-Expand-Label of RFC 8446 section 7.1."""
    label = b"tls13 " + label
    info = struct.pack("!HB", length, len(label)) + label + bytes([len(context)]) + context
    block, out, number = b"", b"", 0
    while len(out) < length:
        number += 1
        block = hmac.digest(secret, block + info + bytes([number]), digest)
        out += block
    return out[:length]
