"""When to measure next. Pure."""

from collections.abc import Callable

_JITTER_SHARE = 10


class Schedule:
    """Moments that lie one period apart, each late by a random part of a tenth of it.

    The first is the beginning itself. Each is counted from there, not from the one before, so that
    no delay adds up; those that are missed are left out, not made up for. The jitter keeps
    machines that were started together from asking together for ever.
    """

    def __init__(self, every_ns: int, began_raw_ns: int, below: Callable[[int], int]) -> None:
        """Begin; `below(n)` is a random number from 0 to n - 1."""
        self._every_ns = every_ns
        self._began_raw_ns = began_raw_ns
        self._below = below
        self._number = 0

    def first_raw_ns(self) -> int:
        """Return the beginning."""
        return self._began_raw_ns

    def next_raw_ns(self, now_raw_ns: int) -> int:
        """Return the moment after the last one that was returned, and after now."""
        passed = -(-(now_raw_ns - self._began_raw_ns) // self._every_ns)
        self._number = max(self._number + 1, passed)
        late_ns = self._below(self._every_ns // _JITTER_SHARE)
        return self._began_raw_ns + self._number * self._every_ns + late_ns
