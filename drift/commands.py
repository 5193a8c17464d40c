"""The commands beside measuring: `verify-evidence FILE` and `import-servers LIST.json`."""

from collections.abc import Sequence

from drift.formats.base import shown_path
from sources.base import ConfigError, DriftError

OK, PROVEN, PROVES_NOTHING = 0, 0, 1

_LONGEST_FILE = 1 << 22
_MOST_SHOWN = 3


def run(arguments: Sequence[str]) -> tuple[str, int]:
    """Run the command that the arguments begin with; return what to print and the exit status.

    Raises ConfigError when it is used wrongly, or its file is not what it has to be.
    """
    command, *words = arguments
    if "-h" in words or "--help" in words:
        from drift.wording.terminal import help_columns  # noqa: PLC0415 - only a person wants it
        from drift.wording.usage import help_of  # noqa: PLC0415

        return help_of(command, help_columns()), OK
    path = _only_file(command, words)
    try:
        return _COMMANDS[command](_read(path))
    except DriftError as error:
        raise ConfigError(f"{shown_path(path)}: {error}") from error


def _only_file(command: str, words: Sequence[str]) -> str:
    """Return the one file that is named; raise ConfigError that says what was found instead."""
    if len(words) == 1 and words[0] and not words[0].startswith("-"):
        return words[0]
    found = ", ".join(map(repr, words[:_MOST_SHOWN])) or "nothing"
    more = f" and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
    raise ConfigError(
        f"{command}: found {found}{more}: the path of one file is wanted; see {command} --help"
    )


def _verify_evidence(text: str) -> tuple[str, int]:
    """Say who signed what, in which order, and whom it convicts."""
    from drift.evidence import malfeasance  # noqa: PLC0415 - only this command needs it

    links = malfeasance.parse(text)
    judgement = malfeasance.judge(links)
    said = "\n".join(malfeasance.described(links, judgement)) + "\n"
    return said, PROVEN if judgement.contradictions else PROVES_NOTHING


def _import_servers(text: str) -> tuple[str, int]:
    """Print the tables for config.toml."""
    from drift.evidence import server_list  # noqa: PLC0415 - only this command needs it

    return server_list.tables(text), OK


_COMMANDS = {"verify-evidence": _verify_evidence, "import-servers": _import_servers}


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}") from error
    if len(data) > _LONGEST_FILE:
        raise ConfigError(f"longer than {_LONGEST_FILE} bytes")
    return data.decode("utf-8", "replace")
