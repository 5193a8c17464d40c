"""The whole program under `python -X dev -W error`: what its developers would be warned of."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.behaviour import shifted
from lab.https import HttpsServer
from lab.network import network
from lab.nodes.bitcoin import BitcoinNode
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import world
from tests.conftest import ROOT
from tests.e2e.conftest import Start
from tests.support.servers.exporter import Exporter

AHEAD = shifted(4)


def strictly(*arguments: str) -> "subprocess.Popen[str]":
    """Start the program so that a warning is an error, here and in each process it starts."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "drift", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
    )


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[str]:
    """Return the path of a configuration of each kind of source, all of which are needed."""
    path = tmp_path / "all.toml"
    servers = (
        NtsServer("Alpha", AHEAD),
        HttpsServer("Bravo", AHEAD),
        RoughtimeServer("Charlie", AHEAD),
    )
    with world(*servers, settings=f'state = "{tmp_path}/state"') as lab:
        path.write_text(lab.toml, encoding="utf-8")
        yield str(path)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        *(("--format", name) for name in ("json", "nagios", "prometheus", "influx", "zabbix")),
        ("--check-config",),
    ],
    ids=" ".join,
)
def test_a_run(everything: str, arguments: Sequence[str]) -> None:
    """An answer from sources of each kind that have to be asked, and not a word on stderr."""
    for _ in range(2):  # the second has what the first has kept
        with strictly("--config", everything, *arguments) as process:
            stdout, stderr = process.communicate(timeout=30)

        assert (stderr, process.returncode) == ("", 0)
        assert stdout


def test_a_refusal(lab: Start) -> None:
    """One line, of the program's own."""
    with strictly("--config", lab(shifted(1), shifted(50), shifted(900))) as process:
        stdout, stderr = process.communicate(timeout=30)

    assert (stdout, process.returncode) == ("", 3)
    assert re.fullmatch(r"time-drift: no answer: .*\n", stderr)


def test_watch(everything: str) -> None:
    """Three measurements on request, another configuration, and the end."""
    with strictly("watch", "--config", everything) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "-4\n"
            process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)

    assert (stdout, stderr, process.returncode) == ("", "", 143)


def test_probe_and_serve(tmp_path: Path) -> None:
    """A node is read once, then scraped; what is printed is what is printed always."""
    path = tmp_path / "nodes.toml"
    with network(BitcoinNode(AHEAD), settings="timeout = 2\nmin_interval = 60") as lab:
        path.write_text(lab.toml, encoding="utf-8")
        with strictly("probe", "--config", str(path), lab.targets[0]) as process:
            stdout, stderr = process.communicate(timeout=30)
        assert (stdout.split()[0], stderr, process.returncode) == ("4", "", 0)

        with strictly("serve", "--config", str(path), "--listen", "127.0.0.1:0") as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            exporter = Exporter(process, int(line.rpartition(":")[2]))
            assert exporter.probe(lab.targets[0])["time_drift_node_seconds"] == 4
            for page in ("/", "/metrics", "/-/healthy"):
                assert exporter.get(page)[0] == 200
            process.send_signal(signal.SIGTERM)
            stdout, stderr = process.communicate(timeout=30)

    assert line.startswith("time-drift: listening on ")
    assert (stdout, stderr, process.returncode) == ("", "", 143)
