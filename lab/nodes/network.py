"""A network of lab nodes on loopback, on one event loop: three hundred cost one thread."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from lab.behaviour import shifted, silent
from lab.nodes import https
from lab.nodes.avalanche import AvalancheNode
from lab.nodes.base import LabNode
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.loop import Loop
from lab.nodes.xrpl import XrplNode


@contextmanager
def network(nodes: Sequence[LabNode]) -> Iterator[Sequence[LabNode]]:
    """Run the nodes, and yield them; nothing of them is left on any disk."""
    with ExitStack() as running:
        running.callback(https.forget)
        loop = running.enter_context(Loop())
        for node in nodes:
            running.enter_context(node.on(loop))
        yield nodes


def demo() -> list[LabNode]:
    """Return a small network: a node is 4 s behind, one adjusted, one silent, one is a CDN."""
    return [
        BitcoinNode(),
        BitcoinNode(shifted(-4)),
        BitcoinNode(shifted(0.3), agent="/Satoshi:27.1.0/Knots:20240801/"),
        BitcoinNode(shifted(-30), agent="/LitecoinCore:0.21.2.1/"),
        BitcoinNode(silent),
        XrplNode(),
        AvalancheNode(shifted(1)),
        KaspaNode(shifted(-0.1)),
        HttpNode(),
        HttpNode(headers=(("Server", "cloudflare"), ("CF-Ray", "8f0c-AMS"))),
    ]
