"""Names to addresses with fakes for the system's resolver and the name servers: who is asked when.

What getaddrinfo, resolv.conf and the wire make of it is tests/interop/test_resolver_namespace.py.
"""

import _thread
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sources.base import Unreachable
from tests.conftest import ROOT
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

PATIENCE_S = 0.3
SIBLING_S = 0.05


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


def test_a_shared_failure_asked_to_everyone(system: FakeSystem) -> None:
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
