"""What only HTTPS sources do: certificates, Dates, caches, connections kept, bytes without end."""

import gc
import os
import re
import select
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drift.config import parse
from lab import behaviour
from lab.authority import DAY_S, FOR_LIFE, Authority
from lab.behaviour import Behaviour, Honest, Reply
from lab.https import (
    HttpsServer,
    Identity,
    dated,
    drip,
    huge_headers,
    redirect,
    replaced,
    reset,
    with_body,
    with_header,
    without_date,
)
from sources.base import (
    ConfigError,
    Implausible,
    Interval,
    Malformed,
    Sample,
    SourceError,
    Stale,
    TimedOut,
    Unreachable,
    Unverified,
)
from sources.clock import NS, Clock
from sources.https import wire_date as http_date
from sources.https.proof import MOST_REQUESTS
from sources.https.source import HttpsSource
from sources.net import tcp, tls
from tests.support.fakes import TRUE_UNIX_NS, a_run

CLOCK = Clock()
MS = NS // 1000
HOUR_S = 3600
YEAR_S = 365 * DAY_S
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


class Elapsed:
    """How long the block took, in seconds."""

    def __enter__(self) -> "Elapsed":
        self._began_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.s = time.monotonic() - self._began_s


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
        monkeypatch.setattr("sources.https.source.threading", SimpleNamespace(Event=lambda: self))

    def wait(self, seconds: float) -> None:
        """Stand for threading.Event().wait; wait for nothing but what the test wants."""
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


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


# Dates


@pytest.mark.parametrize("off_s", [0, 0.75, HOUR_S, -7 * DAY_S, 40 * YEAR_S])
def test_a_date_is_believed_as_it_is(off_s: float) -> None:
    """Whatever the server's clock says is what its sample says: to outvote is not our business."""
    with HttpsServer("Alpha", behaviour.shifted(off_s), identity=FOREVER) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample, off_s)
    assert sample.certain.width_ns == NS + sample.rtt_ns
    assert sample.authenticated


def test_a_time_before_the_release_is_implausible() -> None:
    """A server that is stuck in the past proves nothing, its certificate being as old as it."""
    with (
        HttpsServer("Alpha", behaviour.shifted(-5 * YEAR_S), identity=FOREVER) as server,
        pytest.raises(Implausible, match="before the earliest possible one"),
    ):
        sample_of(server)


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
)
def test_all_three_forms_are_read(form: str) -> None:
    """IMF-fixdate, RFC 850 and asctime are Dates; each means the second that it names."""
    date_unix_s = TRUE_UNIX_NS // NS
    text = datetime.fromtimestamp(date_unix_s, UTC).strftime(form)

    with HttpsServer("Alpha", dated(text), identity=FOREVER) as server:
        assert Asked(source_of(server)).says(date_unix_s)


@pytest.mark.parametrize(
    ("behave", "says"),
    [
        (without_date, "no Date headers"),
        (dated(""), "Date '': none of the three forms"),
        (dated("now"), "Date 'now': none of the three forms"),
        (dated("Sun, 22 Nov 2026 19:01:56 +0000"), "none of the three forms"),
        (dated("Mon, 22 Nov 2026 19:01:56 GMT"), "that day is a Sunday"),
        (dated("Sun, 22 Nov 2026 24:01:56 GMT"), "hour must be in"),
        (with_header("Date", "Sun, 22 Nov 2026 19:01:56 GMT"), "2 Date headers"),
    ],
)
def test_what_is_no_date_is_malformed(behave: Behaviour, says: str) -> None:
    """Without one valid Date a response proves nothing."""
    with (
        HttpsServer("Alpha", behave, identity=FOREVER) as server,
        pytest.raises(Malformed, match=says),
    ):
        sample_of(server)


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found", b"405 No", b"503 Later"])
def test_any_status_will_do(status: bytes) -> None:
    """The Date of a refusal is as good as any."""
    with HttpsServer("Alpha", replaced(b"204 No Content", status)) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


def test_an_interim_response_is_not_the_response() -> None:
    """What goes before the final response, a Date of its own included, is passed over."""

    def hinting(reply: Honest) -> Iterable[Reply]:
        hint = reply(-HOUR_S * NS).replace(b"204 No Content", b"103 Early Hints")
        return [Reply(hint + reply(0))]

    with HttpsServer("Alpha", hinting) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


def test_a_lag_that_is_allowed_widens_the_low_end() -> None:
    """date_lag widens the certain interval by itself, and leaves the likely one alone."""
    with HttpsServer("Alpha") as server:
        sample = source_of(server, date_lag_ns=600 * MS).sample(a_run())

    assert sample.likely.low_ns - sample.certain.low_ns == 600 * MS
    assert sample.likely.high_ns == sample.certain.high_ns
    assert sample.likely.width_ns == NS + sample.rtt_ns


def test_the_trip_begins_before_the_first_byte_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is held up in the middle of sending may have been heard already: that time counts too."""
    send = ssl.SSLSocket.sendall

    def send_and_dawdle(link: ssl.SSLSocket, data: bytes, *rest: int) -> None:
        send(link, data, *rest)
        if data.startswith(b"HEAD"):
            time.sleep(0.1)

    monkeypatch.setattr(ssl.SSLSocket, "sendall", send_and_dawdle)
    with HttpsServer("Alpha") as server:
        sample = sample_of(server)

    assert sample.rtt_ns >= 100 * MS
    assert_holds_the_truth(sample)


def test_the_trip_ends_when_the_response_is_here() -> None:
    """A server that takes its time is waited for, and the wait is in the interval."""
    with HttpsServer("Alpha", behaviour.late(0.1)) as server:
        sample = sample_of(server)

    assert 100 * MS <= sample.rtt_ns < 100 * MS + SLACK_S * NS
    assert sample.certain.width_ns == NS + sample.rtt_ns
    assert_holds_the_truth(sample)


# Caches


@pytest.mark.parametrize(
    ("name", "value"), [("Age", "0"), ("AGE", "17"), ("Via", "1.1 x"), ("X-Cache", "Hit from x")]
)
def test_a_cached_date_is_stale_unless_its_mark_is_ignored(name: str, value: str) -> None:
    """The mark of a cache voids the sample; where it is said to mean none, it does not."""
    with HttpsServer("Alpha", with_header(name, value)) as server:
        with pytest.raises(Stale, match=f"from a cache: {name.title()}: {value}"):
            sample_of(server)

        ignoring = source_of(server, ignored=(name.lower(),)).sample(a_run())

    assert_holds_the_truth(ignoring)


def test_ignoring_one_header_does_not_ignore_another() -> None:
    """Each header is ignored for itself."""
    with (
        HttpsServer("Alpha", with_header("Via", "1.1 x")) as server,
        pytest.raises(Stale, match="Via"),
    ):
        source_of(server, ignored=("age", "x-cache")).sample(a_run())


# Certificates


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (Identity(names=("127.0.0.2",)), "^certificate: IP address mismatch.*127.0.0.1"),
        (Identity(names=("time.lab.test",)), "^certificate: IP address mismatch.*127.0.0.1"),
        (Identity(known=False), "^certificate: unable to get local issuer certificate"),
        (
            Identity(lifetime=(-9 * DAY_S, -3 * DAY_S)),
            r"^certificate '127\.0\.0\.1' expired 3 days before the time the server claims$",
        ),
        (
            Identity(lifetime=(5 * DAY_S, 9 * DAY_S)),
            r"^certificate '127\.0\.0\.1' is not valid until \d days after the time the server cl",
        ),
        (
            Identity(intermediate=(-9 * DAY_S, -3 * DAY_S)),
            "^certificate 'Lab Intermediate' expired 3 days before the time the server claims$",
        ),
        (
            Identity(intermediate=(5 * DAY_S, 9 * DAY_S)),
            "^certificate 'Lab Intermediate' is not valid until",
        ),
    ],
)
def test_a_certificate_that_does_not_hold_is_told(identity: Identity, says: str) -> None:
    """Wrong name, unknown authority, wrong dates anywhere in the chain: each in its own words."""
    with HttpsServer("Alpha", identity=identity) as server:
        (source,) = parse(server.toml(), "the test").sources
        with Elapsed() as elapsed, pytest.raises(Unverified, match=says):
            source.sample(a_run())

    assert elapsed.s < SOON_S


def test_the_name_that_was_configured_is_the_one_verified() -> None:
    """Of a host that is reached by its addresses the name counts, not where it led."""
    with HttpsServer("Alpha", identity=Identity(("time.lab.test",))) as server:
        assert source_of(server, host="time.lab.test").sample(a_run())
        assert source_of(server, host="TIME.lab.test.").sample(a_run())
        with pytest.raises(Unverified, match=r"Hostname mismatch.*'other\.lab\.test'"):
            source_of(server, host="other.lab.test").sample(a_run())


def test_expired_by_our_clock_is_valid_by_the_servers() -> None:
    """An hour after its end a certificate still proves the name of a server that says yesterday."""
    ended = Identity(lifetime=(-2 * DAY_S, -HOUR_S))
    with HttpsServer("Alpha", behaviour.shifted(-DAY_S), identity=ended) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample, -DAY_S)


def test_valid_by_our_clock_is_expired_by_the_servers() -> None:
    """A certificate that is good for an hour does not speak for a server that says tomorrow."""
    ending = Identity(lifetime=(-2 * DAY_S, HOUR_S))
    with (
        HttpsServer("Alpha", behaviour.shifted(DAY_S), identity=ending) as server,
        pytest.raises(Unverified, match=r"expired 8280[01] s before the time the server claims"),
    ):
        sample_of(server)


def test_every_response_is_held_against_the_certificate(world: World) -> None:
    """A server that jumps past the end of its certificate in mid-conversation is not believed."""
    jumping = behaviour.in_turn(behaviour.honest, behaviour.shifted(DAY_S))
    with (
        world.server(jumping, Identity(lifetime=(-DAY_S, HOUR_S))) as server,
        pytest.raises(Unverified, match=r"expired 8[0-9]{4} s before"),
    ):
        world.conversation(source_of(server), world.truth_ns)

    assert len(server.requests) == 2


# Servers that drag, hang, hang up, or say too much


@contextmanager
def tcp_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve the first connection, without TLS unless `serve` does it; yield the port."""
    links: list[socket.socket] = []

    def listen() -> None:
        with suppress(OSError):
            link, _ = listener.accept()
            links.append(link)
            with link:
                serve(link)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def ca_file() -> Iterator[str]:
    """The file of some authority, where none is going to be needed."""
    authority = Authority(TRUE_UNIX_NS)
    yield authority.ca_file
    authority.close()


def source_at(port: int, ca_file: str) -> HttpsSource:
    return HttpsSource(f"https://127.0.0.1:{port}/", "Alpha", (), ca_file, 0, ())


def test_a_response_that_drips_is_cut_off_at_the_deadline() -> None:
    """A byte every 20 ms keeps a server talking for seconds, but not us listening."""
    with (
        HttpsServer("Alpha", drip(0.02)) as server,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match=r"response not done before the deadline|no time left"),
    ):
        sample_of(server, deadline_s=0.5)

    assert len(server.requests) == 1
    assert 0.45 < elapsed.s < 0.5 + SLACK_S


def test_a_server_that_says_nothing_is_a_timeout(ca_file: str) -> None:
    """Whoever accepts the connection and then is silent costs the time until the deadline."""
    with (
        tcp_server(_read_all) as port,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match=r"127\.0\.0\.1: TLS handshake not done before the deadline"),
    ):
        source_at(port, ca_file).sample(a_run(0.3))

    assert 0.25 < elapsed.s < 0.3 + SLACK_S


def _read_all(link: socket.socket) -> None:
    while link.recv(65_536):
        pass


def test_a_handshake_that_drips_is_cut_off_at_the_deadline() -> None:
    """A byte every 20 ms of the server's certificates does not move the deadline either."""

    def drip_through(link: socket.socket) -> None:
        with socket.create_connection((server.address, server.port)) as upstream:
            held = b""
            while True:
                readable, _, _ = select.select([link, upstream], [], [], 0)
                if link in readable:
                    upstream.sendall(link.recv(65_536))
                if upstream in readable:
                    held += upstream.recv(65_536)
                link.sendall(held[:1])
                held = held[1:]
                time.sleep(0.02)

    with (
        HttpsServer("Alpha") as server,
        tcp_server(drip_through) as port,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match="TLS handshake not done"),
    ):
        source_at(port, server._authority.ca_file).sample(a_run(0.4))

    assert 0.35 < elapsed.s < 0.4 + SLACK_S


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\nDate: Sun, 22 Nov 2026 19:01:56 GMT\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        b"220 mail.example ESMTP\r\n",
        bytes(64),
        b"\x15\x03\x01\x00\x02\x02\x28",
    ],
)
def test_who_speaks_no_tls_is_malformed_at_once(ca_file: str, data: bytes) -> None:
    """Plain HTTP, or anything else on the port, is no reason to wait, and none to believe."""

    def answer(link: socket.socket) -> None:
        link.recv(65_536)
        link.sendall(data)
        _read_all(link)

    with (
        tcp_server(answer) as port,
        Elapsed() as elapsed,
        pytest.raises(Malformed, match=r"127\.0\.0\.1: TLS handshake: \w+"),
    ):
        source_at(port, ca_file).sample(a_run())

    assert elapsed.s < SOON_S


OLD_HELLO = b"\x02\0\0\x26%s" + bytes(32) + b"\0\0\x2f\0"
"""A ServerHello of this version: no session, AES128-SHA (RFC 5246 section 7.4.1.3)."""


@pytest.mark.parametrize(
    ("version", "shown"), [(b"\3\0", "SSL 3.0"), (b"\3\1", "TLS 1.0"), (b"\3\2", "TLS 1.1")]
)
def test_an_old_version_of_tls_is_told(ca_file: str, version: bytes, shown: str) -> None:
    """A server that chooses what is older than TLS 1.2 is malformed, and the version is named."""

    def answer(link: socket.socket) -> None:
        link.recv(65_536)
        threading.Event().wait(0.02)  # as far away as servers are
        hello = OLD_HELLO % version
        link.sendall(b"\x16" + version + len(hello).to_bytes(2) + hello)
        _read_all(link)

    says = f"^127.0.0.1: {shown} offered: TLS 1.2 or newer wanted$"
    with tcp_server(answer) as port, pytest.raises(Malformed, match=says):
        source_at(port, ca_file).sample(a_run())


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("-tls1_1", "127.0.0.1: TLS 1.1 or older offered: TLS 1.2 or newer wanted"),
        ("-tls1", "127.0.0.1: TLS 1.1 or older offered: TLS 1.2 or newer wanted"),
        ("-tls1_2", "TLSv1.2"),
        ("-tls1_3", "TLSv1.3"),
    ],
)
def test_the_versions_of_a_real_server(
    needs: Callable[[str], str], version: str, says: str
) -> None:
    """OpenSSL's own server, whatever the system's policy: old versions are named, new ones do."""
    authority = Authority(time.time_ns())
    chain, key = authority.identity(["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [needs("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain]
    command += ["-cert_chain", chain, "-key", key, "-cipher", "ALL:@SECLEVEL=0", version, "-WWW"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            assert server.stdout is not None
            assert any(line == b"ACCEPT\n" for line in server.stdout)
            found = version_of(port, authority.ca_file)
        finally:
            server.kill()
    authority.close()

    assert found == says


def version_of(port: int, ca_file: str) -> str:
    """Return the version of TLS that was agreed upon, or why none was."""
    run = a_run()
    link, server = tcp.connect(("127.0.0.1",), port, run)
    try:
        with tls.handshake(link, tls.bare(ca_file, "http/1.1"), server, server, run) as secured:
            return secured.version() or ""
    except Malformed as error:
        return str(error)


def test_a_server_whose_answer_is_here_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake that is over with the first look is not waited for any more."""
    usual = ssl.SSLSocket.settimeout
    monkeypatch.setattr(
        ssl.SSLSocket, "settimeout", lambda link, seconds: usual(link, seconds or SOON_S)
    )
    with HttpsServer("Alpha") as server, Elapsed() as elapsed:
        link, address = tcp.connect(("127.0.0.1",), server.port, a_run())
        context = tls.bare(server._authority.ca_file, "http/1.1")
        tls.handshake(link, context, "127.0.0.1", address, a_run()).close()

    assert elapsed.s < SOON_S


def _read_once(link: socket.socket) -> None:
    link.recv(65_536)


@pytest.mark.parametrize(
    ("serve", "says"),
    [
        (_read_once, r"127\.0\.0\.1: TLS handshake: connection closed$"),
        (lambda link: None, r"127\.0\.0\.1: TLS handshake: connection closed|reset by peer$"),
    ],
)
def test_hanging_up_instead_of_a_handshake_is_unreachable(
    ca_file: str, serve: Callable[[socket.socket], None], says: str
) -> None:
    """A connection that is closed before it is secured is a failure of the network, at once."""
    with (
        tcp_server(serve) as port,
        Elapsed() as elapsed,
        pytest.raises(Unreachable, match=says),
    ):
        source_at(port, ca_file).sample(a_run())

    assert elapsed.s < SOON_S


def test_a_reset_is_unreachable() -> None:
    """A connection that is reset in place of a response is a failure of the network, at once."""
    with (
        HttpsServer("Alpha", reset) as server,
        Elapsed() as elapsed,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1: "),
    ):
        sample_of(server)

    assert elapsed.s < SOON_S


def test_an_end_without_a_response_is_told() -> None:
    """A server that closes the connection after the request is unreachable, and says so."""
    with (
        Scripted(lambda link, _: None) as server,
        pytest.raises(Unreachable, match="connection closed instead of a response"),
    ):
        sample_of(server)


def test_half_a_response_is_malformed() -> None:
    """One that breaks off in the middle of its headers has begun to answer, and badly."""
    with (
        Scripted(lambda link, honest: link.sendall(honest[:40])) as server,
        pytest.raises(Malformed, match="HTTP: "),
    ):
        sample_of(server)


def test_huge_headers_are_malformed() -> None:
    """A megabyte of headers is not read to its end to find a Date there."""
    with (
        HttpsServer("Alpha", huge_headers) as server,
        Elapsed() as elapsed,
        pytest.raises(Malformed, match=r"^response headers of more than 65536 bytes$"),
    ):
        sample_of(server)

    assert elapsed.s < SOON_S


@pytest.mark.parametrize(("kilobytes", "fits"), [(48, True), (80, False)])
def test_headers_may_be_large(kilobytes: int, fits: bool) -> None:
    """Up to 64 KiB are read, which is more than any browser takes."""
    lines = [f"{number:03}" + "x" * 1000 for number in range(kilobytes)]
    with HttpsServer("Alpha", with_header("X", "\r\nX: ".join(lines))) as server:
        if fits:
            assert sample_of(server).authenticated
        else:
            with pytest.raises(Malformed, match="more than 65536 bytes"):
                sample_of(server)


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


def test_a_machine_that_was_away_does_not_wait_again(world: World) -> None:
    """Held up past the deadline in the middle of a response, we do not read on."""

    def answer_late(link: ssl.SSLSocket, honest: bytes) -> None:
        world.clock.ahead_ns += 10 * NS
        link.sendall(honest[:20])
        world.go_on.wait(5)

    with Scripted(answer_late, world.time_unix_ns) as server:
        with pytest.raises(TimedOut, match=r"no time left for the re(quest|sponse)"):
            source_of(server).sample(a_run(5, clock=world.clock))
        world.go_on.set()


@pytest.mark.parametrize(
    ("endless", "says"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "more than 65536 bytes"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", "more than 65536 bytes"),
        (b"HTTP/1.1 204 No Content\r\nX: " + b"x" * 1000, "more than 65536 bytes"),
        (b"HTTP/1.1 204 No Content\r\n" + b"X: x\r\n" * 100, "more than 65536 bytes"),
        (b"\r\n", "HTTP: "),
        (b"x", "HTTP: |more than 65536 bytes"),
    ],
)
def test_a_response_without_end_is_malformed(endless: bytes, says: str) -> None:
    """Interim responses, or headers, without end are cut off after 64 KiB, not kept and not read
    until the deadline.
    """

    def go_on(link: ssl.SSLSocket, _: bytes) -> None:
        while True:
            link.sendall(endless * (4096 // len(endless) + 1))

    with Scripted(go_on) as server:
        source = source_of(server)
        with Elapsed() as elapsed, pytest.raises(Malformed, match=says):
            source.sample(a_run(5))

    assert elapsed.s < 2


# What is asked


def headers_in(request: bytes) -> dict[str, str]:
    lines = request.decode().split("\r\n")[1:]
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "a header was sent twice"
    return {name.lower(): value for name, value in pairs}


def test_the_request_asks_for_nothing_but_a_fresh_date() -> None:
    """HEAD, no body, no cache, no compression; and no word of who asks but the program's name."""
    with HttpsServer("Alpha") as server:
        sample_of(server)

    (request,) = server.requests
    assert request.startswith(b"HEAD /?time-drift=")
    headers = headers_in(request)
    assert headers.pop("accept") == "*/*"
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "time-drift",
        "accept-encoding": "identity",
        "cache-control": "no-cache, no-store",
        "pragma": "no-cache",
        "connection": "keep-alive",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/?time-drift="),
        ("/", "/?time-drift="),
        ("/a/b.txt", "/a/b.txt?time-drift="),
        ("/?", "/?&time-drift="),
        ("?x", "/?x&time-drift="),
        ("/a?x=1&y=%20z", "/a?x=1&y=%20z&time-drift="),
    ],
)
def test_the_query_is_kept_and_made_unique(path: str, expected: str) -> None:
    """What is configured is asked for, with 64 random bits at the end of its query."""
    with HttpsServer("Alpha") as server:
        source = source_of(server, path)
        source.sample(a_run(random_bytes=lambda count: bytes(range(0xA0, 0xA0 + count))))

    target = server.requests[0].split(b" ")[1].decode()
    assert target == f"{expected}a0a1a2a3a4a5a6a7"


def test_no_two_requests_are_the_same() -> None:
    """A cache can have no answer to what was never asked before, in one run or in two."""
    with HttpsServer("Alpha") as server:
        source = source_of(server)
        for _ in range(4):
            source.sample(a_run())

    assert len({request.split(b" ")[1] for request in server.requests}) == 4


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("time.lab.test", "time.lab.test"),
        ("TIME.Lab.Test.", "time.lab.test"),
        ("b\u00fccher.test", "xn--bcher-kva.test"),
    ],
)
def test_the_host_is_named_by_its_name(host: str, expected: str) -> None:
    """A configured name is what the server is told, without a final dot, and the port."""
    with HttpsServer("Alpha", identity=Identity((expected,))) as server:
        source_of(server, host=host).sample(a_run())

    assert headers_in(server.requests[0])["host"] == f"{expected}:{server.port}"


def test_an_ipv6_host_is_bracketed() -> None:
    """A literal address stands in brackets, as in the URL."""
    with HttpsServer("Alpha", address="::1") as server:
        sample = sample_of(server)

    assert headers_in(server.requests[0])["host"] == f"[::1]:{server.port}"
    assert sample.server == "::1"


def test_the_next_address_is_asked_when_one_refuses() -> None:
    """Of several addresses a closed one costs nothing; the one that answered is named."""
    with HttpsServer("Alpha", address="127.0.0.2", identity=Identity(("a.test",))) as server:
        source = HttpsSource(
            f"https://a.test:{server.port}/",
            "Alpha",
            ("127.0.0.1", "127.0.0.2"),
            server._authority.ca_file,
            0,
            (),
        )
        assert source.sample(a_run()).server == "127.0.0.2"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's clock, or cache, is not asked, whatever is set."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")

    with HttpsServer("Alpha") as server:
        assert sample_of(server).server == "127.0.0.1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The Date of a redirect is the server's own; whom it names is not asked."""
    with HttpsServer("Bravo") as other:

        def elsewhere(reply: Honest) -> Iterable[Reply]:
            (away,) = redirect(f"https://127.0.0.1:{other.port}/")(reply)
            return [Reply(away.data.replace(b" 302 ", f" {status} ".encode()))]

        with HttpsServer("Alpha", elsewhere) as server:
            sample = sample_of(server)

    assert_holds_the_truth(sample)
    assert len(server.requests) == 1
    assert other.connections == 0


@pytest.mark.parametrize(
    "location", ["::", "http://[::1", "http://xn--a", "//\u2100/", "mailto:a", "\x01", "/\x7f"]
)
def test_where_a_redirect_leads_does_not_matter(location: str) -> None:
    """A Location that is no URL does not make the Date beside it any worse."""
    with HttpsServer("Alpha", redirect(location)) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


# Asking again


def test_one_connection_carries_a_whole_conversation(world: World) -> None:
    """Where the truth is the very boundary and the server far away, nothing is ever clear: then six
    requests go out, the most there may be, and all of them by the connection of the first.
    """
    with world.server(world.far_away()) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) == MOST_REQUESTS == 6
    assert server.connections == 1
    assert len({request.split(b" ")[1] for request in server.requests}) == 6
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns
    assert samples[-1].likely.width_ns < NS // 2
    assert all(0 <= wait_s < 1 for wait_s in world.waits_s)


def test_the_limit_of_headers_is_each_responses_own(world: World) -> None:
    """Six responses of 20 kB by one connection are no more than one."""
    with world.server(world.far_away(with_header("X", "x" * 20_000))) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == 6
    assert server.connections == 1


def test_a_conversation_ends_when_the_side_is_clear(world: World) -> None:
    """With the boundaries half a second from the truth, three times a round trip, a few requests
    are enough, and no more are made.
    """
    with world.server(world.far_away()) as server:
        samples = world.conversation(source_of(server), world.truth_ns + NS // 2)

    assert 1 < len(samples) == len(server.requests) < MOST_REQUESTS
    last = samples[-1].certain
    assert world.truth_ns - NS // 2 < last.low_ns
    assert last.high_ns < world.truth_ns + NS // 2
    assert last.low_ns <= world.truth_ns <= last.high_ns


def test_each_sample_is_narrower_than_the_one_before(world: World) -> None:
    """Nothing that is known is forgotten."""
    with world.server() as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    for before, after in pairwise(samples):
        assert before.certain.contains(after.certain)
        assert before.likely.contains(after.likely)


def test_a_date_that_may_lag_narrows_the_estimate_only(world: World) -> None:
    """The certain interval stays that of the first reply."""
    with world.server() as server:
        samples = world.conversation(source_of(server, date_lag_ns=1), world.truth_ns)

    assert len(samples) > 1
    assert {sample.certain for sample in samples} == {samples[0].certain}
    assert samples[-1].likely.width_ns < NS // 10


def test_nothing_is_asked_that_could_not_be_answered_by_the_deadline(world: World) -> None:
    """Where the next moment that tells is later than the deadline, the conversation is over."""
    with world.server() as server:
        source = source_of(server)
        boundary_raw_ns = world.clock.raw_ns() + 600 * MS
        samples = world.conversation(source, boundary_raw_ns, deadline_s=0.4)

    assert len(samples) == len(server.requests) == 1
    assert world.waits_s == []


def test_the_waiting_is_real() -> None:
    """Without a test's clock the next request goes out when the boundary's phase has come."""
    with HttpsServer("Alpha") as server:
        conversation = source_of(server).conversation(a_run())
        next(conversation)
        with Elapsed() as elapsed:
            conversation.send(CLOCK.raw_ns() + 200 * MS)
        conversation.close()

    assert 0.15 < elapsed.s < 0.2 + SLACK_S


def test_a_server_that_contradicts_itself_is_stale(world: World) -> None:
    """A Date that is an hour later in the next reply was a cache's, or is one now."""
    contradictory = behaviour.in_turn(behaviour.honest, behaviour.shifted(HOUR_S))
    with world.server(contradictory) as server:
        conversation = source_of(server).conversation(a_run(60, clock=world.clock))
        next(conversation)
        with pytest.raises(Stale, match=r"two replies contradict each other by 3[56]\d\d\.\d{3} s"):
            conversation.send(world.truth_ns)


def test_a_date_that_stands_still_is_stale(world: World) -> None:
    """A cache that hides is found out by the seconds that its Date has not moved."""
    frozen = http_date.encode(world.time_unix_ns() // NS)
    with world.server(world.far_away(dated(frozen))) as server:
        conversation = source_of(server).conversation(a_run(60, clock=world.clock))
        boundary_raw_ns = next(conversation).likely.high_ns
        with pytest.raises(Stale, match="two replies contradict each other by 0"):  # noqa: PT012
            while True:
                conversation.send(boundary_raw_ns)


def test_cookies_are_not_kept(world: World) -> None:
    """What a server sets is not sent back with the next request."""
    with world.server(world.far_away(with_header("Set-Cookie", "who=you; Path=/"))) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == 6
    assert not any(b"cookie" in request.lower() for request in server.requests)


def answer_and_close(link: ssl.SSLSocket, honest: bytes) -> None:
    link.sendall(honest.replace(b"\r\nServer", b"\r\nConnection: close\r\nServer"))


def answer_and_leave(link: ssl.SSLSocket, honest: bytes) -> None:
    link.sendall(honest)


@pytest.mark.parametrize("script", [answer_and_close, answer_and_leave])
def test_a_server_that_closes_can_be_asked_again(
    world: World, script: Callable[[ssl.SSLSocket, bytes], None]
) -> None:
    """Whether it announces that or just leaves, each question then gets a connection of its own."""
    with Scripted(script, world.time_unix_ns) as server:
        world.wait_for = server.left
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) == server.connections > 1
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns


def test_http_1_0_is_understood() -> None:
    """A server of 1996 answers, if only once a connection."""

    def old(link: ssl.SSLSocket, honest: bytes) -> None:
        link.sendall(honest.replace(b"HTTP/1.1", b"HTTP/1.0"))

    with Scripted(old) as server:
        assert sample_of(server).authenticated


# What is left behind


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_sockets_are_not_leaked() -> None:
    """Twenty questions, and as many conversations left in the middle, leave nothing open."""
    with HttpsServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        before = open_files()
        for _ in range(20):
            source.sample(a_run())
            conversation = source.conversation(a_run())
            next(conversation)
            conversation.close()
        for _ in range(100):  # the server's threads close theirs a moment later
            if open_files() <= before:
                break
            time.sleep(0.01)

        assert open_files() <= before


@pytest.mark.parametrize("identity", [Identity(known=False), Identity(("other.test",))])
def test_a_failed_handshake_leaves_no_socket_open(identity: Identity) -> None:
    """What cannot be used is closed, and not left to be found by the garbage collector."""
    gc.collect()
    with HttpsServer("Alpha", identity=identity) as server:
        (source,) = parse(server.toml(), "the test").sources
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            with suppress(Unverified):
                source.sample(a_run())
            gc.collect()

    assert [str(warning.message) for warning in told] == []


# Any bytes at all

HONEST = b"HTTP/1.1 204 No Content\r\nDate: %s\r\nServer: lab\r\n\r\n"
names = st.sampled_from(
    b"Date,Age,Connection,Content-Length,Transfer-Encoding,Content-Encoding,Content-Type,Upgrade,"
    b"Set-Cookie,Location,Keep-Alive,X,".split(b",")
)
values = st.one_of(
    st.sampled_from([b"0", b"-1", b"9" * 30, b"chunked", b"gzip, br", b"close", b"upgrade"]),
    st.binary(max_size=20),
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return junk, or an honest response with lines put in, bytes changed, or its end cut off."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    data = HONEST % http_date.encode(TRUE_UNIX_NS // NS).encode()
    status = draw(st.sampled_from([b"204", b"200", b"101", b"100", b"199", b"304", b"999", b"2 4"]))
    data = data.replace(b"204", status)
    for name, value in draw(st.lists(st.tuples(names, values), max_size=3)):
        data = data.replace(b"Server", name + b": " + value + b"\r\nServer")
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        put_in = draw(st.binary(max_size=2))
        data = data[:place] + put_in + data[place + draw(st.integers(0, 2)) :]
    return data


class Mirror:
    """A server that answers with the bytes it is told to, and closes."""

    def __init__(self) -> None:
        self.data = b""
        self.server = Scripted(lambda link, _: link.sendall(self.data))


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    made = Mirror()
    with made.server:
        yield made


def time_in(text: bytes) -> int:
    """Return the time that a Date says, 1970 where it is none."""
    try:
        return http_date.decode(text.decode("latin-1"))
    except Malformed:
        return 0


@given(data=responses())
@settings(max_examples=100)
@example(data=HONEST % http_date.encode(TRUE_UNIX_NS // NS).encode())
@example(data=b"")
@example(data=b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
def test_any_bytes_are_a_true_sample_or_a_failure_by_name(mirror: Mirror, data: bytes) -> None:
    """Whatever comes out of the tunnel ends in one of our errors, or in a sample that is exactly
    what the one Date among the bytes proves.
    """
    mirror.data = data
    try:
        asked = Asked(source_of(mirror.server))
    except SourceError as error:
        assert str(error)
        return

    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", data)
    shown = re.findall(rb"(?i)date:[ \t]*([^\r\n]*?)[ \t]*\r?\n", unfolded)
    assert any(asked.says(date_unix_s) for date_unix_s in map(time_in, shown))


def test_a_message_is_short_whatever_the_server_says(mirror: Mirror) -> None:
    """What is wrong with a response is told in a line, however long the response is."""
    mirror.data = b"HTTP/1.1 204 No Content\r\nbad " + b"x" * 60_000 + b"\r\n\r\n"

    with pytest.raises(Malformed) as error:
        source_of(mirror.server).sample(a_run())

    assert len(str(error.value)) < 500


# Configuration

ONE = '[[sources.https]]\nurl = "https://time.example/"\n'


def url(text: str) -> str:
    return ONE.replace("https://time.example/", text)


ALLOWED_URL = r'allowed is an https URL \("https://time.example/"\), no user, no fragment$'
ALLOWED_FILE = "allowed is the absolute path of a readable PEM file of CAs$"
ALLOWED_LAG = "allowed is seconds, 0 to 1$"
ALLOWED_HEADERS = "allowed is a list of headers.*: Age, Via, X-Cache, .*Cache-Status$"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[sources.https]]\n", "url is missing: an https URL"),
        (url(""), f"url = '': {ALLOWED_URL}"),
        (url(" "), f"url = ' ': {ALLOWED_URL}"),
        (url("https://"), f"url = 'https://': {ALLOWED_URL}"),
        (url("https:///"), f"url = 'https:///': {ALLOWED_URL}"),
        (url("time.example"), f"url = 'time.example': {ALLOWED_URL}"),
        (url("http://time.example/"), f"url = 'http://time.example/': {ALLOWED_URL}"),
        (url("ftp://time.example/"), f"url = 'ftp://time.example/': {ALLOWED_URL}"),
        (url("https:/time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://user@time.example/"), f"url = 'https://user@time.example/': {ALLOWED_URL}"),
        (url("https://user:word@time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://@time.example/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/#top"), f"url = 'https://time.example/#top': {ALLOWED_URL}"),
        (url("https://time.example#"), f"url = 'https://time.example#': {ALLOWED_URL}"),
        (url("https://time.example/a b"), f"url = 'https://time.example/a b': {ALLOWED_URL}"),
        (url("https://time example/"), f"url = 'https://time example/': {ALLOWED_URL}"),
        (url("https://time.example/\u00e4"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/<>"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/\\\\"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example/\\nx"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:0/"), f"url = 'https://time.example:0/': {ALLOWED_URL}"),
        (url("https://time.example:65536/"), f"url = 'https://time.example:65536/': {ALLOWED_URL}"),
        (url("https://time.example:-1/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:123456/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:000443/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:\u0664\u0664\u0663/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time.example:https/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://time..example/"), f"url = .*: {ALLOWED_URL}"),
        (url(f"https://{'a' * 64}.example/"), "url = .*: allowed"),
        (url("https://::1/"), f"url = 'https://::1/': {ALLOWED_URL}"),
        (url("https://[::1/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[]/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[::1]x/"), f"url = .*: {ALLOWED_URL}"),
        (url("https://[fe80::1%eth0]/"), f"url = .*: {ALLOWED_URL}"),
        (url(f"https://time.example/{'x' * 2000}"), "url = .*: allowed"),
        ("[[sources.https]]\nurl = 5\n", f"url = 5: {ALLOWED_URL}"),
        ('[[sources.https]]\nurl = ["https://a/"]\n', f"url = .*: {ALLOWED_URL}"),
        (ONE + 'host = "time.example"\n', "unknown key 'host'"),
        (ONE + "port = 443\n", "unknown key 'port'"),
        (ONE + 'ca-file = "/x"\n', r"unknown key 'ca-file' \(did you mean ca_file\?\)"),
        (ONE + 'ca_file = ""\n', f"ca_file = '': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "root.pem"\n', f"ca_file = 'root.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "./root.pem"\n', f"ca_file = './root.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "/no/such.pem"\n', f"ca_file = '/no/such.pem': {ALLOWED_FILE}"),
        (ONE + 'ca_file = "/"\n', f"ca_file = '/': {ALLOWED_FILE}"),
        (ONE + "ca_file = false\n", f"ca_file = False: {ALLOWED_FILE}"),
        (ONE + "date_lag = -1\n", f"date_lag = -1: {ALLOWED_LAG}"),
        (ONE + "date_lag = -0.001\n", f"date_lag = -0.001: {ALLOWED_LAG}"),
        (ONE + "date_lag = 2\n", f"date_lag = 2: {ALLOWED_LAG}"),
        (ONE + "date_lag = 1.001\n", f"date_lag = 1.001: {ALLOWED_LAG}"),
        (ONE + "date_lag = true\n", f"date_lag = True: {ALLOWED_LAG}"),
        (ONE + "date_lag = nan\n", f"date_lag = nan: {ALLOWED_LAG}"),
        (ONE + "date_lag = inf\n", f"date_lag = inf: {ALLOWED_LAG}"),
        (ONE + f"date_lag = 1{'0' * 400}\n", rf"date_lag = 10+\.\.\.: {ALLOWED_LAG}"),
        (ONE + 'date_lag = "0.5"\n', f"date_lag = '0.5': {ALLOWED_LAG}"),
        (ONE + 'ignore_headers = "Age"\n', f"ignore_headers = 'Age': {ALLOWED_HEADERS}"),
        (ONE + 'ignore_headers = ["Date"]\n', f"ignore_headers = .'Date'.: {ALLOWED_HEADERS}"),
        (ONE + 'ignore_headers = ["Age", ""]\n', f"ignore_headers = .*: {ALLOWED_HEADERS}"),
        (ONE + "ignore_headers = [1]\n", f"ignore_headers = .1.: {ALLOWED_HEADERS}"),
        (ONE + ONE, r"number 2: time\.example stands in \[\[sources\.https\]\] number 1 already"),
        (ONE + ONE + 'operator = "Other"\n', "stands in"),
        (ONE + url("https://TIME.example"), "stands in"),
        (ONE + url("https://time.example.:443/"), "stands in"),
        (url("https://[::1]/") + url("https://[0:0::0001]:443"), "stands in"),
        (url("https://a?x") + url("https://a/?x"), "stands in"),
    ],
)
def test_a_mistake_is_named(text: str, says: str) -> None:
    """Each mistake names the table, the key, what was found, and what is allowed."""
    with pytest.raises(ConfigError, match=says) as error:
        parse(text, "here.toml")

    assert str(error.value).startswith("here.toml: [[sources.https]] number ")
    assert str(error.value).isprintable()


def test_a_file_is_not_looked_for_where_the_program_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative ca_file is refused where it would be found, since an agent starts elsewhere."""
    (tmp_path / "root.pem").write_text("there")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=f"ca_file = 'root.pem': {ALLOWED_FILE}"):
        parse(ONE + 'ca_file = "root.pem"\n', "here.toml")


@pytest.mark.parametrize("literal", ["[192.0.2.1]", "[a.b]", "[face]", "[1]"])
def test_only_an_ipv6_address_stands_in_brackets(literal: str) -> None:
    """RFC 3986 section 3.2.2: brackets are for IPv6; anything else in them is a slip."""
    with pytest.raises(ConfigError, match=ALLOWED_URL):
        parse(url(f"https://{literal}/"), "here.toml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://time.example", "time.example"),
        ("https://time.example/", "time.example"),
        ("  https://time.example/  ", "time.example"),
        ("https://time.example.:8443/", "time.example:8443"),
        ("https://time.example:443/", "time.example"),
        ("https://time.example:1/", "time.example:1"),
        ("https://time.example:65535", "time.example:65535"),
        ("https://192.0.2.1/", "192.0.2.1"),
        ("https://[2001:DB8:0::1]/", "[2001:db8::1]"),
        ("https://[::ffff:192.0.2.1]:8443/", "192.0.2.1:8443"),
        ("https://[fe80::1%25br-lan]/", "[fe80::1]"),
        ("https://a_b-c.example/x/y;z=1?q=a/b?c&d=%20@:!$'()*+,~", "a_b-c.example"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
    ],
)
def test_urls_that_are_allowed(text: str, name: str) -> None:
    """Names, addresses, ports, paths and queries; the name of the source is host and port."""
    (source,) = parse(url(text), "here.toml").sources

    assert source.name == name


def test_other_paths_and_ports_are_other_sources() -> None:
    """Two URLs of one host may be listed; under one operator they share a vote."""
    texts = ["https://a/", "https://a/x", "https://a/?x", "https://a:8443/", "https://A/X"]

    sources = parse("".join(url(text) for text in texts), "here.toml").sources

    assert len(sources) == 5
    assert {source.operator.casefold() for source in sources} == {"a"}


def test_what_is_not_written_has_its_default() -> None:
    """date_lag is 0.6 s, no header is ignored, the operator is the host."""
    with HttpsServer("Alpha", with_header("Age", "1")) as server:
        bare = "\n".join(
            line
            for line in server.toml().splitlines()
            if not line.startswith(("date_lag", "operator"))
        )
        (stale,) = parse(bare, "the test").sources
        (ignoring,) = parse(f'{bare}\nignore_headers = ["AGE"]\n', "the test").sources
        with pytest.raises(Stale):
            stale.sample(a_run())
        sample = ignoring.sample(a_run())

    assert ignoring.operator == "127.0.0.1"
    assert sample.likely.low_ns - sample.certain.low_ns == 600 * MS


@pytest.mark.parametrize(("text", "lag_ns"), [("0", 0), ("1", NS), ("0.25", NS // 4), ("1e-9", 1)])
def test_the_bounds_of_the_lag_are_allowed(text: str, lag_ns: int) -> None:
    """From nothing to a second."""
    with HttpsServer("Alpha") as server:
        (source,) = parse(server.toml().replace("date_lag = 0", f"date_lag = {text}"), "t").sources
        sample = source.sample(a_run())

    assert sample.likely.low_ns - sample.certain.low_ns == lag_ns


def test_two_responses_to_one_request_are_stale() -> None:
    """Nobody knows which one was the answer: neither counts when the server is asked again."""

    def twice(reply: Honest) -> Iterable[Reply]:
        return [Reply(reply(0) * 2)]

    with HttpsServer("A", twice) as server:
        conversation = source_of(server).conversation(a_run())
        sample = next(conversation)
        with pytest.raises(Stale, match="two responses to one request"):
            conversation.send((sample.likely.low_ns + sample.likely.high_ns) // 2)

    assert len(server.requests) == 1


def dawdling(count: int) -> bytes:
    """Return random bytes after a while, in which a server may say what it likes."""
    threading.Event().wait(0.05)
    return os.urandom(count)


def test_a_response_that_was_there_before_its_request_is_none() -> None:
    """What each connection begins with is no answer, however often one connects."""
    with (
        HttpsServer("A", behaviour.silent, greeting=behaviour.honest) as server,
        pytest.raises(Malformed, match="before its request"),
    ):
        source_of(server).sample(a_run(random_bytes=dawdling))

    assert server.requests == []


def test_a_connection_that_is_not_clean_is_replaced_before_the_moment(world: World) -> None:
    """A body after HEAD costs a connection, not the question; it is made before the waiting."""
    body = with_body(b"x" * 22, b"Content-Length: 22\r\n")
    with world.server(world.far_away(body)) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) == server.connections == MOST_REQUESTS
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns


@pytest.mark.parametrize("host", ["xn--ls8h.example", "xn--a", "xn--zzzzzzzz999999", "256.1.1.1"])
def test_a_name_that_no_registry_takes_is_unreachable(host: str) -> None:
    """What IDNA rejects, or no name can be, is told as what it is, and does not end the run."""
    table = f'[[sources.https]]\nurl = "https://{host}:9/"\naddresses = ["127.0.0.1"]\n'
    (source,) = parse(table, "the test").sources

    with pytest.raises(Unreachable):
        source.sample(a_run())
