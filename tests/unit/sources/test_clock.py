"""The clocks: the tightest bracket wins, and the age of a run is counted from its real start."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from sources.clock import NS, BeyondReach, Clock, process_age_ns
from tests.conftest import ROOT


class _Scripted(Clock):
    """A clock whose raw and wall readings are listed."""

    def __init__(self, raw: list[int], wall: list[int]) -> None:
        self._raw, self._wall = raw, wall

    def raw_ns(self) -> int:
        return self._raw.pop(0)

    def wall_ns(self) -> int:
        return self._wall.pop(0)


def test_the_tightest_of_five_brackets_is_used() -> None:
    """A reading that was interrupted for 900 ns does not count where one took 10."""
    clock = _Scripted(
        [0, 900, 1000, 1800, 2000, 2010, 3000, 3700, 4000, 4600], [111, 222, 9005, 333, 444]
    )

    assert clock.wall_minus_raw_ns() == 9005 - 2005


def test_real_clocks_agree() -> None:
    """Wall minus raw plus raw is the wall clock, to well under a millisecond."""
    clock = Clock()

    assert abs(clock.wall_minus_raw_ns() + clock.raw_ns() - time.time_ns()) < NS // 1000
    assert abs(clock.suspended_ns() - clock.suspended_ns()) < NS // 1000


def uptime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_age_counts_from_the_scripts_stamp() -> None:
    """A stamp of /proc/uptime from 2 s ago makes the run 2 s old."""
    age_ns = process_age_ns(f"{uptime_s() - 2:.2f}")

    assert abs(age_ns - 2 * NS) < NS // 10


@pytest.mark.parametrize("stamp", ["x", "nan", "inf", "1e300", "-", " "])
def test_a_stamp_that_makes_no_sense_is_not_believed(stamp: str) -> None:
    """Garbage in the variable leaves the assumption of 0.1 s."""
    assert process_age_ns(stamp) == NS // 10


def test_a_stamp_of_the_future_is_not_believed() -> None:
    """A run cannot have begun after now."""
    assert process_age_ns(f"{uptime_s() + 100:.2f}") == NS // 10


def test_a_stamp_of_long_ago_is_not_believed() -> None:
    """Nor can it have taken more than a minute to get here."""
    assert process_age_ns(f"{uptime_s() - 61:.2f}") == NS // 10


def test_without_a_stamp_a_young_process_knows_its_age() -> None:
    """A fresh interpreter is as old as its start-up took."""
    code = "from sources.clock import process_age_ns; print(process_age_ns(None))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert 0 < int(done.stdout) < NS


def test_a_run_is_never_older_than_its_process() -> None:
    """Where /proc/uptime counts from another zero (LXCFS), a fresh process knows better."""
    code = (
        "import sys; from sources.clock import process_age_ns; print(process_age_ns(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"{uptime_s() - 25:.2f}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert 0 < int(done.stdout) < NS


def test_being_scheduled_away_is_no_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of 15 ms between the readings of two clocks does not look like sleep."""
    read, readings = time.clock_gettime_ns, []

    def interrupted(clock: int) -> int:
        readings.append(clock)
        if len(readings) in (2, 3):
            time.sleep(0.015)
        return read(clock)

    before_ns = Clock().suspended_ns()
    monkeypatch.setattr(time, "clock_gettime_ns", interrupted)

    assert abs(Clock().suspended_ns() - before_ns) < NS // 1000


def test_a_clock_beyond_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year that the system's own call cannot say is no bug of ours."""

    def overflow(clock: int) -> int:
        raise OverflowError

    monkeypatch.setattr(time, "clock_gettime_ns", overflow)

    with pytest.raises(BeyondReach, match="beyond the year 2261"):
        Clock().wall_ns()


def test_without_a_stamp_an_old_process_is_someone_elses() -> None:
    """A shell that slept and then exec'ed us does not eat up our timeout."""
    code = "from sources.clock import process_age_ns; print(process_age_ns(None))"
    done = subprocess.run(
        ["sh", "-c", 'sleep 1.2; exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert int(done.stdout) == NS // 10


@pytest.mark.parametrize(
    ("clock", "read"),
    [
        ("CLOCK_MONOTONIC_RAW", Clock.raw_ns),
        ("CLOCK_REALTIME", Clock.wall_ns),
        ("CLOCK_BOOTTIME", Clock.boot_ns),
        ("CLOCK_BOOTTIME", Clock.suspended_ns),
        ("CLOCK_MONOTONIC", Clock.suspended_ns),
    ],
)
def test_a_clock_that_may_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, clock: str, read: Callable[[Clock], int]
) -> None:
    """As in a container under an old libseccomp: there is no answer, and why."""
    refused, real = getattr(time, clock), time.clock_gettime_ns

    def clock_gettime_ns(number: int) -> int:
        if number == refused:
            raise PermissionError(1, "Operation not permitted")
        return real(number)

    monkeypatch.setattr(time, "clock_gettime_ns", clock_gettime_ns)

    with pytest.raises(BeyondReach, match=f"^{clock} cannot be read: Operation not permitted"):
        read(Clock())
