"""The same inside TLS, with a certificate authority that all lab nodes of a process share."""

import atexit
import ssl
import threading
import time
from functools import cache

from lab.authority import FOR_LIFE, LIFETIME, Authority
from lab.nodes.http import HttpNode
from sources.record import Record

_lock = threading.Lock()


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


def tls(name: str, lifetime: tuple[int, int] = FOR_LIFE) -> Tls:
    """Return what secures a server of this name, made once."""
    with _lock:
        return _tls(name, lifetime)


@cache
def _tls(name: str, lifetime: tuple[int, int]) -> Tls:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*_authority().identity((name,), lifetime, FOR_LIFE))
    return Tls(made, _authority().ca_file)


def forget() -> None:
    """Remove the authority's files; whoever starts a node afterwards gets another one."""
    with _lock:
        if _authority.cache_info().currsize:
            _authority().close()
        _tls.cache_clear()
        _authority.cache_clear()


@cache
def _authority() -> Authority:
    """Return the authority, whose directory goes with the process at the latest."""
    made = Authority(time.time_ns())
    atexit.register(made.close)
    return made


EXPIRED = (LIFETIME[0] * 2, LIFETIME[0])
NODE = HttpsNode
