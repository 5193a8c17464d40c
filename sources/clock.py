"""The machine's clocks, read and nothing else. The only module that reads one.

Three Linux clocks do the work. CLOCK_MONOTONIC_RAW is the timeline of a run: no daemon steps or
slews it. CLOCK_REALTIME is what is being judged. CLOCK_BOOTTIME minus CLOCK_MONOTONIC betrays a
suspend, during which the raw clock stands still and samples of before would be wrong.
"""

import os
import time

NS = 1_000_000_000
"""Nanoseconds in a second."""

_RAW = getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BRACKETS = 5
_UNKNOWN_AGE_NS = NS // 10
_OLDEST_START_NS = NS
_OLDEST_STAMP_NS = 60 * NS


class Clock:
    """This machine's clocks. Tests bring a subclass whose readings they choose."""

    def raw_ns(self) -> int:
        """Read CLOCK_MONOTONIC_RAW, in nanoseconds since an arbitrary zero."""
        return time.clock_gettime_ns(_RAW)

    def wall_ns(self) -> int:
        """Read CLOCK_REALTIME, the clock being judged, in nanoseconds since 1970."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME)

    def wall_minus_raw_ns(self) -> int:
        """Return CLOCK_REALTIME minus CLOCK_MONOTONIC_RAW, now.

        The wall clock is read between two readings of the raw one; of five such brackets the
        tightest is used, so that being scheduled away in between does not show in the result.
        """
        best = None
        for _ in range(_BRACKETS):
            before_ns = self.raw_ns()
            wall_ns = self.wall_ns()
            width_ns = self.raw_ns() - before_ns
            if best is None or width_ns < best[0]:
                best = (width_ns, wall_ns - before_ns - width_ns // 2)
        assert best is not None  # noqa: S101 - there is at least one bracket
        return best[1]

    def suspended_ns(self) -> int:
        """Return how long this machine has slept since it booted; 0 where nothing can tell."""
        return time.clock_gettime_ns(_BOOT) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def process_age_ns(started_uptime_s: str | None) -> int:
    """Return how long ago this run began, to 10 ms.

    `started_uptime_s` is the reading of /proc/uptime with which time-drift.sh began. Without it
    the process's own start counts (proc(5), field 22 of stat), unless that is over a second ago:
    then a shell that did other things first has exec'ed us, and its age is not ours. Where nothing
    tells, or the stamp is over a minute old (a suspend in between, another program's variable),
    0.1 s is assumed, about what an interpreter takes to start.
    """
    now_ns = time.clock_gettime_ns(_BOOT)
    try:
        if started_uptime_s:
            age_ns = now_ns - int(float(started_uptime_s) * NS)
            return age_ns if 0 <= age_ns <= _OLDEST_STAMP_NS else _UNKNOWN_AGE_NS
        with open("/proc/self/stat", "rb") as stat:
            # The name in field 2 may itself hold spaces and brackets.
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        age_ns = now_ns - ticks * NS // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, OverflowError):
        return _UNKNOWN_AGE_NS
    return age_ns if 0 <= age_ns <= _OLDEST_START_NS else _UNKNOWN_AGE_NS
