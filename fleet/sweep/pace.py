"""At most so many connections a second, whoever makes them."""

import threading
from collections import deque

from sources.clock import NS

_TICK_NS = NS // 50
"""What is due within a tick may come together: a machine that wakes for each connection spends more
on waking than on it. Those that come together wait for each other a millisecond or two, which
widens what they prove by as much."""


class Pace:
    """Gives out moments to connect: no second has more than `rate`, no tick more than its share.

    Nodes are asked in certain parts of each second only, so within those connections may come at
    twice the rate; more would have them wait for each other.
    """

    def __init__(self, rate: int) -> None:
        """Begin with nothing given out."""
        self._together = max(1, 2 * rate * _TICK_NS // NS)
        self._apart_ns = self._together * NS // (2 * rate)
        self._given_raw_ns: deque[int] = deque(maxlen=rate)
        self._lock = threading.Lock()

    def take(self, now_raw_ns: int) -> int | None:
        """Take this moment and return None, or return when to try again."""
        with self._lock:
            given = self._given_raw_ns
            free_raw_ns = now_raw_ns
            if len(given) >= self._together:
                free_raw_ns = given[-self._together] + self._apart_ns
            if len(given) == given.maxlen:
                free_raw_ns = max(free_raw_ns, given[0] + NS)
            if free_raw_ns > now_raw_ns:
                return free_raw_ns
            given.append(now_raw_ns)
            return None
