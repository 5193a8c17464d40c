"""Hundreds of lab nodes at once, good and bad, and what reading them costs."""

import os
import threading
import time
from importlib import import_module
from queue import SimpleQueue

import nodes
from lab import behaviour
from lab.nodes.base import LabNode
from lab.nodes.behaviour import drip, endless
from lab.nodes.https import tls
from lab.nodes.network import demo, network
from nodes.base import NodeError, Stamp
from sources.clock import NS
from tests.contract.nodes.asking import a_question, assert_holds, reader

BAD = {
    "silent": behaviour.silent,
    "dripping": drip(0.2),
    "endless": endless(b"\xff"),
    "junk": behaviour.only(b"\xff" * 100),
}


def read_all(asked: list[LabNode], deadline_s: float) -> dict[LabNode, Stamp | NodeError]:
    """Read every node, 50 at a time."""
    left: SimpleQueue[LabNode | None] = SimpleQueue()
    found: dict[LabNode, Stamp | NodeError] = {}
    for node in asked:
        left.put(node)

    def work() -> None:
        while (node := left.get()) is not None:
            try:
                found[node] = reader(node).read(a_question(node, deadline_s))
            except NodeError as error:
                found[node] = error

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        left.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_three_hundred_nodes_of_all_kinds() -> None:
    """Every good one is read rightly beside sixty that are silent, drip, or never stop."""
    off_s = (0, -4, 0.5, 30, -86_400)
    good: dict[LabNode, float] = {}
    bad: list[LabNode] = []
    for kind in nodes.KINDS:
        twin = import_module(f"lab.nodes.{kind}").NODE
        good |= {twin(behaviour.shifted(off_s[i % 5])): off_s[i % 5] for i in range(40)}
        bad += [twin(behave) for behave in BAD.values() for _ in range(3)]
    began_s = time.monotonic()

    with network([*good, *bad]):
        found = read_all([*bad, *good], deadline_s=3)

    assert time.monotonic() - began_s < 30
    for node, shift_s in good.items():
        stamp = found[node]
        assert isinstance(stamp, Stamp), (node.kind, stamp)
        assert_holds(stamp, round(shift_s * NS), rtt_s=2)
    assert all(isinstance(found[node], NodeError) for node in bad)


def test_the_demos_network() -> None:
    """One is 4 s behind, one adjusted, one silent, one behind a CDN, the rest right."""
    with network(demo()) as running:
        ca_file = tls("node.invalid").ca_file
        assert os.path.exists(ca_file)
        found = read_all(list(running), deadline_s=1)

    assert not os.path.exists(ca_file)
    verdicts = [
        outcome.verdict if isinstance(outcome, Stamp) else "silent" for outcome in found.values()
    ]

    assert sorted(verdicts) == [*[""] * 7, "adjusted", "proxy", "silent"]
