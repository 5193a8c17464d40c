"""A pool of threads, each of which holds one conversation at a time."""

import threading
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic

from sources.clock import Clock
from sources.net.steps import Steps, T, held

_STACK_BYTES = 256 * 1024


class Threads(Generic[T]):
    """As many threads as there are conversations at once; they stay for later ones."""

    def __init__(self, report: Callable[[int, T | Exception], None], clock: Clock) -> None:
        """Have none; `report` is called with what came of each conversation, in its thread."""
        self._report = report
        self._clock = clock
        self._jobs: SimpleQueue[tuple[int, Steps[T]]] = SimpleQueue()
        self._held: set[int] = set()
        self._threads = 0
        self.are_all_busy = False
        """Whether the system has given no thread to a conversation that waits for one now."""

    def begin(self, number: int, steps: Steps[T]) -> None:
        """Hold a conversation; raise RuntimeError if there is not one thread to be had."""
        self._held.add(number)
        if self._threads < len(self._held):
            self._start()
        self._jobs.put((number, steps))

    def end(self, number: int, *, is_lost: bool = False) -> None:
        """Note that what came of a conversation is known, or that its thread is lost with it."""
        if number in self._held:
            self._held.remove(number)
            self._threads -= is_lost
            self.are_all_busy = False

    def _start(self) -> None:
        before = threading.stack_size(_STACK_BYTES)
        try:
            start_new_thread(self._work, ())
            self._threads += 1
        except RuntimeError:
            self.are_all_busy = True
            if not self._threads:
                raise
        finally:
            threading.stack_size(before)

    def _work(self) -> None:
        while True:
            number, steps = self._jobs.get()
            try:
                self._report(number, held(steps, self._clock))
            except Exception as bug:  # noqa: BLE001 - raised again, in the thread of the sweep
                self._report(number, bug)
