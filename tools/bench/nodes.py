"""Parts `nodes` and `exporter`: what reading many nodes costs, at 500 connections a second.

All nodes are on loopback, one in twenty is silent, three in a hundred are off. Each integer is held
against what is known: a wrong one ends it.
"""

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tools.bench.measure.checkout import ENVIRON
from tools.bench.servers.node_crowd import SILENT, address_of, behaviour_of
from tools.bench.servers.real import lab_process

_PORT = 8333
_PROBE = """
[probe]
rate = 500
timeout = 2
min_interval = 600
allow = ["127.0.0.0/8"]
"""
_EXPORTER = "127.0.0.1:9712"
_TICKS = os.sysconf("SC_CLK_TCK")
_PROMETHEUS = """\
scrape_configs:
  - job_name: time-drift-nodes
    metrics_path: /probe
    scrape_interval: {interval}s
    scrape_timeout: {patience}s
    file_sd_configs: [{{files: ["{inventory}"]}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__address__], target_label: instance}}
      - {{target_label: __address__, replacement: "{exporter}"}}
"""


def nodes(script: Path, directory: Path, count: int) -> dict[str, Any]:
    """Measure one round with so many nodes."""
    with _running(directory):
        config, inventory = _written(directory, count)
        command = [str(script), "probe", "--config", str(config), "--format", "json"]
        began_s = time.monotonic()
        with (directory / "found.json").open("wb") as out:
            process = subprocess.Popen(
                [*command, "--targets", str(inventory)], stdout=out, env=ENVIRON
            )
            _, _, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began_s
        verdicts = _judged(json.loads((directory / "found.json").read_bytes()))
    return {
        "nodes": count,
        "wall_s": wall_s,
        "cpu_ms_each": (usage.ru_utime + usage.ru_stime) * 1000 / count,
        "memory_mb": usage.ru_maxrss * 1024 / 1e6,
        "verdicts": dict(verdicts),
    }


def exporter(
    script: Path, directory: Path, count: int, seconds: int, interval_s: int
) -> dict[str, Any]:
    """Measure the exporter under a real Prometheus, once every node has been read."""
    with _running(directory), ExitStack() as running:
        config, inventory = _written(directory, count)
        (directory / "prometheus.yml").write_text(
            _PROMETHEUS.format(
                inventory=inventory, exporter=_EXPORTER, interval=interval_s,
                patience=min(interval_s, 10),
            )
        )  # fmt: skip
        ours = _started(
            running, str(script), "serve", "--config", str(config), "--listen", _EXPORTER
        )
        time.sleep(5)
        theirs = _started(
            running, "prometheus", f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data", "--web.listen-address=127.0.0.1:9090",
        )  # fmt: skip
        # Two connections to each at 500 a second, in the time that scrapes leave for them.
        time.sleep(4 * interval_s + 2 * count / 500)
        before_s = [_cpu_s(one.pid) for one in (ours, theirs)]
        time.sleep(seconds)
        after_s = [_cpu_s(one.pid) for one in (ours, theirs)]
        shares = [
            100 * (after - before) / seconds
            for before, after in zip(before_s, after_s, strict=True)
        ]
        return {
            "nodes": count,
            "interval_s": interval_s,
            "core_percent": shares[0],
            "memory_mb": _mb(ours.pid),
            "prometheus_core_percent": shares[1],
            "prometheus_memory_mb": _mb(theirs.pid),
            "up": _asked("count(up == 1)"),
            "down": _asked("count(up == 0)"),
        }


@contextmanager
def _running(directory: Path) -> Iterator[None]:
    """Run the nodes and five time servers, whose configuration is written."""
    with (
        lab_process("crowd", 5, directory / "ntp.toml"),
        lab_process("node_crowd", _PORT),
    ):
        yield


def _judged(found: list[dict[str, object]]) -> Counter[object]:
    """Return how many nodes came to what; a wrong integer ends the program."""
    for number, one in enumerate(found):
        if one["drift_s"] is not None and one["drift_s"] != behaviour_of(number):
            raise SystemExit(f"wrong: {one}")
        if behaviour_of(number) is SILENT and one["verdict"] != "silent":
            raise SystemExit(f"not silent: {one}")
    return Counter(one["verdict"] for one in found)


def _asked(query: str) -> int:
    """Return one number that Prometheus has; 0 if it has none."""
    address = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(address) as response:
        found = json.load(response)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def _written(directory: Path, count: int) -> tuple[Path, Path]:
    """Write the configuration, and an inventory of so many nodes."""
    config, inventory = directory / "config.toml", directory / "nodes.json"
    config.write_text((directory / "ntp.toml").read_text() + _PROBE)
    targets = [f"bitcoin://{address_of(number)}:{_PORT}" for number in range(count)]
    inventory.write_text(json.dumps([{"targets": targets, "labels": {"chain": "bitcoin"}}]))
    return config, inventory


def _started(running: ExitStack, *command: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRON)
    running.callback(process.wait)
    running.callback(process.terminate)
    return process


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6
