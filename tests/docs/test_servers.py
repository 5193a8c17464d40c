"""What the pages have for servers: Prometheus, InfluxDB, Nagios, Icinga, Grafana's import."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.authority import Authority
from tests.conftest import ROOT
from tests.docs.markdown import commands, printed
from tests.docs.registry import taken
from tests.support.servers.crontab import parsed
from tests.support.servers.prometheus import until
from tests.support.servers.systemd import Machine
from tools.recipes import rules

pytestmark = pytest.mark.interop

Needs = Callable[[str], str]


def typed(root: Machine, text: str) -> str:
    """Run lines of a page as root; return what they print."""
    done = root.shell(text)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(root: Machine, service: str, port: int) -> Iterator[None]:
    """Run a service of Debian's as it is; wait until it listens, or there is no such port."""
    assert root.systemctl("start", service) == "", root.systemctl("status", service)
    try:
        if port:
            asked = f"curl -s http://127.0.0.1:{port}/ >/dev/null"
            until(lambda: root.shell(asked).returncode == 0, f"{service} listens")
        yield
    finally:
        root.systemctl("stop", service)


CHAINS = {
    "eth-1.example.org:9100": "ethereum",
    "eth-2.example.org:9100": "ethereum",
    "btc-1.example.org:9100": "bitcoin",
    "prometheus.example.org:9100": "",
}


def test_prometheus_takes_rules_and_targets(root: Machine, needs: Needs) -> None:
    """Debian's own, reloaded as the page says: it has the rules and the targets, each its chain."""
    needs("prometheus")
    with started(root, "prometheus.service", 9090):
        typed(root, commands(taken("rules")))
        root.write("/etc/prometheus/prometheus.yml", taken("prometheus.yml").text)
        reported = typed(root, commands(taken("promtool")))
        query = "curl -fsS http://127.0.0.1:9090/api/v1"

        def chains() -> dict[str, str]:
            found = json.loads(typed(root, f"{query}/targets"))["data"]["activeTargets"]
            labels = [one["labels"] for one in found]
            return {one["instance"]: one.get("chain", "") for one in labels}

        until(lambda: "TimeDriftGone" in typed(root, f"{query}/rules"), "it has the rules")
        until(lambda: chains() == CHAINS, "it has the targets")

    assert "SUCCESS" in reported


def test_relabelling_in_a_cluster_is_accepted(root: Machine, needs: Needs) -> None:
    """What the page of Kubernetes adds to a job, promtool accepts in one."""
    needs("promtool")
    job: dict[str, Any] = {"job_name": "pods", "static_configs": [{"targets": ["pod:9100"]}]}
    job |= yaml.safe_load(taken("kubernetes relabelling").text)
    root.write("/opt/cluster.yml", yaml.safe_dump({"scrape_configs": [job]}))

    assert "SUCCESS" in typed(root, "promtool check config /opt/cluster.yml")


def test_inhibition_is_of_alerts_that_there_are() -> None:
    """The warning that is held back and the critical one that does it are alerts of the rules."""
    (rule,) = yaml.safe_load(taken("inhibition").text)["inhibit_rules"]
    named = re.findall(r"alertname=\"(\w+)\"", str(rule))

    assert rule.keys() == {"source_matchers", "target_matchers", "equal"}
    assert len(named) == 2
    assert set(named) <= {alert.name for alert in rules.ALERTS}


def test_influxdb_gets_what_cron_sends(root: Machine, needs: Needs) -> None:
    """The script where its own comment has it, started by cron's line as cron's user."""
    needs("influxd")
    needs("curl")
    block = taken("InfluxDB script")
    (path,) = re.findall(r"^# (/\S+):", block.text, re.MULTILINE)
    root.write(path, block.text)
    root.path(path).chmod(0o755)
    (entry,) = parsed(taken("InfluxDB cron").text)
    ask = "curl -fsS http://influxdb.example.org:8086/query?epoch=s"
    with started(root, "influxdb.service", 8086):
        typed(root, f"{ask} --data-urlencode 'q=CREATE DATABASE monitoring'")
        sent = root.shell(entry.command, user=entry.user)
        answers = [
            json.loads(typed(root, f"{ask} -d db=monitoring --data-urlencode 'q={line}'"))
            for line in taken("InfluxDB alerts").text.strip().split("\n")
        ]

    assert path in entry.command
    assert sent.stdout == ""
    (last,), (total,) = (one["results"][0]["series"] for one in answers)
    assert last["values"][0][1] == -4
    assert total["values"][0][1] == 1
    assert last["tags"]["host"]


def test_the_plugin_prints_what_the_page_shows(root: Machine) -> None:
    """The same words, labels, units and ranges; the numbers are a run's own."""
    block = taken("plugin")
    done = root.shell(commands(block))

    def shape(text: str) -> str:
        return re.sub(r"\d+\.\d+|(?<=s=)\d+|\d+(?= operators| kinds)", "N", text)

    assert done.returncode == 2
    assert done.stdout.startswith("TIME DRIFT CRITICAL - this clock is 4 s behind; ")
    assert shape(done.stdout) == shape(printed(block))


def test_nrpe_s_line_is_a_plugin(root: Machine) -> None:
    """What NRPE gives to a shell, as the user that it has; there is no NRPE here."""
    named = re.fullmatch(r"command\[check_time_drift\]=(.+)\n", taken("NRPE").text)
    assert named
    done = root.shell(named[1], user="nobody")

    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("TIME DRIFT CRITICAL - ")


INDEX_S = """
define command {{
    command_name    readme
    {line}
}}
define service {{
    use                     generic-service
    host_name               localhost
    service_description     INDEX
    check_command           readme
}}
"""
AT_ONCE = (
    "service_inter_check_delay_method=n\nmax_service_check_spread=1\nstatus_update_interval=1\n"
)


ZONES = """\
object Endpoint NodeName { }
object Zone ZoneName { endpoints = [ NodeName ] }
object Zone "global-templates" { global = true }
"""


def test_nagios_runs_readme_s_line_and_the_page_s(root: Machine, needs: Needs) -> None:
    """Debian's own, with its own configuration: the page's lines, after which both are executed."""
    needs("nagios4")
    line = taken("index on Nagios").text
    root.write("/etc/nagios4/conf.d/index.cfg", INDEX_S.format(line=line))
    settings = root.read("/etc/nagios4/nagios.cfg")
    kept = [one for one in settings.split("\n") if one.partition("=")[0] + "=" not in AT_ONCE]
    root.write("/etc/nagios4/nagios.cfg", "\n".join(kept) + "\n" + AT_ONCE)
    with started(root, "nagios4.service", 0):
        checked = typed(root, commands(taken("nagios4")))
        status = "/var/lib/nagios4/status.dat"
        until(lambda: root.read(status).count("=TIME DRIFT CRITICAL - ") >= 2, "both are executed")
        text = root.read(status)

    assert "Total Errors:   0" in checked
    executed = re.findall(
        r"service_description=(INDEX|Time drift)\n.*?\n\tplugin_output=([^;:]*)[;:]",
        text,
        re.DOTALL,
    )
    assert dict(executed) == dict.fromkeys(
        ("INDEX", "Time drift"), "TIME DRIFT CRITICAL - this clock is 4 s behind"
    )


def test_icinga_takes_the_page_s_place(root: Machine, needs: Needs) -> None:
    """Debian's own, reloaded as the page says: in the zone there, one more check command."""
    needs("icinga2")
    root.write("/etc/icinga2/zones.conf", ZONES)
    before = typed(root, "icinga2 daemon -C")
    with started(root, "icinga2.service", 0):
        after = typed(root, commands(taken("icinga2")))

    def how_many(text: str) -> int:
        return int(re.findall(r"Instantiated (\d+) CheckCommands", text)[0])

    assert how_many(after) == how_many(before) + 1


def test_the_import_sends_the_dashboard(root: Machine, needs: Needs, tmp_path: Path) -> None:
    """By jq and curl, over TLS, with the token: the dashboard as shipped, to replace an old one."""
    needs("jq")
    needs("curl")
    received = tmp_path / "received"
    with closing(Authority(time.time_ns())) as authority:
        files = authority.identity(["grafana.example.org"])
        command = [sys.executable, "-m", "tests.docs.receiver", *files, str(received)]
        server = root.spawn(*command, cwd=ROOT)
        try:
            until(lambda: "LISTEN" in typed(root, "ss -Hltn sport = :443"), "it listens")
            environ = f"export GRAFANA_TOKEN=secret CURL_CA_BUNDLE={authority.ca_file}\n"
            typed(root, environ + commands(taken("Grafana import")))
        finally:
            server.kill()
            server.wait()
    target, token, kind, body = received.read_bytes().split(b"\n", 3)
    dashboard = json.loads(
        (ROOT / "monitoring/grafana/time-drift.json").read_text(encoding="utf-8")
    )

    assert (target, token, kind) == (
        b"/api/dashboards/db", b"Bearer secret", b"application/json",
    )  # fmt: skip
    assert json.loads(body) == {"dashboard": dashboard, "overwrite": True}
