"""The same conversation inside TLS, of which each flight is in our hands.

TLS runs over memory (ssl.MemoryBIO): so the moment before the last flight of the handshake is
known, which the node cannot have been past when it read its clock, and every byte that comes is
counted, those of TLS itself too.
"""

import ssl
import threading
from functools import cache
from typing import cast

from nodes.base import Question
from nodes.link import Link
from sources.base import Malformed, Unverified
from sources.net import tls, validity
from sources.net.steps import Steps

_lock = threading.Lock()


class SecureLink(Link):
    """A connection on which TLS is established."""

    def __init__(self, question: Question, most_bytes: int, context: ssl.SSLContext) -> None:
        """Note when it begins, and by which context TLS is to be established."""
        super().__init__(question, most_bytes)
        self._context = context
        self._host = question.host.removesuffix(".")
        self._true_unix_ns = question.true_unix_ns
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.last_flight_raw_ns = 0
        """Before the node can have known that TLS is established."""
        self._secured: ssl.SSLObject

    def connect(self) -> Steps[None]:
        """Connect and shake hands; where the context verifies, the chain is held against true time.

        Raises what Link does, Unverified, and Malformed.
        """
        yield from super().connect()
        self._secured = self._over_memory()
        yield from self._shake_hands()
        if self._context.verify_mode != ssl.CERT_NONE:
            self._judge_dates()

    def send(self, data: bytes) -> Steps[None]:
        """Send it all, secured."""
        self._secured.write(data)
        yield from self._flush()

    def receive(self) -> Steps[bytes]:
        """Return what comes next, in clear text; raise Refused or Malformed at the end."""
        while True:
            try:
                data = self._secured.read(1 << 14)
            except ssl.SSLWantReadError:
                yield from self._flush()
                self._incoming.write((yield from super().receive()))
                continue
            except ssl.SSLError as error:
                raise _named(error, self.server) from error
            if not data:
                raise Malformed(f"{self.server}: TLS ends before the answer")
            return data

    def _over_memory(self) -> ssl.SSLObject:
        try:
            return self._context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=self._host
            )
        except (UnicodeError, ValueError) as error:
            raise Unverified(f"no certificate can be of this host: {error}") from error

    def _shake_hands(self) -> Steps[None]:
        while True:
            try:
                self._secured.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._flush()
                self._incoming.write((yield from super().receive()))
            except ssl.SSLError as error:
                yield from self._flush()  # the alert that says why
                raise _named(error, self.server) from error
            else:
                yield from self._flush()
                return

    def _flush(self) -> Steps[None]:
        if self._outgoing.pending:
            self.last_flight_raw_ns = self.clock.raw_ns()
            yield from super().send(self._outgoing.read())

    def _judge_dates(self) -> None:
        """Hold the chain against true time by the observer's consensus, of no local clock."""
        # The SSLObject has what an SSLSocket has, as far as this reads it.
        chain = tls.verified_chain(cast(ssl.SSLSocket, self._secured))
        true_unix_ns = self._true_unix_ns()
        validity.judge(chain, true_unix_ns, true_unix_ns)


def _named(error: ssl.SSLError, server: str) -> Unverified | Malformed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unverified(f"certificate: {error.verify_message}")
    why = error.reason or str(error).partition(" (_ssl")[0]
    return Malformed(f"{server}: TLS: {why}")


def unverified() -> ssl.SSLContext:
    """Return the context for nodes whose certificates prove nothing: they sign their own."""
    with _lock:
        return _unverified()


@cache
def _unverified() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made
