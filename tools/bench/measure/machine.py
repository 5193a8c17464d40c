"""The machine in words, and how much of it others used meanwhile."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tools.bench.measure.checkout import PYTHON

_TICKS = os.sysconf("SC_CLK_TCK")


def described() -> dict[str, str]:
    """Return cores, kind of CPU, Python, kernel and system; no name of the machine."""
    processor = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    version = subprocess.run([PYTHON, "--version"], check=True, capture_output=True, text=True)
    kernel = re.match(r"[0-9.]*[0-9]", platform.release())
    return {
        "cores": str(os.cpu_count()),
        "cpu": processor[1].strip() if processor else platform.machine(),
        "python": version.stdout.split()[1],
        "kernel": kernel[0] if kernel else "unknown",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
    }


@contextmanager
def watched(figures: dict[str, float]) -> Iterator[None]:
    """Note the load before, the load after, and the share of the machine that others used."""
    figures["load_before"] = os.getloadavg()[0]
    began_s, busy_s, ours_s = monotonic(), _busy_s(), _ours_s()
    yield
    wall_s = monotonic() - began_s
    others_s = (_busy_s() - busy_s) - (_ours_s() - ours_s)
    figures["load_after"] = os.getloadavg()[0]
    figures["seconds"] = wall_s
    figures["others_percent"] = max(0, 100 * others_s / wall_s / (os.cpu_count() or 1))


def _busy_s() -> float:
    """Return the CPU seconds of all processes, and those that a host above took away."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _ours_s() -> float:
    """Return the CPU seconds of this process and of all children that have ended."""
    return sum(os.times()[:4])
