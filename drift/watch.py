"""The command `watch`: stay, and measure again and again.

Each measurement is made in a process of its own, forked from this one, which has loaded everything
already. So each keeps exactly the contract of a single run, whatever hangs hangs for one run only,
and nothing that a run allocates is left behind. This process waits, and has no threads.

It measures on a schedule, and once for each newline on stdin (as Telegraf's execd asks). SIGHUP has
it read the configuration again; SIGTERM ends it at once, and what it is measuring.
"""

import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Protocol

from drift import config
from drift.forms import form_of
from drift.measure import measure
from drift.options import Options
from drift.report.form import Form
from drift.schedule import Schedule
from drift.status import BUG, OK
from drift.voice import Voice, say
from sources.base import ConfigError
from sources.clock import NS, Clock

_ENDING = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_NS = 2 * NS
"""How long after its timeout a measurement is killed that did not end itself."""
_READ = 4096


def watch(options: Options, voice: Voice, clock: Clock) -> int:
    """Measure until there is nobody to measure for, and return the exit status."""
    measuring = Measuring(options, clock)
    voice.rest()
    for number in _ENDING:
        signal.signal(number, measuring.end)
    signal.signal(signal.SIGHUP, measuring.reload)
    gc.enable()
    asked = Inbox(clock, is_heard=options.output is None)
    schedule = None
    if options.every_s is not None:
        schedule = Schedule(options.every_s * NS, clock.raw_ns(), _below)
    return keep_on(schedule, asked, measuring.once, clock)


class Inbox:
    """What is waited for between measurements: newlines on stdin, and whether anybody listens."""

    def __init__(self, clock: Clock, *, is_heard: bool) -> None:
        """Wait on this clock; `is_heard` if stdout is where the results go."""
        self._clock = clock
        self._requests = 0
        self._open = sys.stdin is not None
        self._events = select.poll()
        if self._open:
            self._events.register(0, select.POLLIN)
        if is_heard:
            self._events.register(1, 0)  # tells when the reader has gone

    def wait(self, until_raw_ns: int | None) -> bool:
        """Wait until then, or for ever, for a newline; see Waits."""
        while not self._requests:
            left_ns = None if until_raw_ns is None else until_raw_ns - self._clock.raw_ns()
            if left_ns is None and not self._open:
                raise EOFError
            if left_ns is not None and left_ns <= 0:
                return False
            # Rounded up: a moment that is nearly here is slept for, not spun for.
            for number, event in self._events.poll(
                None if left_ns is None else -(-left_ns // 1_000_000)
            ):
                if number == 1 and event & (select.POLLERR | select.POLLHUP):
                    raise BrokenPipeError
                if number == 0:
                    self._read()
        self._requests -= 1
        return True

    def _read(self) -> None:
        try:
            data = os.read(0, _READ)
        except OSError:
            data = b""
        self._requests += data.count(b"\n")
        if not data:
            self._open = False
            self._events.unregister(0)


class Waits(Protocol):
    """What `keep_on` needs of an inbox."""

    def wait(self, until_raw_ns: int | None) -> bool:
        """Wait until then, or for ever, for a request; return whether one came.

        Raises EOFError where no request can come any more and there is nothing to wait until, and
        BrokenPipeError when nobody reads the results any more.
        """


def keep_on(schedule: Schedule | None, inbox: Waits, once: Callable[[], int], clock: Clock) -> int:
    """Measure at each moment of the schedule, if there is one, and for each request."""
    due_raw_ns = None if schedule is None else schedule.first_raw_ns()
    while True:
        try:
            asked = inbox.wait(due_raw_ns)
        except EOFError:
            return OK
        except BrokenPipeError:
            say("stdout cannot be written: nobody reads it")
            return BUG
        once()
        if not asked and schedule is not None:
            due_raw_ns = schedule.next_raw_ns(clock.raw_ns())


class Measuring:
    """Measures in processes of their own, one at a time."""

    def __init__(self, options: Options, clock: Clock) -> None:
        """Read the configuration, or raise ConfigError."""
        self._options = options
        self._clock = clock
        self._child = 0
        self._settings = config.load(config.find(options.config))

    def reload(self, _number: int, _frame: object) -> None:
        """Read the configuration again; the one before stays if that cannot be done."""
        try:
            self._settings = config.load(config.find(self._options.config))
        except ConfigError as error:
            say(f"{error}; the configuration of before stays")

    def end(self, number: int, _frame: object) -> None:
        """Leave, and take along what is being measured."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
        os._exit(128 + number)

    def once(self) -> int:
        """Measure once, and return the exit status of that."""
        for name in sorted({name for s in self._settings.sources for name in s.libraries}):
            import_module(name)  # here, so that it is loaded once and not in every child
        reading, writing = os.pipe()
        with _no_end_meanwhile():
            self._child = os.fork()
            if not self._child:
                self._be_the_child()
        os.close(writing)
        self._kill_if_hanging(reading)
        os.close(reading)
        with _no_end_meanwhile():
            _, status = os.waitpid(self._child, 0)
            self._child = 0
        return os.waitstatus_to_exitcode(status)

    def _be_the_child(self) -> None:
        """Measure as a single run would, and never return."""
        status = BUG
        try:
            gc.disable()
            for number in _ENDING:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            # Were even the form not to be had, the plain one says so.
            plain = Voice(Form(), None, self._clock)
            status = plain.guard(self._measured, verbose=self._options.verbose)
        finally:
            os._exit(status)

    def _measured(self) -> int:
        options, settings, clock = self._options, self._settings, self._clock
        began_raw_ns = clock.raw_ns()
        voice = Voice(form_of(options), options.output, clock)
        return voice.guard(
            lambda: measure(options, settings, voice, clock, began_raw_ns),
            verbose=options.verbose,
        )

    def _kill_if_hanging(self, reading: int) -> None:
        """Wait for the child to leave, whose end of the pipe then closes."""
        timeout_ns = self._settings.timeout_ns
        if self._options.timeout_s is not None:
            timeout_ns = round(self._options.timeout_s * NS)
        leaving = select.poll()
        leaving.register(reading, 0)
        if not leaving.poll((timeout_ns + _PATIENCE_NS) // 1_000_000):
            os.kill(self._child, signal.SIGKILL)


@contextmanager
def _no_end_meanwhile() -> Iterator[None]:
    """Let signals wait: what is being measured is known by its number, or is not there."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _below(limit: int) -> int:
    return int.from_bytes(os.urandom(8)) % max(1, limit)
