"""Conversations in steps: written once, held by a thread that waits, or by the hundred in one loop.

A conversation is a generator. It yields what it waits for, is sent which of its files are ready
then, none of them once the time is over, and returns what came of it.
"""

import select
from collections.abc import Collection, Generator
from contextlib import closing
from typing import TypeVar

from sources.clock import Clock
from sources.record import Record

T = TypeVar("T")

READABLE, WRITABLE = select.POLLIN, select.POLLOUT
"""The same bits for poll and epoll."""


class Wait(Record):
    """What a conversation waits for."""

    files: tuple[tuple[int, int], ...]
    """Numbers of files, and what each has to be, READABLE or WRITABLE; any of them will do."""
    until_raw_ns: int


Steps = Generator[Wait, Collection[int], T]


def held(steps: Steps[T], clock: Clock) -> T:
    """Hold a conversation in this thread, and return or raise what came of it."""
    with closing(steps):
        try:
            wait = next(steps)
            while True:
                wait = steps.send(_ready(wait, clock))
        except StopIteration as end:
            returned: T = end.value
            return returned


def _ready(wait: Wait, clock: Clock) -> list[int]:
    poll = select.poll()
    for number, events in wait.files:
        poll.register(number, events)
    left_ns = max(0, wait.until_raw_ns - clock.raw_ns())
    return [number for number, _ in poll.poll(-(-left_ns // 1_000_000))]
