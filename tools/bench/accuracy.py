"""Part `accuracy`: the error of each program against a drift that is known to be zero.

Quiet: chronyd on loopback, on this machine's clock. Away: replies take 40 ms more than requests,
which no client can see: the midpoint is 20 ms off. Busy: two programs that only compute. Importing:
replies of NTP arrive while the libraries of HTTPS are imported.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tools.bench.measure import peers
from tools.bench.measure.cost import once
from tools.bench.names import (
    AWAY,
    BACK_S,
    BUSY,
    CHECK_NTP_TIME,
    CHRONYD,
    IMPORTING,
    NTPDIG,
    OURS,
    QUIET,
)
from tools.bench.servers.real import configuration, lab_process, servers, web_servers

_IMPORT_S = 0.1
_AT_ONCE = 13


def accuracy(script: Path, directory: Path, rounds: int) -> dict[str, Any]:
    """Measure each condition: errors in microseconds, by program."""
    found: dict[str, Any] = {}
    with servers(directory, 5) as addresses:
        five = configuration(addresses, directory / "five.toml")
        found[QUIET] = _beside_peers(script, five, addresses, rounds)
        with _burners(2):
            found[BUSY] = _beside_peers(script, five, addresses, rounds)
    path = directory / "away.toml"
    with lab_process("crowd", 5, path, "--back", BACK_S, "--on", "127.0.3"):
        addresses = [f"127.0.3.{number}" for number in range(1, 6)]
        found[AWAY] = _beside_peers(script, str(path), addresses, rounds)
    path = directory / "importing.toml"
    far = ("--there", _IMPORT_S, "--back", _IMPORT_S)
    with web_servers(directory, 3) as https, lab_process("crowd", 3, path, *far):
        tables = "\n".join([path.read_text(), *https])
        path.write_text(f"[consensus]\nmin_kinds = 2\n{tables}")
        command = [str(script), "--config", str(path), "--json"]
        found[IMPORTING] = {OURS: _ours([once(command).printed for _ in range(rounds)])}
    return found


def _beside_peers(
    script: Path, config: str, addresses: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Measure ours and those peers that ask NTP, in turns; chronyd afterwards."""
    conf = Path(config).with_suffix(".conf")
    lines = [f"server {address} iburst" for address in addresses]
    asked = peers.only_installed(
        {
            OURS: [str(script), "--config", config, "--json"],
            NTPDIG: peers.asking(NTPDIG, *addresses),
            CHECK_NTP_TIME: peers.asking(CHECK_NTP_TIME, "-H", addresses[0]),
        }
    )
    printed: dict[str, list[str]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, command in asked.items():
            printed[name].append(once(command).printed)
    found = {OURS: _ours(printed.pop(OURS))}
    for peer, runs in printed.items():
        found[peer] = _summed_up([_us(peer, run) for run in runs])
    if start := peers.command(CHRONYD):

        def run(number: int) -> float:
            path = conf.with_suffix(f".{number}.conf")
            path.write_text("\n".join([*lines, "cmdport 0", f"pidfile {path}.pid"]))
            return _us(CHRONYD, once([*start, "-f", str(path)]).printed)

        found[CHRONYD] = _summed_up(_in_batches(run, rounds))
    return found


def _in_batches(run: Callable[[int], float], rounds: int) -> list[float]:
    """Run it so often, many at once: chronyd mostly waits."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [*pool.map(run, range(rounds))]


def _us(peer: str, printed: str) -> float:
    drift_s = peers.drift_s(peer, printed)
    if drift_s is None:
        raise RuntimeError(f"{peer} printed no number: {printed!r}")
    return drift_s * 1e6


def _ours(printed: Sequence[str]) -> dict[str, Any]:
    """Sum up runs with --json: error, width of the interval, how often it holds the truth."""
    reports = [json.loads(run) for run in printed]
    intervals = [report["interval_ns"] for report in reports]
    return _summed_up([report["drift_ns"] / 1000 for report in reports]) | {
        "held": sum(low <= 0 <= high for low, high in intervals),
        "width_us": statistics.median(high - low for low, high in intervals) / 1000,
    }


def _summed_up(errors_us: Sequence[float]) -> dict[str, Any]:
    sizes_us = [abs(each) for each in errors_us]
    return {
        "median_us": statistics.median(sizes_us),
        "worst_us": max(sizes_us),
        "runs": len(sizes_us),
    }


@contextmanager
def _burners(count: int) -> Iterator[None]:
    """Keep so many cores busy."""
    with ExitStack() as running:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            running.callback(process.wait)
            running.callback(process.kill)
        yield
