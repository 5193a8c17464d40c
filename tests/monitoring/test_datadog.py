"""The check of the Datadog agent, run by the agent's own library, as what its stubs received."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.behaviour import shifted
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT
from tests.support.servers.chrony import faked, free_port, source

pytestmark = pytest.mark.interop

CHECKS = ROOT / "monitoring" / "datadog"
PYTHON = ROOT / ".venv-datadog" / "bin" / "python"
OK, WARNING, CRITICAL, UNKNOWN = range(4)

_RUN = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from datadog_checks.base.stubs import aggregator
from time_drift import TimeDriftCheck
check = TimeDriftCheck("time_drift", {}, [json.loads(sys.argv[3])])
failure = check.run()
print(json.dumps({
    "failure": failure,
    "metrics": {
        name: [[one.value, one.type, sorted(one.tags)] for one in aggregator.metrics(name)]
        for name in aggregator.metric_names
    },
    "services": {
        name: [[one.status, one.message, sorted(one.tags)]
               for one in aggregator.service_checks(name)]
        for name in aggregator.service_check_names
    },
}))
"""

Submitted = dict[str, Any]
Run = Callable[..., Submitted]


@pytest.fixture
def run(script: str) -> Run:
    """Run the check once with an instance's settings; return what the agent would be given."""
    if not PYTHON.exists() and os.environ.get("CI"):
        pytest.fail("no .venv-datadog, and CI may not skip")
    if not PYTHON.exists():
        pytest.skip("no .venv-datadog (`make tools`): this interop test did NOT run")

    def check(environ: dict[str, str] | None = None, **instance: object) -> Submitted:
        settings = json.dumps({"program": script, **instance})
        packages = str(ROOT / ".venv-datadog" / "packages")
        done = subprocess.run(
            [str(PYTHON), "-W", "ignore", "-c", _RUN, packages, str(CHECKS), settings],
            env=os.environ | (environ or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        submitted: Submitted = json.loads(done.stdout)
        return submitted

    return check


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Run three servers and a liar; yield the path of the configuration that asks them."""
    honest = [NtpServer(name) for name in ("Alpha", "Bravo", "Charlie")]
    with world(*honest, NtpServer("Mallory", shifted(3600))) as running:
        path = tmp_path / "config.toml"
        path.write_text(running.toml, encoding="utf-8")
        yield str(path)


@pytest.fixture
def bent(needs: Callable[[str], str], tmp_path: Path, script: str) -> Callable[[str], str]:
    """Make a program that is ours, its clock bent; the agent's own clock stays right."""
    needs("faketime")

    def make(offset: str) -> str:
        path = tmp_path / f"bent{offset}.sh"
        variables = " ".join(f"{name}='{value}'" for name, value in faked(offset).items())
        path.write_text(f'#!/bin/sh\nexec env {variables} {script} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


def values(submitted: Submitted) -> dict[str, float]:
    """Return the value of each gauge; each is submitted once."""
    found = {}
    for name, gauges in submitted["metrics"].items():
        ((value, kind, _),) = gauges
        assert kind == 0, f"{name} is no gauge"
        found[name] = value
    return found


def statuses(submitted: Submitted) -> dict[str, int]:
    return {name: sent[0] for name, (sent,) in submitted["services"].items()}


@pytest.mark.parametrize(
    ("offset", "drift_s", "thresholds", "status"),
    [
        ("-4s", -4, {}, CRITICAL),
        ("+4s", 4, {}, CRITICAL),
        ("-1s", -1, {}, WARNING),
        ("+0s", 0, {}, OK),
        ("-4s", -4, {"warning": 5, "critical": 30}, OK),
        ("+4s", 4, {"warning": 4, "critical": 30}, WARNING),
    ],
)
def test_an_answer(
    run: Run,
    lab: str,
    bent: Callable[[str], str],
    offset: str,
    drift_s: int,
    thresholds: dict[str, int],
    status: int,
) -> None:
    """The drift with its sign as gauges, and the thresholds of the instance, for either sign."""
    submitted = run(program=bent(offset), config=lab, tags=["chain:ethereum"], **thresholds)
    gauges = values(submitted)
    estimate = gauges["time_drift.estimate"]
    reported = {
        -4: "this clock is 4 s behind",
        4: "this clock is 4 s ahead",
        -1: "this clock is 1 s behind",
    }

    assert submitted["failure"] == ""
    assert gauges["time_drift.success"] == 1
    assert gauges["time_drift.seconds"] == drift_s
    assert estimate == pytest.approx(drift_s, abs=0.2)
    assert gauges["time_drift.interval.low"] <= estimate <= gauges["time_drift.interval.high"]
    assert gauges["time_drift.agreeing_operators"] >= 2
    assert gauges["time_drift.agreeing_kinds"] == 1
    assert 0 < gauges["time_drift.run_duration"] < 2.5
    assert gauges["time_drift.falsetickers"] in (0, 1)  # it may have been decided without the liar
    assert statuses(submitted) == {"time_drift.can_answer": OK, "time_drift.clock": status}
    message = submitted["services"]["time_drift.clock"][0][1]
    assert message == (reported[drift_s] if status else "")
    for sent in (*submitted["metrics"].values(), *submitted["services"].values()):
        assert sent[0][2] == ["chain:ethereum"]


def test_a_refusal(run: Run, tmp_path: Path) -> None:
    """No drift is submitted, not even 0; the reason is the message."""
    path = tmp_path / "config.toml"
    path.write_text("".join(source(free_port(), name) for name in ("Alpha", "Bravo", "Charlie")))
    submitted = run(config=str(path))

    assert values(submitted) == {
        "time_drift.success": 0,
        "time_drift.falsetickers": 0,
        "time_drift.undecided": 0,
    }
    assert statuses(submitted) == {"time_drift.can_answer": CRITICAL, "time_drift.clock": UNKNOWN}
    assert submitted["services"]["time_drift.can_answer"][0][1].startswith("no answer: ")


def unknown(submitted: Submitted, reported: str) -> None:
    """Nothing is submitted but that nothing is known, and why."""
    assert submitted["failure"] == ""
    assert values(submitted) == {"time_drift.success": 0}
    assert statuses(submitted) == {"time_drift.can_answer": UNKNOWN, "time_drift.clock": UNKNOWN}
    assert reported in submitted["services"]["time_drift.can_answer"][0][1]


def test_a_wrong_configuration(run: Run, tmp_path: Path) -> None:
    """What the program says of it is the message."""
    path = tmp_path / "config.toml"
    path.write_text("no_such_key = 1\n")

    unknown(run(config=str(path)), "no_such_key")


def test_a_program_that_is_missing(run: Run, tmp_path: Path) -> None:
    """The message names the path."""
    unknown(run(program=str(tmp_path / "nowhere.sh")), str(tmp_path / "nowhere.sh"))


def test_a_program_that_hangs(run: Run, tmp_path: Path) -> None:
    """It is ended after the instance's timeout, even if it does not want to."""
    path = tmp_path / "hangs.sh"
    path.write_text("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
    path.chmod(0o755)
    began_s = time.monotonic()
    submitted = run(program=str(path), timeout=0.5)

    unknown(submitted, "did not end within 0.5 s")
    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize("setting", [{"warning": "1"}, {"critical": 0}, {"timeout": True}])
def test_a_setting_that_is_none(run: Run, setting: dict[str, object]) -> None:
    """The agent is reported which one, instead of a check that means something else."""
    with pytest.raises(AssertionError, match=f"{next(iter(setting))}: .* is no number above 0"):
        run(**setting)


def test_the_example_is_a_configuration() -> None:
    """It asks once a minute; what is commented out there are the defaults of the check."""
    text = (CHECKS / "conf.yaml.example").read_text(encoding="utf-8")
    code = (CHECKS / "time_drift.py").read_text(encoding="utf-8")
    commented = dict(re.findall(r"^    # (\w+): (\S+)", text, re.MULTILINE))

    assert yaml.safe_load(text)["instances"] == [{"min_collection_interval": 60}]
    assert commented.keys() == {"program", "config", "timeout", "warning", "critical"}
    assert f'"program", "{commented["program"]}"' in code
    for key in ("timeout", "warning", "critical"):
        assert f'_number("{key}", {commented[key]})' in code


def test_the_readme_names_what_is_submitted() -> None:
    """Its monitor is JSON whose query has a gauge of the check; every gauge has its line."""
    readme = (CHECKS / "README.md").read_text(encoding="utf-8")
    code = (CHECKS / "time_drift.py").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    monitor = json.loads(block)
    reported = set(re.findall(r"`time_drift\.([a-z_.]+)`", readme))
    gauges = set(re.findall(r'"([a-z_.]+)": (?:1,|found|low|high|len)', code))

    assert monitor["options"]["notify_no_data"] is True
    assert "time_drift.seconds{*} by {host}) >= 2" in monitor["query"]
    assert monitor["options"]["thresholds"] == {"critical": 2, "warning": 1}
    assert gauges >= {"success", "seconds", "interval.low", "agreeing_kinds", "run_duration"}
    assert reported >= gauges | {"falsetickers", "undecided", "can_answer", "clock"}
