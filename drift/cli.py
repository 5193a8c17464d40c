"""From arguments to an exit status: the one place that writes and decides how to leave.

stdout carries the integer (or the JSON object) and nothing else; on every other path it stays
empty. stderr carries one line when there is no answer, and more only with -v or --explain.
"""

import os
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from types import FrameType

from drift import config
from drift.config import Config
from drift.consensus import Answer, NoAnswer
from drift.gather import Gathered, gather
from drift.options import Options
from sources.base import ConfigError
from sources.clock import NS, Clock, process_age_ns

OK, WRONG_USAGE, NO_ANSWER, BUG = 0, 2, 3, 70

_LAST_WORDS_NS = 30 * NS // 1000
"""Kept back from the timeout for deciding, printing and leaving."""
_PICTURE_NS = 300 * NS // 1000
"""Kept back for --explain: importing rich and drawing."""
_ALARM_AFTER_NS = 100 * NS // 1000
"""How long after the deadline we leave even if the main thread hangs in a system call."""
_LONGEST_LINE = 511

_CLOCK = Clock()


def main(arguments: Sequence[str]) -> int:
    """Run the program and return its exit status; unexpected exceptions are the caller's."""
    began_raw_ns = _CLOCK.raw_ns() - process_age_ns(os.environ.get("TIME_DRIFT_STARTED"))
    _leave_after(began_raw_ns + round(config.DEFAULT_TIMEOUT_S * NS), "reading the configuration")
    if sys.stdout is None:
        say("stdout cannot be written: it is closed")
        return BUG
    try:
        options = _options(arguments)
        with _settings(options) as settings:
            if options.check_config:
                return _check(settings)
            return _measure(options, settings, began_raw_ns)
    except ConfigError as error:
        say(str(error))
        return WRONG_USAGE


def say(line: str) -> None:
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


def _options(arguments: Sequence[str]) -> Options:
    """Return the options. The two forms that agents use every minute need no argparse."""
    match arguments:
        case []:
            return Options()
        case ["--config", path] if not path.startswith("-"):
            options = Options()
            options.config = path
            return options
    from drift.arguments import parse  # noqa: PLC0415 - 5 ms

    return parse(arguments)


def _settings(options: Options) -> AbstractContextManager[Config]:
    """Return the configuration asked for, that of a lab included, for as long as the lab runs."""
    if not options.demo:
        return nullcontext(config.load(config.find(options.config)))
    from lab.world import demo  # noqa: PLC0415 - only the demo needs a lab

    return demo()


def _check(settings: Config) -> int:
    from drift.report.votes import votes  # noqa: PLC0415 - only --check-config needs it

    return _print(votes(settings))


def _measure(options: Options, settings: Config, began_raw_ns: int) -> int:
    """Ask the sources, report what they say, and return the exit status."""
    timeout_ns = settings.timeout_ns
    if options.timeout_s is not None:
        timeout_ns = round(options.timeout_s * NS)
    end_raw_ns = began_raw_ns + timeout_ns
    kept_back_ns = _PICTURE_NS if options.picture else _LAST_WORDS_NS
    _leave_after(end_raw_ns, "asking")
    deadline_raw_ns = end_raw_ns - min(kept_back_ns, timeout_ns // 4)
    gathered = gather(
        settings.sources, settings.rule, deadline_raw_ns, _CLOCK, patient=options.picture
    )
    answer = gathered.decision if isinstance(gathered.decision, Answer) else None
    text = None if answer is None else f"{answer.drift_s}\n"
    if answer is None or not options.plain:
        text = _report(options, settings, gathered, text)
    if text is not None:
        _leave_after(end_raw_ns, "writing the result", BUG)
        status = _print(text)
        if status != OK:
            return status
    return NO_ANSWER if answer is None else OK


def _report(options: Options, settings: Config, gathered: Gathered, text: str | None) -> str | None:
    """Write to stderr what the options want there; return what stdout gets, if anything."""
    from drift.report.refusal import refusal  # noqa: PLC0415 - a plain answer needs no report
    from drift.verdict import verdicts  # noqa: PLC0415

    found = verdicts(gathered, settings.rule.tolerance_ns)
    decision = gathered.decision
    why = refusal(decision, found) if isinstance(decision, NoAnswer) else None
    if options.picture and sys.stderr is not None:
        from drift.report.explain import explain  # noqa: PLC0415 - rich costs 60 ms

        with suppress(OSError):  # a picture that nobody can see is no reason not to answer
            explain(gathered, found, why)
    elif why is not None:
        say(why)
    if options.verbose:
        from drift.report.notes import notes  # noqa: PLC0415

        for note in notes(found):
            say(note)
    if options.json:
        from drift.report.json import to_json  # noqa: PLC0415

        text = to_json(gathered, found, settings.rule, why) + "\n"
    return text


def _print(text: str) -> int:
    """Write to stdout and return the exit status: a result nobody can read is no success."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        say(f"stdout cannot be written: {error.strerror or error}")
        return BUG
    return OK


def _leave_after(end_raw_ns: int, doing: str, status: int = NO_ANSWER) -> None:
    """End the program shortly after `end_raw_ns` should the main thread hang while `doing` this."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        say(f"no answer: still {doing} at the deadline")
        os._exit(status)

    signal.signal(signal.SIGALRM, leave)
    left_ns = end_raw_ns + _ALARM_AFTER_NS - _CLOCK.raw_ns()
    signal.setitimer(signal.ITIMER_REAL, max(left_ns, 1_000_000) / NS)
