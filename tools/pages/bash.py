"""The completion of bash. Pure."""

from collections.abc import Iterator, Sequence

from tools.pages.interface import Command, Option

_TEXT = """\
# What bash completes after time-drift and time-drift.sh. Generated: `make pages` writes it again.

_time_drift() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    # To bash --format=json is three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    local command='' words=''
    if ((COMP_CWORD == 1)); then
        words='@commands@ '
    else
        case ${COMP_WORDS[1]} in
        @either@) command=${COMP_WORDS[1]} ;;
        esac
    fi
    case $command:$before in
@values@
    *)
        case $command in
@options@
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _time_drift time-drift time-drift.sh
"""


def text(commands: Sequence[Command]) -> str:
    """Return the whole file."""
    names = [command.name for command in commands if command.name]
    parts = {
        "@commands@": " ".join(names),
        "@either@": " | ".join(names),
        "@values@": "\n".join(arm for command in commands for arm in _values(command)),
        "@options@": "\n".join(map(_options, commands)),
    }
    whole = _TEXT
    for mark, part in parts.items():
        whole = whole.replace(mark, part)
    return whole


def _values(command: Command) -> Iterator[str]:
    """Yield what completes the value of each option that takes one."""
    for option in command.options:
        if option.value:
            patterns = " | ".join(f"{command.name}:{flag}" for flag in option.flags)
            yield f"    {patterns}) {_value(option)} ;;"


def _value(option: Option) -> str:
    if option.takes_file:
        return "compopt -o default"
    return f"words='{' '.join(option.choices)}'"


def _options(command: Command) -> str:
    words = f"words+='{' '.join(flag for option in command.options for flag in option.flags)}'"
    if command.file:
        words = f"if [[ $word == -* ]]; then {words}; else compopt -o default; fi"
    return f"        '{command.name}') {words} ;;"
