"""Names to addresses, by the system's resolver, in a bounded number of threads.

getaddrinfo hangs for as long as it pleases. However many names an inventory has, and however dead
the name servers are, no more than a few threads hang with it; who is not served by its deadline
has failed. Answers are kept for some minutes, so that a round of several connections asks once.
"""

import socket
import threading
from _thread import start_new_thread
from queue import SimpleQueue

from sources.base import TimedOut, Unreachable
from sources.clock import NS, Clock
from sources.net.addresses import is_address

_MOST_THREADS = 32
_KEPT_NS = 300 * NS
_MOST_KEPT = 50_000


class _LookUp:
    """One name being looked up, or that has been."""

    def __init__(self, host: str, deadline_raw_ns: int) -> None:
        self.host = host
        self.deadline_raw_ns = deadline_raw_ns
        self.done = threading.Event()
        self.addresses: tuple[str, ...] = ()
        self.error = ""
        self.ended_raw_ns = 0


class Names:
    """Looks names up; any thread may ask."""

    def __init__(self, clock: Clock) -> None:
        """Know no name."""
        self._clock = clock
        self._lock = threading.Lock()
        self._look_ups: dict[str, _LookUp] = {}
        self._queue: SimpleQueue[_LookUp] = SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._waiting = 0
        """Look-ups that no thread has taken yet."""

    def addresses(self, host: str, deadline_raw_ns: int) -> tuple[str, ...]:
        """Return the addresses of a host; raise Unreachable for none, TimedOut if too late."""
        if is_address(host):
            return (host,)
        look_up = self._look_up(host, deadline_raw_ns)
        left_ns = deadline_raw_ns - self._clock.raw_ns()
        if not look_up.done.wait(max(0, left_ns) / NS):
            raise TimedOut(f"{host}: name not resolved before the deadline")
        if not look_up.addresses:
            raise Unreachable(f"{host}: name cannot be resolved: {look_up.error}")
        return look_up.addresses

    def _look_up(self, host: str, deadline_raw_ns: int) -> _LookUp:
        """Return a look-up that is under way or kept, or begin one."""
        now_ns = self._clock.raw_ns()
        with self._lock:
            found = self._look_ups.get(host)
            if found is not None and self._holds(found, now_ns):
                found.deadline_raw_ns = max(found.deadline_raw_ns, deadline_raw_ns)
                return found
            if len(self._look_ups) >= _MOST_KEPT:
                self._look_ups.clear()
            found = self._look_ups[host] = _LookUp(host, deadline_raw_ns)
            self._queue.put(found)
            self._waiting += 1
            if self._waiting > self._idle and self._threads < _MOST_THREADS:
                try:
                    start_new_thread(self._work, ())
                    self._threads += 1
                except RuntimeError:
                    if not self._threads:
                        found.error = "no thread to be had"
                        found.done.set()
            return found

    def _holds(self, look_up: _LookUp, now_ns: int) -> bool:
        if not look_up.done.is_set():
            return now_ns < look_up.deadline_raw_ns
        return bool(look_up.addresses) and now_ns - look_up.ended_raw_ns < _KEPT_NS

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            look_up = self._queue.get()
            with self._lock:
                self._idle -= 1
                self._waiting -= 1
            if self._clock.raw_ns() < look_up.deadline_raw_ns:
                look_up.addresses, look_up.error = _resolved(look_up.host)
                look_up.ended_raw_ns = self._clock.raw_ns()
                look_up.done.set()


def _resolved(host: str) -> tuple[tuple[str, ...], str]:
    try:
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return (), error.strerror or str(error)
    except (OSError, UnicodeError) as error:
        return (), str(error)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), ""
