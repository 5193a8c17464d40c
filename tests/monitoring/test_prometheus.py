"""From the program's textfile by way of a real node_exporter into a real Prometheus, and alerts."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.world import World, world
from sources.record import Record
from tests.conftest import Program
from tests.support.servers.chrony import faked
from tests.support.servers.prometheus import (
    Database,
    Labels,
    Node,
    found,
    get,
    measure,
    node_exporter,
    prometheus,
    until,
)
from tools.recipes import rules

pytestmark = pytest.mark.interop

CLOCKS = {
    "right": ("ethereum", "+0s"),
    "behind": ("ethereum", "-2s"),
    "ahead": ("ethereum", "+0.6s"),
    "tolerant": ("bitcoin", "-2s"),
    "misspelt": ("etherium", "+1.6s"),
    "unlabelled": ("", "-0.4s"),
    "in 2041": ("monero", "+15y"),
}
"""Each node's chain, and how far its clock is bent."""
DEAF, HOSTILE = "deaf", "hostile"
NAMES = (
    'double "quotes"',
    "back\\slash",
    "trailing\\",
    "Zeitzähler Zürich ⏱",
    "a{b='c'} 1 # HELP",
    "back\\nslash and n",
)
"""Names of operators that a text format could choke on."""
TWICE = "twice"
"""Whose one server is asked for two pages, which makes two sources of one name."""


class Fleet(Record):
    """Nodes whose files node_exporters serve, and the Prometheus that asks them."""

    database: Database
    nodes: dict[str, Node]
    honest: World


def hostile(servers: list[NtpServer], twice: HttpsServer) -> str:
    """Return a configuration whose names want to be escaped, and two sources of one name."""
    text = twice.toml() + twice.toml().replace(f":{twice.port}/", f":{twice.port}/second")
    for name, server in zip(NAMES, servers, strict=True):
        text += server.toml().replace(f'"{server.operator}"', json.dumps(name))
    return text


@pytest.fixture(scope="module")
def fleet(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run it: each node has measured its clock once."""
    top = tmp_path_factory.mktemp("fleet")
    with ExitStack() as running:
        honest = running.enter_context(world(*(NtpServer(f"N{n}") for n in range(7))))
        servers = [running.enter_context(NtpServer("N")) for _ in NAMES]
        twice = running.enter_context(HttpsServer(TWICE))
        texts = {HOSTILE: hostile(servers, twice)}
        nodes = {}
        for name, (chain, offset) in (
            CLOCKS | {DEAF: ("cardano", "+0s"), HOSTILE: ("chia", "+0s")}
        ).items():
            directory = top / name
            directory.mkdir()
            (top / f"{name}.toml").write_text(texts.get(name, honest.toml), encoding="utf-8")
            done = measure(directory, str(top / f"{name}.toml"), faked(offset))
            assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), name
            exporter = node_exporter(found("prometheus-node-exporter"), directory)
            nodes[name] = Node(name, chain, directory, running.enter_context(exporter))
        (top / "prometheus").mkdir()
        database = running.enter_context(
            prometheus(
                found("prometheus"),
                top / "prometheus",
                rules.text(at_once=True),
                list(nodes.values()),
            )
        )
        until(
            lambda: database.values("time_drift_seconds").keys() == nodes.keys(),
            "every node is scraped",
        )
        yield Fleet(database, nodes, honest)


def config(fleet: Fleet, name: str) -> str:
    return str(fleet.nodes[name].directory.parent / f"{name}.toml")


def exposition(fleet: Fleet, name: str) -> Path:
    return fleet.nodes[name].directory / "time-drift.prom"


def test_prometheus_records_the_integer(program: Program, fleet: Fleet) -> None:
    """What Prometheus has for each node is what the program prints under the same bent clock."""
    recorded = fleet.database.values("time_drift_seconds")
    estimates = fleet.database.values("time_drift_estimate_seconds")

    assert recorded["behind"] == -2
    assert recorded["ahead"] == 1
    assert recorded["unlabelled"] == 0
    assert recorded["in 2041"] == 15 * 365 * 86_400
    for name, (_, offset) in CLOCKS.items():
        printed = program("--config", config(fleet, name), environ=faked(offset)).stdout
        assert f"{recorded[name]:.0f}\n" == printed, name
        assert abs(estimates[name] - recorded[name]) < 0.5


def test_whose_clock_is_off_is_reported_and_nobody_else(fleet: Fleet) -> None:
    """Each node is judged by its chain; one whose chain nobody knows by the strictest."""
    off = {
        *(("TimeDriftWarning", name) for name in ("behind", "ahead", "misspelt", "in 2041")),
        *(("TimeDriftCritical", name) for name in ("behind", "misspelt", "in 2041")),
    }

    def judged() -> set[tuple[str, str]]:
        return {(alert, name) for alert, name in fleet.database.firing() if name != DEAF}

    until(lambda: judged() >= off, "the alerts fire")

    assert judged() == off


def test_the_message_says_which_way(fleet: Fleet) -> None:
    """The annotations have the node, its chain, the integer and its side."""

    def alerts() -> list[dict[str, Labels]]:
        return [
            alert
            for alert in fleet.database.get("alerts")["alerts"]
            if alert["labels"]["alertname"] == "TimeDriftCritical"
            and alert["labels"]["instance"] == "behind"
        ]

    until(alerts, "the alert fires")
    (alert,) = alerts()

    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "behind (ethereum): clock -2 s off"
    assert "is -2 s off, behind true time" in alert["annotations"]["description"]


def test_names_that_want_escaping_arrive_as_they_are(fleet: Fleet) -> None:
    """Quotes, backslashes and letters of all kinds pass the file, node_exporter and Prometheus."""
    series = fleet.database.series(f'time_drift_source_verdict{{instance="{HOSTILE}"}}')
    reported = [labels["operator"] for labels, _ in series]
    pages = {labels["source"] for labels, _ in series if labels["operator"] == TWICE}

    assert sorted(reported) == sorted([*NAMES, TWICE, TWICE])
    assert len(pages) == 2


def test_without_an_answer_there_is_no_drift(fleet: Fleet) -> None:
    """When all sources die, what showed the drift is gone at once, and an alert says so."""
    drift = f'{{__name__=~"time_drift(_seconds|_.*estimate.*|_source_o.*)",instance="{DEAF}"}}'
    assert len(fleet.database.series(drift)) > 2
    for server in fleet.honest.servers:
        server.close()

    done = measure(fleet.nodes[DEAF].directory, config(fleet, DEAF))
    until(lambda: ("TimeDriftNoAnswer", DEAF) in fleet.database.firing(), "the alert fires")

    assert (done.stdout, done.returncode) == ("", 3)
    assert done.stderr.count("\n") == 1
    assert fleet.database.series(drift) == []
    assert fleet.database.values("time_drift_success")[DEAF] == 0
    assert fleet.database.values("time_drift_last_success_timestamp_seconds")[DEAF] > 1.7e9
    verdicts = fleet.database.series(f'time_drift_source_verdict{{instance="{DEAF}"}}')
    assert {labels["verdict"] for labels, _ in verdicts} == {"unreachable"}
    assert len(verdicts) == len(fleet.honest.servers)


def test_a_node_that_is_gone_is_missed(fleet: Fleet) -> None:
    """A file that was there and is no longer raises an alert."""
    exposition(fleet, "tolerant").unlink()

    until(lambda: ("TimeDriftGone", "tolerant") in fleet.database.firing(), "the alert fires")

    assert fleet.database.series('time_drift_seconds{instance="tolerant"}') == []


@pytest.mark.parametrize("name", ["behind", DEAF, HOSTILE])
def test_promtool_has_no_complaint(fleet: Fleet, name: str) -> None:
    """With an answer and without, each metric has a help, a type and a unit in its name."""
    done = subprocess.run(
        [found("promtool"), "check", "metrics"],
        input=exposition(fleet, name).read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_node_exporter_took_every_file_every_time(fleet: Fleet) -> None:
    """In all that went before, no scrape met a file that node_exporter could not read."""
    scrapes = fleet.database.values("count_over_time(node_textfile_scrape_error[1h])")
    errors = fleet.database.values("max_over_time(node_textfile_scrape_error[1h])")

    assert min(scrapes.values()) >= 2
    assert errors == dict.fromkeys(fleet.nodes, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="for others it is their own file")
def test_a_file_that_is_not_for_everybody_would_be_seen(tmp_path: Path) -> None:
    """The node_exporter of these tests has no right to read what root keeps to himself."""
    written = tmp_path / "time-drift.prom"
    written.write_text("time_drift_seconds -4\n", encoding="utf-8")
    with node_exporter(found("prometheus-node-exporter"), tmp_path) as port:
        tmp_path.chmod(0o755)
        written.chmod(0o644)
        readable = get(port, "/metrics")[1]
        written.chmod(0o600)
        unreadable = get(port, "/metrics")[1]

    assert "time_drift_seconds -4" in readable
    assert "node_textfile_scrape_error 0" in readable
    assert "time_drift_seconds" not in unreadable
    assert "node_textfile_scrape_error 1" in unreadable
