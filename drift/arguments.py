"""The command line: arguments in, Options out. Pure but for printing --help and --version."""

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

from drift import __version__
from drift.config import LONGEST_TIMEOUT_S
from drift.options import Options
from sources.base import ConfigError

_HELP_COLUMNS = 96

_DESCRIPTION = """\
Ask many independent time sources and print this machine's clock minus true time, in whole
seconds: -4 means that this clock is 4 seconds BEHIND. It never sets a clock."""

_EPILOG = """\
examples:
  time-drift                          print the integer, e.g. -4
  time-drift --explain                the same, and why, as a table and a picture on stderr
  time-drift --json                   everything, as one JSON object
  time-drift --config my.toml --check-config
  time-drift --demo                   run on a built-in little internet with a liar; prints -4

other commands:
  time-drift verify-evidence FILE     check a Roughtime malfeasance report, whoever made it:
                                      who signed what, in which order, whom it convicts;
                                      exit status 0 proven, 1 proves nothing, 2 unreadable
  time-drift import-servers LIST.json print tables for config.toml from a Roughtime server list

exit status:
  0 an integer was printed    2 wrong usage or configuration    3 no trustworthy answer
  70 a bug, or stdout cannot be written    130, 143 interrupted, terminated"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse's, with a width of its own: to ask the terminal's would import shutil each run."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_HELP_COLUMNS)


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in our one-line form."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see --help")


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; raise ConfigError on wrong usage, SystemExit after --help, --version."""
    parser = _Parser(
        prog="time-drift",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    parser.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="SECONDS",
        type=_timeout,
        help="seconds for the whole run, over the configuration's",
    )
    for option, text in (
        ("--explain", "also show each source, its verdict and a picture, on stderr"),
        ("--json", "print one JSON object instead of the integer"),
        ("--check-config", "check the configuration, print who has how many votes, and stop"),
        ("--demo", "run on a built-in lab, without internet"),
    ):
        parser.add_argument(option, action="store_true", help=text)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="one line a source on stderr; tracebacks"
    )
    parser.add_argument("--version", action="version", version=f"time-drift {__version__}")
    options = parser.parse_args(arguments, namespace=Options())
    if options.demo and options.config is not None:
        parser.error("--demo runs on a lab of its own: --config does not go with it")
    if options.check_config and (options.json or options.explain):
        parser.error("--check-config asks nobody: --json and --explain do not go with it")
    return options


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
