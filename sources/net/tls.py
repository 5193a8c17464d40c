"""One bare TLS context per CA store: chain and host name always verified, dates never by OpenSSL.

The local clock is what is in doubt, so it may not judge certificates: OpenSSL is asked not to look
at dates, and validity.py holds the chain against the time that the server itself claims.
Nothing switches the rest of the verification off.

Bare, because ssl.create_default_context parses every CA there is: 33 ms, against 0.2 by `capath`.
"""

import encodings.idna  # noqa: F401 - ssl's codec for names: later a file may be one too many
import errno
import os
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sources.base import Malformed, Run, SourceError, Unavailable, Unreachable, Unverified
from sources.net import tcp, udp
from sources.net.validity import Validity

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL 1.1 and later; the ssl module has no name for it."""
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The names by which OpenSSL finds a certificate in a directory (`openssl rehash`)."""
_A_STORE = 20
"""A directory with fewer certificates than this is not all that the system trusts."""
_HELLO = struct.Struct("!BHHB3sH")
"""How a server answers: type, version and length of a record (RFC 8446 section 5.1), and of the
handshake message in it type and length (section 4), and the version that is chosen."""
_HANDSHAKE, _SERVER_HELLO, _SSL_3 = 22, 2, 0x300
_NOTHING_SAID = ""
_LOCAL_REASONS = frozenset(
    (
        _NOTHING_SAID,
        "FETCH_FAILED",
        "INITIALIZATION_ERROR",
        "INTERNAL_ERROR",
        "MALLOC_FAILURE",
        "NO_CIPHERS_AVAILABLE",
        "NO_PROTOCOLS_AVAILABLE",
        "UNSUPPORTED",
    )
)
"""What OpenSSL says where its own configuration (FIPS, openssl.cnf) or the memory is in the way."""
_OUT_OF_MEMORY, _NO_ISSUER = 17, (2, 20)
"""X509_V_ERR_OUT_OF_MEM, and those for issuers that are not found (openssl/x509_vfy.h)."""
_ABOUT_VERSIONS = ("UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER")
_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their CAs, for a Python whose OpenSSL was built to look elsewhere."""

_lock = threading.Lock()
_contexts: dict[str | None, ssl.SSLContext] = {}


def context(ca_file: str | None) -> ssl.SSLContext:
    """Return the one context for HTTPS that trusts this CA file; raise what `bare` does."""
    with _lock:
        if ca_file not in _contexts:
            _contexts[ca_file] = bare(ca_file, "http/1.1")
        return _contexts[ca_file]


def bare(ca_file: str | None, protocol: str) -> ssl.SSLContext:
    """Return a new context that trusts this CA file, or without one the system's CAs.

    $SSL_CERT_FILE and $SSL_CERT_DIR replace the system's where they are set. Raises Unverified
    when there is nothing to trust.
    """
    try:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2  # systems' policies differ; RFC 8996
        made.verify_flags = ssl.VerifyFlags(made.verify_flags | _NO_CHECK_TIME)
        made.hostname_checks_common_name = False  # RFC 9525 section 6.3
        made.set_alpn_protocols([protocol])
    except (ssl.SSLError, ValueError) as error:
        raise Unavailable(f"OpenSSL cannot be used as it is configured: {error}") from error
    _load(made, ca_file)
    return made


def handshake(
    link: socket.socket, context: ssl.SSLContext, host: str | None, server: str, run: Run
) -> ssl.SSLSocket:
    """Return the connection, secured: chain and name are verified, dates are not.

    The socket given is of no use afterwards. Raises the SourceError that says what went wrong.
    """
    host = host and host.partition("%")[0]  # no certificate has a zone, which is this machine's
    try:
        (host or "").encode("ascii" if (host or "").isascii() else "idna")
    except UnicodeError as error:  # wrap_socket would lose the socket over it
        raise Unreachable(f"no such host can be: {error}") from error
    with bounded(link, server, "TLS handshake", run):
        secured = context.wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
    hello = b""
    try:
        with bounded(secured, server, "TLS handshake", run):
            if _is_done_at_once(secured):
                return secured
        with bounded(secured, server, "TLS handshake", run):
            # OpenSSL does not say which version it did not like; the first bytes do.
            hello = socket.socket.recv(secured, _HELLO.size, socket.MSG_PEEK)
        with bounded(secured, server, "TLS handshake", run):
            secured.do_handshake()
    except SourceError as error:
        secured.close()
        offered = _offered_in(hello, error.__cause__, context.minimum_version)
        if not offered:
            raise
        wanted = _shown(context.minimum_version)
        raise Malformed(f"{server}: {offered} offered: {wanted} or newer wanted") from error
    return secured


def _is_done_at_once(link: ssl.SSLSocket) -> bool:
    """Begin the handshake, and do not wait for the answer; True if it is here and that was all."""
    link.settimeout(0)
    try:
        link.do_handshake()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    return True


def _offered_in(hello: bytes, error: BaseException | None, wanted: int) -> str:
    """Return which version a server offers; empty if that is not the trouble."""
    why = error.reason if isinstance(error, ssl.SSLError) else None
    # Who is so near that its answer came with the first look is not looked at beforehand.
    if why == "TLSV1_ALERT_PROTOCOL_VERSION" or (why == "UNSUPPORTED_PROTOCOL" and not hello):
        return f"{_shown(wanted - 1)} or older"
    if why not in _ABOUT_VERSIONS or len(hello) < _HELLO.size:
        return ""
    record, _, _, message, _, version = _HELLO.unpack(hello)
    is_answer = (record, message) == (_HANDSHAKE, _SERVER_HELLO) and _SSL_3 <= version < wanted
    return _shown(version) if is_answer else ""


def _shown(version: int) -> str:
    return "SSL 3.0" if version == _SSL_3 else f"TLS 1.{version - _SSL_3 - 1}"


@contextmanager
def bounded(link: socket.socket, server: str, what: str, run: Run) -> Iterator[None]:
    """Let an operation last until the deadline at most, and name what went wrong, TLS included."""
    with tcp.bounded(link, server, what, run):
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            if lack := _lack_in_verifying(error):
                raise Unavailable(f"certificates cannot be verified: {lack}") from error
            raise Unverified(f"certificate: {error.verify_message}") from error
        except ssl.SSLEOFError as error:
            raise Unreachable(f"{server}: {what}: connection closed") from error
        except ssl.SSLError as error:
            if (error.reason or error.library or _NOTHING_SAID) in _LOCAL_REASONS:
                raise Unavailable(f"OpenSSL: {error.reason or error}") from error
            why = error.reason or str(error).removeprefix("[SSL] ").partition(" (_ssl")[0]
            raise Malformed(f"{server}: {what}: {why}") from error


def _lack_in_verifying(error: ssl.SSLCertVerificationError) -> str:
    """Return what this machine lacked to verify a certificate; empty where that was not it.

    A store is read when it is needed, and OpenSSL takes an issuer that it could not read for none.
    """
    if error.verify_code == _OUT_OF_MEMORY:
        return "not enough memory"
    if error.verify_code in _NO_ISSUER:
        return udp.shortage()
    return ""


def verified_chain(link: ssl.SSLSocket) -> list[Validity]:
    """Return the dates of every certificate of the verified chain, the server's own first."""
    # The public version of this came with 3.13 and has no dates; the object is the same in all.
    chain = link._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
    return [_validity(certificate) for certificate in chain]


def _validity(certificate: Any) -> Validity:
    """Return the dates of a certificate.

    OpenSSL, set to overlook dates, lets any text pass for one, and never looks at text in
    extensions that Python then cannot decode.
    """
    try:
        found = certificate.get_info()
        names = [_name(found.get("subject", ()))]
        names += [text for _, text in found.get("subjectAltName", ())]
        name = next(filter(None, names), "without a name")
        dates = found.get("notBefore", "none"), found.get("notAfter", "none")
    except ValueError as error:
        raise Unverified(f"certificate cannot be read: {error}") from error
    try:
        return Validity(name, *(ssl.cert_time_to_seconds(date) for date in dates))
    except ValueError as error:
        raise Unverified(f"certificate {name!r} has no valid dates: {', '.join(dates)}") from error


def _load(bare: ssl.SSLContext, ca_file: str | None) -> None:
    """Have the context trust the file, or what the environment names, or the system's store."""
    file, directories = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if ca_file is not None:
        loaded, tried = _loaded(bare, [ca_file])
    elif file or directories:
        named = [*(directories or "").split(os.pathsep), file]
        loaded, tried = _loaded(bare, filter(None, named))
    else:
        loaded, tried = _loaded(bare, _system_stores(), enough=_A_STORE)
    if not loaded:
        raise Unverified(f"no CA certificates to verify with ({'; '.join(tried) or 'none found'})")


def _loaded(
    bare: ssl.SSLContext, stores: Iterable[str], enough: int = sys.maxsize
) -> tuple[int, list[str]]:
    """Load stores until one has enough; return how many were, and why the others were not.

    A bundle is enough. A directory may hold one CA that somebody added to those of a bundle.
    """
    loaded, tried = 0, []
    for path in stores:
        held = enough
        try:
            if not os.path.isdir(path):
                bare.load_verify_locations(cafile=path)
            elif held := _hashed_in(path):
                bare.load_verify_locations(capath=path)
            else:
                tried.append(f"{path}: no certificates under hashed names (openssl rehash)")
                continue
        except OSError as error:  # what is no PEM file raises ssl.SSLError, which is one too
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise Unavailable(f"{path}: {error.strerror}") from error
            tried.append(f"{path}: {error.strerror or error}")
            continue
        loaded += 1
        if held >= enough:
            break
    return loaded, tried


def _system_stores() -> Iterator[str]:
    """Yield where CAs may be: directories first, since from those OpenSSL loads what it needs."""
    built_in = ssl.get_default_verify_paths()
    yield from (built_in.openssl_capath, *_DIRECTORIES, built_in.openssl_cafile, *_FILES)


def _hashed_in(directory: str) -> int:
    """Return how many certificates OpenSSL can find there."""
    with os.scandir(directory) as entries:
        return sum(_HASHED.fullmatch(entry.name) is not None for entry in entries)


def _name(subject: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return the common name, or all there is."""
    parts = dict(pair for group in subject for pair in group)
    return parts.get("commonName") or ", ".join(parts.values())
