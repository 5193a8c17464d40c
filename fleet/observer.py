"""The observer's own clock: the only place of fleet/ that knows how drift reaches its consensus.

Without an answer of its own the observer reads nobody: no reference, no drift. It measures before
anything else, and again every minute. An answer holds until the next measurement has ended, however
that ends, and for two minutes and a half at the most, should it hang. A suspend voids it: the raw
clock stood still meanwhile.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from drift import config, finding, state
from drift.config import Config
from drift.consensus import NoAnswer
from drift.finding import Finding
from drift.gather import Gathered, gather
from fleet.readings import Reference
from sources.base import ConfigError, Interval
from sources.clock import NS, Clock
from sources.memory import Memory
from sources.record import Record

RENEWED_EVERY_NS = 60 * NS

_OLDEST_NS = 150 * NS
_SLEPT_NS = NS // 100
_PATIENCE_S = 5
"""How much longer than its timeout a measurement in a process of its own may take."""


class Measured(Record):
    """What one measurement of the observer's own clock found."""

    reference: Reference | None
    """None without an answer."""
    refusal: str
    """Why there is no answer; empty where there is one."""
    suspended_ns: int
    """How long the machine had slept since it booted, by then."""
    exposition: str = ""
    """The metrics of this machine's own drift, where they are wanted."""


Measure = Callable[[], Measured]


class Observer:
    """Keeps the latest reference. Any thread may ask for it; one thread renews it."""

    def __init__(self, measure: Measure, clock: Clock) -> None:
        """Know nothing until the first `renew`."""
        self._measure = measure
        self._clock = clock
        self._lock = threading.Lock()
        self._measured = Measured(None, "it has not been measured", clock.suspended_ns())
        self._due_raw_ns = clock.raw_ns()
        self._slept_ns = self._measured.suspended_ns
        self._timeline = 0
        self._looked_boot_ns = 0

    def renew(self) -> None:
        """Measure, and let what comes of it replace what was there."""
        began_raw_ns = self._clock.raw_ns()
        measured = self._measure()
        with self._lock:
            self._measured = measured
            self._due_raw_ns = began_raw_ns + RENEWED_EVERY_NS

    @property
    def due_raw_ns(self) -> int:
        """When to renew next."""
        return self._due_raw_ns

    @property
    def measured(self) -> Measured:
        """What the last measurement found, however old it is."""
        return self._measured

    def reference(self) -> Reference | None:
        """Return the reference, None if there is none that holds at this moment."""
        with self._lock:
            self._note_sleep()
            measured = self._measured
        found = measured.reference
        if found is None or self._clock.raw_ns() - found.at_raw_ns > _OLDEST_NS:
            return None
        return found if self._slept_ns - measured.suspended_ns <= _SLEPT_NS else None

    def timeline(self) -> int:
        """Return a number that is another one after each suspend: ages do not count across it."""
        with self._lock:
            self._note_sleep()
            return self._timeline

    def why_not(self) -> str:
        """Say why there is no reference."""
        measured = self._measured
        if measured.reference is None:
            return measured.refusal
        return "the last consensus is too old, or this machine has slept since"

    def _note_sleep(self) -> None:
        """Look for a suspend, unless the last look is too short ago for one that matters.

        By the clock that a suspend does not stop.
        """
        boot_ns = self._clock.boot_ns()
        if 0 <= boot_ns - self._looked_boot_ns < _SLEPT_NS // 2:
            return
        self._looked_boot_ns = boot_ns
        slept_ns = self._clock.suspended_ns()
        if slept_ns - self._slept_ns > _SLEPT_NS:
            self._timeline += 1
            self._slept_ns = slept_ns


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
    code = "import sys; sys.path[:] = sys.argv[3:]; from fleet import observer; observer.main()"
    last_success = [""]

    def measure() -> Measured:
        command = [sys.executable, "-c", code, path, last_success[0], *sys.path]
        try:
            limit_s = load(path).timeout_ns / NS + _PATIENCE_S
            done = subprocess.run(  # noqa: S603 - ourselves
                command, capture_output=True, timeout=limit_s, check=False, stdin=subprocess.DEVNULL
            )
            measured, last_success[0] = _understood(done.stdout)
        except (ConfigError, OSError, ValueError, subprocess.SubprocessError) as error:
            said = " ".join(str(error).split())[:200]
            why = f"no answer: it could not be measured: {said}"
            measured = Measured(None, why, clock.suspended_ns(), _exposition(last_success[0]))
        return measured

    return measure


def main() -> None:
    """Measure by the configuration that is named, print what was found as JSON, and leave."""
    path, last_success = sys.argv[1:3]
    clock = Clock()
    settings = load(path)
    gathered = _gathered(settings, clock, is_lab=False)
    measured = _measured(gathered, settings, clock)
    result = finding.find(gathered, settings.rule)
    if result.decided_unix_ns is not None:
        last_success = str(result.decided_unix_ns / NS)
    reference = measured.reference
    said = {
        "raw_minus_true": None if reference is None else list(reference.raw_minus_true),
        "at_raw_ns": None if reference is None else reference.at_raw_ns,
        "refusal": measured.refusal,
        "suspended_ns": measured.suspended_ns,
        "exposition": _exposition(last_success, result),
        "last_success": last_success,
    }
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()
    os._exit(0)  # look-ups that hang are not waited for


def _gathered(settings: Config, clock: Clock, *, is_lab: bool) -> Gathered:
    directory = None if is_lab else state.directory_of(settings.state)
    memory = Memory() if directory is None else state.State(directory, clock)
    deadline_raw_ns = clock.raw_ns() + settings.timeout_ns
    return gather(settings.sources, settings.rule, deadline_raw_ns, clock, memory=memory)


def _measured(gathered: Gathered, settings: Config, clock: Clock) -> Measured:
    decision = gathered.decision
    if isinstance(decision, NoAnswer):
        refusal = finding.find(gathered, settings.rule).refusal or decision.lack.value
        return Measured(None, refusal, clock.suspended_ns())
    raw_minus_true = decision.hull.shifted(-gathered.wall_minus_raw_ns)
    return Measured(Reference(raw_minus_true, gathered.decided_raw_ns), "", clock.suspended_ns())


def _exposition(last_success: str, result: Finding | None = None) -> str:
    """Return the metrics of a run, or of one that has found nothing at all."""
    from drift.report.prometheus import Prometheus  # noqa: PLC0415 - an exporter's alone

    form = Prometheus(float(last_success) if last_success else None)
    return form.untold("", 0) if result is None else form.told(result)


def _understood(data: bytes) -> tuple[Measured, str]:
    """Return what `main` printed, and when it last had an answer; ValueError if it is not that."""
    try:
        said = json.loads(data)
        reference = None
        if said["raw_minus_true"] is not None:
            reference = Reference(Interval(*said["raw_minus_true"]), said["at_raw_ns"])
        found = reference, said["refusal"], said["suspended_ns"], said["exposition"]
        return Measured(*found), said["last_success"]
    except (KeyError, TypeError) as error:
        raise ValueError("the process that measures said nothing") from error
