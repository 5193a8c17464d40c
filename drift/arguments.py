"""The command line: arguments in, Options out. Pure but for printing --help and --version."""

import argparse
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from drift import __version__
from drift.config import LONGEST_TIMEOUT_S
from drift.options import FORMATS, Options
from sources.base import ConfigError

if TYPE_CHECKING:
    from drift.report.nagios import Threshold

WATCH = "watch"

_HELP_COLUMNS = 96
_RANGES = {"-w": "--warning", "-c": "--critical"}
_SPAN = re.compile("([0-9]{1,6})([smhd]?)")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_SPAN_S = 86_400

_DESCRIPTION = """\
Ask many independent time sources and print this machine's clock minus true time, in whole
seconds: -4 means that this clock is 4 seconds BEHIND. It never sets a clock."""

_EPILOG = """\
examples:
  time-drift                          print the integer, e.g. -4
  time-drift --explain                the same, and why, as a table and a picture on stderr
  time-drift --json                   everything, as one JSON object
  time-drift --format nagios -w 0 -c 1
  time-drift --format prometheus --output /var/lib/prometheus/node-exporter/time-drift.prom
  time-drift --config my.toml --check-config
  time-drift --demo                   run on a built-in little internet with a liar; prints -4

other commands:
  time-drift watch --every 60s        stay, and measure every minute, and once for each newline on
                                      stdin; without --every for newlines only. SIGHUP reads the
                                      configuration again, SIGTERM ends it
  time-drift verify-evidence FILE     check a Roughtime malfeasance report, whoever made it:
                                      who signed what, in which order, whom it convicts;
                                      exit status 0 proven, 1 proves nothing, 2 unreadable
  time-drift import-servers LIST.json print tables for config.toml from a Roughtime server list

exit status:
  0 an integer was printed    2 wrong usage or configuration    3 no trustworthy answer
  70 a bug, or stdout cannot be written    130, 143 interrupted, terminated
  with --format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, whatever it is"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's, with a width of its own: to ask the terminal's would import shutil each run."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_HELP_COLUMNS)


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in our one-line form."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments:") and WATCH in message.split():
            message = f"{message}: {WATCH} goes first"
        raise ConfigError(f"{message}; see --help")


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; raise ConfigError on wrong usage, SystemExit after --help, --version."""
    options = Options()
    options.watch = list(arguments[:1]) == [WATCH]
    parser = _Parser(
        prog=f"time-drift {WATCH}" if options.watch else "time-drift",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    _add_arguments(parser)
    if options.watch:
        parser.add_argument(
            "--every",
            dest="every_s",
            metavar="SPAN",
            type=_span,
            help="watch: from one measurement to the next, 1s to 1d, as in 60s, 5m, 1h",
        )
    parser.parse_args(_joined(arguments[options.watch :]), namespace=options)
    _check(parser, options)
    return options


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    parser.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="SECONDS",
        type=_timeout,
        help="seconds for the whole run, over the configuration's",
    )
    parser.add_argument(
        "--format", type=str.lower, choices=FORMATS, metavar="FORM", help=", ".join(FORMATS)
    )
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="--format json"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=_file,
        help="write into FILE instead of stdout: whole, and also when there is no answer",
    )
    for short, long in _RANGES.items():
        text = f"nagios: {long[2:].upper()} if the integer is outside this range"
        parser.add_argument(short, long, metavar="RANGE", type=_range, help=text)
    for option, text in (
        ("--explain", "also show each source, its verdict and a picture, on stderr"),
        ("--check-config", "check the configuration, print who has how many votes, and stop"),
        ("--demo", "run on a built-in lab, without internet"),
    ):
        parser.add_argument(option, action="store_true", help=text)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="one line a source on stderr; tracebacks"
    )
    parser.add_argument("--version", action="version", version=f"time-drift {__version__}")


def _check(parser: argparse.ArgumentParser, options: Options) -> None:
    """Refuse what does not go together."""
    if options.demo and options.config is not None:
        parser.error("--demo runs on a lab of its own: --config does not go with it")
    if options.check_config and (options.format != FORMATS[0] or options.explain or options.output):
        parser.error("--check-config asks nobody: --explain, --json and the like do not go with it")
    if options.format != "nagios" and (options.warning or options.critical):
        parser.error("-w and -c go with --format nagios only")
    if options.watch and options.format == "nagios":
        parser.error("watch: --format nagios does not go with it: its state is an exit status")
    if options.watch and (options.picture or options.check_config):
        parser.error("watch: --explain, --demo and --check-config do not go with it")


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each range in one word with its option.

    argparse takes the `-1:1` of `-c -1:1` for an option.
    """
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in (*_RANGES, *_RANGES.values()) and argument != "--":
            option = joined.pop()
            joined.append(f"{_RANGES.get(option, option)}={argument}")
        else:
            joined.append(argument)
    return joined


def _range(text: str) -> "Threshold":
    from drift.report.nagios import read_threshold  # noqa: PLC0415 - 13 ms

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


def _span(text: str) -> int:
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _UNITS_S[found[2] or "s"] if found else 0
    if not 1 <= seconds <= _LONGEST_SPAN_S:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is 1s to 1d, as in 60s, 5m, 1h")
    return seconds


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
