"""NTS sources that ask the lab's server, and servers that bend the exchange of keys."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from lab.behaviour import Behaviour
from lab.nts import Manner, NtsServer, Records
from sources.base import Sample
from sources.clock import NS, Clock
from sources.nts import wire_ke as nts_ke
from sources.nts.source import NtsSource
from tests.support.fakes import a_run

CLOCK = Clock()


def source_of(server: "NtsServer | Listener", host: str | None = None) -> NtsSource:
    """Return the source that asks a server, by a name or by its address."""
    fallback = (server.address,) if host else ()
    return NtsSource(host or server.address, server.port, "Alpha", fallback, server.ca_file)


def asked(server: "NtsServer | Listener", deadline_s: float = 2) -> Sample:
    return source_of(server).sample(a_run(deadline_s))


def holds_the_truth(sample: Sample, ahead_s: float = 0) -> bool:
    """Whether raw - true, true time being this machine's clock and so much, is in the interval."""
    truth_ns = -CLOCK.wall_minus_raw_ns() - round(ahead_s * NS)
    return sample.certain.low_ns - 50_000 <= truth_ns <= sample.certain.high_ns + 50_000


def both(*behaviours: Behaviour) -> Behaviour:
    """Answer with everything that these do, one after the other."""
    return lambda reply: [each for behave in behaviours for each in behave(reply)]


def but(kind: int, *bodies: bytes, critical: bool = True) -> Manner:
    """Exchange keys honestly, but with these records of one type instead of the honest ones."""

    def bend(records: Records) -> bytes:
        changed = [record for record in records if record[0] != kind]
        return nts_ke.encode([(kind, body, critical) for body in bodies] + changed)

    return Manner(bend=bend)


class Listener:
    """Does with each connection what a script says, and closes it."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.address = "127.0.0.1"
        self.ca_file = ssl.get_default_verify_paths().openssl_cafile
        self._script = script
        self._socket = socket.create_server((self.address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            self._script(link)
