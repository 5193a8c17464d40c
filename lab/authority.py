"""A throw-away certificate authority: a root, intermediates, and certificates of any dates."""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sources.base import ConfigError
from sources.clock import NS
from sources.net.addresses import is_address
from sources.record import Record

DAY_S = 86_400
LIFETIME = (-2 * DAY_S, 30 * DAY_S)
"""From when until when a server's certificate is valid, in seconds after the lab's present."""
FOR_LIFE = (-60 * 365 * DAY_S, 60 * 365 * DAY_S)
"""The same, of those that sign it."""
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where containers can write, if anywhere
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PEM = serialization.Encoding.PEM


class Issuer(Record):
    """A certificate that may sign others, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """A CA whose files live in a directory of their own until it is closed."""

    def __init__(self, now_unix_ns: int, name: str = "Lab Root") -> None:
        """Make root and directory; lifetimes are counted from `now_unix_ns`."""
        self._now = _EPOCH + timedelta(seconds=now_unix_ns // NS)
        self._directory = _directory()
        self._root = self.issuer(name)
        self.ca_file = self._write("root.pem", self._root.certificate.public_bytes(_PEM))

    def close(self) -> None:
        """Remove the files."""
        self._directory.cleanup()

    def issuer(
        self, name: str, lifetime: tuple[int, int] = FOR_LIFE, above: Issuer | None = None
    ) -> Issuer:
        """Return a CA certificate: signed by the one above, or a root."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, lifetime, above).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return Issuer(builder.sign(above.key if above else key, hashes.SHA256()), key)

    def identity(
        self,
        names: Iterable[str],
        lifetime: tuple[int, int] = LIFETIME,
        intermediate: tuple[int, int] = FOR_LIFE,
    ) -> tuple[str, str]:
        """Return the files of a chain for these names and addresses, and of its key."""
        middle = self.issuer("Lab Intermediate", intermediate, self._root)
        key = ec.generate_private_key(ec.SECP256R1())
        names = list(names)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = [
            x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name)
            for name in names
        ]
        leaf = (
            self._builder(subject, key, lifetime, middle)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(middle.key, hashes.SHA256())
        )
        chain = leaf.public_bytes(_PEM) + middle.certificate.public_bytes(_PEM)
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        number = leaf.serial_number
        return self._write(f"{number}.pem", chain), self._write(f"{number}.key", private)

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        lifetime: tuple[int, int],
        above: Issuer | None,
    ) -> x509.CertificateBuilder:
        begins, ends = (self._now + timedelta(seconds=seconds) for seconds in lifetime)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(above.certificate.subject if above else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def _write(self, name: str, data: bytes) -> str:
        path = Path(self._directory.name, name)
        path.write_bytes(data)
        return str(path)


def _directory() -> "tempfile.TemporaryDirectory[str]":
    """Make a directory where one can be made: in containers, often in shared memory only."""
    prefix = "time-drift-lab-"
    try:
        return tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as nowhere:
        try:
            return tempfile.TemporaryDirectory(prefix=prefix, dir=_SHARED_MEMORY)
        except OSError:
            raise ConfigError(
                "the demo's certificates need a directory that can be written to: /tmp "
                "(in a container: --tmpfs /tmp), $TMPDIR or /dev/shm"
            ) from nowhere
