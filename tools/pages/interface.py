"""What can be typed: the commands, their options, and what an option takes. From the parser."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator

from drift.arguments import parser_for
from drift.options import Options
from drift.wording import usage
from fleet.arguments import parser_for as fleet_parser
from sources.record import Record

_WORD = re.compile(r"[\w-]+")


class Option(Record):
    """One option, as --help shows it."""

    flags: tuple[str, ...]
    text: str
    value: str = ""
    """What stands for its value; empty if it takes none."""
    choices: tuple[str, ...] = ()
    """All that its value can be; empty if that cannot be listed."""

    @property
    def takes_file(self) -> bool:
        """Whether its value is the path of a file."""
        return self.value == "FILE"


class Command(Record):
    """The program, whose name is empty, or one of its commands."""

    name: str
    options: tuple[Option, ...]
    file: str = ""
    """What stands for the file that it takes; empty if it takes none."""
    operands: str = ""
    """What follows its options; empty if nothing does."""

    @property
    def summary(self) -> str:
        """Return what it does, in a few words."""
        return usage.COMMANDS[self.name][1]


def commands() -> tuple[Command, ...]:
    """Return all of them, the program first."""
    return tuple(_command(name) for name in (usage.PROGRAM, *usage.COMMANDS))


def _command(name: str) -> Command:
    if name in usage.FILES:
        return Command(name, (Option(("-h", "--help"), "show this help"),), usage.FILES[name])
    if name in (usage.PROBE, usage.SERVE):
        operands = usage.COMMANDS[name][0]
        return Command(name, tuple(_options(fleet_parser(name))), operands=operands)
    options = Options()
    options.watch = name == usage.WATCH
    return Command(name, tuple(_options(parser_for(options))))


def _options(parser: ArgumentParser) -> Iterator[Option]:
    """Yield what --help offers; the parser knows more, to be able to refuse it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way
        offered = action.help or ""
        if offered == "==SUPPRESS==" or not action.option_strings:
            continue
        choices = tuple(name for name in action.choices or () if name in _WORD.findall(offered))
        value = str(action.metavar) if action.nargs != 0 else ""
        yield Option(tuple(action.option_strings), offered, value, choices)
