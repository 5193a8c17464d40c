"""The observer's own clock: what is known of it, and for how long that holds.

Without an answer of its own the observer reads nobody: no reference, no drift. It measures before
anything else, and again every minute. An answer holds until the next measurement has ended, however
that ends, and for two minutes and a half at the most, should it hang. A suspend voids it: the raw
clock stood still meanwhile.
"""

import threading
from collections.abc import Callable

from fleet.readings import Reference
from sources.clock import NS, Clock
from sources.record import Record

RENEWED_EVERY_NS = 60 * NS

_OLDEST_NS = 150 * NS
_SLEPT_NS = NS // 100


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
        """Return why there is no reference."""
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
