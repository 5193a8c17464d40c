"""`serve` over many minutes: start it, scrape it as many do, and say what is wrong with it then."""

import http.client
import os
import random
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from lab.nodes import network as lab_nodes
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.kaspa import KaspaNode
from lab.world import world
from tests.conftest import ROOT
from tests.endurance.fickle import node, servers, true_unix_ns
from tests.endurance.leaping import MINUTE_NS, used
from tests.endurance.watching import flat, held

MOST_GROWTH_KB = 1024
"""Of the exporter, after a tenth of the time: each new thread finds memory of its own."""
_THREADS = 2
"""One accepts, one renews; those of connections end with them."""
_LOOKS = 20
_LATE_NS = 10 * 10**9
"""How late a renewal may be: the measurement before took so long at most."""


class _Client:
    """Scrapes, as Prometheus and others do."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self._port = port
        self._dice = dice
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.answered = 0

    def get(self, path: str, timeout_s: float = 0.4) -> str:
        """Return a body, by the connection that stays or by a new one."""
        if self._dice.random() < 0.05:
            self._link.close()
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(timeout_s)}
        self._link.request("GET", path, headers=headers)
        response = self._link.getresponse()
        body = response.read().decode()
        assert response.status == 200, body
        self.answered += 1
        return body

    def misbehave(self) -> None:
        """Say too little, too much, nothing sensible, or go in the middle of it."""
        data = self._dice.choice([b"", b"GET", b"GET /probe?target=x HTTP/1.1\r\n\r\n", b"\0" * 99])
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 5) as link:
            link.sendall(data)

    def close(self) -> None:
        """Go."""
        self._link.close()


def serving(ticks: int, seed: int, directory: Path) -> tuple[list[str], str]:
    """Serve for so many minutes; return what is wrong, and the figures in a line."""
    dice = random.Random(seed)  # noqa: S311 - a test's
    nodes = [
        KaspaNode(node(seed), time_unix_ns=true_unix_ns),
        BitcoinNode(time_unix_ns=true_unix_ns),
    ]
    config, state = directory / "serve.toml", directory / "serve-state"
    settings = f'timeout = 0.4\nstate = "{state}"\n[consensus]\nmin_kinds = 2'
    probe = '[probe]\nallow = ["127.0.0.0/8"]\ntimeout = 1\nrate = 500\nmin_interval = 60\n'
    wrong: list[str] = []
    moments, seen = [], []
    read = 0
    with world(*servers(seed), settings=settings) as lab, lab_nodes.network(nodes):
        config.write_text(f"{lab.toml}\n{probe}", encoding="utf-8")
        with _running(config, seed, directory) as (process, port):
            client = _Client(port, dice)
            assert process.stdin is not None
            assert process.stdout is not None
            for tick in range(ticks):
                moments.append(int(process.stdout.readline()))
                wrong += _wrong_clock(body := client.get(f"/probe?target={nodes[0].target}"))
                read += "probe_success 1" in body
                client.get("/metrics")
                if tick % 200 == 0:
                    client.get(f"/probe?target={nodes[1].target}", timeout_s=3)
                if dice.random() < 0.02:
                    client.misbehave()
                if tick and tick % (ticks // _LOOKS) == 0:
                    client.close()
                    seen.append(_settled(process.pid))
                process.stdin.write("reload\n" if tick == 1 or dice.random() < 0.005 else "go\n")
                process.stdin.flush()
            client.close()
    apart = [after - before for before, after in pairwise(moments)]
    wrong += [f"a renewal came after {ns} ns" for ns in apart if ns > MINUTE_NS + _LATE_NS]
    wrong += [] if read > ticks // 2 else [f"the node was read {read} times only"]
    wrong += flat(seen, {"threads": _THREADS, "children": 0}, MOST_GROWTH_KB)
    kept = [path.stat().st_size for path in state.iterdir()]
    wrong += [] if len(kept) <= 13 and sum(kept) <= 16_384 else [f"state: {kept}"]
    figures = (
        f"serve: {ticks} ticks, {client.answered} scrapes answered, the node read {read} times; "
        f"{held(seen)}; state {len(kept)} files, {sum(kept)} bytes"
    )
    return wrong, figures


def _wrong_clock(body: str) -> list[str]:
    """Return what is wrong with the drift in a body, which for an honest node is none."""
    low = re.search(r"^time_drift_node_interval_low_seconds(?:{.*})? (\S+)$", body, re.M)
    high = re.search(r"^time_drift_node_interval_high_seconds(?:{.*})? (\S+)$", body, re.M)
    if low is None or high is None or "probe_success 0" in body:
        return []
    return [] if float(low[1]) <= 0 <= float(high[1]) else [f"the node is in [{low[1]}, {high[1]}]"]


def _settled(process: int) -> dict[str, int]:
    """Return what a process holds once the threads of its connections have ended, which is soon."""
    patience = threading.Event()
    found = used(str(process))
    for _ in range(200):
        if found["threads"] <= _THREADS:
            break
        patience.wait(0.01)
        found = used(str(process))
    return found


@contextmanager
def _running(
    config: Path, seed: int, directory: Path
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    with subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.serve_for_long", config, str(seed), directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "1"},
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                found = re.search(r"listening on 127\.0\.0\.1:([0-9]+)", line)
                if found is not None:
                    yield process, int(found[1])
                    break
        finally:
            process.kill()
