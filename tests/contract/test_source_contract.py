"""What every kind of source keeps to, against its lab server; both are found by themselves."""

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest

from drift.config import parse
from lab import behaviour
from lab.behaviour import Behaviour
from lab.world import Server
from sources import kinds
from sources.base import Interval, Source, SourceError, TimedOut, Unavailable, Unreachable
from sources.ciphers import RUST
from sources.clock import NS, Clock
from tests.support.fakes import a_run

KINDS = kinds()
DATAGRAMS = [kind for kind in KINDS if import_module(f"lab.{kind}").DATAGRAMS]

CLOCK = Clock()


def lab_server(kind: str) -> Callable[..., Server]:
    """Return the lab's server of a kind: one without it may not be shipped."""
    server: Callable[..., Server] = import_module(f"lab.{kind}").CONTRACT
    return server


@pytest.fixture(params=KINDS)
def serve(request: pytest.FixtureRequest) -> Callable[..., Source]:
    """Start a lab server of each kind with a behaviour; return the source that asks it."""

    def start(behave: Behaviour, *, closed: bool = False, **options: object) -> Source:
        server = lab_server(request.param)("Alpha", behave, **options)
        server.__enter__()
        text = server.toml()
        if closed:  # and on an address where no other test can have taken the port by then
            server.close()
            text = text.replace("127.0.0.1", "127.77.0.1")
        (source,) = parse(text, "the test").sources
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        return source

    return start


def true_raw_drift_ns() -> int:
    """Return raw minus true, the lab's true time being this machine's clock."""
    return -CLOCK.wall_minus_raw_ns()


def assert_holds_the_truth(interval: Interval) -> None:
    assert interval.low_ns - 50_000 <= true_raw_drift_ns() <= interval.high_ns + 50_000


def test_an_honest_server_yields_the_truth(serve: Callable[..., Source]) -> None:
    """The certain interval holds the truth, the likely one lies in it, and both are narrow."""
    source = serve(behaviour.honest)

    sample = source.sample(a_run())

    assert_holds_the_truth(sample.certain)
    assert sample.certain.low_ns <= sample.likely.low_ns
    assert sample.likely.high_ns <= sample.certain.high_ns
    assert sample.likely.width_ns <= 2 * NS
    assert (sample.operator, sample.kind) == ("Alpha", source.kind)
    assert 0 <= sample.rtt_ns < NS


@pytest.mark.parametrize("off_s", [3600, -86_400, 0.25, 40 * 365 * 86_400])
def test_a_shifted_server_is_believed_to_say_what_it_says(
    serve: Callable[..., Source], off_s: float
) -> None:
    """A liar's sample is off by exactly his lie: to outvote him is the consensus's business."""
    sample = serve(behaviour.shifted(off_s)).sample(a_run())

    assert_holds_the_truth(sample.certain.shifted(round(off_s * NS)))


def test_silence_is_a_timeout_at_the_deadline(serve: Callable[..., Source]) -> None:
    """A silent server costs the time until the deadline and not more, and is called timeout."""
    source = serve(behaviour.silent)
    began = time.monotonic()

    with pytest.raises(TimedOut):
        source.sample(a_run(deadline_s=0.3))

    assert 0.25 < time.monotonic() - began < 0.6


def test_a_deadline_in_the_past_is_a_timeout_at_once(serve: Callable[..., Source]) -> None:
    """Nothing is waited for when there is no time left."""
    began = time.monotonic()

    with pytest.raises(TimedOut):
        serve(behaviour.silent).sample(a_run(deadline_s=-1))

    assert time.monotonic() - began < 0.2


datagrams_only = pytest.mark.parametrize("serve", DATAGRAMS, indirect=True)


@datagrams_only
@pytest.mark.parametrize("data", [b"", b"\0", bytes(48), b"\xff" * 48, bytes(1000)])
def test_junk_does_not_abort_the_question(serve: Callable[..., Source], data: bytes) -> None:
    """Datagrams that do not belong to the question are ignored; the reply after them counts."""
    sample = serve(behaviour.junk(data)).sample(a_run())

    assert_holds_the_truth(sample.certain)


@pytest.mark.parametrize("data", [b"", b"\0", bytes(48), b"\xff" * 48, bytes(1000)])
def test_nothing_but_junk_is_a_failure(serve: Callable[..., Source], data: bytes) -> None:
    """Junk alone yields no sample, and does not move the deadline."""
    source = serve(behaviour.only(data))
    began = time.monotonic()

    with pytest.raises(SourceError):
        source.sample(a_run(deadline_s=0.3))

    assert time.monotonic() - began < 0.6


@datagrams_only
def test_a_doubled_reply_counts_once(serve: Callable[..., Source]) -> None:
    """The second copy of a reply changes nothing."""
    assert_holds_the_truth(serve(behaviour.twice).sample(a_run()).certain)


def test_a_late_reply_is_wide_but_true(serve: Callable[..., Source]) -> None:
    """A reply that took 0.4 s to come back still holds the truth, and its width shows the delay."""
    sample = serve(behaviour.late(0.4)).sample(a_run())

    assert_holds_the_truth(sample.certain)
    assert sample.rtt_ns > 0.39 * NS
    assert sample.certain.width_ns >= sample.rtt_ns


@pytest.mark.parametrize("serve", ["ntp", "nts"], indirect=True)  # Roughtime gets one by TCP
def test_a_reply_from_elsewhere_is_not_taken(serve: Callable[..., Source]) -> None:
    """Only the address that was asked may answer."""
    with pytest.raises(TimedOut):
        serve(behaviour.elsewhere).sample(a_run(deadline_s=0.3))


def test_a_closed_port_is_unreachable_before_the_deadline(serve: Callable[..., Source]) -> None:
    """Where nobody listens the source fails by name, and does not wait for the deadline."""
    source = serve(behaviour.honest, closed=True)
    began = time.monotonic()

    with pytest.raises(Unreachable, match="refused"):
        source.sample(a_run(deadline_s=5))

    assert time.monotonic() - began < 2


def test_no_descriptor_is_this_machines_failure(serve: Callable[..., Source]) -> None:
    """Where no socket is to be had the source is unavailable at once, and no server is blamed."""
    source = serve(behaviour.honest)
    source.sample(a_run())  # imports what it needs
    began = time.monotonic()

    with no_descriptors(), pytest.raises(Unavailable, match="Too many open files"):
        source.sample(a_run(deadline_s=5))

    assert time.monotonic() - began < 2


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let no file be opened in this process."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Those of stdin, stdout and stderr stay in use; others may become free meanwhile.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


LIBRARIES = {
    "nts": (RUST, "cryptography.hazmat.primitives.ciphers.aead"),
    "https": ("sources.https.client",),
    "roughtime": (RUST, "cryptography.hazmat.primitives.asymmetric.ed25519"),
}


@pytest.mark.parametrize("serve", sorted(LIBRARIES), indirect=True)
def test_a_library_that_is_missing_is_this_machines_failure(
    serve: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that cannot load what it needs is unavailable at once, and says what it needs."""
    source = serve(behaviour.honest)
    for name in LIBRARIES[source.kind]:
        monkeypatch.setitem(sys.modules, name, None)
    began = time.monotonic()

    with pytest.raises(Unavailable, match=r"^(cryptography|httpx) cannot be loaded: Mod"):
        source.sample(a_run(deadline_s=5))

    assert time.monotonic() - began < 2


def test_ipv6_works_like_ipv4(serve: Callable[..., Source]) -> None:
    """A server on ::1 yields the truth."""
    assert_holds_the_truth(serve(behaviour.honest, address="::1").sample(a_run()).certain)


def test_a_source_can_be_asked_again_and_at_once(serve: Callable[..., Source]) -> None:
    """Eight threads may ask the same source object at the same time, each run on its own."""
    source = serve(behaviour.honest)
    samples = []
    threads = [
        threading.Thread(target=lambda: samples.append(source.sample(a_run()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(samples) == 8
    for sample in samples:
        assert_holds_the_truth(sample.certain)
