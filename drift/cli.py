"""From arguments to an exit status: the one place that writes and decides how to leave.

stdout carries the integer (or the JSON object) and nothing else; on every other path it stays
empty. stderr carries one line when there is no answer, and more only with -v or --explain.
"""

import os
import select
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING

from drift import config, state
from drift.config import Config
from drift.consensus import Answer, NoAnswer
from drift.gather import Gathered, gather
from drift.options import Options
from sources.base import ConfigError, Run
from sources.clock import NS, BeyondReach, Clock, process_age_ns
from sources.memory import Memory

if TYPE_CHECKING:
    from drift.verdict import Verdict

OK, WRONG_USAGE, NO_ANSWER, BUG = 0, 2, 3, 70
COMMANDS = ("verify-evidence", "import-servers")

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
    end_raw_ns = began_raw_ns + round(config.DEFAULT_TIMEOUT_S * NS)
    _leave_after(end_raw_ns, "no answer: still reading the configuration", NO_ANSWER)
    if sys.stdout is None:
        say("stdout cannot be written: it is closed")
        return BUG
    try:
        if arguments and arguments[0] in COMMANDS:
            return _command(arguments, end_raw_ns)
        options = _options(arguments)
        with _settings(options) as settings:
            if options.check_config:
                return _check(settings, end_raw_ns)
            return _measure(options, settings, began_raw_ns)
    except ConfigError as error:
        say(str(error))
        return WRONG_USAGE
    except BeyondReach as error:
        say(f"no answer: {error}")
        return NO_ANSWER


def _command(arguments: Sequence[str], end_raw_ns: int) -> int:
    """Run a command that asks nobody, print what it says and return its exit status."""
    from drift.commands import run  # noqa: PLC0415 - measuring needs none of it

    _leave_after(end_raw_ns, f"{arguments[0]}: not done in time", WRONG_USAGE)
    text, status = run(arguments)
    return _print(text, end_raw_ns) or status


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


def _check(settings: Config, end_raw_ns: int) -> int:
    from drift.report.votes import votes  # noqa: PLC0415 - only --check-config needs it

    assert isinstance(sys.stdout, TextIOWrapper)  # noqa: S101 - it is Python's own
    sys.stdout.reconfigure(errors="backslashreplace")  # operators' names know no locale
    return _print(votes(settings), end_raw_ns)


def _measure(options: Options, settings: Config, began_raw_ns: int) -> int:
    """Ask the sources, report what they say, and return the exit status."""
    timeout_ns = settings.timeout_ns
    if options.timeout_s is not None:
        timeout_ns = round(options.timeout_s * NS)
    end_raw_ns = began_raw_ns + timeout_ns
    kept_back_ns = _PICTURE_NS if options.picture else _LAST_WORDS_NS
    _leave_after(end_raw_ns, "no answer: still asking at the deadline", NO_ANSWER)
    deadline_raw_ns = end_raw_ns - min(kept_back_ns, timeout_ns // 4)
    memory = _memory(options, settings)
    gathered = gather(
        settings.sources,
        settings.rule,
        deadline_raw_ns,
        _CLOCK,
        patient=options.picture,
        awaited_kind=None if settings.evidence is None else "roughtime",
        memory=memory,
    )
    # Collecting evidence may hang, but must not cost what is settled.
    if options.plain and isinstance(gathered.decision, Answer):
        text = f"{gathered.decision.drift_s}\n"
        if settings.evidence is not None:
            _leave_after(end_raw_ns, None, OK, text)
            _collect(settings, gathered, deadline_raw_ns)
        return _print(text, end_raw_ns)
    status = _report(options, settings, gathered, end_raw_ns)
    for note in memory.notes if options.verbose else []:
        say(note)
    if settings.evidence is not None:
        _leave_after(end_raw_ns, None, status)
        for note in _collect(settings, gathered, deadline_raw_ns):
            if options.verbose:
                say(note)
    return status


def _memory(options: Options, settings: Config) -> Memory:
    """Return what earlier runs left; the lab's servers are new each time."""
    directory = None if options.demo else state.directory_of(settings.state)
    return Memory() if directory is None else state.State(directory, _CLOCK)


def _collect(settings: Config, gathered: Gathered, deadline_raw_ns: int) -> list[str]:
    """Collect evidence against Roughtime servers, if there is time; return notes for -v."""
    if settings.evidence is None or _CLOCK.raw_ns() >= deadline_raw_ns:
        return []
    from drift.evidence import collect  # noqa: PLC0415 - only where a directory is configured
    from sources.resolver import Resolver  # noqa: PLC0415

    run = Run(deadline_raw_ns, _CLOCK, Resolver(deadline_raw_ns, _CLOCK).addresses, os.urandom)
    try:
        return collect(gathered, settings.evidence, run, settings.rule.tolerance_ns)
    except Exception as error:  # noqa: BLE001 - evidence is no reason to take back the answer
        return [f"evidence: could not be collected: {type(error).__name__}: {error}"]


def _report(options: Options, settings: Config, gathered: Gathered, end_raw_ns: int) -> int:
    """Write everything that the options want, the result first; return the exit status."""
    from drift.report.refusal import refusal  # noqa: PLC0415 - a plain answer needs no report
    from drift.verdict import verdicts  # noqa: PLC0415

    found = verdicts(gathered, settings.rule.tolerance_ns)
    decision = gathered.decision
    why = refusal(decision, found) if isinstance(decision, NoAnswer) else None
    status = NO_ANSWER if why is not None else OK
    text = f"{decision.drift_s}\n" if isinstance(decision, Answer) else ""
    if options.json:
        from drift.report.json import to_json  # noqa: PLC0415

        text = to_json(gathered, found, settings.rule, why) + "\n"
    if text and _print(text, end_raw_ns) != OK:
        return BUG
    if options.picture:
        _leave_after(end_raw_ns, "the picture was not done by the deadline", status)
        _draw(gathered, found)
    if why is not None:
        say(why)
    if options.verbose:
        from drift.report.notes import notes  # noqa: PLC0415

        for note in notes(found):
            say(note)
    return status


def _draw(gathered: Gathered, found: "Sequence[Verdict]") -> None:
    """Draw the picture if anybody can see it. The result is out: whatever happens here is told."""
    from drift.report.explain import explain  # noqa: PLC0415 - rich costs 60 ms

    if sys.stderr is None:
        return
    try:
        explain(gathered, found)
    except Exception as error:  # noqa: BLE001 - a picture is no reason to take back the result
        say(f"the picture could not be drawn: {type(error).__name__}: {error}")


def _print(text: str, end_raw_ns: int) -> int:
    """Write to stdout and return the exit status: a result nobody can read is no success."""
    _leave_after(end_raw_ns, "stdout cannot be written: nobody reads it", BUG)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        say(f"stdout cannot be written: {error.strerror or error}")
        return BUG
    return OK


def _leave_after(end_raw_ns: int, line: str | None, status: int, answer: str = "") -> None:
    """End the program shortly after `end_raw_ns`, whatever hangs, with this answer and status.

    The line, if there is one, says why on stderr.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        if line is not None:
            say(line)
        os.write(1, answer.encode())
        os._exit(status)

    signal.signal(signal.SIGALRM, leave)
    left_ns = end_raw_ns + _ALARM_AFTER_NS - _CLOCK.raw_ns()
    signal.setitimer(signal.ITIMER_REAL, max(left_ns, 1_000_000) / NS)
