"""Name servers on loopback, asked by datagrams and by TCP."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import pytest

from sources.base import Unreachable
from sources.net.name_servers import NameServers
from tests.support.fakes import Elapsed
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
from tests.support.sources.resolver import (
    HOST,
    FakeServers,
    FakeSystem,
    failed,
    lookups,
)


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
def test_what_the_name_servers_say_is_reported(
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


def test_of_a_thousand_name_servers_eight_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each would have threads of its own; the first are asked, as the system does."""
    path = tmp_path / "resolv.conf"
    lines = [f"nameserver 127.0.1.{n % 250}" for n in range(1000)]
    path.write_text("\n".join(["search lab.test", *lines, "options ndots:2"]), encoding="ascii")
    monkeypatch.setattr("sources.net.name_servers._RESOLV_CONF", str(path))

    asked = NameServers(lambda: 0).ask(HOST, lambda _addresses, _error: None)

    assert asked == 2 * 8
