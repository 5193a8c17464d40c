"""HTTPS sources that ask the lab's server; a clock that both ends share."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest

from lab import behaviour
from lab.authority import FOR_LIFE
from lab.behaviour import Behaviour, Honest, Reply
from lab.https import HttpsServer, Identity
from sources.base import Interval, Sample
from sources.clock import NS, Clock
from sources.https.source import HttpsSource
from tests.support.fakes import TRUE_UNIX_NS, a_run

CLOCK = Clock()
MS = NS // 1000
HOUR_S = 3600
SOON_S = 1.0
"""Long enough for a busy machine, short enough to be no timeout."""
SLACK_S = 0.3
"""How much later than a deadline a busy machine may look."""
FOREVER = Identity(lifetime=FOR_LIFE)


def source_of(
    server: HttpsServer,
    path: str = "/",
    host: str | None = None,
    date_lag_ns: int = 0,
    ignored: tuple[str, ...] = (),
) -> HttpsSource:
    """Return the source that asks this server, by its address or by a name that leads there."""
    host = host or (f"[{server.address}]" if ":" in server.address else server.address)
    return HttpsSource(
        f"https://{host}:{server.port}{path}",
        "Alpha",
        (server.address,),
        server._authority.ca_file,
        date_lag_ns,
        ignored,
    )


def sample_of(server: HttpsServer, deadline_s: float = 2.0) -> Sample:
    return source_of(server).sample(a_run(deadline_s))


def assert_holds_the_truth(sample: Sample, off_s: float = 0) -> None:
    """Hold a sample to what a server proves whose clock is this machine's, off by so much."""
    truth_ns = -CLOCK.wall_minus_raw_ns() - round(off_s * NS)
    assert sample.certain.low_ns - MS <= truth_ns <= sample.certain.high_ns + MS


class Asked:
    """A sample, and between which moments it was taken."""

    def __init__(self, source: HttpsSource) -> None:
        before_raw_ns = CLOCK.raw_ns()
        self.sample = source.sample(a_run())
        self.during_raw = Interval(before_raw_ns, CLOCK.raw_ns())

    def says(self, date_unix_s: int) -> bool:
        """Whether the sample is what a server proves whose Date was this."""
        begins_ns, ends_ns = self.during_raw.shifted(-date_unix_s * NS)
        certain = self.sample.certain
        return (
            begins_ns - NS <= certain.low_ns
            and certain.high_ns <= ends_ns
            and certain.width_ns == NS + self.sample.rtt_ns
        )


class MovableClock(Clock):
    """This machine's clock, which a test can move on."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def raw_ns(self) -> int:
        return super().raw_ns() + self.ahead_ns


class World:
    """A server and a client who share a clock, on which waiting takes no time."""

    truth_ns = -TRUE_UNIX_NS
    """Raw - true."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = MovableClock()
        self.go_on = threading.Event()
        self.wait_for: threading.Event | None = None
        self.waits_s: list[float] = []
        monkeypatch.setattr("sources.https.source.Latch", lambda: self)

    def wait(self, seconds: float) -> None:
        """Stand for Latch.wait; wait for nothing but what the test wants."""
        if self.wait_for is not None:
            assert self.wait_for.wait(5)
            self.wait_for.clear()
        self.waits_s.append(seconds)
        self.clock.ahead_ns += round(seconds * NS)

    def time_unix_ns(self) -> int:
        return self.clock.raw_ns() - self.truth_ns

    def server(
        self, behave: Behaviour = behaviour.honest, identity: Identity = FOREVER
    ) -> HttpsServer:
        return HttpsServer("Alpha", behave, time_unix_ns=self.time_unix_ns, identity=identity)

    def far_away(self, behave: Behaviour = behaviour.honest) -> Behaviour:
        """Return the behaviour of who is 150 ms away: so much doubt is left by every reply."""

        def answer(reply: Honest) -> Iterable[Reply]:
            replies = list(behave(reply))
            self.clock.ahead_ns += 150 * MS
            return replies

        return answer

    def conversation(
        self, source: HttpsSource, boundary_raw_ns: int, deadline_s: float = 60
    ) -> list[Sample]:
        """Ask until the source has no more to say; return all the samples."""
        conversation = source.conversation(a_run(deadline_s, clock=self.clock))
        samples = [next(conversation)]
        with suppress(StopIteration):
            while True:
                samples.append(conversation.send(boundary_raw_ns))
        return samples


class Scripted(HttpsServer):
    """A server whose every answer is a function that may do as it pleases with the connection."""

    def __init__(
        self,
        script: Callable[[ssl.SSLSocket, bytes], None],
        time_unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._script = script
        self.left = threading.Event()
        super().__init__("Alpha", time_unix_ns=time_unix_ns)

    def _answer(self, link: ssl.SSLSocket, request: bytes) -> None:
        self.requests.append(request)
        try:
            self._script(link, self._honest(0))
        finally:
            link.shutdown(socket.SHUT_RDWR)
            self.left.set()
