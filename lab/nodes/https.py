"""The same inside TLS, with a certificate authority that all lab nodes of a process share."""

import ssl
import time
from functools import cache

from lab.authority import FOR_LIFE, LIFETIME, Authority
from lab.nodes.http import HttpNode
from sources.record import Record


class Tls(Record):
    """What secures a node, and the file of who vouches for it."""

    context: ssl.SSLContext
    ca_file: str


class HttpsNode(HttpNode):
    """Shows a certificate of the address that it listens on."""

    kind = "https"

    def settings(self) -> dict[str, object]:
        """Return whom to believe."""
        return {**super().settings(), "ca_file": tls(self.address).ca_file}

    def _tls(self) -> ssl.SSLContext:
        return tls(self.address).context


@cache
def tls(name: str, lifetime: tuple[int, int] = FOR_LIFE) -> Tls:
    """Return what secures a server of this name, made once."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*_authority().identity((name,), lifetime, FOR_LIFE))
    return Tls(made, _authority().ca_file)


@cache
def _authority() -> Authority:
    """Return the authority, whose directory goes with the process."""
    return Authority(time.time_ns())


EXPIRED = (LIFETIME[0] * 2, LIFETIME[0])
NODE = HttpsNode
