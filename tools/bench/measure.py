"""Whole processes, measured in turns, so that a busy machine slows all of them alike."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """What one program costs, in milliseconds."""

    cpu_ms: float
    """Median of user and system time."""
    cpu_least_ms: float
    wall_ms: float
    """Median."""


def once(command: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Run a command; return CPU seconds, its children's included, and wall seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    said = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}: {said!r}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def interleaved(
    commands: Mapping[str, Sequence[str]], rounds: int, environ: Mapping[str, str]
) -> dict[str, Cost]:
    """Run every command once a round; return the medians."""
    for command in commands.values():
        once(command, environ)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(once(command, environ))
    return {
        name: Cost(
            statistics.median(cpu for cpu, _ in found) * 1000,
            min(cpu for cpu, _ in found) * 1000,
            statistics.median(wall for _, wall in found) * 1000,
        )
        for name, found in runs.items()
    }
