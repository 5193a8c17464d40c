"""Measuring the observer's own clock: the only place of fleet/ that knows drift's consensus."""

import json
import os
import subprocess
import sys

from drift import config
from drift.config import Config
from drift.consensus.rule import NoAnswer
from drift.options import Options
from drift.run import state
from drift.run.gather import Gathered, gather
from drift.run.result import Result
from drift.run.result import find as find_result
from fleet.observer import Measure, Measured
from fleet.readings import Reference
from sources.base import ConfigError, Interval
from sources.clock import NS, Clock
from sources.memory import Memory

_PATIENCE_S = 5
"""How much longer than its timeout a measurement in a process of its own may take."""


def find(named: str | None) -> str:
    """Return the path of the configuration, looked for where drift looks; raise ConfigError."""
    return config.find(named)


def load(path: str) -> Config:
    """Return the configuration as drift reads it; raise ConfigError."""
    return config.load(path)


def measuring(settings: Config, clock: Clock, *, is_lab: bool = False) -> Measure:
    """Return what measures in this process; the servers of a lab are not remembered."""
    return lambda: _measured(_gathered(settings, clock, is_lab=is_lab), settings, clock)


def measuring_apart(path: str, clock: Clock) -> Measure:
    """Return what measures in a process of its own each time, and has the metrics made as well.

    So that an exporter that runs for months keeps nothing of a look-up that hangs. The raw clock
    is the machine's, so what that process says of it holds here.
    """
    code = "import sys; sys.path[:] = sys.argv[2:]; from fleet import measuring; measuring.main()"
    previous = [""]

    def measure() -> Measured:
        command = [sys.executable, "-c", code, path, *sys.path]
        try:
            limit_s = load(path).timeout_ns / NS + _PATIENCE_S
            done = subprocess.run(  # noqa: S603 - ourselves
                command,
                input=previous[0].encode(),
                capture_output=True,
                timeout=limit_s,
                check=False,
            )
            measured = _understood(done.stdout)
        except (ConfigError, OSError, ValueError, subprocess.SubprocessError) as error:
            found = " ".join(str(error).split())[:200]
            why = f"no answer: it could not be measured: {found}"
            measured = Measured(None, why, clock.suspended_ns(), _exposition(previous[0]))
        previous[0] = measured.exposition
        return measured

    return measure


def main() -> None:
    """Measure by the configuration that is named, print what was found as JSON, and leave.

    stdin has the metrics of the measurement before, of which the time of the last success is kept.
    """
    previous = sys.stdin.read()
    clock = Clock()
    settings = load(sys.argv[1])
    gathered = _gathered(settings, clock, is_lab=False)
    measured = _measured(gathered, settings, clock)
    reference = measured.reference
    found = {
        "raw_minus_true": None if reference is None else list(reference.raw_minus_true),
        "at_raw_ns": None if reference is None else reference.at_raw_ns,
        "refusal": measured.refusal,
        "suspended_ns": measured.suspended_ns,
        "exposition": _exposition(previous, find_result(gathered, settings.rule)),
    }
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # look-ups that hang are not waited for


def _gathered(settings: Config, clock: Clock, *, is_lab: bool) -> Gathered:
    directory = None if is_lab else state.directory_of(settings.state)
    memory = Memory() if directory is None else state.State(directory, clock)
    deadline_raw_ns = clock.raw_ns() + settings.timeout_ns
    # Patient: an early answer's integer is what all would say, but its interval is not.
    return gather(
        settings.sources, settings.rule, deadline_raw_ns, clock, patient=True, memory=memory
    )


def _measured(gathered: Gathered, settings: Config, clock: Clock) -> Measured:
    decision = gathered.decision
    if isinstance(decision, NoAnswer):
        refusal = find_result(gathered, settings.rule).refusal or decision.lack.value
        return Measured(None, refusal, clock.suspended_ns())
    raw_minus_true = decision.hull.shifted(-gathered.wall_minus_raw_ns)
    return Measured(Reference(raw_minus_true, gathered.decided_raw_ns), "", clock.suspended_ns())


def _exposition(previous: str, result: Result | None = None) -> str:
    """Return the metrics of a run, or of one that has found nothing at all."""
    from drift.formats.prometheus import Prometheus  # noqa: PLC0415 - an exporter's alone

    output_format = Prometheus(Options(), previous)
    return output_format.render_failure("", 0) if result is None else output_format.render(result)


def _understood(data: bytes) -> Measured:
    """Return what `main` printed; raise ValueError if it is not that."""
    try:
        found = json.loads(data)
        reference = None
        if found["raw_minus_true"] is not None:
            reference = Reference(Interval(*found["raw_minus_true"]), found["at_raw_ns"])
        return Measured(reference, found["refusal"], found["suspended_ns"], found["exposition"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the process that measures printed no measurement") from error
