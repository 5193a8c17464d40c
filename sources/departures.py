"""Whose datagrams are out: once all are, libraries are loaded while replies are on their way."""

from _thread import allocate_lock

from sources.latch import Latch


class Departures:
    """The sources of one run that go first, each of them until it has sent something or failed."""

    def __init__(self, indices: set[int]) -> None:
        """Begin with none that has."""
        self._missing = set(indices)
        self._counting = allocate_lock()
        self._all = Latch()
        if not self._missing:
            self._all.open()

    def done(self, index: int) -> bool:
        """Note that one has; return whether it was the last."""
        with self._counting:
            if index not in self._missing:
                return False
            self._missing.discard(index)
            if self._missing:
                return False
            self._all.open()
            return True

    def wait(self, within_s: float) -> None:
        """Wait until all have, so long at most."""
        self._all.wait(within_s)
