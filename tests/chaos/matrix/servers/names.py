"""Name servers, and what else leads from names to addresses, at fault."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset

from lab.behaviour import Reply
from tests.chaos.fault import Expected, Fault, Machine, Names
from tests.support.servers.dns_server import BEHAVIOURS as KNOWN
from tests.support.servers.dns_server import Behaviour, Query, truncate

_SERVER = "127.0.0.9"
_SECOND = "127.0.0.10"
_HOSTS = ("a.lab.test", "b.lab.test", "c.lab.test")
_UNSPECIFIED = "0.0.0.0"  # noqa: S104 - what sinkholes answer


def _made(query: Query, *lines: str) -> Iterable[Reply]:
    response = dns.message.make_response(query.message, recursion_available=True)
    for line in lines:
        name, ttl, *rest = line.split(maxsplit=4)
        response.answer.append(dns.rrset.from_text(name, int(ttl), *rest))
    return [Reply(response.to_wire())]


def _loop(query: Query) -> Iterable[Reply]:
    """Answer that the name is another's, which is this one's."""
    name = query.message.question[0].name.to_text()
    return _made(query, f"{name} 60 IN CNAME x.{name}", f"x.{name} 60 IN CNAME {name}")


def _itself(query: Query) -> Iterable[Reply]:
    name = query.message.question[0].name.to_text()
    return _made(query, f"{name} 60 IN CNAME {name}")


def _endless_chain(query: Query) -> Iterable[Reply]:
    """Answer each name by a longer one, for ever."""
    name = query.message.question[0].name.to_text()
    if len(name) > 200:
        return []
    return _made(query, f"{name} 60 IN CNAME x.{name}")


def _two_thousand(query: Query) -> Iterable[Reply]:
    """Answer 2,000 addresses where nobody is, over TCP."""
    if query.message.question[0].rdtype != dns.rdatatype.A:
        return [Reply(query.response().to_wire())]
    if not query.tcp:
        return truncate(query)
    head = dns.message.make_response(query.message, recursion_available=True).to_wire()
    record = bytes.fromhex("c00c 0001 0001 0000003c 0004")
    records = (record + bytes((198, 18, 200 + n // 250, n % 250 + 1)) for n in range(2000))
    return [Reply(head[:6] + (2000).to_bytes(2) + head[8:] + b"".join(records))]


def _cut(query: Query) -> Iterable[Reply]:
    return [Reply(query.response().to_wire()[:-3])]


def _pointers(query: Query) -> Iterable[Reply]:
    """Answer by a name that points to itself, as no decompressor should follow."""
    head = dns.message.make_response(query.message).to_wire()
    pointer = (0xC000 | len(head)).to_bytes(2)
    return [Reply(head[:6] + (1).to_bytes(2) + head[8:] + pointer + bytes(10))]


def _question_back(query: Query) -> Iterable[Reply]:
    return [Reply(query.message.to_wire())]


def _longest(query: Query) -> Iterable[Reply]:
    return [Reply(os.urandom(60_000))]


def _flood(query: Query) -> Iterable[Reply]:
    junk = query.message.id.to_bytes(2) + os.urandom(300)
    return (Reply(junk) for _ in range(50_000))


def _controls(query: Query) -> Iterable[Reply]:
    """Answer that the name is another's, which holds an escape sequence."""
    name = query.message.question[0].name.to_text()
    return _made(query, f"{name} 60 IN CNAME \\027[31m\\010.x.test.")


MORE: dict[str, Behaviour] = {
    "loop": _loop,
    "itself": _itself,
    "endless chain": _endless_chain,
    "two thousand": _two_thousand,
    "cut": _cut,
    "pointers": _pointers,
    "question back": _question_back,
    "longest": _longest,
    "flood": _flood,
    "controls": _controls,
}
BEHAVIOURS: dict[str, Callable[[], Behaviour]] = KNOWN | {
    name: (lambda behaviour=behaviour: behaviour) for name, behaviour in MORE.items()
}


def _row(name: str, does: str, behaviour: str, *then: str, **more: Any) -> Fault:
    servers = dict(zip((_SERVER, _SECOND), (behaviour, *then), strict=False))
    return Fault(name=f"names: {name}", does=does, names=Names(servers), **more)


def _leading(name: str, does: str, *addresses: str, **more: Any) -> Fault:
    zone = dict.fromkeys(_HOSTS, addresses)
    return Fault(
        name=f"names: {name}",
        does=does,
        names=Names({_SERVER: "answer"}, zone),
        **more,
    )


def _configured(name: str, does: str, resolv_conf: str, **more: Any) -> Fault:
    names = Names({_SERVER: "answer"}, resolv_conf=resolv_conf)
    return Fault(name=f"names: {name}", does=does, names=names, **more)


_GOOD = f"nameserver {_SERVER}\n"
_WITHOUT = """
cp -a /etc $FOLDER/etc
rm -f $FOLDER/etc/resolv.conf
mount --bind $FOLDER/etc /etc
"""
FAULTS = [
    _row("hangs", "never answers", "hang", says="cannot be resolved"),
    _row("closed", "nobody listens", "dead"),
    _row("NXDOMAIN", "knows no name", "NXDOMAIN"),
    _row("SERVFAIL", "fails", "SERVFAIL"),
    _row("REFUSED", "refuses", "REFUSED"),
    _row("TCP hangs", "too long for UDP, and no TCP", "truncate and hang"),
    _row("wrong id", "forged under another id", "wrong id"),
    _row("wrong question", "answers what nobody asked", "wrong question"),
    _row("wrong port", "forged from another port", "wrong port"),
    _row("junk", "no DNS", "junk"),
    _row("question back", "our own question", "question back"),
    _row("longest", "60 KB of noise", "longest"),
    _row("cut", "ends within a record", "cut"),
    _row("pointers", "a name compressed by itself", "pointers"),
    _row("loop", "two names that are each other", "loop"),
    _row("itself", "a name that is itself", "itself"),
    _row("endless chain", "each name is another one", "endless chain"),
    _row("2,000 addresses", "where nobody is", "two thousand"),
    _row("flood", "50,000 replies a question", "flood"),
    _row("control characters", "an alias that moves the cursor", "controls"),
    _row("hangs, then one answers", "the second serves", "hang", "answer", alone=Expected.ANSWER),
    _leading("to this machine", "127.0.0.53", _UNSPECIFIED, says="leads to this machine"),
    _leading("to nobody", "addresses that nobody has", "198.18.99.1", "198.18.99.2"),
    _leading("to multicast", "224.0.1.1", "224.0.1.1"),
    _leading("to broadcast", "255.255.255.255", "255.255.255.255"),
    _leading(
        "one that works",
        "after 15 that do not",
        *(f"198.18.99.{n}" for n in range(1, 8)),
        "127.0.0.1",
        alone=Expected.EITHER,
    ),
    _configured("empty resolv.conf", "names nobody", ""),
    _configured("resolv.conf of noise", "bytes of any kind", "".join(map(chr, range(256))) * 40),
    _configured(
        "resolv.conf of a megabyte",
        "comments, then a server",
        "# no\n" * 200_000 + _GOOD,
        alone=Expected.EITHER,
    ),
    _configured(
        "a search of 300 letters",
        "makes glibc abort",
        f"search {'x' * 300}.test\n{_GOOD}",
        alone=Expected.EITHER,
    ),
    _configured(
        "a thousand servers",
        "none there",
        "".join(f"nameserver 198.18.99.{n % 250}\n" for n in range(1000)),
        is_always_run=True,
    ),
    _configured("a server with a zone", "of no interface", "nameserver fe80::1%nowhere\n"),
    Fault(
        "names: no resolv.conf",
        "there is none",
        names=Names({_SERVER: "answer"}),
        machine=Machine(prepare=_WITHOUT),
    ),
]
