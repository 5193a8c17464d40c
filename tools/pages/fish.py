"""The completion of fish. Pure."""

from collections.abc import Iterator, Sequence

from tools.pages.interface import Command, Option

_TEXT = """\
# What fish completes after time-drift and time-drift.sh. Generated: `make pages` writes it again.

function __time_drift_command -a wanted -d 'Whether that is the command, which goes first'
    set -l typed (commandline -opc)
    set -l command $typed[2]
    contains -- "$command" @names@
    or set command ''
    test "$command" = "$wanted"
end

function __time_drift_complete
    complete -c time-drift -c time-drift.sh $argv
end

__time_drift_complete -f
"""
_FIRST = "test (count (commandline -opc)) -eq 1"


def text(commands: Sequence[Command]) -> str:
    """Return the whole file."""
    others = [command for command in commands if command.name]
    whole = _TEXT.replace("@names@", " ".join(other.name for other in others))
    lines = [f"-n '{_FIRST}' -a {other.name} -d {_quoted(other.summary)}" for other in others]
    lines += [line for command in commands for line in _lines(command)]
    return whole + "".join(f"__time_drift_complete {line}\n" for line in lines)


def _lines(command: Command) -> Iterator[str]:
    condition = f"-n '__time_drift_command \"{command.name}\"'"
    if command.file:
        yield f"{condition} -F"
    for option in command.options:
        yield f"{condition} {_flags(option)}{_value(option)} -d {_quoted(option.text)}"


def _flags(option: Option) -> str:
    long = (f"-l {flag[2:]}" for flag in option.flags if flag.startswith("--"))
    short = (f"-s {flag[1:]}" for flag in option.flags if not flag.startswith("--"))
    return " ".join([*short, *long])


def _value(option: Option) -> str:
    if not option.value:
        return ""
    if option.takes_file:
        return " -r -F"
    return f" -x -a '{' '.join(option.choices)}'" if option.choices else " -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
