"""What `watch` waits for between measurements: a moment, a newline, a signal, nobody listening."""

import os
import select
import sys
from enum import Enum

from sources.clock import Clock

_READ_BYTES = 4096
_GONE = select.POLLERR | select.POLLHUP


class Wake(Enum):
    """Why a wait has ended."""

    TIME = "the moment has come"
    REQUEST = "somebody wrote a newline"
    SIGNAL = "a signal was handled"


class Waiting:
    """Waits for all of them at once."""

    def __init__(self, clock: Clock, *, is_heard: bool) -> None:
        """Wait on this clock; `is_heard` if stdout is where the results go."""
        self._clock = clock
        self._requests = 0
        self._open = sys.stdin is not None
        self._events = select.poll()
        if self._open:
            self._events.register(0, select.POLLIN)
        if is_heard:
            self._events.register(1, 0)  # says when the reader has gone
        self._signalled, self.wakened = os.pipe()
        """Writing to `wakened` ends a wait: Python does that at each signal."""
        for number in (self._signalled, self.wakened):
            os.set_blocking(number, False)
        self._events.register(self._signalled, select.POLLIN)

    def wait(self, until_raw_ns: int | None) -> Wake:
        """Wait until then, or for ever, for something to happen; return what it was.

        Raises EOFError where no request can come any more and there is nothing to wait until, and
        BrokenPipeError when nobody reads the results any more.
        """
        while True:
            for number, event in self._events.poll(self._patience_ms(until_raw_ns)):
                if number == 1 and event & _GONE:
                    raise BrokenPipeError
                if number == 0:
                    self._read()
                if number == self._signalled:
                    os.read(number, _READ_BYTES)
                    return Wake.SIGNAL
            if self._requests:
                self._requests -= 1
                return Wake.REQUEST
            if until_raw_ns is not None and until_raw_ns <= self._clock.raw_ns():
                return Wake.TIME

    def _patience_ms(self, until_raw_ns: int | None) -> int | None:
        """Return how long to wait, in milliseconds; None is for ever."""
        if self._requests:
            return 0
        if until_raw_ns is not None:
            # Rounded up: a moment that is nearly here is slept for, not spun for.
            return max(0, -(-(until_raw_ns - self._clock.raw_ns()) // 1_000_000))
        if not self._open:
            raise EOFError
        return None

    def _read(self) -> None:
        try:
            data = os.read(0, _READ_BYTES)
        except BlockingIOError:
            return  # another process that has it, too, was quicker
        except OSError:
            data = b""
        self._requests += data.count(b"\n")
        if not data:
            self._open = False
            self._events.unregister(0)
