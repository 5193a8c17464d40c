"""AES-SIV and Ed25519, wherever cryptography has them."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.ciphers import aead

from sources import ciphers
from sources.ciphers import RUST

KEY = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
ASSOCIATED = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
PLAINTEXT = bytes.fromhex("112233445566778899aabbccddee")
SEALED = bytes.fromhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")
"""RFC 5297 appendix A.1."""
PUBLIC_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
"""Of one byte, 0x72: RFC 8032 section 7.1, test 2."""


NAMELESS = SimpleNamespace(openssl=SimpleNamespace())


@pytest.fixture(params=[lambda _: None, lambda patch: patch.setitem(sys.modules, RUST, NAMELESS)])
def cryptography(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of today's, and one whose Rust module has other names."""
    prepare: Callable[[pytest.MonkeyPatch], None] = request.param
    prepare(monkeypatch)


@pytest.mark.usefixtures("cryptography")
def test_aes_siv_is_the_rfcs() -> None:
    """Sealed as in the appendix, opened again, and not opened when a bit is another."""
    assert ciphers.sealed(KEY, PLAINTEXT, [ASSOCIATED]) == SEALED
    assert ciphers.opened(KEY, SEALED, [ASSOCIATED]) == PLAINTEXT
    assert ciphers.opened(KEY, SEALED[:-1] + b"\0", [ASSOCIATED]) is None
    assert ciphers.opened(KEY, SEALED, [ASSOCIATED, b""]) is None
    assert ciphers.opened(KEY, b"", []) is None


@pytest.mark.usefixtures("cryptography")
def test_ed25519_is_the_rfcs() -> None:
    """The signature of the appendix holds for its message and for no other."""
    assert ciphers.is_signed(PUBLIC_KEY, SIGNATURE, b"\x72")
    assert not ciphers.is_signed(PUBLIC_KEY, SIGNATURE, b"\x73")
    assert not ciphers.is_signed(PUBLIC_KEY, bytes(64), b"\x72")
    assert not ciphers.is_signed(PUBLIC_KEY, b"", b"\x72")


def test_a_key_of_another_length_is_a_bug() -> None:
    """It is no lack of this machine's."""
    with pytest.raises(ValueError, match="key"):
        ciphers.sealed(KEY[1:], b"", [])


def test_the_narrow_names_are_those_of_the_public_modules() -> None:
    """As long as they are, nothing is lost by asking for them alone."""
    assert aead.AESSIV is openssl.aead.AESSIV
