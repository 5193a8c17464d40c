"""A real Prometheus, in two shards, that has the exporter read two hundred lab nodes."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import behaviour
from lab.network import network
from lab.nodes.base import LabNode
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.xrpl import XrplNode
from sources.record import Record
from tests.conftest import ROOT
from tests.support.servers.exporter import serving
from tests.support.servers.prometheus import Database, configured, found, until
from tools.recipes import network_rules

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

SHIPPED = ROOT / "monitoring" / "network" / "prometheus.yml"
DASHBOARD = json.loads(
    (ROOT / "monitoring" / "grafana" / "time-drift-nodes.json").read_text(encoding="utf-8")
)
SHARDS = 2
NODES = 200
SORTS = (
    ("bitcoin", 0, "decided", BitcoinNode),
    ("bitcoin", -61, "decided", BitcoinNode),
    ("kaspa", 0, "decided", KaspaNode),
    ("kaspa", 5, "decided", KaspaNode),
    ("xrpl", 0, "decided", XrplNode),
    ("xrpl", 21, "decided", XrplNode),
    ("xrpl", 0, "decided", XrplNode),
    ("litecoin", -30, "adjusted", partial(BitcoinNode, agent="/LitecoinCore:0.21.2.1/")),
    ("", 0, "proxy", partial(HttpNode, headers=(("Server", "cloudflare"), ("CF-Ray", "7")))),
    ("kaspa", 0, "silent", lambda _: KaspaNode(behaviour.silent)),
)
"""A chain, how far the clock is off, what is to be found, and the node."""


class Member(Record):
    """A node as it stands in the inventory."""

    target: str
    chain: str
    off_s: int
    verdict: str


class Network(Record):
    """The shards, and what they are to find."""

    shards: tuple[Database, ...]
    members: dict[str, Member]
    nodes: tuple[LabNode, ...]

    def values(self, expression: str) -> dict[str, float]:
        """Return the values of an expression by instance, of all shards."""
        return {
            name: value for shard in self.shards for name, value in shard.values(expression).items()
        }


def scrape_configuration(shard: int, port: int, directory: Path) -> str:
    """Return the shipped one, of one shard, for the exporter at this port, and in a hurry."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:9712", f"127.0.0.1:{port}"),
        ("modulus: 1", f"modulus: {SHARDS}"),
        ('regex: "0"', f'regex: "{shard}"'),
        ("scrape_interval: 3m", "scrape_interval: 5s"),
        ("scrape_interval: 1m", "scrape_interval: 1s"),
        ("scrape_timeout: 10s", "scrape_timeout: 5s"),
        ("nodes/*", str(directory / "nodes" / "*")),
    ):
        assert old in text
        text = text.replace(old, new)
    return f"global: {{evaluation_interval: 1s, scrape_timeout: 1s}}\n{text}"


@pytest.fixture(scope="module")
def running(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Run nodes, the exporter, and a Prometheus a shard that has scraped everything."""
    top = tmp_path_factory.mktemp("network")
    (top / "nodes").mkdir()
    sorts = [SORTS[number % len(SORTS)] for number in range(NODES)]
    nodes = [make(behaviour.shifted(off_s)) for _, off_s, _, make in sorts]
    with ExitStack() as stack:
        lab = stack.enter_context(
            network(*nodes, settings="timeout = 2\nrate = 500\nmin_interval = 60")
        )
        members = {
            target: Member(target, chain, off_s, verdict)
            for target, (chain, off_s, verdict, _) in zip(lab.targets, sorts, strict=True)
        }
        entries = [
            {"targets": [one.target], "labels": {"chain": one.chain, "watched": "true"}}
            for one in members.values()
        ]
        (top / "nodes" / "lab.json").write_text(json.dumps(entries), encoding="utf-8")
        (top / "serve.toml").write_text(lab.toml, encoding="utf-8")
        exporter = stack.enter_context(serving(script, top / "serve.toml"))
        shards = []
        for number in range(SHARDS):
            (directory := top / str(number)).mkdir()
            rules = directory / "time-drift-nodes.rules.yml"
            rules.write_text(network_rules.text(at_once=True), encoding="utf-8")
            text = scrape_configuration(number, exporter.port, top)
            shards.append(stack.enter_context(configured(found("prometheus"), directory, text)))
        made = Network(tuple(shards), members, tuple(nodes))
        decided = {one.target for one in members.values() if one.verdict == "decided"}
        until(
            lambda: (
                len(made.values("max by (instance) (time_drift_node_verdict)")) == NODES
                and made.values("time_drift_node_seconds").keys() == decided
                and made.values("time_drift_node:surely_beyond").keys() == decided
                and all(shard.series("time_drift_network:verdicts") for shard in shards)
            ),
            "every node is read",
            limit_s=90,
        )
        yield made


def test_the_shards_have_a_share_each_and_all_together(running: Network) -> None:
    """hashmod gives every node to exactly one Prometheus."""
    shares = [set(shard.values("probe_success")) for shard in running.shards]

    assert all(len(share) > NODES // 4 for share in shares)
    assert shares[0] & shares[1] == set()
    assert shares[0] | shares[1] == running.members.keys()


def test_every_integer_is_right(running: Network) -> None:
    """By the label that Prometheus gives; and who is not decided has none."""
    assert running.values("time_drift_node_seconds") == {
        name: one.off_s for name, one in running.members.items() if one.verdict == "decided"
    }
    for name, low_s in running.values("time_drift_node_interval_low_seconds").items():
        assert low_s <= running.members[name].off_s
    for name, high_s in running.values("time_drift_node_interval_high_seconds").items():
        assert high_s >= running.members[name].off_s


def test_every_verdict_is_right(running: Network) -> None:
    """One a node, and a success is a node that is decided."""
    verdicts = {
        labels["instance"]: labels["verdict"]
        for shard in running.shards
        for labels, _ in shard.series("time_drift_node_verdict")
    }

    assert verdicts == {name: one.verdict for name, one in running.members.items()}
    assert running.values("probe_success") == {
        name: one.verdict == "decided" for name, one in running.members.items()
    }


def test_a_node_is_asked_once_however_often_it_is_scraped(running: Network) -> None:
    """One round in [probe] min_interval: of four connections at the most."""
    before = sum(node.connections for node in running.nodes)
    time.sleep(6)
    scrapes = running.values("count_over_time(probe_success[1m])")

    assert max(node.connections for node in running.nodes) <= 4
    assert max(scrapes.values()) >= 2
    assert sum(node.connections for node in running.nodes) <= before + NODES


def test_whoever_is_beyond_its_chains_limit_alerts(running: Network) -> None:
    """A minute for bitcoin, twenty seconds for XRPL; and nobody else."""
    beyond = {one.target for one in running.members.values() if one.off_s in (-61, 21)}

    firing = {
        name
        for shard in running.shards
        for alert, name in (
            (labels["alertname"], labels.get("instance", ""))
            for labels, _ in shard.series('ALERTS{alertstate="firing"}')
        )
        if alert == "TimeDriftNodeBeyond"
    }

    assert firing == beyond


def test_a_share_of_each_shard_is_that_of_the_network(running: Network) -> None:
    """Of bitcoin's nodes half is a minute behind: a fifth is far beyond, in either shard."""
    for shard in running.shards:
        [(_, share)] = shard.series(
            'time_drift_network:beyond:ratio{chain="bitcoin",certainty="surely"}'
        )
        assert 0.2 < share < 0.8


def test_the_observers_own_clock_is_there(running: Network) -> None:
    """From /metrics, as a job of its own."""
    for shard in running.shards:
        assert [value for _, value in shard.series("time_drift_seconds")] == [0]
        assert shard.series('time_drift_success{job="time-drift-observer"}')[0][1] == 1


def queries() -> list[Any]:
    return [
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


@pytest.mark.parametrize("expression", queries())
def test_every_query_of_the_dashboard_returns_series(running: Network, expression: str) -> None:
    """Each expression of each panel of "The network's clocks"."""
    asked = expression.replace("$chain", ".*")

    assert "$" not in asked
    assert running.shards[0].series(asked)


def test_the_dashboard_counts_right(running: Network) -> None:
    """The numbers at the top, of both shards together."""
    shown = {
        panel["title"]: sum(
            value
            for shard in running.shards
            for _, value in shard.series(panel["targets"][0]["expr"].replace("$chain", ".*"))
        )
        for panel in DASHBOARD["panels"]
        if panel["type"] == "stat"
    }

    assert shown["Nodes"] == NODES
    assert shown["Decided"] == NODES * 7 // 10
    assert shown["Surely beyond"] == NODES * 2 // 10
    assert shown["Observers without a consensus"] == 0


def test_user_agents_are_cut(running: Network) -> None:
    """Name and major version: a whole user agent would tell nodes apart."""
    software = {
        labels["software"]
        for shard in running.shards
        for labels, _ in shard.series("time_drift_node_info")
    }

    assert "Satoshi 29" in software
    assert not [one for one in software if re.search(r"[0-9]\.[0-9]", one)]
