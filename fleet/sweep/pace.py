"""At most so many connections a second, whoever makes them."""

import threading
from collections import deque

from sources.clock import NS


class Pace:
    """Gives out moments to connect: no second has more than `rate`, and no two come together.

    Nodes are asked in certain parts of each second only, so within those connections may come at
    twice the rate; more would have them wait for each other, which widens what they prove.
    """

    def __init__(self, rate: int) -> None:
        """Begin with nothing given out."""
        self._apart_ns = NS // (2 * rate)
        self._given_raw_ns: deque[int] = deque(maxlen=rate)
        self._lock = threading.Lock()

    def take(self, now_raw_ns: int) -> int | None:
        """Take this moment and return None, or return when to try again."""
        with self._lock:
            given = self._given_raw_ns
            free_raw_ns = given[-1] + self._apart_ns if given else now_raw_ns
            if len(given) == given.maxlen:
                free_raw_ns = max(free_raw_ns, given[0] + NS)
            if free_raw_ns > now_raw_ns:
                return free_raw_ns
            given.append(now_raw_ns)
            return None
