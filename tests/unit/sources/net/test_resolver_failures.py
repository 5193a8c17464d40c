"""Look-ups that fail: what is said of it, and when configured addresses serve."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sources.base import TimedOut, Unavailable, Unreachable
from sources.net import resolver
from tests.support.fakes import Elapsed
from tests.support.sources.resolver import (
    BESIDE,
    HOST,
    SLACK_S,
    FakeServers,
    FakeSystem,
    failed,
    found,
    lookups,
)


def test_every_error_is_reported_once(system: FakeSystem, servers: FakeServers) -> None:
    """When all fail, the message names the host and what each said, repeats left out."""
    system.error = socket.gaierror(socket.EAI_AGAIN, "try again")
    servers.questions = [failed("refused"), failed("refused"), failed("no data")]
    with pytest.raises(Unreachable) as refused:
        lookups().addresses(HOST, ())

    said = str(refused.value)
    assert said.startswith("name cannot be resolved: try again; ")
    assert sorted(said.partition(": ")[2].split("; ")) == [
        "no data",
        "refused",
        "try again",
    ]


def test_silence_is_a_timeout_at_the_deadline(system: FakeSystem, servers: FakeServers) -> None:
    """When nobody says anything the source times out, at the deadline, and the host is named."""
    system.hang()
    servers.questions = [found("203.0.113.1", after_s=2)]
    with Elapsed() as elapsed, pytest.raises(TimedOut) as late:
        lookups(0.5).addresses(HOST, ())

    assert str(late.value).startswith("name not resolved before the deadline")
    assert 0.46 <= elapsed.s < 0.5 + SLACK_S


def test_configured_addresses_serve_from_half_way(system: FakeSystem, servers: FakeServers) -> None:
    """While nobody answers, the addresses beside the name wait for half of the run, then serve."""
    system.hang()
    servers.questions = [found("203.0.113.1", after_s=2)]
    with Elapsed() as elapsed:
        assert lookups(1.0).addresses(HOST, BESIDE) == BESIDE

    assert 0.5 <= elapsed.s < 0.5 + SLACK_S


def test_half_way_is_that_of_the_run(system: FakeSystem, servers: FakeServers) -> None:
    """A source that begins to ask after half-way gets its configured addresses at once."""
    system.hang()
    servers.questions = [found("203.0.113.1", after_s=2)]
    names = lookups(0.8)
    threading.Event().wait(0.45)
    with Elapsed() as elapsed:
        assert names.addresses(HOST, BESIDE) == BESIDE

    assert elapsed.s < SLACK_S


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError(24, "Too many open files"),
    ],
)
def test_configured_addresses_serve_at_once_when_the_look_up_has_failed(
    error: OSError, system: FakeSystem, servers: FakeServers
) -> None:
    """Nobody waits for half-way when it is known that the name has no address."""
    system.error = error
    servers.questions = [failed("refused")]
    with Elapsed() as elapsed:
        assert lookups(4).addresses(HOST, BESIDE) == BESIDE

    assert elapsed.s < 1


def test_a_name_that_resolves_is_preferred_to_configured_addresses(system: FakeSystem) -> None:
    """The addresses beside a name are for when it fails; they are not mixed in."""
    system.addresses = ("203.0.113.1",)

    assert lookups().addresses(HOST, BESIDE) == ("203.0.113.1",)


def test_a_source_without_addresses_of_its_own_waits_on(
    system: FakeSystem, servers: FakeServers
) -> None:
    """Of two sources with one name, the one without `addresses` gets an answer after half-way."""
    system.hang()
    system.addresses = ("203.0.113.1",)
    servers.questions = []
    threading.Timer(0.7, system.go_on).start()
    names = lookups(1.0)
    with ThreadPoolExecutor(2) as sources:
        with_some = sources.submit(names.addresses, HOST, BESIDE)
        without = sources.submit(names.addresses, HOST, ())

        assert with_some.result() == BESIDE
        assert without.result() == ("203.0.113.1",)


def test_a_name_that_has_no_ascii_form_cannot_be_resolved(
    system: FakeSystem, servers: FakeServers
) -> None:
    """A label that only grows too long when encoded is a failure of its source, no bug of ours."""
    host = "ü" * 60 + ".lab.test"
    servers.questions = [failed("label too long")]
    with pytest.raises(Unreachable, match="cannot be resolved"):
        lookups().addresses(host, ())

    assert system.asked == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(24, "Too many open files"),
        ValueError("nameserver dns.lab.test is not an IP address"),
        UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid continuation byte"),
        ImportError("No module named dns"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_name_servers_that_cannot_be_asked_cost_only_themselves(
    error: Exception, system: FakeSystem, servers: FakeServers
) -> None:
    """When asking the name servers fails, however, the system's error is reported, and at once."""
    system.error = socket.gaierror(socket.EAI_AGAIN, "try again")
    servers.error = error
    with Elapsed() as elapsed, pytest.raises(Unreachable, match=r"try again; .+"):
        lookups(1).addresses(HOST, ())

    assert elapsed.s < 0.5


def test_a_machine_without_descriptors_is_not_the_name_servers_failure(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system's resolver calls a passing failure is this machine's, where no file opens."""
    system.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    monkeypatch.setattr(resolver, "shortage", lambda: "Too many open files")

    with pytest.raises(Unavailable, match="name cannot be resolved: Too many open files"):
        lookups(0.5).addresses(HOST, ())


def test_a_machine_without_threads_to_spare_is_a_failure_of_the_source(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started the source is unreachable, or its `addresses` serve."""
    system.addresses = ("203.0.113.1",)

    def start(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        patch.setattr(resolver, "start_new_thread", start, raising=False)
        with pytest.raises(Unavailable, match="can't start new thread"):
            lookups(0.5).addresses(HOST, ())
        assert lookups(0.5).addresses(HOST, BESIDE) == BESIDE
