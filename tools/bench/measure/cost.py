"""Whole processes, measured in turns, so that a busy machine slows all of them alike."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.bench.measure.checkout import ENVIRON, PYTHON

_REPEATED = 2
_LAUNCHER = str(Path(__file__).with_name("launcher.py"))


class Run(NamedTuple):
    """One run of a program, its children included."""

    cpu_ms: float
    """User and system time."""
    wall_ms: float
    memory_mb: float
    """The most that one of its processes held; never less than an empty interpreter."""
    printed: str
    """On stdout and stderr."""


class Cost(NamedTuple):
    """Many runs: medians, and quartiles as their spread."""

    cpu_ms: float
    cpu_spread_ms: Sequence[float]
    """First and third quartile."""
    wall_ms: float
    wall_spread_ms: Sequence[float]
    memory_mb: float
    runs: int


def once(command: Sequence[str], environ: Mapping[str, str] = ENVIRON) -> Run:
    """Run a command that has to succeed; RuntimeError has what it printed if it does not.

    On a busy machine a run may miss its deadline: it is repeated, twice, and that is shown.
    """
    for _ in range(_REPEATED):
        try:
            return _tried(command, environ)
        except RuntimeError as error:
            print(f"once more: {error}", file=sys.stderr)
    return _tried(command, environ)


def _tried(command: Sequence[str], environ: Mapping[str, str]) -> Run:
    reader, writer = os.pipe()
    launched = [PYTHON, "-I", "-S", _LAUNCHER, str(writer), *command]
    try:
        done = subprocess.run(
            launched, env=environ, pass_fds=(writer,), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        os.close(writer)
        cost = os.read(reader, 1000).decode().split()
    finally:
        os.close(reader)
    if cost[3:] != ["0"]:
        raise RuntimeError(f"{' '.join(command)}: {cost}: {done.stdout!r}")
    return Run(float(cost[0]) * 1000, float(cost[1]) * 1000, int(cost[2]) * 1024 / 1e6, done.stdout)


def interleaved(
    commands: Mapping[str, Sequence[str]], rounds: int, environ: Mapping[str, str] = ENVIRON
) -> dict[str, Cost]:
    """Run every command once a round, after a round that does not count; return the costs."""
    for command in commands.values():
        once(command, environ)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(once(command, environ))
    return {name: summed_up(found) for name, found in runs.items()}


def summed_up(runs: Sequence[Run]) -> Cost:
    """Return the medians of runs, and how far they spread."""
    cpu_ms, wall_ms = [run.cpu_ms for run in runs], [run.wall_ms for run in runs]
    return Cost(
        statistics.median(cpu_ms), quartiles(cpu_ms), statistics.median(wall_ms),
        quartiles(wall_ms), statistics.median(run.memory_mb for run in runs), len(runs),
    )  # fmt: skip


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third; of one value, that value."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third
