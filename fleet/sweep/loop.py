"""Many conversations in one thread: each goes on when what it waits for is there, or its time over.

All others wait for a step that is long. So what takes more than microseconds goes on in a thread of
its own, and only reports here what came of it.
"""

import heapq
import os
import select
from collections.abc import Collection
from itertools import count
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Generic

from sources.clock import NS, Clock
from sources.net.steps import READABLE, Steps, T


class _Conversation(Generic[T]):
    """One that is held, and what it waits for."""

    def __init__(self, number: int, steps: Steps[T]) -> None:
        self.number = number
        self.steps = steps
        self.files: tuple[tuple[int, int], ...] = ()
        self.until_raw_ns: int | None = None
        """None before it begins, and once it is over."""
        self.timer_raw_ns: int | None = None
        """When it is looked at next, whatever comes."""


class Loop(Generic[T]):
    """Conversations by their numbers, no two of one file. Any thread may call `report`, one the
    other methods."""

    def __init__(self, clock: Clock) -> None:
        """Hold none."""
        self._clock = clock
        self._epoll = select.epoll()
        self._of_file: dict[int, _Conversation[T]] = {}
        self._timers: list[tuple[int, int, _Conversation[T]]] = []
        """When to look at a conversation, a number of its own, and which; a heap. Each that is held
        is in it."""
        self._timer_numbers = count()
        self._ended: list[tuple[int, T | Exception]] = []
        self._reported: SimpleQueue[tuple[int, T | Exception]] = SimpleQueue()
        self._reports = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._reports, READABLE)
        self._lock = Lock()
        self._is_closed = False

    def close(self) -> None:
        """Break off what is held, and free its files."""
        with self._lock:
            self._is_closed = True
            os.close(self._reports)
        for _, _, conversation in self._timers:
            conversation.steps.close()
        self._epoll.close()

    def begin(self, number: int, steps: Steps[T]) -> None:
        """Begin a conversation, up to its first wait."""
        self._go_on(_Conversation(number, steps), None)

    def report(self, number: int, outcome: T | Exception) -> None:
        """Have `turn` return this outcome, of a conversation that was held elsewhere."""
        with self._lock:
            if not self._is_closed:
                self._reported.put((number, outcome))
                os.eventfd_write(self._reports, 1)

    def turn(self, until_raw_ns: int) -> list[tuple[int, T | Exception]]:
        """Go on with what can go on; return what is over, as soon as something is or it is time."""
        while True:
            self._poll(until_raw_ns)
            now_ns = self._clock.raw_ns()
            while self._timers and self._timers[0][0] <= now_ns:
                self._look_at(heapq.heappop(self._timers)[2], now_ns)
            if self._ended or now_ns >= until_raw_ns:
                ended, self._ended = self._ended, []
                return ended

    def _poll(self, until_raw_ns: int) -> None:
        """Wait until then, or the next timer, for what is ready, and go on with it."""
        if self._timers:
            until_raw_ns = min(until_raw_ns, self._timers[0][0])
        wait_ns = 0 if self._ended else max(0, until_raw_ns - self._clock.raw_ns())
        for file, _ in self._epoll.poll(wait_ns / NS):
            if file == self._reports:
                self._take_reports()
            elif file in self._of_file:  # or its conversation has closed it a moment ago
                self._go_on(self._of_file[file], (file,))

    def _take_reports(self) -> None:
        os.eventfd_read(self._reports)
        try:
            while True:
                self._ended.append(self._reported.get_nowait())
        except Empty:
            return

    def _look_at(self, conversation: _Conversation[T], now_ns: int) -> None:
        """Go on with a conversation if its time is over; if that is later by now, look then."""
        conversation.timer_raw_ns = None
        if conversation.until_raw_ns is None:
            return
        if conversation.until_raw_ns <= now_ns:
            self._go_on(conversation, ())
        else:
            self._set_timer(conversation, conversation.until_raw_ns)

    def _go_on(self, conversation: _Conversation[T], ready: Collection[int] | None) -> None:
        before = conversation.files
        for file, _ in before:
            self._of_file.pop(file, None)
        steps = conversation.steps
        try:
            wait = next(steps) if ready is None else steps.send(ready)
        except StopIteration as end:
            conversation.files, conversation.until_raw_ns = (), None
            self._ended.append((conversation.number, end.value))
            return
        conversation.files, conversation.until_raw_ns = wait.files, wait.until_raw_ns
        for file, events in wait.files:
            self._of_file[file] = conversation
            self._watch(file, events, is_new=all(file != known for known, _ in before))
        self._set_timer(conversation, wait.until_raw_ns)

    def _watch(self, file: int, events: int, *, is_new: bool) -> None:
        """Watch a file; one that was closed is no longer known, though its number may be back."""
        if is_new:
            self._epoll.register(file, events)
            return
        try:
            self._epoll.modify(file, events)
        except FileNotFoundError:
            self._epoll.register(file, events)

    def _set_timer(self, conversation: _Conversation[T], raw_ns: int) -> None:
        """Look at a conversation then, unless that happens sooner anyway."""
        if conversation.timer_raw_ns is None or raw_ns < conversation.timer_raw_ns:
            conversation.timer_raw_ns = raw_ns
            heapq.heappush(self._timers, (raw_ns, next(self._timer_numbers), conversation))
