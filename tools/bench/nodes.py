"""What reading many nodes costs: `probe` at 500 a second, and `/probe` for a real Prometheus.

    python -m tools.bench.nodes [COUNT...]        10,000 nodes, unless others are named
    python -m tools.bench.nodes --prometheus SECONDS    10,000 targets every 30 s, for so long

In a network namespace of its own; needs root, and the latter Debian's prometheus. All nodes are on
loopback, one in twenty is silent, three in a hundred are off. Each integer is held against what is
known: a wrong one ends it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.bench.node_crowd import SILENT, address_of, behaviour_of
from tools.bench.run import ROOT, crowd

_PORT = 8333
_PROBE = """
[probe]
rate = 500
timeout = {timeout}
min_interval = 600
allow = ["127.0.0.0/8"]
"""
_EXPORTER = "127.0.0.1:9712"
_TICKS = os.sysconf("SC_CLK_TCK")
_PROMETHEUS = """\
scrape_configs:
  - job_name: time-drift-nodes
    metrics_path: /probe
    scrape_interval: 30s
    scrape_timeout: 10s
    file_sd_configs: [{{files: ["{inventory}"]}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__address__], target_label: instance}}
      - {{target_label: __address__, replacement: "{exporter}"}}
"""


def main() -> None:
    """Measure inside a namespace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[10_000], metavar="COUNT")
    parser.add_argument("--prometheus", type=int, metavar="SECONDS")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        arguments = [sys.executable, "-m", "tools.bench.nodes", "--inside", *sys.argv[1:]]
        subprocess.run(["unshare", "-n", *arguments], check=True, cwd=ROOT)
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as name, _running(Path(name)) as directory:
        if options.prometheus:
            exporter(directory, 10_000, options.prometheus)
            return
        print("| nodes | wall s | CPU ms a node | MB | decided | silent | undecided |")
        print("|---|---|---|---|---|---|---|")
        for count in options.counts:
            probe(directory, count)


@contextmanager
def _running(directory: Path) -> Iterator[Path]:
    """Run the nodes and five time servers; the directory has their configuration."""
    with ExitStack() as running:
        running.enter_context(crowd("tools.bench.crowd", 5, directory / "ntp.toml"))
        nodes = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.node_crowd", str(_PORT)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        running.callback(nodes.wait)
        running.callback(nodes.terminate)
        assert nodes.stdout is not None  # noqa: S101 - it is a pipe
        nodes.stdout.readline()
        yield directory


def probe(directory: Path, count: int) -> None:
    """Print what one round with so many nodes costs."""
    config, inventory = _written(directory, count, timeout_s=2)
    command = [str(ROOT / "time-drift.sh"), "probe", "--config", str(config)]
    command += ["--targets", str(inventory), "--format", "json"]
    began_s = time.monotonic()
    with (directory / "found.json").open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, _, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - began_s
    found = json.loads((directory / "found.json").read_bytes())
    verdicts = _judged(found)
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000 / count
    print(
        f"| {count} | {wall_s:.0f} | {cpu_ms:.3f} | {usage.ru_maxrss / 1024:.0f} "
        f"| {verdicts['decided']} | {verdicts['silent']} | {verdicts['undecided']} |",
        flush=True,
    )


def _judged(found: list[dict[str, object]]) -> Counter[object]:
    """Return how many nodes came to what; a wrong integer ends the program."""
    for number, one in enumerate(found):
        if one["drift_s"] is not None and one["drift_s"] != behaviour_of(number):
            raise SystemExit(f"wrong: {one}")
        if behaviour_of(number) is SILENT and one["verdict"] != "silent":
            raise SystemExit(f"not silent: {one}")
    return Counter(one["verdict"] for one in found)


def exporter(directory: Path, count: int, seconds: int) -> None:
    """Print what the exporter and a real Prometheus use once every node has been read."""
    config, inventory = _written(directory, count, timeout_s=2)
    (directory / "prometheus.yml").write_text(
        _PROMETHEUS.format(inventory=inventory, exporter=_EXPORTER)
    )
    with ExitStack() as running:
        ours = _started(
            running, str(ROOT / "time-drift.sh"), "serve", "--config", str(config),
            "--listen", _EXPORTER,
        )  # fmt: skip
        time.sleep(5)
        theirs = _started(
            running, "prometheus", f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data", "--web.listen-address=127.0.0.1:9090",
        )  # fmt: skip
        # Two connections to each at 500 a second, in the time that scrapes leave for them.
        time.sleep(120 + 2 * count / 500)
        before_s = [_cpu_s(one.pid) for one in (ours, theirs)]
        time.sleep(seconds)
        after_s = [_cpu_s(one.pid) for one in (ours, theirs)]
        print(f"\n{count} targets every 30 s, over {seconds} s, remembered by the exporter:")
        for name, one, before, after in zip(
            ("time-drift serve", "prometheus"), (ours, theirs), before_s, after_s, strict=True
        ):
            share = 100 * (after - before) / seconds
            each_us = 1e6 * (after - before) / (seconds * count / 30)
            print(f"{name}: {share:.1f} % of a core, {each_us:.0f} us a scrape, {_mb(one.pid)} MB")
        _print_scrapes()


def _print_scrapes() -> None:
    """Print what Prometheus has: how many scrapes fail, and how many nodes have which verdict."""
    import urllib.parse  # noqa: PLC0415 - this table's alone
    import urllib.request  # noqa: PLC0415

    for query in (
        "count(up == 1)",
        "count(up == 0) or vector(0)",
        "count by (verdict) (time_drift_node_verdict)",
    ):
        address = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(address) as response:
            found = json.load(response)["data"]["result"]
        for one in found:
            print(f"{one['metric'].get('verdict', query)}: {one['value'][1]}")


def _written(directory: Path, count: int, timeout_s: int) -> tuple[Path, Path]:
    """Write the configuration, and an inventory of so many nodes."""
    config, inventory = directory / "config.toml", directory / "nodes.json"
    config.write_text((directory / "ntp.toml").read_text() + _PROBE.format(timeout=timeout_s))
    targets = [f"bitcoin://{address_of(number)}:{_PORT}" for number in range(count)]
    inventory.write_text(json.dumps([{"targets": targets, "labels": {"chain": "bitcoin"}}]))
    return config, inventory


def _started(running: ExitStack, *command: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    running.callback(process.wait)
    running.callback(process.terminate)
    return process


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _mb(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    return f"{int(status.partition('VmRSS:')[2].split()[0]) / 1024:.0f}"


if __name__ == "__main__":
    main()
