"""The command line: arguments in, Options out. Pure but for the width of --help."""

import argparse
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from drift import __version__
from drift.config import LONGEST_TIMEOUT_S
from drift.formats.registry import format_class
from drift.formats.registry import names as format_names
from drift.options import DEFAULT_FORMAT, Options
from sources.base import ConfigError

if TYPE_CHECKING:
    from drift.formats.nagios import Threshold

WATCH = "watch"

RANGES = {"-w": "--warning", "-c": "--critical"}
_SPAN = re.compile("([0-9]{1,6})([smhd]?)")
_MODE = re.compile("0?([67][0-7]{2})")
_NODES = re.compile("[1-9][0-9]{0,6}")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_USUAL_COLUMNS = 80


class _Shown(Exception):
    """The text of --help or of --version is wanted, and nothing else."""


class _Show(argparse.Action):
    """An option that is answered by a text. argparse, which could hang, does not print it."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, show: Callable[[], str], **more: Any
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)
        self._show = show

    def __call__(self, *_: object) -> NoReturn:
        raise _Shown(self._show())


class OneLineParser(argparse.ArgumentParser):
    """argparse, with errors on one line."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError, which is printed on one line."""
        if message.startswith("unrecognized arguments:") and WATCH in message.split():
            message = f"{message}: {WATCH} goes first"
        raise ConfigError(f"{message}; see --help")


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; where --help or --version is among them, with the text to print.

    Raises ConfigError on wrong usage.
    """
    options = Options()
    options.watch = list(arguments[:1]) == [WATCH]
    parser = parser_for(options)
    try:
        parser.parse_args(joined_ranges(arguments[options.watch :]), namespace=options)
    except _Shown as shown:
        options.text = str(shown)
        return options
    _check(parser, options)
    return options


def parser_for(options: Options) -> argparse.ArgumentParser:
    """Return the parser that fills in these options: that of `watch`, if they are of `watch`."""
    parser = OneLineParser(
        prog="time-drift watch" if options.watch else "time-drift",
        formatter_class=_formatter(_USUAL_COLUMNS),
        allow_abbrev=False,
        add_help=False,
    )
    _add_arguments(parser, options)
    return parser


def _formatter(wide: int) -> "partial[argparse.RawDescriptionHelpFormatter]":
    """Return argparse's, as wide as that: to ask the terminal's width it imports shutil."""
    return partial(argparse.RawDescriptionHelpFormatter, width=wide)


def _add_arguments(parser: argparse.ArgumentParser, options: Options) -> None:
    def measuring(text: str) -> str:
        """Return the help of an option that `watch` knows, but refuses."""
        return argparse.SUPPRESS if options.watch else text

    parser.add_argument(
        "-h", "--help", action=_Show, show=partial(_help, parser, options), help="show this help"
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    parser.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="SECONDS",
        type=_timeout,
        help="seconds for the whole run, over the configuration's",
    )
    parser.add_argument(
        "--every",
        dest="every_s",
        metavar="SPAN",
        type=partial(_span, longest="1d"),
        help="from one measurement to the next, 1s to 1d, as in 60s, 5m, 1h"
        if options.watch
        else "with --nodes: from one run to the next, 1s to 1d; 60s if not given",
    )
    parser.add_argument(
        "--splay",
        dest="splay_s",
        metavar="SPAN",
        type=partial(_span, longest="1h"),
        help="before the schedule begins, wait a time of this machine's own, less than SPAN (1s to "
        "1h): for machines that start together"
        if options.watch
        else "wait first, a time of this machine's own, less than SPAN (1s to 1h), not counted by "
        "--timeout: for cron, which starts all machines together; not for agents that wait "
        "3 s for a check",
    )
    names = format_names()
    parser.add_argument(
        "--format",
        type=str.lower,
        choices=names,
        metavar="NAME",
        help=f"the output format: {', '.join(_formats(options))}",
    )
    parser.add_argument(
        "--json",
        action="store_const",
        dest="format",
        const="json",
        help="the same as --format json",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=_file,
        help="write into FILE instead of stdout: whole, and also when there is no answer",
    )
    parser.add_argument(
        "--output-mode",
        metavar="MODE",
        type=_mode,
        help="the permissions of FILE, in octal; without it those of the file that is there, "
        "and of a new one 0644, whatever the umask",
    )
    for short, long in RANGES.items():
        text = (
            f"nagios: {long[2:].upper()} if the integer is outside -N..N, "
            "or outside a range as in -1:2"
        )
        parser.add_argument(short, long, metavar="N", type=read_range, help=measuring(text))
    for option, text in (
        ("--explain", "also show each source, its verdict and a picture, on stderr"),
        ("--check-config", "check the configuration, print who has how many votes, and stop"),
        ("--demo", "run on a built-in lab, without internet"),
        (
            "--behind-one-address",
            "with --nodes: they have one public address, as behind NAT",
        ),
    ):
        parser.add_argument(option, action="store_true", help=measuring(text))
    parser.add_argument(
        "--nodes",
        metavar="N",
        type=_nodes,
        help=measuring(
            "with --check-config: also print how often N nodes ask whom, and which published "
            "limits that passes"
        ),
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="one line a source on stderr; tracebacks"
    )
    parser.add_argument(
        "--version",
        action=_Show,
        show=lambda: f"time-drift {__version__}\n",
        help="show the version",
    )


def _formats(options: Options) -> list[str]:
    """Return the formats that go with the command: watch has no exit status of its own to give."""
    names = format_names()
    return [name for name in names if not (options.watch and format_class(name).is_plugin)]


def _help(parser: argparse.ArgumentParser, options: Options) -> str:
    from drift.wording import usage  # noqa: PLC0415 - only a person wants it
    from drift.wording.terminal import help_columns  # noqa: PLC0415

    wide = help_columns()
    command = usage.WATCH if options.watch else usage.PROGRAM
    parser.formatter_class = _formatter(wide)
    parser.description = usage.description(command, wide)
    rows = [(name, format_class(name).summary) for name in _formats(options)]
    parser.epilog = usage.epilog(command, wide, rows)
    return parser.format_help()


def _check(parser: argparse.ArgumentParser, options: Options) -> None:
    """Refuse what does not go together."""
    if options.demo and options.config is not None:
        parser.error("--demo runs on a lab of its own: --config does not go with it")
    if options.check_config and (
        options.format != DEFAULT_FORMAT or options.explain or options.output
    ):
        parser.error("--check-config asks nobody: --explain, --json and the like do not go with it")
    _check_load(parser, options)
    _check_splay(parser, options)
    if options.output_mode is not None and options.output is None:
        parser.error("--output-mode goes with --output only")
    is_plugin = format_class(options.format).is_plugin
    if not is_plugin and (options.warning or options.critical):
        parser.error("-w and -c go with --format nagios only")
    if options.watch and is_plugin:
        parser.error("watch: --format nagios does not go with it: its state is an exit status")
    if options.watch and (options.picture or options.check_config):
        parser.error("watch: --explain, --demo and --check-config do not go with it")


def _check_load(parser: argparse.ArgumentParser, options: Options) -> None:
    """Refuse what only makes sense where a load is reckoned."""
    if options.nodes is not None and not options.check_config:
        parser.error("--nodes goes with --check-config only")
    if options.nodes is None and options.behind_one_address:
        parser.error("--behind-one-address goes with --check-config --nodes N only")
    if options.nodes is None and options.every_s is not None and not options.watch:
        parser.error(f"--every goes with {WATCH}, or with --check-config --nodes N, only")


def _check_splay(parser: argparse.ArgumentParser, options: Options) -> None:
    """Refuse a wait where nobody is asked, or where there is no schedule to begin later."""
    if options.splay_s is None:
        return
    if options.demo or options.check_config:
        parser.error("--splay keeps servers from being asked all at once: here none is asked")
    if options.watch and options.every_s is None:
        parser.error(f"{WATCH}: --splay delays the schedule of --every, which is not given")


def joined_ranges(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each range in one word with its option.

    argparse takes the `-1:1` of `-c -1:1` for an option.
    """
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in (*RANGES, *RANGES.values()) and argument != "--":
            option = joined.pop()
            joined.append(f"{RANGES.get(option, option)}={argument}")
        else:
            joined.append(argument)
    return joined


def read_range(text: str) -> "Threshold":
    """Return what the word after -w or -c says."""
    from drift.formats.nagios import read_threshold  # noqa: PLC0415 - 13 ms

    try:
        return read_threshold(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: allowed is a size of the drift in seconds, as in 1, or a range "
            "[@]start:end, as in -1:2, ~:0, @2:4"
        ) from None


def _file(text: str) -> str:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is the path of a file")
    return text


def _mode(text: str) -> int:
    found = _MODE.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"{text!r}: allowed is 0600 to 0777, in octal, read and write for its owner: as in 0640"
        )
    return int(found[1], 8)


def _span(text: str, longest: str) -> int:
    seconds = _seconds_in(text)
    if not 1 <= seconds <= _seconds_in(longest):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is 1s to {longest}, as in 50s, 5m, 1h")
    return seconds


def _seconds_in(text: str) -> int:
    """Return the seconds of a span, 0 where it is none."""
    found = _SPAN.fullmatch(text)
    return int(found[1]) * _UNITS_S[found[2] or "s"] if found else 0


def _nodes(text: str) -> int:
    found = _NODES.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is 1 to 9999999")
    return int(text)


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise argparse.ArgumentTypeError(
            f"{text!r}: allowed is more than 0, up to {LONGEST_TIMEOUT_S:g} seconds"
        )
    return seconds
