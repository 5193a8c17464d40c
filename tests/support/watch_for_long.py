"""Run `watch` for many ticks of a schedule whose time is made up; each measurement is a real one.

Usage: watch_for_long.py CONFIG TICKS. Prints one JSON object: the moments of the ticks, and this
process's memory and open files after a tenth of them and after all.
"""

import json
import os
import sys
from array import array
from typing import ClassVar

from drift.options import Options
from drift.run.schedule import Schedule
from drift.run.waiting import Wake
from drift.run.watch import Measuring, keep_on
from sources.clock import NS, Clock

EVERY_NS = 60 * NS


class MadeUp(Clock):
    """Moves when it is waited on, and a little by each measurement."""

    raw = 0

    def raw_ns(self) -> int:
        return self.raw


class Waiting:
    """Waits no longer than it takes to note the moment; ends after so many."""

    def __init__(self, clock: MadeUp, ticks: int) -> None:
        self.clock = clock
        self.ticks = ticks
        self.moments = array("q", bytes(8 * ticks))  # so that taking notes takes no memory
        self.taken = 0
        self.seen: list[dict[str, int]] = []

    def wait(self, until_raw_ns: int | None) -> Wake:
        assert until_raw_ns is not None
        if self.taken in (self.ticks // 10, self.ticks):
            self.seen.append(used())
        if self.taken == self.ticks:
            raise EOFError
        self.clock.raw = until_raw_ns
        self.moments[self.taken] = until_raw_ns
        self.taken += 1
        return Wake.TIME


class Counting(Measuring):
    """Counts how the measurements ended, each of which takes a third of a second."""

    moved: MadeUp
    statuses: ClassVar[dict[int, int]] = {}

    def once(self) -> int:
        status = super().once()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.moved.raw += NS // 3
        return status


def used() -> dict[str, int]:
    """Return what this process holds."""
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return {
        "resident_kb": int(fields["VmRSS"].split()[0]),
        "threads": int(fields["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),
    }


def main() -> None:
    """Watch, and say what it took."""
    config, ticks = sys.argv[1], int(sys.argv[2])
    options = Options()
    options.config = config
    options.watch = True
    clock = MadeUp()
    waiting = Waiting(clock, ticks)
    measuring = Counting(options, Clock())
    measuring.moved = clock

    schedule = Schedule(EVERY_NS, 0, lambda limit: waiting.taken * 7919 * 10**6 % limit)
    keep_on(schedule, waiting, measuring, clock)
    said = {
        "moments": waiting.moments.tolist(),
        "seen": waiting.seen,
        "statuses": measuring.statuses,
    }
    sys.stderr.write(json.dumps(said))


if __name__ == "__main__":
    main()
