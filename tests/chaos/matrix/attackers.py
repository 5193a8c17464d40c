"""Attackers of the threat model: off the path, on the path, with stolen keys."""

import sys
from collections.abc import Callable
from typing import Any

from lab.authority import DAY_S
from lab.behaviour import late, shifted
from lab.https import EXPIRED, HttpsServer, Identity
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server
from tests.chaos.fault import Expected, Fault, Machine, Names
from tests.chaos.servers import Elsewhere, lab_time_unix_ns
from tests.conftest import ROOT

_ANSWER = Expected.ANSWER
_PORTS = "40000 40063"
"""Few, so that the attacker hits those that are in use; those of servers are others."""
_YEAR_S = 365 * DAY_S


def _spoofing(what: str, ports: str = _PORTS) -> Machine:
    flood = f"{sys.executable} -m tests.chaos.spoofer $FOLDER/config.toml {what} 2"
    narrow = f"echo {ports} >/proc/sys/net/ipv4/ip_local_port_range\n"
    return Machine(
        prepare=("" if what == "dns" else narrow)
        + f"PYTHONPATH={ROOT} {flood} >/dev/null &\nsleep 0.6\n"
    )


def _late(kind: Callable[..., Server]) -> Callable[[str], Server]:
    """Return what makes honest servers that give an attacker some time.

    Two of three are NTP's, as Roughtime alone counts whole seconds.
    """

    def server(name: str) -> Server:
        made = NtpServer if name in "BC" and kind is RoughtimeServer else kind
        return made(name, late(0.3), time_unix_ns=lab_time_unix_ns)

    return server


def _row(name: str, does: str, what: str, kind: Callable[..., Server], **more: Any) -> Fault:
    more = {"alone": Expected.EITHER, "needs_quiet": True, **more}
    return Fault(f"attackers: {name}", does, _late(kind), _spoofing(what), **more)


def _intercepted(name: str) -> Server:
    """Make NTP servers whose port 123 somebody answers for, and one that he cannot forge."""
    if name in "CZ":
        return HttpsServer(name, time_unix_ns=lab_time_unix_ns)
    return Elsewhere(name, f"127.0.0.{ord(name)}", 123)


def _interceptor(name: str) -> Server:
    """Make the same, and the one that answers for them."""
    if name in "AY":
        liar = NtpServer("", shifted(3600), time_unix_ns=lab_time_unix_ns, port=10_123)
        return Elsewhere(name, f"127.0.0.{ord(name)}", 123, liar)
    return _intercepted(name)


_REDIRECTED = """
nft add table ip chaos
nft 'add chain ip chaos c { type nat hook output priority -100; policy accept; }'
nft 'add rule ip chaos c udp dport 123 redirect to :10123'
"""


def _thief(shift_s: float, identity: Identity) -> Callable[[str], Server]:
    """Return what makes one thief among honest servers."""

    def server(name: str) -> Server:
        if name in "AY":
            return HttpsServer(
                name, shifted(shift_s), time_unix_ns=lab_time_unix_ns, identity=identity
            )
        return HttpsServer(name, time_unix_ns=lab_time_unix_ns)

    return server


FAULTS = [
    _row("off the path, NTP", "forged replies, 50,000/s", "ntp", NtpServer),
    Fault(
        "attackers: off the path, alone",
        "forged replies to nobody's requests",
        machine=_spoofing("ntp"),
        says="none to our request",  # so they do arrive
        beside=Expected.EITHER,
        needs_quiet=True,
        is_always_run=True,
    ),
    _row("off the path, kisses", "forged DENY, 50,000/s", "kiss", NtpServer),
    _row("off the path, NTS", "forged replies, 50,000/s", "nts", NtsServer, timeout_s=2.5),
    _row("off the path, Roughtime", "forged replies, 50,000/s", "roughtime", RoughtimeServer),
    _row(
        "off the path, ICMP",
        "forged errors, 50,000/s",
        "icmp",
        NtpServer,
        beside=Expected.EITHER,
        alone=Expected.EITHER,
    ),
    Fault(
        "attackers: off the path, DNS",
        "forged addresses, 50,000/s",
        machine=_spoofing("dns"),
        names=Names({"127.0.0.9": "late"}),
        alone=_ANSWER,
        timeout_s=2.5,
        needs_quiet=True,
        is_always_run=True,
    ),
    Fault(
        "attackers: on the path of UDP 123",
        "all NTP is another's",
        _interceptor,
        Machine(prepare=_REDIRECTED),
        min_kinds=2,
        honest="all",
        is_always_run=True,
    ),
    Fault(
        "attackers: a stolen key, expired",
        "a time when it was valid",
        _thief(-1.5 * DAY_S, EXPIRED),
        says="falseticker",
        timeout_s=2.5,
        is_always_run=True,
    ),
    Fault(
        "attackers: a stolen key, very old",
        "a time before the release",
        _thief(-5 * _YEAR_S, Identity(lifetime=(-6 * _YEAR_S, -4 * _YEAR_S))),
        says="implausible",
        timeout_s=2.5,
    ),
]
