"""Names to addresses with fakes for the system's resolver and the name servers: who is asked when.

What getaddrinfo, resolv.conf and the wire make of it is tests/interop/test_resolver_namespace.py.
"""

import _thread
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.flags
import dns.name
import dns.nameserver
import dns.rcode
import dns.resolver
import pytest

from sources.base import TimedOut, Unavailable, Unreachable
from sources.clock import NS, Clock
from sources.net import resolver
from sources.net.resolver import Resolver
from tests.conftest import ROOT
from tests.support.servers.dns_server import (
    Behaviour,
    DnsServer,
    answer,
    hang,
    rcode,
    truncate,
    validate,
    wrong_id,
)

HOST = "time.lab.test"
BESIDE = ("127.0.0.99",)
"""An address configured beside the name."""
PATIENCE_S = 0.3
SIBLING_S = 0.05
SLACK_S = 0.25
"""What a busy machine may add."""


class FakeSystem:
    """Stands for getaddrinfo: answers what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.asked: list[bytes] = []
        self.hanging = threading.Event()
        self.hanging.set()

    def hang(self) -> None:
        """Answer nothing from now on, until `go_on`."""
        self.hanging.clear()

    def go_on(self) -> None:
        """Answer whoever waits."""
        self.hanging.set()

    def __call__(self, host: bytes, *_: object, **__: object) -> list[Any]:
        self.asked.append(host)
        self.hanging.wait()
        if self.error is not None:
            raise self.error
        return [(0, 0, 0, "", (address, 0)) for address in self.addresses]


class FakeServers:
    """Stands for the name servers of resolv.conf: one question each."""

    def __init__(self) -> None:
        self.questions: list[Callable[[], Any]] = []
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.asked_at_s: list[float] = []

    def ask(self, host: str, tell: Callable[[tuple[str, ...], str], None]) -> int:
        self.asked.append(host)
        self.asked_at_s.append(time.monotonic())
        if self.error is not None:
            raise self.error
        for question in self.questions:
            threading.Thread(target=lambda q=question: tell(*q()), daemon=True).start()
        return len(self.questions)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystem]:
    """The system's resolver, at the test's command."""
    fake = FakeSystem()
    monkeypatch.setattr(socket, "getaddrinfo", fake)
    yield fake
    fake.go_on()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> FakeServers:
    """The name servers of resolv.conf, at the test's command."""
    fake = FakeServers()
    monkeypatch.setattr(Resolver, "ask_name_servers", lambda _, *what: fake.ask(*what))
    return fake


def lookups(seconds: float = 2.0) -> Resolver:
    """Return the look-ups of a run of so many seconds."""
    clock = Clock()
    return Resolver(clock.raw_ns() + round(seconds * NS), clock)


def found(*addresses: str, after_s: float = 0) -> Callable[[], Any]:
    """Return a question that is answered by these addresses."""

    def ask() -> Any:
        threading.Event().wait(after_s)
        return addresses, ""

    return ask


def failed(error: str) -> Callable[[], Any]:
    """Return a question that is answered by an error."""
    return lambda: ((), error)


class Elapsed:
    """How long the block took, in seconds."""

    def __enter__(self) -> "Elapsed":
        self._began_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.s = time.monotonic() - self._began_s


# Literal addresses


@pytest.mark.parametrize(
    "literal", ["203.0.113.1", "2001:db8::1", "::1", "::ffff:203.0.113.1", "fe80::1%eth0"]
)
def test_a_literal_address_needs_no_look_up(
    literal: str, system: FakeSystem, servers: FakeServers
) -> None:
    """A literal address is its own only address, found without a thread and without asking."""
    before = _thread._count()

    assert lookups().addresses(literal, BESIDE) == (literal,)
    assert _thread._count() == before
    assert (system.asked, servers.asked) == ([], [])


@pytest.mark.parametrize("host", ["1.2.3", "127.1", "203.0.113.256", "2001:db8::1::2", "fe80"])
def test_what_only_resembles_an_address_is_a_name(host: str, system: FakeSystem) -> None:
    """Shorthands and slips go to the system's resolver, which knows what to make of them."""
    system.addresses = ("203.0.113.7",)

    assert lookups().addresses(host, ()) == ("203.0.113.7",)
    assert system.asked == [host.encode()]


def test_dnspython_is_not_imported_where_the_system_answers() -> None:
    """Neither a literal address nor a name that the system knows costs the import of dnspython."""
    code = (
        "import socket, sys\n"
        "socket.getaddrinfo = lambda *a, **k: [(0, 0, 0, '', ('203.0.113.7', 0))]\n"
        "from sources.clock import Clock\n"
        "from sources.net.resolver import Resolver\n"
        "clock = Clock()\n"
        "lookups = Resolver(clock.raw_ns() + 2_000_000_000, clock)\n"
        "for host in ('203.0.113.1', '2001:db8::1', 'fe80::1%lo', 'time.lab.test'):\n"
        "    print(lookups.addresses(host, ()))\n"
        "print([n for n in sys.modules if n.split('.')[0] == 'dns' or n == 'encodings.idna'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [
        "('203.0.113.1',)",
        "('2001:db8::1',)",
        "('fe80::1%lo',)",
        "('203.0.113.7',)",
        "[]",
    ]


# The order of addresses


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            ("fd::1", "fd::2", "10.0.0.1"),
            ("fd::1", "10.0.0.1", "fd::2"),
        ),
        (
            ("10.0.0.1", "10.0.0.2", "fd::1"),
            ("10.0.0.1", "fd::1", "10.0.0.2"),
        ),
        (("10.0.0.2", "10.0.0.1"), ("10.0.0.2", "10.0.0.1")),
        (("fd::2", "fd::1"), ("fd::2", "fd::1")),
        (
            ("fd::1", "10.0.0.1", "fd::1", "10.0.0.1"),
            ("fd::1", "10.0.0.1"),
        ),
        (
            ("fd::1", "fd::2", "fd::3", "10.0.0.1", "10.0.0.2"),
            ("fd::1", "10.0.0.1", "fd::2", "10.0.0.2", "fd::3"),
        ),
        (("fe80::1%eth0", "10.0.0.1"), ("fe80::1%eth0", "10.0.0.1")),
    ],
)
def test_families_alternate(
    given: tuple[str, ...], wanted: tuple[str, ...], system: FakeSystem
) -> None:
    """IPv6 and IPv4 take turns, the system's first choice first, each in its order, none twice."""
    system.addresses = given

    assert lookups().addresses(HOST, ()) == wanted


# Who is asked, and when


def test_the_system_is_asked_alone_for_a_while(system: FakeSystem, servers: FakeServers) -> None:
    """The name servers are asked when the system has been silent for 0.3 s, not before."""
    system.hang()
    servers.questions = [found("203.0.113.1")]
    with Elapsed() as elapsed:
        assert lookups().addresses(HOST, ()) == ("203.0.113.1",)

    assert PATIENCE_S <= elapsed.s < PATIENCE_S + SLACK_S
    assert servers.asked == [HOST]


def test_a_passing_failure_of_the_system_is_not_waited_upon(
    system: FakeSystem, servers: FakeServers
) -> None:
    """When the system says "try again", the name servers are asked at once."""
    system.error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    servers.questions = [found("203.0.113.1")]
    with Elapsed() as elapsed:
        assert lookups().addresses(HOST, ()) == ("203.0.113.1",)

    assert elapsed.s < PATIENCE_S


@pytest.mark.parametrize("code", sorted({socket.EAI_NONAME, socket.EAI_NODATA}))
def test_a_name_that_the_system_denies_is_asked_of_nobody_else(
    code: int, system: FakeSystem, servers: FakeServers
) -> None:
    """That there is no such name, or that it has no address, is an answer: unreachable at once."""
    system.error = socket.gaierror(code, "No such thing")
    with Elapsed() as elapsed, pytest.raises(Unreachable) as refused:
        lookups().addresses(HOST, ())

    assert str(refused.value) == "name cannot be resolved: No such thing"
    assert elapsed.s < PATIENCE_S
    assert servers.asked == []


def test_the_system_still_serves_when_it_is_late(system: FakeSystem, servers: FakeServers) -> None:
    """The system's own answer counts as well after its 0.3 s, while name servers are silent."""
    system.hang()
    system.addresses = ("203.0.113.1",)
    servers.questions = [found("203.0.113.2", after_s=1.5)]
    threading.Timer(0.5, system.go_on).start()
    with Elapsed() as elapsed:
        assert lookups().addresses(HOST, ()) == ("203.0.113.1",)

    assert 0.5 <= elapsed.s < 0.5 + SIBLING_S + SLACK_S


def test_a_denial_of_the_system_counts_also_when_it_is_late(
    system: FakeSystem, servers: FakeServers
) -> None:
    """That there is no such name ends the look-up after 0.3 s too, though a name server hangs."""
    system.hang()
    system.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    servers.questions = [found("203.0.113.2", after_s=1.5)]
    threading.Timer(0.5, system.go_on).start()
    with Elapsed() as elapsed, pytest.raises(Unreachable, match="Name or service not known"):
        lookups().addresses(HOST, ())

    assert elapsed.s < 0.5 + SIBLING_S + SLACK_S


def test_whoever_answers_first_serves(system: FakeSystem, servers: FakeServers) -> None:
    """One name server with addresses is enough, whatever the other ones do."""
    system.hang()
    servers.questions = [
        found("203.0.113.2", after_s=1.5),
        failed("refused"),
        found("203.0.113.1"),
        failed("also refused"),
    ]

    assert lookups().addresses(HOST, ()) == ("203.0.113.1",)


def test_the_other_family_may_lag_a_little(system: FakeSystem, servers: FakeServers) -> None:
    """An answer at most 50 ms after the first adds its addresses; one after that is left out."""
    system.hang()
    servers.questions = [
        found("203.0.113.1"),
        found("2001:db8::1", after_s=SIBLING_S / 5),
        found("203.0.113.9", after_s=SIBLING_S + SLACK_S),
    ]

    assert lookups().addresses(HOST, ()) == ("203.0.113.1", "2001:db8::1")


# Errors and the configured addresses


def test_every_error_is_told_once(system: FakeSystem, servers: FakeServers) -> None:
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


# Names that are hard to ask for


def test_a_name_that_has_no_ascii_form_cannot_be_resolved(
    system: FakeSystem, servers: FakeServers
) -> None:
    """A label that only grows too long when encoded is a failure of its source, no bug of ours."""
    host = "ü" * 60 + ".lab.test"
    servers.questions = [failed("label too long")]
    with pytest.raises(Unreachable, match="cannot be resolved"):
        lookups().addresses(host, ())

    assert system.asked == []


# Sharing


def test_sources_of_one_name_share_one_look_up(system: FakeSystem) -> None:
    """However many sources ask for a name at once or later, the system is asked once."""
    system.hang()
    system.addresses = ("203.0.113.1",)
    names = lookups()
    threading.Timer(0.1, system.go_on).start()
    with ThreadPoolExecutor(50) as sources:
        answers = list(sources.map(lambda _: names.addresses(HOST, ()), range(200)))

    assert set(answers) == {("203.0.113.1",)}
    assert len(system.asked) == 1


def test_a_shared_failure_is_told_to_everyone(system: FakeSystem) -> None:
    """Sources that share a look-up share its failure, each with its own error."""
    system.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    names = lookups()

    for _ in range(3):
        with pytest.raises(Unreachable, match="Name or service not known"):
            names.addresses(HOST, ())
    assert len(system.asked) == 1


def test_different_names_do_not_wait_for_each_other(system: FakeSystem) -> None:
    """A name that hangs does not hold up another one, which has a look-up of its own."""
    names = lookups()
    system.hang()
    with ThreadPoolExecutor(1) as sources:
        hanging = sources.submit(names.addresses, "hangs.lab.test", BESIDE)
        while not system.asked:
            threading.Event().wait(0.001)
        first, system.hanging = system.hanging, threading.Event()
        system.hanging.set()
        system.addresses = ("203.0.113.1",)
        with Elapsed() as elapsed:
            assert names.addresses(HOST, ()) == ("203.0.113.1",)
        first.set()
        hanging.result()

    assert elapsed.s < PATIENCE_S
    assert sorted(system.asked) == [b"hangs.lab.test", HOST.encode()]


# What goes wrong around it


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
    """When asking the name servers fails, however, the system's error is told, and at once."""
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


# The name servers, asked on the wire


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[DnsServer]]]:
    """Start a name server for each behaviour and have them be those of resolv.conf."""
    running: list[DnsServer] = []

    def start(*behaviours: Behaviour, search: str = "") -> list[DnsServer]:
        zone = {HOST: ("203.0.113.1", "2001:db8::1")}
        running.extend(DnsServer(zone, behaviour, port=0) for behaviour in behaviours)

        def read(configured: dns.resolver.Resolver, _: object) -> None:
            configured.nameservers = [
                dns.nameserver.Do53Nameserver(server.address, server.port) for server in running
            ]
            configured.search = [dns.name.from_text(search)] if search else []

        monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read)
        return running

    yield start
    for server in running:
        server.close()


@pytest.fixture
def silent_system(system: FakeSystem) -> FakeSystem:
    """A system's resolver that says "try again" at once, so that the name servers are asked."""
    system.error = socket.gaierror(socket.EAI_AGAIN, "try again")
    return system


@pytest.mark.usefixtures("silent_system")
def test_a_question_that_breaks_costs_only_itself(
    wire: Callable[..., list[DnsServer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of dnspython's in one question is one more error; the other's answer serves."""
    wire(answer)
    resolve = dns.resolver.Resolver.resolve

    def broken(self: dns.resolver.Resolver, host: str, family: str, **rest: Any) -> Any:
        if family == "AAAA":
            raise ZeroDivisionError("oops")
        return resolve(self, host, family, **rest)

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", broken)

    assert lookups().addresses(HOST, ()) == ("203.0.113.1",)


@pytest.mark.usefixtures("silent_system")
def test_every_name_server_is_asked_for_both_families_unchecked(
    wire: Callable[..., list[DnsServer]],
) -> None:
    """Each server gets one question for A and one for AAAA, recursion and no checking wanted."""
    asked = wire(answer, answer)

    assert set(lookups().addresses(HOST, ())) == {"203.0.113.1", "2001:db8::1"}
    for server in asked:
        assert sorted(server.asked) == [(HOST, "A", "udp"), (HOST, "AAAA", "udp")]
        for message in server.messages:
            assert message.flags & (dns.flags.RD | dns.flags.CD) == dns.flags.RD | dns.flags.CD


@pytest.mark.usefixtures("silent_system")
@pytest.mark.parametrize("good", [answer, truncate, validate])
@pytest.mark.parametrize("bad", [hang, wrong_id, rcode(dns.rcode.SERVFAIL)])
def test_one_good_name_server_is_enough(
    good: Behaviour, bad: Behaviour, wire: Callable[..., list[DnsServer]]
) -> None:
    """Whatever the first server does, the second one's addresses come at once, over TCP too."""
    wire(bad, good)
    with Elapsed() as elapsed:
        assert set(lookups().addresses(HOST, ())) == {"203.0.113.1", "2001:db8::1"}

    assert elapsed.s < 1


@pytest.mark.usefixtures("silent_system")
def test_search_domains_complete_a_short_name(wire: Callable[..., list[DnsServer]]) -> None:
    """The search list of resolv.conf holds when the name servers are asked directly."""
    wire(answer, search="lab.test.")

    assert set(lookups().addresses("time", ())) == {"203.0.113.1", "2001:db8::1"}


@pytest.mark.usefixtures("silent_system")
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [(rcode(dns.rcode.NXDOMAIN), "knows no such name"), (rcode(dns.rcode.REFUSED), "REFUSED")],
)
def test_what_the_name_servers_say_is_told(
    behaviour: Behaviour, said: str, wire: Callable[..., list[DnsServer]]
) -> None:
    """A definite failure on the wire ends the look-up at once and stands in the message."""
    wire(behaviour)
    with Elapsed() as elapsed, pytest.raises(Unreachable, match=said):
        lookups(4).addresses(HOST, ())

    assert elapsed.s < 1.5


def test_name_servers_that_say_the_same_say_it_once(
    system: FakeSystem, servers: FakeServers
) -> None:
    """In one order, whoever was first: so that sources with the same trouble share their words."""
    system.error = socket.gaierror(socket.EAI_AGAIN, "try again")
    servers.questions = [
        failed("203.0.113.53 answered REFUSED"),
        failed("2001:db8::53 did not answer"),
        failed("198.51.100.53 answered REFUSED"),
        failed("203.0.113.53 answered REFUSED"),
    ]

    with pytest.raises(Unreachable) as found:
        lookups().addresses(HOST, ())

    assert str(found.value) == (
        "name cannot be resolved: try again; 198.51.100.53, 203.0.113.53 answered REFUSED; "
        "2001:db8::53 did not answer"
    )
