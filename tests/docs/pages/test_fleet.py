"""What the pages on the clocks of other nodes show is what the programs print, read and install."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import settings
from fleet.targets import inventory
from lab import behaviour
from lab.network import network
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.xrpl import XrplNode
from tests.conftest import ROOT, Program
from tests.docs.markdown import commands, printed
from tests.docs.registry import taken
from tests.support.servers.exporter import serving
from tests.support.servers.prometheus import until
from tests.support.servers.systemd import Machine

SETTINGS = "timeout = 2\nrate = 500\nmin_interval = 60"
CDN = (("Server", "cloudflare"), ("CF-Ray", "7"))


def shape(text: str) -> str:
    """Return a line without what differs from run to run: numbers, and how far columns are."""
    return re.sub(r" +", " ", re.sub(r"[+-]?\d+(\.\d+)?(e\+\d+)?", "N", text)).strip()


def test_a_line_a_target(program: Program, tmp_path: Path) -> None:
    """The lines of the page, of nodes that are what it says they are."""
    typed = shlex.split(commands(taken("probe")))
    shown = printed(taken("probe")).splitlines()
    lab_nodes = (BitcoinNode(), XrplNode(behaviour.shifted(-4)), HttpNode(headers=CDN))
    with network(*lab_nodes, settings=SETTINGS) as lab:
        (tmp_path / "probe.toml").write_text(lab.toml, encoding="utf-8")
        done = program("probe", "--config", str(tmp_path / "probe.toml"), *lab.targets)
    lines = done.stdout.splitlines()
    for number, (target, named) in enumerate(zip(lab.targets, typed[2:], strict=True)):
        lines[number] = lines[number].replace(target, named)

    assert [line.split()[0] for line in shown] == ["0", "-4", "?"]
    for line, example in zip(lines, shown, strict=True):
        assert shape(line).startswith(shape(example).removesuffix("; ..."))


def test_the_modules_of_the_page() -> None:
    """They are a configuration, and what it says of them holds."""
    found = settings.parse(taken("modules").text, "the page")

    assert found.modules["mychain"].port == 9999
    assert found.modules["mychain"].chain == "mychain"
    assert [str(network) for network in found.allow] == ["10.0.0.0/8"]
    assert "example.org" in found.agent


def test_the_inventory_of_the_page() -> None:
    """Both targets have a module, and the labels are kept but for those of Prometheus."""
    found = inventory(taken("inventory").text, "page.json", settings.parse("", "").modules)

    assert [(one.module, one.host, one.port) for one in found] == [
        ("bitcoin", "203.0.113.7", 8333),
        ("bitcoin", "node.example", 8333),
    ]
    assert found[0].labels == (("chain", "bitcoin"), ("dc", "fra"))


def test_the_metrics_of_a_node(script: str, tmp_path: Path) -> None:
    """Their names, labels and order are those of the page; a node 4 s behind is -4."""
    shown = printed(taken("metrics of a node")).splitlines()
    with network(BitcoinNode(behaviour.shifted(-4)), settings=SETTINGS) as lab:
        (tmp_path / "serve.toml").write_text(lab.toml, encoding="utf-8")
        with serving(script, tmp_path / "serve.toml") as exporter:
            _, body, _ = exporter.get(f"/probe?target={lab.targets[0]}")
    lines = [line for line in body.splitlines() if not line.startswith("#")]

    def sample(line: str) -> str:
        return line.rpartition(" ")[0]

    assert sorted(map(sample, shown)) == sorted(map(sample, lines))
    assert "time_drift_node_seconds -4.0" in shown
    assert "time_drift_node_seconds -4.0" in lines


@pytest.mark.interop
def test_the_exporter_is_installed_as_the_page_says(root: Machine) -> None:
    """The unit starts, is enabled, and has this machine's drift at the port of the page."""
    assert root.shell("getent passwd time-drift || useradd --system time-drift").returncode == 0
    done = root.shell(commands(taken("exporter")))
    try:
        asked = "curl -s http://127.0.0.1:9712/metrics"
        until(lambda: "time_drift_seconds -4.0" in root.shell(asked).stdout, "it has measured")
        enabled = root.shell("systemctl is-enabled time-drift-serve.service").stdout
    finally:
        root.systemctl("stop", "time-drift-serve.service")

    assert done.returncode == 0, done.stderr
    assert enabled == "enabled\n"


@pytest.mark.interop
def test_the_rules_are_installed_as_the_page_says(
    root: Machine, needs: Callable[[str], str]
) -> None:
    """Beside the shipped scrape configuration, which promtool takes with them."""
    needs("promtool")
    assert root.shell("mkdir -p /etc/prometheus").returncode == 0
    done = root.shell(commands(taken("network's rules")))
    shipped = (ROOT / "monitoring/network/prometheus.yml").read_text(encoding="utf-8")
    root.write("/etc/prometheus/prometheus.yml", shipped)
    checked = root.shell("promtool check config /etc/prometheus/prometheus.yml")

    assert done.returncode == 0, done.stderr
    assert (checked.returncode, checked.stderr) == (0, "")
    assert json.loads(root.read("/etc/prometheus/nodes/nodes.json"))
