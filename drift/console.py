"""Output and exit: what writes to stdout and stderr, and what ends the process.

Nobody is waited for: a line that stderr does not take at once is dropped, and a result that stdout
does not take by the deadline ends the program.
"""

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from drift.formats.base import BUG, NO_ANSWER, OK, WRONG_USAGE, OutputFormat, shown_path
from sources.base import ConfigError
from sources.clock import NS, BeyondReach, Clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal


_ALARM_AFTER_NS = 100 * NS // 1000
"""How long after the deadline we leave even if the main thread hangs in a system call."""
_LONGEST_LINE = 511
_LONGEST_BUG = 300
_MOMENT_MS = 50
_PIPE_BYTES = select.PIPE_BUF


def print_line(line: str) -> None:
    """Write one line to stderr: printable, under 512 bytes, dropped rather than waited for."""
    printable = "".join(letter if letter.isprintable() else " " for letter in line)
    data = f"time-drift: {printable}".encode("utf-8", "backslashreplace")
    if len(data) > _LONGEST_LINE - 1:
        data = data[: _LONGEST_LINE - 4].decode("utf-8", "ignore").encode() + b"..."
    writable = select.poll()
    writable.register(2, select.POLLOUT)
    if sys.stderr is not None and writable.poll(0):
        try:
            os.write(2, data + b"\n")
        except OSError:
            return


class Console:
    """Writes what came of a run, in one format, to one place: stdout, or a file replaced whole."""

    def __init__(
        self,
        output_format: OutputFormat,
        output: str | None,
        clock: Clock,
        unwritten_status: int = BUG,
        output_mode: int | None = None,
    ) -> None:
        """Write in this format; `output` is the path of the file, None for stdout.

        `unwritten_status` is the exit status, with the integer, if the result cannot be written;
        `output_mode` the permissions of the file, None for the usual ones.
        """
        self.output_format = output_format
        self._output = output
        self._output_mode = output_mode
        self._clock = clock
        self._unwritten_status = unwritten_status
        self._has_begun = False

    def write(self, text: str, end_raw_ns: int) -> int:
        """Write a result and return the exit status: one that nobody can read is no success."""
        place = self._place()
        hung = f"{place} cannot be written: nobody reads it"
        self.leave_after(end_raw_ns, partial(self._unwritten, hung))
        self._has_begun = True
        try:
            if self._output is not None:
                self._replace(text)
            elif sys.stdout is None:
                raise OSError("it is closed")
            else:
                # Programs read it, whatever the locale is.
                sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
                sys.stdout.flush()
        except OSError as error:
            return self._unwritten(f"{place} cannot be written: {error.strerror or error}")
        return OK

    def write_at_once(self, text: str) -> int:
        """Write a result to stdout in the handler of a signal, and return the exit status."""
        try:
            _write_at_once(text)
        except OSError as error:
            return self._unwritten(f"stdout cannot be written: {error.strerror or error}")
        return OK

    def refuse(self, why: str, end_raw_ns: int, status: int) -> None:
        """Say why there is no answer, once: an alarm that comes meanwhile has nothing to add."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))
        print_line(why)
        self.leave_after(end_raw_ns, lambda: status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))

    def fail(self, why: str, status: int) -> int:
        """Report that there is no result, and return the exit status of this format.

        Safe in the handler of a signal, and nobody is waited for: what is not taken at once is
        dropped. Where a result is half written, nothing is added to it.
        """
        if self.output_format.on_stderr:
            print_line(why)
        if not self._has_begun:
            self._has_begun = True
            try:
                text = self.output_format.render_failure(why, status)
                if self._output is not None:
                    self._replace(text)
                else:
                    _write_at_once(text)
            except OSError as error:
                found = f"{self._place()} cannot be written: {error.strerror or error}"
                self._print_line(found if self.output_format.on_stderr else f"{why}; and {found}")
        return self.output_format.exit_status(status)

    def guard(self, act: Callable[[], int], *, verbose: bool) -> int:
        """Return the exit status of `act`, or report why there is none."""
        try:
            return act()
        except ConfigError as error:
            return self.fail(str(error), WRONG_USAGE)
        except BeyondReach as error:
            return self.fail(f"no answer: {error}", NO_ANSWER)
        except Exception as bug:  # noqa: BLE001 - the last resort: one line and status 70
            if verbose and self.output_format.on_stderr and sys.stderr is not None:
                import traceback  # noqa: PLC0415 - only now

                traceback.print_exception(bug)
            text = " ".join(str(bug).split())[:_LONGEST_BUG]
            return self.fail(f"bug: {type(bug).__name__}: {text}", BUG)

    def leave_after(self, end_raw_ns: int, last_words: Callable[[], int]) -> None:
        """End the program shortly after `end_raw_ns`, whatever hangs, with what these return."""

        def leave(_number: int, _frame: "FrameType | None") -> None:
            os._exit(last_words())

        signal.signal(signal.SIGALRM, leave)
        left_ns = end_raw_ns + _ALARM_AFTER_NS - self._clock.raw_ns()
        signal.setitimer(signal.ITIMER_REAL, max(left_ns, 1_000_000) / NS)

    def rest(self) -> None:
        """Take back what `leave_after` set."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _place(self) -> str:
        return "stdout" if self._output is None else shown_path(self._output)

    def _replace(self, text: str) -> None:
        from drift.textfile import replace  # noqa: PLC0415 - only with --output

        assert self._output is not None  # noqa: S101 - the callers have looked
        replace(self._output, text, self._output_mode)

    def _unwritten(self, why: str) -> int:
        self._print_line(why)
        return self.output_format.exit_status(self._unwritten_status)

    def _print_line(self, why: str) -> None:
        """Report a failed write: on stderr, or on stdout if the format keeps stderr empty.

        Some formats keep stderr empty, because their readers take it for a part of the value.
        """
        if self._output is None or self.output_format.on_stderr:
            print_line(why)
            return
        with suppress(OSError):
            _write_at_once(self.output_format.render_failure(why, BUG))


def _write_at_once(text: str) -> None:
    """Write to stdout as much as it takes within a moment; raise OSError if that is not all.

    Not by Python's own buffer, in the middle of which the signal may have come. A pipe that can be
    written takes _PIPE_BYTES without blocking.
    """
    if sys.stdout is None:
        raise OSError("it is closed")
    left = text.encode("utf-8", "backslashreplace")
    writable = select.poll()
    writable.register(1, select.POLLOUT)
    while left:
        if not writable.poll(_MOMENT_MS):
            raise OSError("nobody reads it")
        left = left[os.write(1, left[:_PIPE_BYTES]) :]
