"""The manual pages: time-drift(1) and time-drift.toml(5). Pure."""

from collections.abc import Iterable, Sequence

from drift.config import DEFAULT_TIMEOUT_S
from drift.wording import usage
from tools.pages.configuration import EVERY, Section
from tools.pages.interface import Command, Option
from tools.pages.roff import (
    bold,
    further,
    head,
    italic,
    paragraphs,
    prose,
    references,
    section,
    subsection,
    tagged,
    verbatim,
)

_SIGN = (
    "`3` means that this clock is 3 seconds ahead, and `0` that it is right to within half a "
    "second. Most other tools (`chronyd -Q`, `ntpdig`, `check_ntp_time`) print the opposite sign: "
    "the correction to apply."
)
_ANSWER = (
    "The integer is rounded once, to nearest, ties away from zero. Where there is no trustworthy "
    "answer, stdout is empty and stderr has one line: what was found, what was needed, and who "
    "failed. An empty answer is never zero: alert on a missing value, too.",
    f"It ends by its timeout, {DEFAULT_TIMEOUT_S:g} s unless configured, whatever hangs. It needs "
    "no root and no inbound traffic.",
)
ENVIRONMENT = {
    "TIME_DRIFT_CONFIG": "The configuration to use, where `--config` is not given.",
    "TIME_DRIFT_PYTHON": "The Python with which `time-drift.sh` makes its environment at the first "
    "run; without it `/usr/bin/python3` and others are tried.",
    "STATE_DIRECTORY": "Where state is kept if the configuration does not say; systemd sets it.",
    "XDG_STATE_HOME": "State is kept in its directory `time-drift`, where neither the "
    "configuration nor `STATE_DIRECTORY` says where.",
    "HOME": "Its directory `.local/state/time-drift` is the last place for state.",
    "SSL_CERT_FILE": "A file of CAs to trust instead of the system's.",
    "SSL_CERT_DIR": "Directories of such files, separated by colons.",
    "PIP_*": "Where the first run of `time-drift.sh` gets its packages, as pip has it.",
    "COLUMNS": "How wide `--help`, `--explain` and `--demo` print. Without it that is the width of "
    "the terminal.",
    "NO_COLOR": "Not empty: `--explain` and `--demo` print without colours.",
}
"""What each variable of the environment does."""
_FILES = (
    ("config.toml", "Beside `time-drift.sh`: the configuration, as shipped."),
    ("/etc/time-drift/config.toml", "The configuration, where there is none beside the script."),
    ("~/.local/state/time-drift", "What a run learns for later ones."),
    (".venv", "Beside `time-drift.sh`: its environment, made at the first run."),
)
_RFCS = "RFC 5905 (NTP), RFC 8915 (NTS), RFC 9110 (the Date of HTTP), RFC 10049 (Roughtime)."
_CONFIGURATION = (
    "A file of TOML, `config.toml` if its name is not given. The first of these is used: "
    "`--config FILE`, `$TIME_DRIFT_CONFIG`, `config.toml` beside `time-drift.sh`, "
    "`/etc/time-drift/config.toml`, the one inside an installed package. A key that is not listed "
    "here is an error, and so is a source that is listed twice. `time-drift --check-config` prints "
    "who has how many votes, and asks nobody."
)
_QUORUM = (
    "A quorum that is not written shrinks to what is configured; one that is may not exceed it."
)
_NODES = (
    "How `time-drift probe` and `time-drift serve` ask nodes that somebody else runs. A plain run "
    "does not look at it, and nothing of it has to be written."
)
_SOURCES = (
    "One table a source. One operator has one vote, however many of its servers are asked, so name "
    "it: the host's name stands for one that is not named."
)
EXAMPLE = """\
[consensus]
min_operators = 2

[[sources.ntp]]
host = "ntp1.example.net"
operator = "Example Net"

[[sources.nts]]
host = "nts.example.org"
operator = "Example Org"

[[sources.https]]
url = "https://time.example.com/"
operator = "Example Com"
date_lag = 0
"""


def program(commands: Sequence[Command], date: str, version: str) -> str:
    """Return time-drift(1), as of a date."""
    first, *others = commands
    parts = (
        head("time-drift", 1, date, version, "User Commands"),
        section("NAME", prose("time-drift - print this machine's clock minus true time")),
        section("SYNOPSIS", ".br\n".join(map(_synopsis, commands))),
        section("DESCRIPTION", paragraphs(usage.DESCRIPTIONS[first.name], _SIGN, *_ANSWER)),
        section("OPTIONS", _options(first.options)),
        section("COMMANDS", *(_command(other, first.options) for other in others)),
        section("EXIT STATUS", _statuses(first.name)),
        section("ENVIRONMENT", tagged((bold(name), text) for name, text in ENVIRONMENT.items())),
        section("FILES", tagged((italic(name), text) for name, text in _FILES)),
        section("EXAMPLES", _examples(first.name)),
        section(
            "SEE ALSO", references("time-drift.toml(5)", "chronyd(8)", "ntpdig(1)"), further(_RFCS)
        ),
    )
    return "".join(parts)


def configuration(sections: Sequence[Section], date: str, version: str) -> str:
    """Return time-drift.toml(5), as of a date."""
    parts = (
        head("time-drift.toml", 5, date, version, "File Formats"),
        section(
            "NAME", prose("time-drift.toml - whom time-drift asks, and how many have to agree")
        ),
        section("DESCRIPTION", prose(_CONFIGURATION)),
        *map(_keys, sections),
        section("EXAMPLE", verbatim(EXAMPLE)),
        section("FILES", tagged((italic(name), text) for name, text in _FILES[:2])),
        section("SEE ALSO", references("time-drift(1)")),
    )
    return "".join(parts)


def _synopsis(command: Command) -> str:
    """Return one line of what can be typed."""
    name = bold(" ".join(filter(None, ("time-drift", command.name))))
    words = [italic(command.file)] if command.file else ["[\\fIoptions\\fR]"]
    words += [italic(command.operands)] if command.operands else []
    return f"{' '.join((name, *words))}\n"


def _options(options: Iterable[Option]) -> str:
    return tagged((_tag(option), _sentence(option.text)) for option in options)


def _tag(option: Option) -> str:
    value = f" {italic(option.value)}" if option.value else ""
    return ", ".join(bold(flag) + value for flag in option.flags)


def _command(command: Command, above: Sequence[Option]) -> str:
    """Return a command; options that are explained above are but named."""
    title = f"time-drift {command.name} {command.file or '[options]'} {command.operands}".rstrip()
    parts = [prose(usage.DESCRIPTIONS[command.name])]
    if not command.file:
        known = ", ".join(f"`{option.flags[-1]}`" for option in command.options if option in above)
        parts.append(_options(option for option in command.options if option not in above))
        parts.append(further(f"Of the options above it takes {known}."))
    parts += [further("Its exit status:"), _statuses(command.name)]
    if command.name in usage.EXAMPLES:
        parts += [further("Examples:"), _examples(command.name)]
    return subsection(title, *parts)


def _statuses(name: str) -> str:
    return tagged((bold(status), _sentence(text)) for status, text in usage.STATUSES[name])


def _examples(name: str) -> str:
    return tagged((bold(typed), _sentence(text)) for typed, text in usage.EXAMPLES[name])


def _keys(part: Section) -> str:
    """Return what a table holds: a section, or a part of that about sources."""
    keys = tagged((bold(key), text) for key, text in part.keys.items())
    match part.name:
        case "":
            return section("TOP LEVEL", keys)
        case "consensus":
            return section("[consensus]", prose(_QUORUM), keys)
        case "probe":
            return section("[probe]", prose(_NODES), keys)
        case name if name.startswith("probe."):
            return subsection(f"[{name}]", prose(_sentence(part.text)), keys)
        case kind if kind == EVERY:
            return section("SOURCES", prose(_SOURCES), subsection("Keys of every kind", keys))
    notes = further(part.notes) if part.notes else ""
    return subsection(f"[[sources.{part.name}]]", prose(_sentence(part.text)), keys, notes)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
