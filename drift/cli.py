"""From arguments to an exit status.

stdout carries the result in the output format that is asked for, and nothing else: the integer, or
nothing, unless another is named. stderr carries one line when there is no answer, and more only
with -v or --explain. A run is in drift/run/measure.py, what writes and leaves in drift/console.py.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from drift import config
from drift.config import Config
from drift.console import Console, print_line
from drift.formats.base import BUG, NO_ANSWER, WRONG_USAGE, OutputFormat
from drift.formats.integer import Integer
from drift.options import Options
from drift.run.measure import measure
from sources.clock import NS, BeyondReach, Clock, process_age_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal


COMMANDS = ("verify-evidence", "import-servers")
FLEET = ("probe", "serve")
"""Commands of the other half, which reads the clocks of others."""

_CLOCK = Clock()
_USUAL_TIMEOUT_NS = round(config.DEFAULT_TIMEOUT_S * NS)
_USUAL_EVERY_S = 60
"""How often agents run a check."""
_WRITING_NS = 10 * NS
"""How long what came of reading nodes may take to be written."""
_ENDED = "no answer: ended by a signal"


def main(arguments: Sequence[str]) -> int:
    """Run the program and return its exit status."""
    output_format: OutputFormat = Integer(Options())
    if not _is_usual(arguments):
        from drift.formats.registry import format_named_in  # noqa: PLC0415 - the integer needs no other

        output_format = format_named_in(arguments)
    # What a thread cannot even report for want of memory is a timeout; stderr is for our own line.
    # A function in C that takes one argument, as one in Python would itself want memory.
    sys.unraisablehook = callable
    console = Console(output_format, None, _CLOCK)
    try:
        began_raw_ns = _CLOCK.raw_ns() - process_age_ns(os.environ.get("TIME_DRIFT_STARTED"))
    except BeyondReach as error:
        return console.fail(f"no answer: {error}", NO_ANSWER)
    _leave_in_time(console, began_raw_ns)
    if sys.stdout is None and not any(word.startswith("--output") for word in arguments):
        print_line("stdout cannot be written: it is closed")
        return output_format.exit_status(BUG)
    verbose = "-v" in arguments or "--verbose" in arguments
    act = partial(_start, arguments, console, began_raw_ns, verbose=verbose)
    return console.guard(act, verbose=verbose)


def _leave_in_time(console: Console, began_raw_ns: int) -> None:
    """Have an end of it where not even the configuration can be read."""
    reading = "no answer: still reading the configuration"
    console.leave_after(began_raw_ns + _USUAL_TIMEOUT_NS, partial(console.fail, reading, NO_ANSWER))


def _start(arguments: Sequence[str], console: Console, began_raw_ns: int, *, verbose: bool) -> int:
    """Find out what is wanted and do it; `console` serves until the wanted format is there."""
    if arguments and arguments[0] in COMMANDS:
        return _command(arguments, console, began_raw_ns)
    if arguments and arguments[0] in FLEET:
        return _fleet(arguments, console)
    options = _options(arguments)
    if options.text is not None:
        return console.write(options.text, began_raw_ns + _USUAL_TIMEOUT_NS)
    if not options.plain:
        from drift.formats.registry import format_of  # noqa: PLC0415 - the integer needs no other

        console = Console(
            format_of(options), options.output, _CLOCK, output_mode=options.output_mode
        )
        _leave_in_time(console, began_raw_ns)
    return console.guard(partial(_obey, options, console, began_raw_ns), verbose=verbose)


def _obey(options: Options, console: Console, began_raw_ns: int) -> int:
    """Do what the options want and return the exit status."""
    if options.watch:
        from drift.run.watch import watch  # noqa: PLC0415 - only this command needs it

        return watch(options, console, _CLOCK)
    if console.output_format.is_plugin:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(_end, console))
    with _settings(options) as settings:
        if options.check_config:
            path = None if options.demo else config.find(options.config)
            text = _checked(settings, path, options)
            return console.write(text, began_raw_ns + _USUAL_TIMEOUT_NS)
        if options.splay_s is not None:
            from drift.run.splay import wait  # noqa: PLC0415 - only who asks for it needs it

            console.rest()
            began_raw_ns = wait(options.splay_s * NS, _CLOCK)
        return measure(options, settings, console, _CLOCK, began_raw_ns)


def _end(console: Console, _number: int, _frame: object) -> None:
    """Leave as a plugin has to; a second signal, to a whole group say, adds no second line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os._exit(console.fail(_ENDED, NO_ANSWER))


def _command(arguments: Sequence[str], console: Console, began_raw_ns: int) -> int:
    """Run a command that asks nobody, print what it says and return its exit status."""
    from drift.commands import run  # noqa: PLC0415 - measuring needs none of it

    end_raw_ns = began_raw_ns + _USUAL_TIMEOUT_NS
    late = f"{arguments[0]}: not done in time"
    console.leave_after(end_raw_ns, partial(console.fail, late, WRONG_USAGE))
    text, status = run(arguments)
    return console.write(text, end_raw_ns) or status


def _fleet(arguments: Sequence[str], console: Console) -> int:
    """Run a command that reads nodes, which takes as long as it takes."""
    from fleet.commands import run  # noqa: PLC0415 - measuring needs none of it

    def write(text: str) -> int:
        return console.write(text, _CLOCK.raw_ns() + _WRITING_NS)

    console.rest()
    return run(arguments, _CLOCK, write, print_line)


def _is_usual(arguments: Sequence[str]) -> bool:
    """Whether it is one of the two command lines that agents use every minute."""
    match arguments:
        case [] | ["--config", _]:
            return not arguments or not arguments[1].startswith("-")
    return False


def _options(arguments: Sequence[str]) -> Options:
    """Return the options; the usual ones need no argparse."""
    if _is_usual(arguments):
        options = Options()
        options.config = arguments[1] if arguments else None
        return options
    from drift.arguments import parse  # noqa: PLC0415 - 5 ms

    return parse(arguments)


def _settings(options: Options) -> AbstractContextManager[Config]:
    """Return the configuration asked for, that of a lab included, for as long as the lab runs."""
    if not options.demo:
        path = config.find(options.config)
        # A check leaves nothing behind: it is often root's, of a file for another user.
        return nullcontext(config.load(path, keeps=not options.check_config))
    from lab.world import demo  # noqa: PLC0415 - only the demo needs a lab

    return demo()


def _checked(settings: Config, path: str | None, options: Options) -> str:
    from drift.wording.votes import votes  # noqa: PLC0415 - only --check-config needs it
    from fleet.settings import described, load  # noqa: PLC0415

    text = votes(settings)
    if path is not None:
        how = load(path)
        text += described(how) if how.is_written else ""
    if options.nodes is not None:
        from drift.wording import load as wording  # noqa: PLC0415

        every_s = options.every_s or _USUAL_EVERY_S
        text += wording.load(
            settings, wording.Fleet(options.nodes, every_s, options.behind_one_address)
        )
    return text
