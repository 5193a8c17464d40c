"""Lab nodes, and the time servers to hold them against: what `probe` needs to run on loopback."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from drift.config import Config
from lab.nodes import network as lab_nodes
from lab.nodes.base import LabNode
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
    with ExitStack() as running:
        lab = running.enter_context(world(*map(NtpServer, ("Alpha", "Bravo", "Charlie"))))
        running.enter_context(lab_nodes.network(nodes))
        probe = f'[probe]\nallow = ["127.0.0.0/8"]\n{settings}\n{modules}'
        yield Network(lab.config, f"{lab.toml}\n{probe}", [node.target for node in nodes], nodes)


@contextmanager
def demo() -> Iterator[Network]:
    """Run the network of `probe --demo`."""
    with network(*lab_nodes.demo(), settings="timeout = 2") as running:
        yield running
