"""A little network of nodes, and the time servers to hold them against, for `probe --demo`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from drift.config import Config
from lab import behaviour
from lab.nodes.base import LabNode
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.loop import Loop
from lab.nodes.xrpl import XrplNode
from lab.ntp import NtpServer
from lab.world import world
from sources.record import Record


class Network(Record):
    """A running lab."""

    config: Config
    """Of the time servers."""
    toml: str
    """The whole configuration as text: time servers, and how to read the nodes."""
    targets: Sequence[str]
    nodes: Sequence[LabNode]


@contextmanager
def network(*nodes: LabNode, settings: str = "", modules: str = "") -> Iterator[Network]:
    """Run honest time servers and the nodes; `settings` are keys of [probe]."""
    servers = [NtpServer(name) for name in ("Alpha", "Bravo", "Charlie")]
    with ExitStack() as running:
        lab = running.enter_context(world(*servers))
        for node in nodes:
            running.enter_context(node)
        probe = f'[probe]\nallow = ["127.0.0.0/8"]\n{settings}\n{modules}'
        yield Network(lab.config, f"{lab.toml}\n{probe}", [node.target for node in nodes], nodes)


@contextmanager
def demo() -> Iterator[Network]:
    """Run nodes of several chains: two right, one 4 s behind, and three that prove nothing."""
    with (
        Loop() as loop,
        network(
            BitcoinNode(loop=loop),
            BitcoinNode(behaviour.shifted(-4), loop=loop),
            BitcoinNode(agent="/Satoshi:0.21.2/", loop=loop),
            BitcoinNode(behaviour.silent, loop=loop),
            XrplNode(loop=loop),
            KaspaNode(behaviour.shifted(61.2), loop=loop),
            HttpNode(headers=(("Server", "cloudflare"), ("CF-Ray", "7")), loop=loop),
            settings="timeout = 2",
        ) as running,
    ):
        yield running
