"""What to do about a refusal: one sentence, from the verdicts alone. Pure.

One failure shows little; all of them together show what blocks. A kind is *dead* if none of its
sources reached a server, *alive* if one has answered. Nothing is suggested where nothing can be
concluded. docs/troubleshooting.md has each sentence.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from drift.consensus.rule import Lack, NoAnswer
from drift.consensus.verdict import NOT_NEEDED, Verdict
from sources.base import Reason

_ON_THE_WAY = "No route to host"
_UNSENT = (
    "Network is unreachable",
    "Network is down",
    "Cannot assign requested address",
    _ON_THE_WAY,
)
"""What this machine's own system says where there is no way out; the last also for a gateway."""
_UNRESOLVED = ("name cannot be resolved", "name not resolved")
_UNRESOLVED_FOR_NOW = "Temporary failure in name resolution"
_REFUSED = "Connection refused"
_FORBIDDEN = "Operation not permitted"
_RESTING = " in a row: until "
_NOT_OF_THE_WAY = (NOT_NEEDED, "unavailable", "duplicate")
"""Verdicts that say nothing about the network."""
_KEYS_ONLY = re.compile("keys exchanged, but no reply to NTP requests of ([0-9]+) bytes")
_ROOT_DISTANCE = "root distance"
_PORT = re.compile(r"(?:\]|^[^:]*):([0-9]+)$")
_PORTS = {"ntp": 123, "nts": 4460, "https": 443, "roughtime": 5319}
"""The usual ports, which names do not show; for NTS that of its keys."""
_MOST_PORTS = 3

_Rule = Callable[["_Kinds", NoAnswer], str]


class _Kinds:
    """The verdicts by kind, those of sources that say nothing about the way left out."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self.all = [
            verdict
            for verdict in verdicts
            if verdict.word not in _NOT_OF_THE_WAY and _RESTING not in verdict.text
        ]
        self.by_kind: dict[str, list[Verdict]] = {}
        for verdict in self.all:
            self.by_kind.setdefault(verdict.kind, []).append(verdict)

    def dead(self, kind: str) -> bool:
        """Whether sources of the kind were asked, and none reached its server."""
        return kind in self.by_kind and all(_is_lost(v) for v in self.by_kind[kind])

    def alive(self, *kinds: str) -> bool:
        """Whether a source of one of the kinds has answered."""
        return any(v.sample is not None for kind in kinds for v in self.by_kind.get(kind, ()))

    def ports(self, kind: str) -> set[int]:
        """Return the ports of a kind."""
        return {_port_of(verdict.name, _PORTS[kind]) for verdict in self.by_kind[kind]}


def no_network(verdicts: Sequence[Verdict]) -> str | None:
    """Return what this machine's system says where no packet leaves it; None where some do."""
    said = ""
    for verdict in _Kinds(verdicts).all:
        text = verdict.text
        unsent = next((phrase for phrase in _UNSENT if phrase in text), "")
        unresolved = _is_unresolved(verdict) and (unsent or _UNRESOLVED_FOR_NOW in text)
        unreachable = verdict.word == Reason.UNREACHABLE.value and unsent and _REFUSED not in text
        if not unresolved and not unreachable:
            return None
        said = said or unsent
    return said or None


def what_to_check(said: str) -> str:
    """Return what to look at where the system says that of every server."""
    if said == _ON_THE_WAY:
        return "is the gateway up, or does a firewall reject what is sent?"
    return "check its interface, its address and its default route"


def advice(decision: NoAnswer, verdicts: Sequence[Verdict]) -> str:
    """Return what is probably in the way and what to do; empty where nothing can be concluded."""
    kinds = _Kinds(verdicts)
    return next((said for rule in _RULES if (said := rule(kinds, decision))), "")


def _slept(_: _Kinds, decision: NoAnswer) -> str:
    return "run it again" if decision.lack is Lack.SLEPT else ""


def _names(kinds: _Kinds, _: NoAnswer) -> str:
    failed = [verdict for verdict in kinds.all if verdict.sample is None]
    if 2 * sum(map(_is_unresolved, failed)) <= len(failed):
        return ""
    return (
        "names cannot be resolved: is DNS down, or the network (/etc/resolv.conf)? "
        "Sources take addresses = [...] for such times"
    )


def _forbidden(kinds: _Kinds, _: NoAnswer) -> str:
    lost = [verdict for verdict in kinds.all if _is_lost(verdict)]
    if not lost or not all(_FORBIDDEN in verdict.text for verdict in lost):
        return ""
    return "a firewall on this machine itself does not let the requests out"


def _nothing_gets_through(kinds: _Kinds, _: NoAnswer) -> str:
    if len(kinds.by_kind) < 2 or not all(map(kinds.dead, kinds.by_kind)):  # noqa: PLR2004
        return ""
    if not kinds.by_kind.keys() & {"https", "nts"}:
        return "no reply by UDP at all: does a firewall drop UDP, port 123 and others?"
    return (
        "nothing gets through, by UDP or TCP: is there a way to the internet? Where a proxy is "
        "demanded HTTPS cannot be asked: only UDP ports 123 and others, let through, will do"
    )


def _udp(kinds: _Kinds, _: NoAnswer) -> str:
    """Of UDP port 123, and of packets longer than those of plain NTP."""
    larger = next((found for v in kinds.all if (found := _KEYS_ONLY.search(v.text))), None)
    if kinds.dead("ntp") and not kinds.alive("nts"):
        blocked = _are_blocked("UDP", kinds.ports("ntp"))
        others = [kind for kind in kinds.by_kind if kinds.alive(kind)]
        if others:
            return f"by {' and '.join(others)} there are replies, by ntp none: {blocked}?"
        if larger:
            return f"NTS keys arrive by TCP, but nothing by UDP: {blocked}?"
        return f"no reply by ntp: {blocked}, or its servers down?"
    if larger:
        return (
            f"NTS keys arrive, but its packets of {larger[1]} bytes are lost: something on the "
            "path drops NTP packets that are larger than 48 bytes, or UDP port 123"
        )
    return ""


def _tcp(kinds: _Kinds, _: NoAnswer) -> str:
    """Of TCP ports 443 and 4460."""
    ports = {port for kind in ("https", "nts") if kinds.dead(kind) for port in kinds.ports(kind)}
    if not ports:
        return ""
    proxy = ", or a proxy demanded? Proxies are not used" if kinds.dead("https") else "?"
    return f"no connection by TCP: {_are_blocked('TCP', ports)}{proxy}"


def _roughtime(kinds: _Kinds, _: NoAnswer) -> str:
    if not kinds.dead("roughtime"):
        return ""
    return f"no reply by roughtime: {_are_blocked('UDP', kinds.ports('roughtime'))}?"


def _opened(kinds: _Kinds, _: NoAnswer) -> str:
    found = kinds.by_kind.get("https", [])
    if not found or any(verdict.word != Reason.UNVERIFIED.value for verdict in found):
        return ""
    return "no certificate holds: does a firewall open TLS? ca_file names its CA"


def _vague(kinds: _Kinds, _: NoAnswer) -> str:
    if not any(v.word == Reason.TOO_WIDE.value and _ROOT_DISTANCE in v.text for v in kinds.all):
        return ""
    return (
        "a server that admits to be off by more than 1 s has no good time itself (a Windows "
        "domain controller? docs/troubleshooting.md): give it a source, or ask others"
    )


def _resting(kinds: _Kinds, _: NoAnswer) -> str:
    failed = [verdict for verdict in kinds.all if verdict.sample is None]
    if 2 * sum(verdict.word == Reason.REFUSED.value for verdict in failed) <= len(failed):
        return ""
    return "asked too often from this address: measure less often, or ask servers of your own"


def _contradiction(_: _Kinds, decision: NoAnswer) -> str:
    if decision.lack is not Lack.NO_MAJORITY:
        return ""
    return "sources contradict each other: --explain shows which"


_RULES: tuple[_Rule, ...] = (
    _slept,
    _names,
    _forbidden,
    _nothing_gets_through,
    _udp,
    _tcp,
    _roughtime,
    _opened,
    _vague,
    _resting,
    _contradiction,
)
"""The first rule with advice wins: causes that block many sources come before those of a few."""


def _are_blocked(protocol: str, ports: set[int]) -> str:
    """Ask whether ports are blocked: "is UDP port 123 blocked"."""
    numbers = [str(port) for port in sorted(ports)]
    if len(numbers) == 1:
        return f"is {protocol} port {numbers[0]} blocked"
    if len(numbers) > _MOST_PORTS:
        numbers = [*numbers[:_MOST_PORTS], "others"]
    return f"are {protocol} ports {', '.join(numbers[:-1])} and {numbers[-1]} blocked"


def _is_unresolved(verdict: Verdict) -> bool:
    return any(phrase in verdict.text for phrase in _UNRESOLVED)


def _is_lost(verdict: Verdict) -> bool:
    """Whether nothing came from the server, though its name was resolved."""
    if verdict.word not in (Reason.TIMEOUT.value, Reason.UNREACHABLE.value):
        return False
    return not _is_unresolved(verdict) and not _KEYS_ONLY.search(verdict.text)


def _port_of(name: str, usual: int) -> int:
    found = _PORT.search(name)
    return int(found[1]) if found else usual
