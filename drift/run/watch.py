"""The command `watch`: stay, and measure again and again.

Measurements are made in a process of their own, forked from this one, which has loaded everything
already. So each keeps the contract of a single run: what hangs, hangs in there only. This process
waits, and has no threads.

It measures on a schedule, and once for each newline on stdin (as Telegraf's execd asks). SIGHUP has
it read the configuration again; SIGTERM ends it at once, and what it is measuring.
"""

import gc
import os
import signal
from contextlib import suppress
from importlib import import_module
from typing import Protocol

from drift import config
from drift.console import Console, print_line
from drift.formats.base import BUG, NO_ANSWER, OK
from drift.formats.integer import Integer
from drift.formats.registry import format_of
from drift.options import Options
from drift.run.measure import measure
from drift.run.schedule import Schedule
from drift.run.waiting import Waiting, Wake
from drift.run.worker import ENDING, Worker
from sources.base import ConfigError
from sources.clock import NS, Clock

_PATIENCE_NS = 2 * NS
"""How long after its timeout a measurement is killed that did not end itself."""
_READING_S = 2.5
"""How long a configuration may take to be read again."""
_NOTHING_TO_DO = (
    "watch: stdin is at its end and --every is not given, so there is never anything to measure: "
    "give --every 60s, or write a newline to stdin for each measurement"
)
_UNWRITTEN = 74
"""By which a child says that its result could not be written to stdout (EX_IOERR)."""


def watch(options: Options, console: Console, clock: Clock) -> int:
    """Measure until there is nobody to measure for, and return the exit status."""
    measuring = Measuring(options, clock)
    console.rest()
    waiting = Waiting(clock, is_heard=options.output is None)
    signal.set_wakeup_fd(waiting.wakened, warn_on_full_buffer=False)
    for number in ENDING:
        signal.signal(number, measuring.end)
    signal.signal(signal.SIGHUP, measuring.note_change)
    # Whoever started us may have changed these two.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
    gc.enable()
    schedule = None
    if options.every_s is not None:
        begins_raw_ns = clock.raw_ns()
        if options.splay_s is not None:
            from drift.run.splay import own_share_ns  # noqa: PLC0415 - only who asks for it needs it

            begins_raw_ns += own_share_ns(options.splay_s * NS)
        schedule = Schedule(options.every_s * NS, begins_raw_ns, _below)
    return keep_on(schedule, waiting, measuring, clock)


class Waits(Protocol):
    """What `keep_on` needs of what waits."""

    def wait(self, until_raw_ns: int | None) -> Wake:
        """Wait, as `Waiting.wait` does."""


class Measures(Protocol):
    """What `keep_on` does when it is time."""

    def once(self) -> int:
        """Measure once, and return the exit status of that."""

    def reload(self) -> None:
        """Read the configuration again if that was asked for."""


def keep_on(schedule: Schedule | None, waiting: Waits, measuring: Measures, clock: Clock) -> int:
    """Measure at each moment of the schedule, if there is one, and for each request.

    Raises ConfigError where there never can be a request, nor is there a schedule.
    """
    has_measured = False
    due_raw_ns = None if schedule is None else schedule.first_raw_ns()
    while True:
        try:
            wake = waiting.wait(due_raw_ns)
        except EOFError:
            if not has_measured:
                raise ConfigError(_NOTHING_TO_DO) from None
            return OK
        except BrokenPipeError:
            print_line("stdout cannot be written: nobody reads it")
            return BUG
        measuring.reload()
        if wake is Wake.SIGNAL:
            continue
        if measuring.once() == _UNWRITTEN:
            return BUG
        has_measured = True
        if wake is Wake.TIME and schedule is not None:
            due_raw_ns = schedule.next_raw_ns(clock.raw_ns())


class Measuring:
    """Measures in a process of its own, by the configuration as it was read last."""

    def __init__(self, options: Options, clock: Clock) -> None:
        """Read the configuration, or raise ConfigError."""
        self._options = options
        self._clock = clock
        self._has_changed = False
        self._settings = config.load(config.find(options.config))
        self._worker = Worker(self._measured)

    def note_change(self, _number: int, _frame: object) -> None:
        """Have the configuration read again before the next measurement."""
        self._has_changed = True

    def reload(self) -> None:
        """Read the configuration again if that was asked for; where it is bad the old one stays."""
        if not self._has_changed:
            return
        self._has_changed = False
        signal.signal(signal.SIGALRM, _too_late)
        signal.setitimer(signal.ITIMER_REAL, _READING_S)
        try:
            self._settings = config.load(config.find(self._options.config))
        except (ConfigError, TimeoutError) as error:
            print_line(f"{error}; the configuration of before stays")
            return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._worker.dismiss()  # it has the configuration of before

    def end(self, number: int, _frame: object) -> None:
        """Leave, and kill the measurement under way."""
        self._worker.kill()
        os._exit(128 + number)

    def once(self) -> int:
        """Measure once, and return the exit status of that."""
        for name in sorted({name for s in self._settings.sources for name in s.libraries}):
            with suppress(Exception):  # what cannot be loaded here fails its sources there
                import_module(name)  # here, so that it is loaded once and not in every child
        timeout_ns = self._settings.timeout_ns
        if self._options.timeout_s is not None:
            timeout_ns = round(self._options.timeout_s * NS)
        try:
            status = self._worker.measure((timeout_ns + _PATIENCE_NS) // 1_000_000)
        except OSError as error:  # no process, memory or file to be had: the next time, perhaps
            return self._fail(f"no answer: nothing to measure with: {error.strerror or error}")
        if status < 0:  # it could not say anything itself
            return self._fail(f"no answer: the measurement was ended by signal {-status}")
        return status

    def _fail(self, why: str) -> int:
        return self._console_of(BUG).fail(why, NO_ANSWER)

    def _console_of(self, unwritten_status: int) -> Console:
        options = self._options
        return Console(
            format_of(options),
            options.output,
            self._clock,
            unwritten_status,
            options.output_mode,
        )

    def _measured(self) -> int:
        """Measure as a single run would, and return its exit status."""
        # If the output format cannot be loaded, the integer's console reports that.
        plain = Console(Integer(Options()), None, self._clock)
        status = plain.guard(self._reported, verbose=self._options.verbose)
        plain.rest()
        return status

    def _reported(self) -> int:
        options, settings, clock = self._options, self._settings, self._clock
        began_raw_ns = clock.raw_ns()
        # A file may be writable the next time; half a line on stdout stays half a line.
        unwritten = _UNWRITTEN if options.output is None else BUG
        console = self._console_of(unwritten)
        return console.guard(
            lambda: measure(options, settings, console, clock, began_raw_ns),
            verbose=options.verbose,
        )


def _too_late(_number: int, _frame: object) -> None:
    raise TimeoutError(f"not read within {_READING_S:g} s")


def _below(limit: int) -> int:
    return int.from_bytes(os.urandom(8)) % max(1, limit)
