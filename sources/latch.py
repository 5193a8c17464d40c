"""Something to wait for that happens once: threading.Event without the import of threading.

That module is half a millisecond of a run that needs nothing else of it.
"""

from _thread import allocate_lock


class Latch:
    """Is shut until one thread opens it, and stays open from then on."""

    def __init__(self) -> None:
        """Begin shut."""
        self._is_open = False
        self._shut = allocate_lock()
        self._shut.acquire()

    def open(self) -> None:
        """Let everybody through; always called by the same thread, or under a lock."""
        if not self._is_open:
            self._is_open = True
            self._shut.release()

    def wait(self, within_s: float) -> bool:
        """Wait until it is open, so long at most; return whether it is."""
        if not self._is_open and self._shut.acquire(timeout=within_s):
            self._shut.release()  # who waits next is let through by this one
        return self._is_open
