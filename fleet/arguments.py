"""The command lines of `probe` and `serve`: arguments in, options out."""

import argparse
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from drift.arguments import RANGES, OneLineParser, joined_ranges, read_range
from drift.wording import usage
from drift.wording.terminal import help_columns
from sources.net.addresses import is_address

if TYPE_CHECKING:
    from drift.formats.nagios import Threshold

FORMATS = ("text", "integer", "json", "prometheus", "influx", "nagios")
DEFAULT_LISTEN = "127.0.0.1:9712"

_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:]*):([0-9]{1,5})")
_MOST_PORT = 65_535


class ProbeOptions:
    """One attribute an option of `probe`; argparse fills them in."""

    targets: list[str]
    config: str | None = None
    inventories: list[str]
    format: str = FORMATS[0]
    summary: bool = False
    report: str | None = None
    warning: "Threshold | None" = None
    critical: "Threshold | None" = None
    demo: bool = False
    verbose: bool = False


class ServeOptions:
    """One attribute an option of `serve`."""

    config: str | None = None
    listen: tuple[str, int]
    verbose: bool = False


def wants_help(arguments: Sequence[str]) -> bool:
    """Whether a command is only asked how it is used."""
    return "-h" in arguments or "--help" in arguments


def help_of(command: str) -> str:
    """Return the help of a command, as wide as the terminal."""
    wide = help_columns()
    parser = parser_for(command)
    parser.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=wide)
    parser.description = usage.description(command, wide)
    parser.epilog = usage.epilog(command, wide)
    return parser.format_help()


def parse_probe(arguments: Sequence[str]) -> ProbeOptions:
    """Return the options; raise ConfigError on wrong usage."""
    parser = parser_for(usage.PROBE)
    options = parser.parse_intermixed_args(joined_ranges(arguments), namespace=ProbeOptions())
    _check(parser, options)
    return options


def parse_serve(arguments: Sequence[str]) -> ServeOptions:
    """Return the options; raise ConfigError on wrong usage."""
    return parser_for(usage.SERVE).parse_args(arguments, namespace=ServeOptions())


def parser_for(command: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    parser = OneLineParser(prog=f"time-drift {command}", allow_abbrev=False, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    parser.add_argument("--config", metavar="FILE", help="the configuration to use")
    if command == usage.PROBE:
        _add_to_probe(parser)
    else:
        parser.add_argument(
            "--listen",
            type=_listen,
            default=DEFAULT_LISTEN,
            metavar="ADDRESS:PORT",
            help=f"where to listen; {DEFAULT_LISTEN} if not given. Whoever reaches it can have "
            "public addresses connected to, and those that [probe] allow has",
        )
    parser.add_argument("-v", "--verbose", action="store_true", help="tracebacks of bugs")
    return parser


def _add_to_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="whom to ask")
    parser.add_argument(
        "--targets",
        dest="inventories",
        action="append",
        default=[],
        metavar="FILE",
        help="targets from a file_sd file of Prometheus, JSON or YAML; can be repeated",
    )
    parser.add_argument(
        "--format", type=str.lower, choices=FORMATS, metavar="NAME", help=", ".join(FORMATS)
    )
    parser.add_argument(
        "--summary", action="store_true", help="the health of each chain instead of each node"
    )
    parser.add_argument("--report", metavar="FILE", help="also write a page for browsers")
    for short, long in RANGES.items():
        text = f"nagios: {long[2:].upper()} if an integer is outside -N..N, or a range as in -1:2"
        parser.add_argument(short, long, metavar="N", type=read_range, help=text)
    parser.add_argument("--demo", action="store_true", help="read a lab's nodes, without internet")


def _check(parser: argparse.ArgumentParser, options: ProbeOptions) -> None:
    """Refuse what does not go together."""
    if options.demo and (options.targets or options.inventories or options.config):
        parser.error("--demo has targets and a configuration of its own")
    if not options.demo and not options.targets and not options.inventories:
        parser.error("no target: allowed is MODULE://HOST, a URL, or --targets FILE")
    if options.format != "nagios" and (options.warning or options.critical):
        parser.error("-w and -c go with --format nagios only")
    if options.summary and options.format not in ("text", "json"):
        parser.error("--summary goes with --format text and json only")


def _listen(text: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(text)
    if found is not None:
        address, port = found[1].strip("[]"), int(found[2])
        if is_address(address) and port <= _MOST_PORT:
            return address, port
    raise argparse.ArgumentTypeError(
        f"{text!r}: allowed is ADDRESS:PORT, as in 127.0.0.1:9712, [::1]:9712"
    )
