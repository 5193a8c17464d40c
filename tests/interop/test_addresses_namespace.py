"""Where names lead, for real: here, to one another, to thousands, to where packets vanish.

Every test has a network and a mount namespace of its own, as in test_resolver_namespace.py.
"""

import statistics
from pathlib import Path

import pytest

from tests.interop.test_resolver_namespace import (
    GRACE_S,
    HOSTS,
    LOCALHOST,
    PORTS,
    Namespace,
    namespace,
    table,
    three,
    unshare,
)
from tests.support.servers.dns_server import NETWORK

__all__ = ["namespace", "unshare"]

pytestmark = pytest.mark.interop

OWN = ["198.18.255.254", "2001:db8:51:ffff::1"]
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - what sinkholes answer
EVERYWHERE = [(UNSPECIFIED, port) for port in PORTS] + [("::", port + 100) for port in PORTS]
"""A time service of this machine's own; it is four seconds ahead, whatever it is asked by."""


def nat(seen_as: dict[str, str]) -> str:
    """Return the command by which addresses lead to others."""
    elements = ", ".join(f"{seen} : {address}" for seen, address in seen_as.items())
    chain = "type nat hook output priority -100; policy accept;"
    rule = f"dnat to ip daddr map {{ {elements} }}"
    return f"""
nft add table ip lab
nft 'add chain ip lab out {{ {chain} }}'
nft 'add rule ip lab out {rule}'
"""


def swallow(family: str, prefix: str, via: str) -> str:
    """Return the command by which whatever is sent there vanishes: on the way, without a word."""
    return f"""
ip -{family} neigh add {via} lladdr 02:00:00:00:00:99 dev lab0 nud permanent
ip -{family} route add {prefix} via {via} dev lab0
"""


@pytest.mark.parametrize(
    "address",
    [UNSPECIFIED, "127.0.0.1", "127.0.0.53", "::", "::1", "::ffff:127.0.0.1", *OWN],
)
@pytest.mark.parametrize("servers", [("answer",), ("hang", "answer")])
def test_a_name_that_leads_to_this_machine_is_no_source(
    namespace: Namespace, address: str, servers: tuple[str, ...]
) -> None:
    """Sinkholes answer so; the clock would be compared with itself, and be right for ever."""
    ran = namespace(
        three(),
        *servers,
        zone={host: [address] for host in HOSTS},
        clocks=EVERYWHERE,
        prepare=NETWORK,
    )

    assert (ran.code, ran.stdout) == (3, "")
    assert "leads to this machine" in ran.stderr


SECOND = "198.18.255.253"
BINDS_FOREIGN = "\n".join(
    f"echo 1 >/proc/sys/net/ipv{version}/ip_nonlocal_bind" for version in (4, 6)
)
"""As keepalived and load balancers have it."""


def test_a_second_address_of_an_interface_is_no_source(namespace: Namespace) -> None:
    """It is never the one that is sent from, and this machine's all the same."""
    ran = namespace(
        three(),
        "answer",
        zone={host: [SECOND] for host in HOSTS},
        clocks=EVERYWHERE,
        prepare=f"{NETWORK}ip addr add {SECOND}/15 dev lab0\n",
    )

    assert (ran.code, ran.stdout) == (3, "")
    assert f"leads to this machine ({SECOND})" in ran.stderr


@pytest.mark.parametrize("address", [UNSPECIFIED, "127.0.0.1", "::1", *OWN])
def test_where_foreign_addresses_can_be_bound_own_ones_are_found_out(
    namespace: Namespace, address: str
) -> None:
    """By what would be sent from."""
    ran = namespace(
        three(),
        "answer",
        zone={host: [address] for host in HOSTS},
        clocks=EVERYWHERE,
        prepare=NETWORK + BINDS_FOREIGN,
    )

    assert (ran.code, ran.stdout) == (3, "")
    assert "leads to this machine" in ran.stderr


def test_where_foreign_addresses_can_be_bound_others_serve(namespace: Namespace) -> None:
    """That a socket can be bound to an address says nothing there."""
    ran = namespace(
        three(),
        "answer",
        zone={host: [f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)},
        clocks=[("127.0.0.1", port) for port in PORTS],
        prepare=NETWORK + nat({f"198.18.0.{i}": "127.0.0.1" for i in (1, 2, 3)}) + BINDS_FOREIGN,
    )

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")


def test_the_hosts_file_leads_here_no_less(namespace: Namespace) -> None:
    """Who blocks names by a hosts file does it with 0.0.0.0 or 127.0.0.1."""
    hosts = LOCALHOST + "".join(f"{UNSPECIFIED} {host}\n" for host in HOSTS)

    ran = namespace(three(), "NXDOMAIN", hosts=hosts, clocks=EVERYWHERE, prepare=NETWORK)

    assert (ran.code, ran.stdout) == (3, "")
    assert "ntp unreachable: a.lab.test:10001, b.lab.test:10002" in ran.stderr
    assert "(leads to this machine (0.0.0.0))" in ran.stderr


def test_the_other_addresses_of_a_name_serve(namespace: Namespace) -> None:
    """One address that leads here costs the name nothing but that."""
    ran = namespace(
        three(),
        "answer",
        zone={host: ["127.0.0.1", f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)},
        clocks=[("127.0.0.1", port) for port in PORTS],
        prepare=NETWORK + nat({f"198.18.0.{i}": "127.0.0.1" for i in (1, 2, 3)}),
    )

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")


def test_literal_addresses_may_be_of_this_machine(namespace: Namespace) -> None:
    """Who writes an address means it: a relay of their own, a test."""
    config = three(hosts=["127.0.0.1", OWN[0], "127.0.0.1"])

    ran = namespace(config, "NXDOMAIN", clocks=EVERYWHERE, prepare=NETWORK)

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")


def test_three_operators_behind_one_address_are_one(namespace: Namespace) -> None:
    """A captive portal answers for everybody: that is one vote, and no quorum."""
    ran = namespace(
        three(),
        "answer",
        zone={host: ["198.18.0.66"] for host in HOSTS},
        clocks=[("127.0.0.1", port) for port in PORTS],
        prepare=NETWORK + nat({"198.18.0.66": "127.0.0.1"}),
    )

    assert (ran.code, ran.stdout) == (3, "")
    assert "ntp duplicate: " in ran.stderr
    assert "same address as ntp" in ran.stderr
    assert "198.18.0.66" in ran.stderr


def test_against_them_two_honest_ones_win(namespace: Namespace) -> None:
    """Three names behind one address that says something else are outvoted by two servers."""
    portal = [table(f"l{i}.lab.test", 10_003, f"Liar {i}") for i in range(3)]
    honest = [table(host, port, host) for host, port in zip(HOSTS[:2], PORTS, strict=False)]
    ran = namespace(
        "[consensus]\nmin_operators = 2\n" + "\n".join(portal + honest),
        "answer",
        zone={f"l{i}.lab.test": ["198.18.0.66"] for i in range(3)}
        | {host: [f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)},
        clocks=[("127.0.0.1", port) for port in PORTS],
        prepare=NETWORK + nat({f"198.18.0.{i}": "127.0.0.1" for i in (1, 2, 66)}),
    )

    assert (ran.code, ran.stdout) == (0, "-4\n")


@pytest.mark.parametrize("servers", [("answer",), ("hang", "answer")])
def test_names_with_thousands_of_addresses(namespace: Namespace, servers: tuple[str, ...]) -> None:
    """Eighteen names of 4,000 addresses each neither delay the end nor cost the answer."""
    many = [f"n{i}.lab.test" for i in range(18)]
    tables = [table(host, 9, host) for host in many]
    honest = [table("127.0.0.1", port, f"Honest {port}") for port in range(10_001, 10_021)]
    crowd = [f"198.19.{i // 250}.{i % 250 + 1}" for i in range(4000)]
    ran = namespace(
        "\n".join(tables + honest),
        *servers,
        zone=dict.fromkeys(many, crowd),
        clocks=[("127.0.0.1", port) for port in range(10_001, 10_021)],
        prepare=NETWORK,
    )

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")
    assert ran.wall_s < 2.5 + GRACE_S


@pytest.mark.parametrize("servers", [("thousands",), ("hang", "thousands")])
def test_thousands_of_addresses_over_tcp_are_not_parsed(
    namespace: Namespace, servers: tuple[str, ...]
) -> None:
    """As name servers send them: over TCP, which dnspython would be busy with until the deadline.

    The honest servers' names are asked for by the same way, when the first server hangs.
    """
    many = [f"many{i}.lab.test" for i in range(18)]
    honest = {host: [f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)}
    ran = namespace(
        three() + "\n".join(table(host, 9, host) for host in many),
        *servers,
        zone={host: [UNSPECIFIED] for host in many} | honest,
        clocks=[("127.0.0.1", port) for port in PORTS],
        prepare=NETWORK
        + nat({f"198.18.0.{i}": "127.0.0.1" for i in (1, 2, 3)})
        + "ip route add blackhole 203.0.0.0/16\n",
    )

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")
    assert ran.wall_s < 2.5 + GRACE_S


def test_ipv6_that_swallows_costs_a_quarter_of_a_second_once(
    namespace: Namespace, tmp_path: Path
) -> None:
    """The first run asks the other family after 0.25 s; later ones ask first who has answered."""
    both = {host: [f"2001:db8:51::{i}", f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)}
    four = {host: addresses[1:] for host, addresses in both.items()}
    network = (
        NETWORK
        + nat({f"198.18.0.{i}": "127.0.0.1" for i in (1, 2, 3)})
        + swallow("6", "2001:db8:51::/64", "fe80::99")
    )
    clocks = [("127.0.0.1", port) for port in PORTS]
    whole, broken = (
        namespace(
            f'state = "{tmp_path / state}"\n{three()}',
            "answer",
            zone=zone,
            clocks=clocks,
            prepare=network,
            runs=12,
        )
        for state, zone in (("four", four), ("both", both))
    )

    assert (broken.code, broken.stdout, broken.stderr) == (0, "-4\n", "")
    assert 0.24 < broken.walls_s[0] < 0.6
    later_s = statistics.median(broken.walls_s[1:])
    assert later_s < 0.24, "the swallowing family was asked first again"
    ratio = later_s / statistics.median(whole.walls_s[1:])
    assert ratio < 3, f"later runs take {ratio:.2f} times as long as without IPv6"


def test_ipv4_that_swallows_costs_no_more(namespace: Namespace) -> None:
    """The reverse: the name's IPv4 vanishes, its IPv6 answers."""
    chain = "type nat hook output priority -100; policy accept;"
    network = (
        NETWORK
        + f"""
nft add table ip6 lab
nft 'add chain ip6 lab out {{ {chain} }}'
nft 'add rule ip6 lab out ip6 daddr 2001:db8:51::/64 dnat to ::1'
"""
        + swallow("4", "198.18.0.0/24", "198.19.255.253")
    )
    both = {host: [f"2001:db8:51::{i}", f"198.18.0.{i}"] for i, host in enumerate(HOSTS, 1)}
    clocks = [("::1", port) for port in PORTS]
    ran = namespace(three(), "answer", zone=both, clocks=clocks, prepare=network, runs=4)

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")
    assert max(ran.walls_s) < 0.7
    assert min(ran.walls_s[1:]) < 0.24


LINK = """
ip link set lo up
ip link add br-lan type veth peer name eth0.100
ip -6 addr add fe80::1/64 dev br-lan nodad
ip -6 addr add fe80::2/64 dev eth0.100 nodad
ip link set br-lan up
ip link set eth0.100 up
"""


def test_a_link_local_address_with_its_zone_is_asked(namespace: Namespace) -> None:
    """Zones are called as interfaces are; without its zone it cannot be asked."""
    hosts = ["fe80::1%br-lan", "fe80::2%eth0.100"]
    tables = [
        table(host, port, f"Operator {port}")
        for host, port in zip(hosts, (10_101, 10_102), strict=True)
    ]

    ran = namespace("\n".join(tables), "NXDOMAIN", clocks=EVERYWHERE, prepare=LINK)

    assert (ran.code, ran.stdout, ran.stderr) == (0, "-4\n", "")


def test_a_zone_that_is_not_there_is_named(namespace: Namespace) -> None:
    """The interface has gone, or was never there."""
    ran = namespace(table("fe80::1%gone0", 123, "A"), "NXDOMAIN", clocks=[], prepare=LINK)

    assert (ran.code, ran.stdout) == (3, "")
    assert "fe80::1%gone0" in ran.stderr
    assert "this machine has no interface gone0" in ran.stderr


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("nts", 'host = "fe80::1%gone0"'),
        ("roughtime", f'host = "fe80::1%gone0"\npublic_key = "{"A" * 43}="'),
        ("https", 'url = "https://[fe80::1%25gone0]/"'),
        ("ntp", 'host = "fe80::1%99999999999"'),
    ],
)
def test_a_zone_that_is_not_there_is_named_by_every_kind(
    namespace: Namespace, kind: str, asked: str
) -> None:
    """And a number that no interface can have."""
    ran = namespace(f"[[sources.{kind}]]\n{asked}\n", "NXDOMAIN", clocks=[], prepare=LINK)

    assert (ran.code, ran.stdout) == (3, "")
    assert f"{kind} unreachable: " in ran.stderr
    assert "this machine has no interface " in ran.stderr


def test_a_name_server_may_be_link_local(namespace: Namespace) -> None:
    """`nameserver fe80::1%br-lan`, as routers write it."""
    ran = namespace(
        three(1.5),
        "answer",
        at=["fe80::1%br-lan"],
        zone={host: [UNSPECIFIED] for host in HOSTS},
        clocks=[],
        prepare=LINK,
    )

    assert "leads to this machine" in ran.stderr, "it was asked, and this is what it says"
