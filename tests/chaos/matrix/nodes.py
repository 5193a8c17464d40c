"""Nodes at fault, asked by `probe` and by `serve`."""

from collections.abc import Callable

from lab import behaviour
from lab.behaviour import only
from lab.nodes.avalanche import AvalancheNode
from lab.nodes.base import LabNode
from lab.nodes.behaviour import begun, cut, drip, endless
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.xrpl import XrplNode
from tests.chaos.fault import Fault


def _row(name: str, does: str, node: Callable[[], LabNode], run: str = "probe") -> Fault:
    return Fault(f"nodes: {name}", does, nodes=lambda: [node()], run=run)


_CDN = (("Server", "cloudflare"), ("CF-Ray", "7"))
FAULTS = [
    _row("silent", "says nothing", lambda: BitcoinNode(behaviour.silent)),
    _row("cut", "closes within its answer", lambda: BitcoinNode(cut(30))),
    _row("closes", "closes without a word", lambda: KaspaNode(cut(0))),
    _row("begun", "half an answer, and no more", lambda: BitcoinNode(begun(30))),
    _row("drips", "a byte every 0.2 s", lambda: BitcoinNode(drip(0.2))),
    _row("endless zeros", "for ever", lambda: BitcoinNode(endless(bytes(100)))),
    _row("endless headers", "HTTP without an end", lambda: HttpNode(endless(b"X: y\r\n"))),
    _row("junk", "no protocol", lambda: KaspaNode(only(bytes(range(256))))),
    _row("a CDN", "another machine's clock", lambda: HttpNode(headers=_CDN)),
    _row("adjusted", "its peers' time", lambda: BitcoinNode(agent="/Satoshi:0.21.2/")),
    _row(
        "escapes for a name",
        "moves the cursor",
        lambda: BitcoinNode(behaviour.silent, agent="/\x1b[2J/"),
    ),
    _row("endless frames", "of avalanche", lambda: AvalancheNode(endless(b"\0\0\xff\xff"))),
    _row("endless upgrade", "of xrpl", lambda: XrplNode(endless(b"X: y\r\n"))),
    _row("silent, served", "says nothing", lambda: BitcoinNode(behaviour.silent), "serve"),
    _row("drips, served", "a byte every 0.2 s", lambda: BitcoinNode(drip(0.2)), "serve"),
    _row("endless, served", "for ever", lambda: BitcoinNode(endless(bytes(100))), "serve"),
    _row("a CDN, served", "another machine's clock", lambda: HttpNode(headers=_CDN), "serve"),
]
