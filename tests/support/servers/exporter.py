"""`time-drift serve` as a process, and what it answers."""

import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Exporter:
    """A running `serve`, and what it answers."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def get(
        self, path: str, *, method: str = "GET", timeout_s: float | None = None
    ) -> tuple[int, str, dict[str, str]]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {}
        if timeout_s is not None:
            headers["X-Prometheus-Scrape-Timeout-Seconds"] = str(timeout_s)
        link.request(method, path, headers=headers)
        response = link.getresponse()
        found = response.status, response.read().decode(), dict(response.getheaders())
        link.close()
        return found

    def probe(self, target: str, **more: float) -> dict[str, float]:
        """Return the metrics of a probe that has been answered."""
        status, body, _ = self.get(f"/probe?target={target}", **more)  # type: ignore[arg-type]
        assert status == 200, body
        return metrics(body)


def metrics(body: str) -> dict[str, float]:
    lines = [line for line in body.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@contextmanager
def serving(script: str, config: Path, environ: dict[str, str] | None = None) -> Iterator[Exporter]:
    """Run the exporter on a port of its own; what still runs at the end is ended."""
    with subprocess.Popen(
        [script, "serve", "--config", str(config), "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=None if environ is None else os.environ | environ,
    ) as process:
        try:
            yield Exporter(process, _port_of(process))
        finally:
            _end(process)


def _port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"listening on 127\.0\.0\.1:([0-9]+)", line)
        if found is not None:
            return int(found[1])
    raise AssertionError("it does not listen")


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
