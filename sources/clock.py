"""The machine's clocks, read and nothing else. The only module that reads one.

Three Linux clocks do the work. CLOCK_MONOTONIC_RAW is the timeline of a run: no daemon steps or
slews it. CLOCK_REALTIME is what is being judged. CLOCK_BOOTTIME minus CLOCK_MONOTONIC betrays a
suspend, during which the raw clock stands still, so that earlier samples would be wrong.
"""

import os
import time
from collections.abc import Callable

NS = 1_000_000_000
"""Nanoseconds in a second."""

_RAW = getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BRACKETS = 5
_UNKNOWN_AGE_NS = NS // 10
_OLDEST_START_NS = NS
_OLDEST_STAMP_NS = 60 * NS


class BeyondReach(Exception):
    """A clock that the system does not show us: it says 2262 or later, or may not be read."""


class Clock:
    """This machine's clocks. Tests bring a subclass whose readings they choose."""

    def raw_ns(self) -> int:
        """Read CLOCK_MONOTONIC_RAW, in nanoseconds since an arbitrary zero."""
        try:
            return time.clock_gettime_ns(_RAW)
        except OSError as error:
            raise _refused("CLOCK_MONOTONIC_RAW", error) from error

    def wall_ns(self) -> int:
        """Read CLOCK_REALTIME, the clock being judged, in nanoseconds since 1970."""
        try:
            return time.clock_gettime_ns(time.CLOCK_REALTIME)
        except OverflowError as error:
            raise BeyondReach("this machine's clock is beyond the year 2261") from error
        except OSError as error:
            raise _refused("CLOCK_REALTIME", error) from error

    def wall_minus_raw_ns(self) -> int:
        """Return CLOCK_REALTIME minus CLOCK_MONOTONIC_RAW, now."""
        return _difference_ns(self.wall_ns, self.raw_ns)

    def boot_ns(self) -> int:
        """Read CLOCK_BOOTTIME, in nanoseconds since this machine booted, its sleep included."""
        return _read_boot_ns()

    def suspended_ns(self) -> int:
        """Return how long this machine has slept since it booted; 0 where it cannot be known."""
        return _difference_ns(_read_boot_ns, _read_monotonic_ns)


def _read_boot_ns() -> int:
    try:
        return time.clock_gettime_ns(_BOOT)
    except OSError as error:
        raise _refused("CLOCK_BOOTTIME", error) from error


def _read_monotonic_ns() -> int:
    try:
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    except OSError as error:
        raise _refused("CLOCK_MONOTONIC", error) from error


def _refused(clock: str, error: OSError) -> BeyondReach:
    """Return what to say of a clock that may not be read: libseccomp before 2.5 refuses some."""
    return BeyondReach(
        f"{clock} cannot be read: {error.strerror or error}: in a container that is an old "
        "libseccomp of the host's; update it, or the container engine"
    )


def _difference_ns(read_ns: Callable[[], int], base_ns: Callable[[], int]) -> int:
    """Return one clock minus another, now.

    The first is read between two readings of the second. The tightest of five such brackets is
    used, so that the result does not suffer when another process runs in between.
    """
    tightest_ns = None
    difference_ns = 0
    for _ in range(_BRACKETS):
        before_ns = base_ns()
        reading_ns = read_ns()
        width_ns = base_ns() - before_ns
        if tightest_ns is None or width_ns < tightest_ns:
            tightest_ns = width_ns
            difference_ns = reading_ns - before_ns - width_ns // 2
    return difference_ns


def process_age_ns(started_uptime_s: str | None) -> int:
    """Return how long ago this run began, to 10 ms.

    Two witnesses, either of which can err only toward too old: `started_uptime_s`, the reading of
    /proc/uptime with which time-drift.sh began (a container's may count from another zero), and
    the start of this very process (a shell that slept and then exec'ed us was old already). The
    younger counts. Where nothing makes sense 0.1 s is assumed, about what an interpreter takes.
    """
    now_ns = _read_boot_ns()
    ages_ns = (_since_stamp_ns(started_uptime_s, now_ns), _since_exec_ns(now_ns))
    return min((age_ns for age_ns in ages_ns if age_ns is not None), default=_UNKNOWN_AGE_NS)


def _since_stamp_ns(started_uptime_s: str | None, now_ns: int) -> int | None:
    """Return the time since the script's stamp, None if there is none or it makes no sense."""
    try:
        age_ns = now_ns - int(float(started_uptime_s or "nan") * NS)
    except (ValueError, OverflowError):
        return None
    return age_ns if 0 <= age_ns <= _OLDEST_STAMP_NS else None


def _since_exec_ns(now_ns: int) -> int | None:
    """Return the time since this process began (proc(5): field 22 of stat), None if too long."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            # The name in field 2 may itself hold spaces and brackets.
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    age_ns = now_ns - ticks * NS // os.sysconf("SC_CLK_TCK")
    return age_ns if 0 <= age_ns <= _OLDEST_START_NS else None
