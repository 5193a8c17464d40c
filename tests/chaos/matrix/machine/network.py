"""Networks that are not there, half there, or swallow what is sent."""

from functools import partial
from typing import Any

from lab.behaviour import silent
from lab.ntp import NtpServer
from tests.chaos.fault import Expected, Fault, Machine, Names
from tests.chaos.servers import lab_time_unix_ns

_REFUSAL = Expected.REFUSAL
_SERVER = "127.0.0.9"


def _nft(*rules: str, hook: str = "output") -> str:
    chain = f"type filter hook {hook} priority 0; policy accept;"
    lines = [f"nft add table inet chaos\nnft 'add chain inet chaos c {{ {chain} }}'"]
    return "\n".join([*lines, *(f"nft 'add rule inet chaos c {rule}'" for rule in rules), ""])


def _row(name: str, does: str, prepare: str, **more: Any) -> Fault:
    more = {"beside": Expected.ANSWER, **more}
    return Fault(name=f"network: {name}", does=does, machine=Machine(prepare=prepare), **more)


def _swallowing(prefix: str, via: str) -> str:
    """Return the command by which whatever is sent there vanishes on the way."""
    return f"""
ip -6 neigh add {via} lladdr 02:00:00:00:00:99 dev lab0 nud permanent
ip -6 route add {prefix} via {via} dev lab0
"""


_BROKEN_IPV6 = _swallowing("2001:db8:99::/48", "2001:db8:51:ffff::2")
_BOTH = ("2001:db8:99::1", "127.0.0.1")
_ONLY_BROKEN = ("2001:db8:99::1",)
_HOSTS = ("a.lab.test", "b.lab.test", "c.lab.test")
FAULTS = [
    _row("no loopback", "its interface is down", "ip link set lo down\n", beside=_REFUSAL),
    _row(
        "no route",
        "loopback is up, and nothing leads there",
        "ip addr flush dev lo\nip route flush table local\n",
        beside=_REFUSAL,
    ),
    _row(
        "a prohibition",
        "a route that forbids",
        "ip route flush table local\nip route add prohibit 127.0.0.0/8\n",
        beside=_REFUSAL,
    ),
    _row("no IPv6", "switched off", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6\n"),
    _row("UDP dropped", "on the way out", _nft("udp sport 1-65535 drop"), beside=_REFUSAL),
    _row(
        "UDP dropped, in",
        "on the way in",
        _nft("meta l4proto udp drop", hook="input"),
        beside=_REFUSAL,
    ),
    _row("UDP rejected", "by ICMP", _nft("meta l4proto udp reject"), beside=_REFUSAL),
    _row(
        "UDP prohibited",
        "by ICMP of another kind",
        _nft("meta l4proto udp reject with icmpx type admin-prohibited"),
        beside=_REFUSAL,
    ),
    _row("TCP dropped", "on the way out", _nft("meta l4proto tcp drop"), honest="all"),
    _row(
        "TCP reset", "by a firewall", _nft("meta l4proto tcp reject with tcp reset"), honest="all"
    ),
    _row(
        "every third lost",
        "of all packets",
        _nft("meta l4proto udp numgen inc mod 3 0 drop"),
        timeout_s=2.5,
        beside=Expected.EITHER,
    ),
    _row(
        "long ones lost",
        "above 100 bytes",
        _nft("meta l4proto udp meta length > 100 drop"),
        honest="all",
    ),
    _row(
        "an MTU of 68",
        "the least there is",
        "ip link set lo mtu 68\n",
        honest="all",
        beside=Expected.EITHER,
    ),
    Fault(
        "network: only IPv6",
        "no IPv4 at all",
        machine=Machine(
            early="ip addr del 127.0.0.1/8 dev lo\nip -6 addr add 2001:db8::1/64 dev lo nodad\n"
        ),
        server=partial(NtpServer, behaviour=silent, time_unix_ns=lab_time_unix_ns, address="::1"),
        honest="ipv6",
    ),
    Fault(
        "network: IPv6 swallows",
        "AAAA leads nowhere, A serves",
        names=Names({_SERVER: "answer"}, dict.fromkeys(_HOSTS, _BOTH)),
        machine=Machine(prepare=_BROKEN_IPV6),
        alone=Expected.ANSWER,
        timeout_s=2.5,
    ),
    Fault(
        "network: IPv6 swallows all",
        "only AAAA, and it leads nowhere",
        names=Names({_SERVER: "answer"}, dict.fromkeys(_HOSTS, _ONLY_BROKEN)),
        machine=Machine(prepare=_BROKEN_IPV6),
    ),
]
