"""Limits of the kernel on what the program may take."""

from functools import partial
from itertools import count
from typing import Any

from lab.behaviour import silent
from lab.nodes.bitcoin import BitcoinNode
from tests.chaos.fault import Expected, Fault, Machine
from tests.chaos.servers import Closed

_USERS = count(71_001)
"""One a row, as the kernel counts all threads that a user has."""
_MB = 1 << 20


def _limited(*options: str) -> Machine:
    return Machine(wrap=("prlimit", *options))


def _threads(most: int) -> Machine:
    user = str(next(_USERS))
    drop = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    return Machine(wrap=("prlimit", f"--nproc={most}", *drop))


def _row(name: str, does: str, machine: Machine, **more: Any) -> Fault:
    more = {"beside": Expected.EITHER, "honest": "all", **more}
    return Fault(name=f"limits: {name}", does=does, machine=machine, **more)


def _of_nodes(name: str, does: str, option: str, run: str) -> Fault:
    return Fault(
        f"limits: {name}",
        does,
        machine=_limited(option),
        nodes=lambda: [BitcoinNode(silent)],
        run=run,
    )


FAULTS = [
    _row("12 descriptors", "few files", _limited("--nofile=12")),
    _row("16 descriptors", "a few more", _limited("--nofile=16")),
    _row("32 descriptors", "enough", _limited("--nofile=32"), beside=Expected.ANSWER),
    _row("48 MB", "of addresses", _limited(f"--as={48 * _MB}")),
    _row("64 MB", "of addresses", _limited(f"--as={64 * _MB}"), beside=Expected.ANSWER),
    _row("96 MB", "of addresses", _limited(f"--as={96 * _MB}"), beside=Expected.ANSWER),
    _row("128 MB", "of addresses", _limited(f"--as={128 * _MB}"), beside=Expected.ANSWER),
    _row("data of 16 MB", "for the heap", _limited(f"--data={16 * _MB}"), is_always_run=True),
    _row("stack of 256 KB", "for the main thread", _limited("--stack=262144")),
    _row(
        "files of no byte", "nothing can be written", _limited("--fsize=0"), beside=Expected.ANSWER
    ),
    _row("no locked memory", "for keys", _limited("--memlock=0"), beside=Expected.ANSWER),
    _row("no queued signals", "of its own", _limited("--sigpending=0"), beside=Expected.ANSWER),
    _row("1 thread", "the main one", _threads(1), honest="ntp"),
    _row("2 threads", "one source", _threads(2), honest="ntp"),
    _row("4 threads", "three sources", _threads(4), honest="ntp"),
    _row("descriptors for json", "few files, a report", _limited("--nofile=12"), run="json"),
    _row("descriptors for nagios", "few files, a plugin", _limited("--nofile=12"), run="nagios"),
    _row(
        "descriptors for metrics", "few files, a library", _limited("--nofile=12"), run="prometheus"
    ),
    _row("memory for metrics", "64 MB, a library", _limited(f"--as={64 * _MB}"), run="prometheus"),
    _row("1 thread for zabbix", "the main one", _threads(1), run="zabbix", honest="ntp"),
    _row(
        "descriptors for watch",
        "few files, twice",
        _limited("--nofile=12"),
        run="watch",
        beside=Expected.EITHER,
        is_always_run=True,
    ),
    _of_nodes("descriptors for probe", "few files, nodes", "--nofile=12", "probe"),
    _of_nodes("descriptors for serve", "few files, scrapes", "--nofile=12", "serve"),
    _of_nodes("memory for probe", "96 MB, nodes", f"--as={96 * _MB}", "probe"),
    _of_nodes("memory for serve", "256 MB, scrapes", f"--as={256 * _MB}", "serve"),
    Fault(
        "limits: 50 at once",
        "50 runs begin together",
        run="many",
        beside=Expected.EITHER,
        needs_quiet=True,
        timeout_s=12,
        server=partial(Closed, "ntp"),
    ),
]
