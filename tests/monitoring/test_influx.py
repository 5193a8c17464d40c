"""The line protocol against a real InfluxDB 1.6, by HTTP as curl and Telegraf write it."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sources.record import Record
from tests.conftest import ROOT, Program
from tests.support.bent import Lab, bent, free_tcp_port, lab
from tests.support.servers.chrony import faked

pytestmark = pytest.mark.interop

NS = 1_000_000_000
NAMES = ("Alpha, Inc.", "Bravo = b", "back\\slash", "Tail\\", 'say "so"', "Ünïcode 時", "'single'")
"""A backslash cannot be written safely in a tag; the program writes a slash."""
KEPT = ["Alpha, Inc.", "Bravo = b", "back/slash", "Tail/", 'say "so"', "Ünïcode 時", "'single'"]
CONFIGURATION = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{place}/meta"
[data]
dir = "{place}/data"
wal-dir = "{place}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
"""


class Influx(Record):
    """A running influxd."""

    port: int

    def write(self, lines: str, database: str) -> tuple[int, str]:
        """Write lines; return the status and what it says."""
        return self._asked("POST", "/write?" + urlencode({"db": database}), lines.encode())

    def query(self, text: str, database: str = "") -> list[dict[str, Any]]:
        """Return the rows of a query, its series' tags among them, times as nanoseconds."""
        question = urlencode({"q": text, "db": database, "epoch": "ns"})
        status, body = self._asked("POST", "/query?" + question, b"")
        assert status == 200, body
        (result,) = json.loads(body)["results"]
        assert "error" not in result, result
        return [
            dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
            for series in result.get("series", [])
            for values in series.get("values", [])
        ]

    def _asked(self, method: str, target: str, body: bytes) -> tuple[int, str]:
        link = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request(method, target, body)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab"), NAMES) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx | None]:
    """Run influxd in a directory of its own, or nothing where it is not installed."""
    place = tmp_path_factory.mktemp("influxd")
    port = free_tcp_port()
    settings = CONFIGURATION.format(place=place, rpc=free_tcp_port(), port=port)
    (place / "influxd.conf").write_text(settings, encoding="utf-8")
    try:
        process = subprocess.Popen(
            ["influxd", "-config", place / "influxd.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        yield None
        return
    try:
        yield _answering(Influx(port))
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answering(server: Influx) -> Influx:
    limit = time.monotonic() + 20
    while True:
        try:
            server.query("SHOW DATABASES")
        except OSError:
            assert time.monotonic() < limit, "influxd does not answer"
            time.sleep(0.05)
        else:
            return server


@pytest.fixture
def influx(needs: Callable[[str], str], server: Influx | None) -> Influx:
    needs("influxd")
    needs("faketime")
    assert server is not None
    return server


@pytest.fixture
def database(influx: Influx, request: pytest.FixtureRequest) -> str:
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    influx.query(f"CREATE DATABASE {name}")
    return name


@pytest.mark.parametrize(
    ("offset", "drift_s"), [("-4s", -4), ("+0s", 0), ("+10y", 315_360_000), ("-30y", -946_080_000)]
)
def test_the_point_is_filed_under_the_true_time(
    program: Program, labs: Lab, influx: Influx, database: str, offset: str, drift_s: int
) -> None:
    """A server gives back the drift, filed under the true time, whatever the clock says."""
    before_ns = time.time_ns()
    ran = program("--config", str(labs.honest), "--format", "influx", environ=faked(offset))
    after_ns = time.time_ns()
    assert (ran.returncode, ran.stderr) == (0, "")

    assert influx.write(ran.stdout, database) == (204, "")

    (row,) = influx.query("SELECT * FROM time_drift", database)
    assert (row["success"], row["drift_s"]) == (1, drift_s)
    assert abs(row["drift_ns"] - drift_s * NS) < NS // 10
    assert row["low_ns"] <= row["drift_ns"] <= row["high_ns"]
    assert 4 < row["operators"] <= len(NAMES)
    assert row["kinds"] == 1
    assert before_ns - NS // 10 <= row["time"] <= after_ns + NS // 10


def test_names_of_operators_survive(
    program: Program, labs: Lab, influx: Influx, database: str
) -> None:
    """Commas, equals signs, quotes, spaces and UTF-8 come back; a backslash as a slash."""
    ran = program("--config", str(labs.honest), "--format", "influx")
    assert influx.write(ran.stdout, database) == (204, "")

    rows = influx.query("SELECT verdict FROM time_drift_source GROUP BY *", database)

    assert sorted(row["operator"] for row in rows) == sorted([*KEPT, "Mallory"])
    assert {row["kind"] for row in rows} == {"ntp"}
    assert all(row["source"].startswith("127.0.0.1:") for row in rows)
    assert {row["verdict"] for row in rows} <= {"agrees", "falseticker", "not needed"}


def test_a_refusals_lines_are_taken_and_hold_no_drift(
    program: Program, labs: Lab, influx: Influx, database: str
) -> None:
    """Without an answer the server stamps the lines itself; nothing in them passes for a drift."""
    before_ns = time.time_ns()
    ran = program("--config", str(labs.refusing), "--format", "influx", environ=faked("+10y"))
    assert ran.returncode == 3

    assert influx.write(ran.stdout, database) == (204, "")

    (row,) = influx.query("SELECT * FROM time_drift", database)
    assert (row["success"], row["reason"]) == (0, "no_quorum")
    assert before_ns <= row["time"] <= time.time_ns()
    fields = {row["fieldKey"] for row in influx.query("SHOW FIELD KEYS", database)}
    assert fields == {"success", "reason", "verdict"}
    verdicts = influx.query("SELECT verdict FROM time_drift_source GROUP BY *", database)
    assert sorted(row["operator"] for row in verdicts) == ["Delta", "Echo", "Foxtrot"]


def test_answers_and_refusals_share_a_database(
    program: Program, labs: Lab, influx: Influx, database: str
) -> None:
    """No field changes its type between an answer, a refusal and a broken configuration."""
    for config in (labs.honest, labs.refusing, labs.broken, labs.honest):
        ran = program("--config", str(config), "--format", "influx", environ=faked("-4s"))
        assert influx.write(ran.stdout, database) == (204, ""), ran.stdout

    rows = influx.query("SELECT success, drift_s FROM time_drift", database)
    assert sorted(row["success"] for row in rows) == [0, 0, 1, 1]
    assert [row["drift_s"] for row in rows if row["success"]] == [-4, -4]
    assert {row["drift_s"] for row in rows if not row["success"]} == {None}


def test_a_broken_line_is_refused(influx: Influx, database: str) -> None:
    """The server does refuse what is no line protocol, so that 204 means something."""
    status, body = influx.write("time_drift,operator=Alpha, Inc. success=1i\n", database)

    assert status == 400
    assert "unable to parse" in body


def test_the_command_for_cron(
    script: str,
    labs: Lab,
    influx: Influx,
    database: str,
    needs: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """The page's script writes what a run prints, with the host's name as a tag, refusals too."""
    needs("curl")
    page = (ROOT / "monitoring/influxdb/README.md").read_text(encoding="utf-8")
    text = page.split("```sh\n#!/bin/sh\n")[1].split("```")[0]
    for config, success in ((labs.honest, 1), (labs.refusing, 0)):
        installed = bent(tmp_path / "program.sh", script, config, "-4s")
        command = tmp_path / "cron.sh"
        written = text.replace("/opt/time-drift/time-drift.sh", installed).replace(
            "http://influxdb.example.org:8086/write?db=monitoring",
            f"http://127.0.0.1:{influx.port}/write?db={database}",
        )
        assert installed in written
        assert database in written
        command.write_text("#!/bin/sh\n" + written, encoding="utf-8")
        done = subprocess.run(
            ["sh", command], capture_output=True, text=True, check=False, timeout=30
        )
        assert done.stdout == ""
        rows = influx.query("SELECT success, host FROM time_drift", database)
        assert [row["success"] for row in rows].count(success) == 1
        assert {row["host"] for row in rows} == {os.uname().nodename}
    drifts = influx.query("SELECT drift_s FROM time_drift", database)
    assert [row["drift_s"] for row in drifts if row["drift_s"] is not None] == [-4]
    hosts = influx.query("SELECT verdict, host FROM time_drift_source GROUP BY operator", database)
    assert {row["host"] for row in hosts} == {os.uname().nodename}
