"""Real Prometheus and node_exporter on loopback, and the command of the service that feeds them."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sources.record import Record
from tests.conftest import ROOT

SERVICE = ROOT / "monitoring" / "systemd" / "time-drift.service"
CHECKOUT = "/opt/time-drift/"
"""Where the service file has this checkout."""
TEXTFILES = "/var/cache/time-drift/"
"""Where it has its file, to which node_exporter's directory has a link."""
NOBODY = 65534
"""A user, and a group, who may do nothing that not everybody may."""

CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: {targets}
    relabel_configs:
      - {{source_labels: [node], target_label: instance}}
      - {{regex: node, action: labeldrop}}
"""

Labels = dict[str, str]


class Node(Record):
    """A machine as Prometheus sees it: its name, its chain, and what node_exporter reads there."""

    name: str
    chain: str
    directory: Path
    port: int


class Database:
    """A Prometheus that runs."""

    def __init__(self, port: int) -> None:
        """Talk to the one on this port."""
        self._port = port

    def get(self, path: str, **parameters: str | list[str]) -> Any:
        """Return the data of an answer of its API; raise ValueError for a refusal."""
        status, body = get(self._port, f"/api/v1/{path}?{urlencode(parameters, doseq=True)}")
        found = json.loads(body)
        if status != 200 or found["status"] != "success":
            raise ValueError(found["error"])
        return found["data"]

    def series(self, expression: str) -> list[tuple[Labels, float]]:
        """Return the labels and the value of each series that an expression has now."""
        found = self.get("query", query=expression)
        assert found["resultType"] in ("vector", "matrix"), expression
        return [(each["metric"], float(each["value"][1])) for each in found["result"]]

    def values(self, expression: str) -> dict[str, float]:
        """Return the values of an expression by instance."""
        found = self.series(expression)
        values = {labels["instance"]: value for labels, value in found}
        assert len(values) == len(found), f"more than one series an instance: {expression}"
        return values

    def firing(self) -> set[tuple[str, str]]:
        """Return which alerts fire for which instances."""
        return {
            (labels["alertname"], labels["instance"])
            for labels, _ in self.series('ALERTS{alertstate="firing"}')
        }


def found(name: str) -> str:
    """Return the path of a program of Debian's packages; skip without it, fail in CI."""
    path = shutil.which(name)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and CI may not skip")
    if path is None:
        pytest.skip(f"{name} is not installed: this interop test did NOT run")
    return path


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of what a server on loopback answers."""
    link = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


def until(wanted: Callable[[], object], what: str, limit_s: float = 20) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + limit_s
    while not wanted():
        assert time.monotonic() < give_up, f"still not so after {limit_s} s: {what}"
        time.sleep(0.1)


def service_command(directory: Path, config: str) -> list[str]:
    """Return what time-drift.service runs, writing into `directory`, asking this configuration."""
    (line,) = (
        line
        for line in SERVICE.read_text(encoding="utf-8").split("\n")
        if line.startswith("ExecStart=")
    )
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words[0].startswith(CHECKOUT)
    assert words[-1].startswith(TEXTFILES)
    return [
        str(ROOT / words[0].removeprefix(CHECKOUT)),
        *words[1:-1],
        str(directory / words[-1].removeprefix(TEXTFILES)),
        *("--config", config),
    ]


def measure(
    directory: Path, config: str, environ: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the service once."""
    return subprocess.run(
        service_command(directory, config),
        capture_output=True,
        text=True,
        env=os.environ | (environ or {}),
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def node_exporter(program: str, directory: Path) -> Iterator[int]:
    """Run a node_exporter that has the files of this directory and nothing else; yield its port.

    It is a user without rights, as elsewhere, who gets into the directory by a descriptor: those
    above it are the test's alone.
    """
    port = _free_port()
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    command = [
        program,
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory=/proc/self/fd/{opened}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    try:
        with _running(command, port, "/metrics", opened):
            yield port
    finally:
        os.close(opened)


@contextmanager
def prometheus(program: str, directory: Path, rules: str, nodes: list[Node]) -> Iterator[Database]:
    """Run a Prometheus in `directory` that asks the nodes and keeps the rules, once a second."""
    (directory / "time-drift.rules.yml").write_text(rules, encoding="utf-8")
    targets = [
        {
            "targets": [f"127.0.0.1:{node.port}"],
            "labels": {"node": node.name} | ({"chain": node.chain} if node.chain else {}),
        }
        for node in nodes
    ]
    text = CONFIGURATION.format(rules="time-drift.rules.yml", targets=json.dumps(targets))
    with configured(program, directory, text) as database:
        yield database


@contextmanager
def configured(program: str, directory: Path, text: str) -> Iterator[Database]:
    """Run a Prometheus in `directory` by this text of a prometheus.yml."""
    port = _free_port()
    (directory / "prometheus.yml").write_text(text, encoding="utf-8")
    command = [
        program,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _running(command, port, "/-/ready"):
        yield Database(port)


@contextmanager
def _running(command: list[str], port: int, path: str, *passed: int) -> Iterator[None]:
    """Run a server until the end of the block; one that gets descriptors is nobody."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=passed,
        user=NOBODY if passed and os.geteuid() == 0 else None,
        group=NOBODY if passed and os.geteuid() == 0 else None,
        extra_groups=[] if passed and os.geteuid() == 0 else None,
    )

    def answers() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            return get(port, path)[0] == 200
        except OSError:
            return False

    try:
        until(answers, f"{command[0]} answers")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
    return port
