"""Whom a TLS context trusts, what it never lets pass, and that no local clock has a say in it."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from lab.authority import DAY_S, FOR_LIFE, LIFETIME, Authority
from lab.https import HttpsServer, Identity
from sources.base import Unverified
from sources.clock import NS
from sources.net import tls
from sources.net.validity import Validity
from tests.support.fakes import TRUE_UNIX_NS

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h)."""
HOST = "time.lab.test"
NAMED = x509.SubjectAlternativeName([x509.DNSName(HOST)])
DER = serialization.Encoding.DER
LONG_AGO = (-20 * 365 * DAY_S, -19 * 365 * DAY_S)
FAR_AHEAD = (19 * 365 * DAY_S, 20 * 365 * DAY_S)


@pytest.fixture(autouse=True)
def no_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin without the contexts of the others."""
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """An authority that the tests trust, or not."""
    made = Authority(TRUE_UNIX_NS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stranger() -> Iterator[Authority]:
    """Another authority."""
    made = Authority(TRUE_UNIX_NS, "Another Root")
    yield made
    made.close()


@pytest.fixture
def hashed(tmp_path: Path, needs: Callable[[str], str]) -> Callable[[Authority], str]:
    """Return a maker of directories in which OpenSSL finds an authority's root by its hash."""
    openssl = needs("openssl")

    def make(authority: Authority) -> str:
        directory = tmp_path / f"hashed-{id(authority)}"
        directory.mkdir()
        shutil.copy(authority.ca_file, directory)
        subprocess.run([openssl, "rehash", directory], check=True, capture_output=True)
        return str(directory)

    return make


def handshake(
    client_context: ssl.SSLContext, files: tuple[str, str], host: str = HOST
) -> ssl.SSLObject:
    """Shake hands in memory with a server that shows this chain; return the client's side."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    server_context.load_cert_chain(*files)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client


def certificate(
    authority: Authority, extensions: tuple[x509.ExtensionType, ...] = (NAMED,)
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a certificate of HOST that the root itself has signed, with its key."""
    root, key = authority._root, ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    builder = authority._builder(subject, key, LIFETIME, root)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(root.key, hashes.SHA256()), key


def files_of(
    authority: Authority, certificate: bytes, key: ec.EllipticCurvePrivateKey
) -> tuple[str, str]:
    """Return the files of a certificate, given in DER, and of its key."""
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (
        authority._write("made.pem", ssl.DER_cert_to_PEM_cert(certificate).encode()),
        authority._write("made.key", private),
    )


def trusts(context: ssl.SSLContext, authority: Authority) -> bool:
    """Whether the context takes a certificate of that authority."""
    try:
        handshake(context, authority.identity([HOST]))
    except ssl.SSLCertVerificationError:
        return False
    return True


# What every context holds to


def test_everything_but_the_dates_is_verified(authority: Authority) -> None:
    """Chain and host name are checked, dates are not, and old versions of TLS are not spoken."""
    context = tls.context(authority.ca_file)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.verify_flags & NO_CHECK_TIME
    assert (
        context.verify_flags & ~NO_CHECK_TIME
        == ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).verify_flags
    )
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("lifetime", [LIFETIME, LONG_AGO, FAR_AHEAD])
@pytest.mark.parametrize("intermediate", [FOR_LIFE, LONG_AGO, FAR_AHEAD])
def test_dates_are_not_openssls_business(
    authority: Authority, lifetime: tuple[int, int], intermediate: tuple[int, int]
) -> None:
    """A certificate of any dates, and one signed by an intermediate of any dates, is let pass
    here: sources/net/validity.py judges them.
    """
    files = authority.identity([HOST], lifetime, intermediate)

    assert handshake(tls.context(authority.ca_file), files).version()


@pytest.mark.parametrize("lifetime", [LIFETIME, LONG_AGO])
def test_another_name_is_refused(authority: Authority, lifetime: tuple[int, int]) -> None:
    """The name is checked, of an expired certificate too."""
    files = authority.identity(["other.lab.test"], lifetime)

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tls.context(authority.ca_file), files)


def test_a_common_name_names_nobody(authority: Authority) -> None:
    """A host is who stands in subjectAltName, not who is called so (RFC 9110 section 4.3.4)."""
    addresses_only = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
    leaf, key = certificate(authority, (addresses_only,))

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tls.context(authority.ca_file), files_of(authority, leaf.public_bytes(DER), key))


def test_http_1_1_is_what_is_spoken(authority: Authority) -> None:
    """To a server that would rather speak HTTP/2 the one protocol is named that we understand."""
    link = handshake(tls.context(authority.ca_file), authority.identity([HOST]))

    assert link.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("lifetime", [LIFETIME, LONG_AGO])
@pytest.mark.parametrize("name", ["Lab Root", "Another Root"])
def test_another_authority_is_refused(
    authority: Authority, lifetime: tuple[int, int], name: str
) -> None:
    """What another root has signed is not taken, also if that bears the name of ours."""
    other = Authority(TRUE_UNIX_NS, name)
    files = other.identity([HOST], lifetime)

    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        handshake(tls.context(authority.ca_file), files)

    other.close()


# Where the authorities come from


def test_a_ca_file_is_all_that_is_trusted(authority: Authority, stranger: Authority) -> None:
    """With a file configured nothing else counts, not even the system's authorities."""
    context = tls.context(authority.ca_file)

    assert trusts(context, authority)
    assert not trusts(context, stranger)
    assert len(context.get_ca_certs()) == 1


def test_a_context_is_made_once(
    authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file yields the same object, also to eight who ask at the same time."""
    load = tls._load
    loaded: list[str | None] = []

    def load_slowly(bare: ssl.SSLContext, ca_file: str | None) -> None:
        loaded.append(ca_file)
        time.sleep(0.02)
        load(bare, ca_file)

    monkeypatch.setattr(tls, "_load", load_slowly)
    first = tls.context(authority.ca_file)
    made: list[ssl.SSLContext] = []
    threads = [
        threading.Thread(target=lambda: made.append(tls.context(stranger.ca_file)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tls.context(authority.ca_file) is first
    assert loaded == [authority.ca_file, stranger.ca_file]
    assert len(made) == 8
    assert len({id(context) for context in made}) == 1
    assert made[0] is not first


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there (any more) makes the source unverified, and is named."""
    missing = str(tmp_path / "missing.pem")

    with pytest.raises(Unverified) as error:
        tls.context(missing)

    assert str(error.value) == (
        f"no CA certificates to verify with ({missing}: No such file or directory)"
    )


@pytest.mark.parametrize("text", ["", "no certificate\n", "\0\xff"])
def test_a_file_without_certificates_is_named(tmp_path: Path, text: str) -> None:
    """What is no PEM is named, and why it cannot be used."""
    junk = tmp_path / "junk.pem"
    junk.write_text(text, encoding="latin-1")

    with pytest.raises(Unverified, match=rf"verify with \({junk}: .*\w+"):
        tls.context(str(junk))


def test_a_failure_is_not_kept(authority: Authority, tmp_path: Path) -> None:
    """A file that is mended is read when it is asked for again."""
    late = tmp_path / "late.pem"
    with pytest.raises(Unverified):
        tls.context(str(late))
    shutil.copy(authority.ca_file, late)

    assert trusts(tls.context(str(late)), authority)


def test_the_environments_file_is_trusted(
    authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$SSL_CERT_FILE replaces the system's authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)

    context = tls.context(None)

    assert trusts(context, authority)
    assert not trusts(context, stranger)
    assert len(context.get_ca_certs()) == 1


def test_the_environments_directory_is_trusted(
    authority: Authority,
    stranger: Authority,
    hashed: Callable[[Authority], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """$SSL_CERT_DIR replaces them too; from it OpenSSL loads what a chain needs, when it does."""
    monkeypatch.setenv("SSL_CERT_DIR", hashed(authority))

    context = tls.context(None)

    assert context.get_ca_certs() == []
    assert trusts(context, authority)
    assert not trusts(context, stranger)


def test_file_and_directory_are_trusted_together(
    authority: Authority,
    stranger: Authority,
    hashed: Callable[[Authority], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With both variables set the authorities of both count, and no third one."""
    monkeypatch.setenv("SSL_CERT_DIR", hashed(authority))
    monkeypatch.setenv("SSL_CERT_FILE", stranger.ca_file)
    third = Authority(TRUE_UNIX_NS, "Third Root")

    context = tls.context(None)

    assert trusts(context, authority)
    assert trusts(context, stranger)
    assert not trusts(context, third)
    third.close()


def test_several_directories_may_be_named(
    authority: Authority,
    stranger: Authority,
    hashed: Callable[[Authority], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """$SSL_CERT_DIR is a list, as it is to OpenSSL; empty places in it are nothing."""
    monkeypatch.setenv("SSL_CERT_DIR", f":{hashed(authority)}::{hashed(stranger)}:")

    context = tls.context(None)

    assert trusts(context, authority)
    assert trusts(context, stranger)


def test_the_environment_does_not_reach_a_configured_file(
    authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ca_file is stronger than both variables."""
    monkeypatch.setenv("SSL_CERT_FILE", stranger.ca_file)
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")

    context = tls.context(authority.ca_file)

    assert trusts(context, authority)
    assert not trusts(context, stranger)


def test_empty_variables_are_as_good_as_none(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set to nothing does not take the system's authorities away."""
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setattr(tls, "_system_stores", lambda: iter([authority.ca_file]))

    assert trusts(tls.context(None), authority)


def test_a_directory_without_hashed_names_is_reported(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL would find nothing in it, and say nothing: so the remedy is named."""
    shutil.copy(authority.ca_file, tmp_path)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    with pytest.raises(Unverified) as error:
        tls.context(None)

    assert str(error.value) == (
        "no CA certificates to verify with "
        f"({tmp_path}: no certificates under hashed names (openssl rehash))"
    )


def test_all_that_was_tried_in_vain_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is left to trust each place is named with what is wrong with it."""
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{tmp_path}/none")
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/none.pem")

    with pytest.raises(Unverified) as error:
        tls.context(None)

    assert str(error.value).count(": No such file or directory") == 2
    assert f"{tmp_path}: no certificates under hashed names" in str(error.value)


def test_the_first_of_the_systems_stores_that_can_be_read_is_used(
    authority: Authority, stranger: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all the places where systems keep their authorities one is enough."""
    empty = tmp_path / "empty"
    empty.mkdir()
    stores = [str(tmp_path / "none"), str(empty), authority.ca_file, stranger.ca_file]
    monkeypatch.setattr(tls, "_system_stores", lambda: iter(stores))

    context = tls.context(None)

    assert trusts(context, authority)
    assert not trusts(context, stranger)


def test_hashed_directories_are_preferred(
    authority: Authority,
    stranger: Authority,
    hashed: Callable[[Authority], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A directory is used before any file, since from it only what is needed is parsed."""
    monkeypatch.setattr(tls, "_A_STORE", 1)
    monkeypatch.setattr(tls, "_DIRECTORIES", (str(tmp_path / "none"), hashed(authority)))
    monkeypatch.setattr(tls, "_FILES", (stranger.ca_file,))
    nowhere = ssl.DefaultVerifyPaths("", "", "", f"{tmp_path}/no", "", f"{tmp_path}/no")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)

    context = tls.context(None)

    assert context.get_ca_certs() == []
    assert trusts(context, authority)
    assert not trusts(context, stranger)


def test_a_directory_with_a_single_authority_is_not_the_whole_store(
    authority: Authority,
    stranger: Authority,
    hashed: Callable[[Authority], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where somebody hashed one CA of their own, those of the system's bundle are trusted too."""
    monkeypatch.setattr(tls, "_DIRECTORIES", (hashed(authority),))
    monkeypatch.setattr(tls, "_FILES", (stranger.ca_file,))
    nowhere = ssl.DefaultVerifyPaths("", "", "", f"{tmp_path}/no", "", f"{tmp_path}/no")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)

    context = tls.context(None)

    assert trusts(context, authority)
    assert trusts(context, stranger)


def test_a_system_without_authorities_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine without any (a bare container) each place that was tried is named."""
    monkeypatch.chdir(tmp_path)  # whole paths are too long for one message
    monkeypatch.setattr(tls, "_DIRECTORIES", ("certs",))
    monkeypatch.setattr(tls, "_FILES", ("bundle.pem",))
    nowhere = ssl.DefaultVerifyPaths("", "", "", "no", "", "no")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)

    with pytest.raises(Unverified) as error:
        tls.context(None)

    assert "certs: No such file" in str(error.value)
    assert "bundle.pem: No such file" in str(error.value)


# What a connection shows


def chain_of(server: HttpsServer, host: str) -> list[Validity]:
    """Connect, shake hands, and return the verified chain."""
    context = tls.context(server._authority.ca_file)
    with (
        socket.create_connection((server.address, server.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as link,
    ):
        return tls.verified_chain(link)


def test_the_verified_chain_is_reported_from_leaf_to_root() -> None:
    """Every certificate is there, its subject and dates, the root too, which no server sends."""
    identity = Identity((HOST,), (-5 * DAY_S, 6 * DAY_S), (-7 * DAY_S, 8 * DAY_S))
    with HttpsServer("Alpha", time_unix_ns=lambda: TRUE_UNIX_NS, identity=identity) as server:
        chain = chain_of(server, HOST)

    now_s = TRUE_UNIX_NS // NS
    assert chain == [
        Validity(HOST, now_s - 5 * DAY_S, now_s + 6 * DAY_S),
        Validity("Lab Intermediate", now_s - 7 * DAY_S, now_s + 8 * DAY_S),
        Validity("Lab Root", now_s + FOR_LIFE[0], now_s + FOR_LIFE[1]),
    ]


@pytest.mark.parametrize("lifetime", [LONG_AGO, FAR_AHEAD])
def test_the_chain_of_a_certificate_out_of_date_asked_too(lifetime: tuple[int, int]) -> None:
    """The dates that OpenSSL was set to overlook are the ones that are wanted, 2049 and later
    included, which are written in another way.
    """
    identity = Identity((HOST,), lifetime)
    with HttpsServer("Alpha", time_unix_ns=lambda: TRUE_UNIX_NS, identity=identity) as server:
        leaf = chain_of(server, HOST)[0]

    now_s = TRUE_UNIX_NS // NS
    assert leaf == Validity(HOST, now_s + lifetime[0], now_s + lifetime[1])


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (((("countryName", "DE"),), (("commonName", "time.test"),)), "time.test"),
        (((("countryName", "DE"), ("organizationName", "Lab")),), "DE, Lab"),
        (((("organizationName", "Lab"),), (("organizationalUnitName", "CA"),)), "Lab, CA"),
        ((), ""),
    ],
)
def test_a_certificate_is_called_by_its_common_name(
    subject: tuple[tuple[tuple[str, str], ...], ...], expected: str
) -> None:
    """Without a common name all there is of the subject stands for it."""
    assert tls._name(subject) == expected


def test_dates_that_are_none_are_unverified(authority: Authority) -> None:
    """OpenSSL, set to overlook dates, takes any bytes for one: the source fails by name."""
    leaf, key = certificate(authority)
    right = leaf.not_valid_after_utc.strftime("%y%m%d%H%M%SZ").encode()
    assert leaf.tbs_certificate_bytes.count(right) == 1
    signed = leaf.tbs_certificate_bytes.replace(right, b"2613990000--Z")
    signature = authority._root.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    broken = _der(0x30, signed + ecdsa_with_sha256 + _der(0x03, b"\0" + signature))
    link = handshake(tls.context(authority.ca_file), files_of(authority, broken, key))

    with pytest.raises(Unverified, match=f"certificate '{HOST}' has no valid dates: "):
        tls.verified_chain(cast(ssl.SSLSocket, link))


def _der(tag: int, content: bytes) -> bytes:
    """Write one value of ASN.1; from 128 bytes on the length has a length of its own."""
    size = len(content).to_bytes(2, "big").lstrip(b"\0")
    if len(content) > 127:
        size = bytes([0x80 | len(size)]) + size
    return bytes([tag]) + size + content


def test_text_that_is_none_is_unverified(authority: Authority) -> None:
    """An extension whose text is not even UTF-8, rightly signed, fails its source by name."""
    uri = _der(0x30, _der(0x06, bytes.fromhex("2b06010505073001")) + _der(0x86, b"http://\xff"))
    access = x509.UnrecognizedExtension(ExtensionOID.AUTHORITY_INFORMATION_ACCESS, _der(0x30, uri))
    leaf, key = certificate(authority, (NAMED, access))
    files = files_of(authority, leaf.public_bytes(DER), key)
    link = handshake(tls.context(authority.ca_file), files)

    with pytest.raises(Unverified, match="certificate cannot be read"):
        tls.verified_chain(cast(ssl.SSLSocket, link))


WITHOUT_DESCRIPTORS = """
import resource, socket, ssl
from sources.net import tls
ours, theirs = socket.socketpair()
resource.setrlimit(resource.RLIMIT_NOFILE, (theirs.fileno() + 1,) * 2)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.wrap_socket(ours, server_hostname="time.lab.test", do_handshake_on_connect=False)
"""


def test_a_name_needs_no_file_any_more() -> None:
    """With all descriptors taken a connection is secured: nothing is left to be loaded for it."""
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
