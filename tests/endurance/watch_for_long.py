"""Run `watch` for many ticks of a schedule a minute apart; each measurement is a real one.

    python -m tests.endurance.watch_for_long CONFIG TICKS STATE

The results go to stdout as always. stderr gets one JSON object at the end: when the ticks were, how
the measurements ended, and what was held at twenty moments.
"""

import json
import sys
from array import array
from pathlib import Path
from typing import ClassVar

from drift.options import Options
from drift.run.schedule import Schedule
from drift.run.waiting import Wake
from drift.run.watch import Measuring, keep_on
from tests.endurance.leaping import MINUTE_NS, Leaping, used

_LOOKS = 20


class Waiting:
    """Waits no longer than it takes to note the moment; ends after so many."""

    def __init__(self, clock: Leaping, ticks: int, state: Path) -> None:
        self.clock = clock
        self.ticks = ticks
        self.state = state
        self.moments = array("q", bytes(8 * ticks))  # so that taking notes takes no memory
        self.taken = 0
        self.seen: list[dict[str, int]] = []

    def wait(self, until_raw_ns: int | None) -> Wake:
        """Leap there."""
        assert until_raw_ns is not None
        if self.taken and self.taken % (self.ticks // _LOOKS) == 0:
            kept = [path.stat().st_size for path in self.state.iterdir()]
            self.seen.append({**used(), "kept": len(kept), "kept_bytes": sum(kept)})
        if self.taken == self.ticks:
            raise EOFError
        self.clock.leap_to(until_raw_ns)
        self.moments[self.taken] = until_raw_ns
        self.taken += 1
        return Wake.TIME


class Counting(Measuring):
    """Counts how the measurements ended."""

    statuses: ClassVar[dict[int, int]] = {}

    def __init__(self, options: Options, clock: Leaping) -> None:
        super().__init__(options, clock)
        self._leaping = clock

    def once(self) -> int:
        """Measure, and count."""
        with self._leaping.running():
            status = super().once()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status


def main() -> None:
    """Watch, and say what it took."""
    config, ticks, state = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    options = Options()
    options.config = config
    options.watch = True
    clock = Leaping()
    waiting = Waiting(clock, ticks, state)
    measuring = Counting(options, clock)
    begins_raw_ns = clock.raw_ns()
    schedule = Schedule(
        MINUTE_NS, begins_raw_ns, lambda limit: waiting.taken * 7919 * 10**6 % limit
    )
    keep_on(schedule, waiting, measuring, clock)
    said = {
        "moments": [moment - begins_raw_ns for moment in waiting.moments],
        "seen": waiting.seen,
        "statuses": measuring.statuses,
    }
    sys.stderr.write(f"\n{json.dumps(said)}")


if __name__ == "__main__":
    main()
