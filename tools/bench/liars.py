"""Part `liars`: what each program prints when some of nine servers lie.

Liars come first in every list of servers. Scenarios have addresses of their own, so that several
run at once, and each program some times: peers mostly wait. Ours has a timeout, and runs alone.
"""

import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tools.bench.measure import peers
from tools.bench.measure.checkout import ENVIRON
from tools.bench.names import (
    ALONE,
    CHECK_NTP_TIME,
    CHRONYD,
    HTPDATE,
    MIXED,
    MOST_LIARS,
    NOBODY,
    NTPDIG,
    PATIENCE_S,
    ROUGHLY,
    RUNS,
    UNCLAIMED,
)
from tools.bench.servers.lies import KINDS, Cast, cast

_AT_ONCE = 10
_Numbers = list[float | None]


def liars(script: Path, directory: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """Return by program, kind of lie and number of liars the numbers printed, None for none."""
    scenarios = [(NOBODY, 0)]
    scenarios += [(kind, count) for kind in kinds for count in range(1, MOST_LIARS + 1)]
    alone = threading.Lock()

    def played(number: int) -> dict[str, _Numbers]:
        kind, count = scenarios[number]
        lies = [KINDS[kind][1](each) for each in range(count)]
        with cast(number, lies, directory) as running:
            with alone:
                found = _ours(script, directory / str(number), running)
            return found | _theirs(directory / str(number), running, kind)

    found: dict[str, Any] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        everything = pool.map(played, range(len(scenarios)))
        for (kind, count), numbers in zip(scenarios, everything, strict=True):
            for name, number in numbers.items():
                found.setdefault(name, {}).setdefault(kind, {})[str(count)] = number
    return found


def _ours(script: Path, stem: Path, running: Cast) -> dict[str, _Numbers]:
    found: dict[str, _Numbers] = {}
    for name, toml in {ALONE: running.plain, MIXED: running.mixed}.items():
        path = stem.with_suffix(".toml")
        path.write_text(f'state = ""\n{toml}')
        printed = [_printed([str(script), "--config", str(path)]) for _ in range(RUNS)]
        found[name] = [_integer(each) for each in printed]
    return found


def _integer(printed: str) -> int | None:
    """Return what was printed; of a refusal show why."""
    if printed.strip("-\n").isdigit():
        return int(printed)
    print(printed.strip(), flush=True)
    return None


def _theirs(stem: Path, running: Cast, kind: str) -> dict[str, _Numbers]:
    """Run all peers at once, so often each."""
    tries = [peers.only_installed(_commands(stem, running, run)) for run in range(RUNS)]
    names = [name for name in tries[0] if kind not in UNCLAIMED or name != HTPDATE]
    found: dict[str, _Numbers] = {}
    with ThreadPoolExecutor(len(names) * RUNS or 1) as pool:
        asked = [(name, pool.submit(_printed, each[name])) for name in names for each in tries]
        for name, printed in asked:
            found.setdefault(name, []).append(peers.drift_s(name, printed.result()))
    return found


def _commands(stem: Path, running: Cast, run: int) -> dict[str, Sequence[str]]:
    """Return how each peer asks all nine; check_ntp_time, all addresses of one name."""
    hosts, conf = stem.with_suffix(".hosts"), stem.with_suffix(f".{run}.conf")
    hosts.write_text("".join(f"{address} nine.example\n" for address in running.addresses))
    lines = [f"server {address} iburst" for address in running.addresses]
    conf.write_text("\n".join([*lines, "cmdport 0", f"pidfile {conf}.pid"]))
    named = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts; exec "$@"', str(hosts)]
    check = peers.asking(CHECK_NTP_TIME, "-H", "nine.example")
    urls = [f"http://{address}/" for address in running.addresses]
    return {
        NTPDIG: peers.asking(NTPDIG, *running.addresses),
        CHRONYD: peers.asking(CHRONYD, "-f", str(conf)),
        CHECK_NTP_TIME: [*named, *check] if check else [],
        HTPDATE: peers.asking(HTPDATE, *urls),
        ROUGHLY: peers.asking(ROUGHLY, "ecosystem", "state", str(running.ecosystem)),
    }


def _printed(command: Sequence[str]) -> str:
    """Return stdout and stderr; nothing of a program that has not ended in time."""
    with ExitStack() as running:
        process = subprocess.Popen(
            command, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        running.callback(process.wait)
        running.callback(process.kill)
        try:
            return process.communicate(timeout=PATIENCE_S)[0]
        except subprocess.TimeoutExpired:
            return ""
