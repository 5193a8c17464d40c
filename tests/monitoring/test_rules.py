"""The generated rules, and what promtool says of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.servers.prometheus import found
from tools.recipes import rules
from tools.recipes.chains import CHAINS, DEFAULT

DIRECTORY = ROOT / "monitoring" / "prometheus"
TESTS = sorted(DIRECTORY.glob("*.rules_test.yml"))


def test_the_committed_rules_are_the_generated_ones() -> None:
    """Who changes a threshold runs `python -m tools.recipes`."""
    committed = (DIRECTORY / "time-drift.rules.yml").read_text(encoding="utf-8")

    assert rules.text() == committed


def test_every_chain_can_be_labelled_and_distinguished() -> None:
    """Names are what one types into a scrape configuration; thresholds are in order and strict."""
    names = [chain.name for chain in CHAINS]

    assert len(set(names)) == len(names) >= 14
    for chain in CHAINS:
        assert re.fullmatch("[a-z]+", chain.name)
        assert 1 <= chain.warning_s <= chain.critical_s
        assert chain.source
        assert chain.limit
    assert min(chain.warning_s for chain in CHAINS) == DEFAULT.warning_s
    assert min(chain.critical_s for chain in CHAINS) == DEFAULT.critical_s


def test_the_rate_that_alerts_is_more_than_errors_can_feign() -> None:
    """The steepest line through fifty minutes of errors within SURE_S is no steeper than RATE_PPM.

    The errors that tilt it most are all low in the first half and all high in the second.
    """
    minutes = range(51)
    errors = [-rules.SURE_S if minute < 25 else rules.SURE_S for minute in minutes]
    mean_s = 60 * 25
    slope = sum(
        (60 * minute - mean_s) * error for minute, error in zip(minutes, errors, strict=True)
    ) / sum((60 * minute - mean_s) ** 2 for minute in minutes)

    assert 0.9 * rules.RATE_PPM < 1e6 * slope <= rules.RATE_PPM


def test_every_alert_is_tried() -> None:
    """No alert and no recording rule is without a test of promtool's."""
    tried = "".join(path.read_text(encoding="utf-8") for path in TESTS)

    assert [alert.name for alert in rules.ALERTS if alert.name not in tried] == []


def test_the_page_says_what_the_rules_do() -> None:
    """Every threshold and every alert stands in the page as it is in the rules."""
    page = (DIRECTORY / "README.md").read_text(encoding="utf-8")

    for chain in CHAINS:
        assert (
            f"| `{chain.name}` | {chain.warning_s} | {chain.critical_s} | {chain.limit} |" in page
        )
    for alert in rules.ALERTS:
        (row,) = re.findall(rf"^\| `{alert.name}` \| {alert.severity} \| (.+) \|$", page, re.M)
        waited = {"h": "hour", "m": f"{alert.wait[:-1]} minutes"}[alert.wait[-1]]
        assert waited in row or alert.name in ("TimeDriftStale", "TimeDriftFewOperators")


def test_tests_do_not_wait() -> None:
    """Rules for tests are the same but for the time that alerts wait."""
    at_once = rules.text(at_once=True)

    assert at_once.count("for: 0s") == len(rules.ALERTS)
    assert re.sub("for: .*", "", at_once) == re.sub("for: .*", "", rules.text())


@pytest.mark.interop
def test_prometheus_accepts_the_rules() -> None:
    """Promtool finds nothing wrong with the rules, not in its linter either."""
    command = [found("promtool"), "check", "rules", "--lint=all", "--lint-fatal"]
    done = subprocess.run(
        [*command, str(DIRECTORY / "time-drift.rules.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = len(rules.ALERTS) + 2 * (len(CHAINS) + 2) + 3

    assert (done.stderr, done.returncode) == ("", 0)
    assert f"SUCCESS: {wanted} rules found" in done.stdout


@pytest.mark.interop
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_do_what_they_say(path: Path) -> None:
    """Alerts fire when they should, not earlier, and for no other node: promtool test rules."""
    done = subprocess.run(
        [found("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.interop
def test_the_pages_configuration_is_one(tmp_path: Path) -> None:
    """What the page says to write into prometheus.yml, promtool accepts, with the rules."""
    page = (DIRECTORY / "README.md").read_text(encoding="utf-8")
    text = re.findall(r"^```yaml\n(.+?)^```", page, re.M | re.S)[0]
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    shutil.copy(DIRECTORY / "time-drift.rules.yml", tmp_path)
    done = subprocess.run(
        [found("promtool"), "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)
    assert "1 rule files found" in done.stdout
