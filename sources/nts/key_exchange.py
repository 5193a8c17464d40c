"""NTS key establishment (RFC 8915 section 4), the socket half: one TLS connection, one agreement.

Each exchange has a context of its own, because the secret comes by a key log and a log is of a
context: an anonymous file in memory, which nobody else can open. Name and chain are verified by
OpenSSL; the dates are judged later, by the time that the keys authenticate.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sources.base import Malformed, Run, Unavailable
from sources.net import tcp, tls
from sources.nts import exporter
from sources.nts import wire_ke as nts_ke
from sources.nts.proof import Established

_READ_BYTES = 4096
_MOST_READS = 1024
"""Each brings one TLS record at most: as many as there are bytes in an honest response, or so."""
_DESCRIPTORS = "/proc/self/fd"


def establish(
    host: str, port: int, addresses: tuple[str, ...], ca_file: str | None, run: Run
) -> Established:
    """Exchange keys with a server; raise the SourceError that says why there are none."""
    link, address = tcp.connect(addresses, port, run)
    with link, _key_log() as (path, log):
        context = tls.bare(ca_file, nts_ke.PROTOCOL)
        context.minimum_version = ssl.TLSVersion.TLSv1_3  # RFC 8915 section 3
        context.keylog_filename = path
        with tls.handshake(link, context, host.removesuffix("."), address, run) as secured:
            if secured.selected_alpn_protocol() != nts_ke.PROTOCOL:
                raise Malformed(f"{address}: speaks no {nts_ke.PROTOCOL}")
            chain = tuple(tls.verified_chain(secured))
            agreement = nts_ke.decode(_response(secured, address, run))
            name, _, _ = secured.cipher() or ("", "", 0)
        keys = exporter.keys_from(log.read(), name)
    return Established(keys, agreement.cookies, agreement.server, address, agreement.port, chain)


def _response(secured: ssl.SSLSocket, address: str, run: Run) -> bytes:
    """Send the request and return what comes back, up to End of Message or the connection's end."""
    with tls.bounded(secured, address, "NTS-KE request", run):
        secured.sendall(nts_ke.REQUEST)
    response = nts_ke.Incoming()
    for _ in range(_MOST_READS):
        with tls.bounded(secured, address, "NTS-KE response", run):
            data = secured.recv(_READ_BYTES)
        if not data or response.take(data):
            return response.data
    raise Malformed(f"{address}: NTS-KE response in more than {_MOST_READS} TLS records")


@contextmanager
def _key_log() -> Iterator[tuple[str, IO[bytes]]]:
    """Give a file that is nobody's but ours, by name: in memory, or else a private one on disk."""
    try:
        number = os.memfd_create("nts") if os.path.isdir(_DESCRIPTORS) else None
    except (AttributeError, OSError):  # other systems than Linux, and sandboxes
        number = None
    if number is not None:
        with open(number, "rb") as file:
            yield f"{_DESCRIPTORS}/{number}", file
        return
    try:
        named = tempfile.NamedTemporaryFile(prefix="time-drift-")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Unavailable(f"no place for the key log of TLS: {error.strerror or error}") from error
    with named:
        yield named.name, named.file
