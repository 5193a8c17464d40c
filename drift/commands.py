"""The commands beside measuring: `verify-evidence FILE` and `import-servers LIST.json`."""

from collections.abc import Sequence

from sources.base import ConfigError, DriftError

OK, PROVEN, PROVES_NOTHING = 0, 0, 1

_LONGEST_FILE = 1 << 22


def run(arguments: Sequence[str]) -> tuple[str, int]:
    """Run the command that the arguments begin with; return what to print and the exit status.

    Raises ConfigError when it is used wrongly, or its file is not what it has to be.
    """
    match arguments:
        case [command, path] if not path.startswith("-"):
            try:
                return _COMMANDS[command](_read(path))
            except DriftError as error:
                raise ConfigError(f"{path}: {error}") from error
    raise ConfigError(f"{arguments[0]}: one file wanted; see --help")


def _verify_evidence(text: str) -> tuple[str, int]:
    """Say who signed what, in which order, and whom it convicts."""
    from drift import malfeasance  # noqa: PLC0415 - only this command needs it

    links = malfeasance.parse(text)
    judgement = malfeasance.judge(links)
    said = "\n".join(malfeasance.told(links, judgement)) + "\n"
    return said, PROVEN if judgement.contradictions else PROVES_NOTHING


def _import_servers(text: str) -> tuple[str, int]:
    """Print the tables for config.toml."""
    from drift import server_list  # noqa: PLC0415 - only this command needs it

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
