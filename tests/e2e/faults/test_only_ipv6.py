"""A machine that has no IPv4 at all, not even on loopback: the whole program answers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

_WITHIN = """
import json, re, subprocess, sys
from collections.abc import Callable
from pathlib import Path
from lab.behaviour import shifted
from lab.https import HttpsServer
from lab.nodes import network
from lab.nodes.bitcoin import BitcoinNode
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import world
from tests.support.servers.exporter import metrics
import http.client, socket

try:
    socket.create_connection(("127.0.0.1", 9), 1)
    reason = "connected"
except OSError as error:
    reason = error.strerror
script, path = sys.argv[1], Path(sys.argv[2])
kinds = (NtpServer, NtsServer, RoughtimeServer, HttpsServer)
servers = [kind(kind.kind, shifted(4), address="::1") for kind in kinds]
node = BitcoinNode(shifted(11), address="::1")
settings = "[consensus]\\nmin_operators = 4\\nmin_kinds = 4"

def run(*arguments):
    command = [script, *arguments, "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    return [done.stdout, done.stderr, done.returncode]

with world(*servers, settings=settings) as lab, network.network([node]):
    path.write_text(lab.toml + '[probe]\\nallow = ["::1/128"]\\nmin_interval = 60\\n')
    found = {"reason": reason, "integer": run(), "probe": run("probe", node.target)}
    with subprocess.Popen(
        [script, "serve", "--config", str(path), "--listen", "[::1]:0"],
        stderr=subprocess.PIPE, text=True,
    ) as process:
        link = http.client.HTTPConnection("::1", int(process.stderr.readline().rpartition(":")[2]))
        link.request("GET", f"/probe?target={node.target}")
        found["serve"] = metrics(link.getresponse().read().decode())["time_drift_node_seconds"]
        process.terminate()
print(json.dumps(found))
"""


def test_every_kind_is_asked(
    script: str, tmp_path: Path, offline: tuple[str, ...], needs: Callable[[str], str]
) -> None:
    """NTP, NTS, Roughtime and HTTPS on ::1 are all needed; a node is read, once and by scrape."""
    program = tmp_path / "within.py"
    program.write_text(_WITHIN, encoding="utf-8")
    only_ipv6 = (
        f"{needs('ip')} link set lo up && ip addr flush dev lo && ip -6 addr add ::1/128 dev lo"
    )

    command = [sys.executable, str(program), script, str(tmp_path / "lab.toml")]
    done = subprocess.run(
        [*offline, "sh", "-ec", f'{only_ipv6}\nexec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["reason"] == "Network is unreachable"
    assert found["integer"] == ["-4\n", "", 0]
    assert found["probe"][0].split()[0] == "7", found
    assert found["probe"][1:] == ["", 0]
    assert found["serve"] == 7
