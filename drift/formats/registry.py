"""Which output formats there are: every file of this folder that is not a helper of theirs."""

import os
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

from drift.formats.base import OutputFormat
from drift.formats.integer import Integer
from drift.options import DEFAULT_FORMAT, Options
from drift.textfile import previous_text

_HELPERS = ("__init__", "base", "explain", "picture", "registry")


def names() -> tuple[str, ...]:
    """Return the words of `--format`, the default first."""
    files = os.listdir(os.path.dirname(os.path.abspath(__file__)))
    found = {file.removesuffix(".py") for file in files if file.endswith(".py")}
    return (DEFAULT_FORMAT, *sorted(found - {DEFAULT_FORMAT, *_HELPERS}))


def format_class(name: str) -> type[OutputFormat]:
    """Return the class of a format; its libraries are imported when it renders."""
    found: type[OutputFormat] = import_module(f"drift.formats.{name}").FORMAT
    return found


def format_of(options: Options) -> OutputFormat:
    """Return the format that the options ask for."""
    wanted = format_class(options.format)
    if wanted.reads_previous and options.output is not None:
        return wanted(options, previous_text(options.output))
    return wanted(options)


def format_named_in(arguments: Sequence[str]) -> OutputFormat:
    """Return the format in which to report wrong arguments, before they are parsed.

    That is the format they name where its readers look at stdout alone, else stderr's plain line.
    """
    named = DEFAULT_FORMAT
    for word, following in pairwise([*arguments, ""]):
        if word == "--format":
            named = following.lower()
        elif word.startswith("--format="):
            named = word.removeprefix("--format=").lower()
    if named in names():
        wanted = format_class(named)
        if not wanted.on_stderr:
            return wanted(Options())
    return Integer(Options())
