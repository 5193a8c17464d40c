"""AES-SIV and Ed25519 of cryptography, without most of what its public modules import. Pure.

Both are made in its Rust module; the public modules pass them on, and bring typing, re and a class
for every cipher, 6 ms of a run. A release that has them elsewhere is asked by its public modules.
"""

from sources.base import Unavailable, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

RUST = "cryptography.hazmat.bindings._rust"
"""Who stays loads it ahead."""


def sealed(key: bytes, plaintext: bytes, associated: list[bytes]) -> bytes:
    """Return tag and ciphertext of AES-SIV; raise Unavailable where this machine has none."""
    return _aes_siv(key).encrypt(plaintext, associated)


def opened(key: bytes, ciphertext: bytes, associated: list[bytes]) -> bytes | None:
    """Return what AES-SIV has encrypted, None if not with this key; raise as `sealed` does."""
    try:
        return _aes_siv(key).decrypt(ciphertext, associated)
    except ValueError:
        return None
    except Unavailable:
        raise
    except Exception as error:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only an error needs it

        if isinstance(error, InvalidTag):
            return None
        raise


def is_signed(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether an Ed25519 signature holds; raise Unavailable where this machine cannot verify."""
    key = _ed25519(public_key)
    try:
        key.verify(signature, data)
    except Exception as error:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above

        if isinstance(error, InvalidSignature):
            return False
        raise
    return True


def _aes_siv(key: bytes) -> "AESSIV":
    with loading("cryptography"):  # 8 ms
        try:
            from cryptography.hazmat.bindings._rust import openssl  # noqa: PLC0415

            made = openssl.aead.AESSIV
        except (ImportError, AttributeError):
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415

            made = AESSIV
    try:
        return made(key)
    except Exception as error:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above

        if isinstance(error, UnsupportedAlgorithm):  # as under FIPS
            raise Unavailable(f"AES-SIV cannot be had: {error}") from error
        raise


def _ed25519(public_key: bytes) -> "Ed25519PublicKey":
    with loading("cryptography"):  # 8 ms
        try:
            from cryptography.hazmat.bindings._rust import openssl  # noqa: PLC0415

            made = openssl.ed25519.from_public_bytes
        except (ImportError, AttributeError):
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
                Ed25519PublicKey,
            )

            made = Ed25519PublicKey.from_public_bytes
    try:
        return made(public_key)
    except ValueError as error:
        # Any 32 bytes are a key; OpenSSL without Ed25519, as under FIPS, says that they are not.
        raise Unavailable(f"Ed25519 cannot be had: {error}") from error
    except Exception as error:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above

        if isinstance(error, UnsupportedAlgorithm):
            raise Unavailable(f"Ed25519 cannot be had: {error}") from error
        raise
