"""The completion of zsh. Pure."""

from collections.abc import Iterator, Sequence

from tools.pages.interface import Command, Option

_TEXT = """\
#compdef time-drift time-drift.sh
# What zsh completes after them. Generated: `make pages` writes it again.

_time_drift() {
    local -a first
    if ((CURRENT > 2)); then
        case $words[2] in
@commands@
        esac
    else
        first=('1:command:((@names@))')
    fi
    _arguments \
        @program@ \
        $first
}

if [[ $funcstack[1] == _time-drift ]]; then
    _time_drift "$@"
else # sourced
    compdef _time_drift time-drift time-drift.sh
fi
"""
_NEXT = " \\\n" + 8 * " "
_NEXT_OF_A_COMMAND = " \\\n" + 16 * " "


def text(commands: Sequence[Command]) -> str:
    """Return the whole file."""
    program, *others = commands
    names = [f'{other.name}\\:"{other.summary}"' for other in others]
    parts = {
        "@commands@": "\n".join(map(_command, others)),
        "@names@": " ".join(names),
        "@program@": _NEXT.join(_specifications(program)),
    }
    whole = _TEXT
    for mark, part in parts.items():
        whole = whole.replace(mark, part)
    return whole


def _command(command: Command) -> str:
    """Return what completes after its name."""
    following = _NEXT_OF_A_COMMAND.join(["_arguments", *_specifications(command)])
    return (
        f"        {command.name})\n"
        "            shift words\n"
        "            ((CURRENT--))\n"
        f"            {following}\n"
        "            return\n"
        "            ;;"
    )


def _specifications(command: Command) -> Iterator[str]:
    """Yield the arguments of _arguments."""
    for option in command.options:
        yield _specification(option)
    if command.file:
        yield f"'1:{command.file}:_files'"


def _specification(option: Option) -> str:
    value = ""
    if option.value:
        action = "_files" if option.takes_file else " "
        value = f":{option.value}:" + (
            f"({' '.join(option.choices)})" if option.choices else action
        )
    rest = f"'[{_quoted(option.text)}]{value}'"
    flags = [flag + _joint(flag) if option.value else flag for flag in option.flags]
    if len(flags) == 1:
        return f"'{flags[0]}{rest[1:]}"
    return f"'({' '.join(option.flags)})'{{{','.join(flags)}}}{rest}"


def _joint(flag: str) -> str:
    """Return how zsh writes that a value may follow in the same word."""
    return "=" if flag.startswith("--") else "+"


def _quoted(text: str) -> str:
    """Return a description, fit for single quotes and brackets."""
    for letter in "\\[]":
        text = text.replace(letter, "\\" + letter)
    return text.replace("'", "'\\''")
