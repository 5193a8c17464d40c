"""The rules and recipes for the clocks of a network, by what promtool and others say of them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from fleet.chains import CHAINS
from fleet.health import _EDGES_S
from fleet.settings import parse as parse_settings
from fleet.targets import inventory
from tests.conftest import ROOT
from tests.support.servers.prometheus import found
from tools.recipes import network_dashboard, network_rules

DIRECTORY = ROOT / "monitoring" / "network"
RULES = DIRECTORY / "time-drift-nodes.rules.yml"
TESTS = DIRECTORY / "time-drift-nodes.rules_test.yml"


def said(*command: str) -> str:
    """Return what a command prints; it has to succeed, and to have nothing to say on stderr."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_the_committed_files_are_the_generated_ones() -> None:
    """Who changes a limit runs `python -m tools.recipes`."""
    dashboard = ROOT / "monitoring" / "grafana" / "time-drift-nodes.json"

    assert RULES.read_text(encoding="utf-8") == network_rules.text()
    assert dashboard.read_text(encoding="utf-8") == network_dashboard.text()


def test_every_chain_is_held_to_the_limit_of_a_summary() -> None:
    """`probe --summary`, the rules and the dashboard call the same node beyond."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    limits = {
        rule["labels"]["chain"]: float(re.fullmatch(r"vector\((.+)\)", rule["expr"])[1])  # type: ignore[index]
        for rule in rules
        if rule.get("record") == "time_drift_network:limit_seconds"
    }

    assert limits == {"": 0.5, **{name: chain.limit_ns / 1e9 for name, chain in CHAINS.items()}}
    assert network_dashboard._EDGES_S == _EDGES_S


def test_every_alert_and_every_record_is_tried() -> None:
    """None is without a test of promtool's."""
    tried = TESTS.read_text(encoding="utf-8")
    names = re.findall(r"record: (\S+)", network_rules.text())
    names += [alert.name for alert in network_rules.ALERTS]

    # Which limit is whose is tried by what each node gets of it.
    assert {name for name in names if name not in tried} == {"time_drift_network:limit_seconds"}


def test_the_page_has_every_alert() -> None:
    """With its severity."""
    page = (DIRECTORY / "README.md").read_text(encoding="utf-8")

    for alert in network_rules.ALERTS:
        assert re.search(rf"^\| `{alert.name}` \| {alert.severity} \|", page, re.MULTILINE)


def test_the_inventory_is_one_of_ours() -> None:
    """What the scrape configuration reads, `probe --targets` reads, and finds the modules."""
    path = DIRECTORY / "nodes.json"
    targets = inventory(path.read_text(encoding="utf-8"), str(path), parse_settings("", "").modules)

    assert [(one.module, one.host, one.port) for one in targets] == [
        ("bitcoin", "192.0.2.7", 8333),
        ("bitcoin", "node.example", 18333),
        ("xrpl", "198.51.100.9", 51235),
        ("https", "rpc.example", 443),
    ]
    assert {one.chain for one in targets} <= set(CHAINS)
    assert ("watched", "true") in targets[2].labels


@pytest.mark.interop
def test_prometheus_accepts_the_rules() -> None:
    """Promtool's linter, too."""
    text = said(found("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(RULES))

    assert f"SUCCESS: {network_rules.text().count('- record: ') + 4} rules found" in text


@pytest.mark.interop
def test_the_rules_do_what_they_say() -> None:
    """Alerts fire when they should, not earlier, and for no other network: promtool test rules."""
    assert "SUCCESS" in said(found("promtool"), "test", "rules", str(TESTS))


@pytest.mark.interop
def test_the_scrape_configuration_is_one(tmp_path: Path) -> None:
    """As it is, with an inventory where it looks for it."""
    for name in ("prometheus.yml", "time-drift-nodes.rules.yml"):
        shutil.copy(DIRECTORY / name, tmp_path)
    (tmp_path / "nodes").mkdir()
    shutil.copy(DIRECTORY / "nodes.json", tmp_path / "nodes")
    shutil.copy(DIRECTORY / "nodes.json", tmp_path / "nodes" / "more.json")

    text = said(found("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))

    assert "1 rule files found" in text
    assert json.loads((tmp_path / "nodes" / "nodes.json").read_text(encoding="utf-8"))
