"""config.toml to Config: everything checked, every error naming file, table, key and remedy.

The schema is public interface. Kinds of source describe their own keys (`KEYS` of
sources/KIND/source.py); this module knows none of them, imports only the kinds that are configured,
and applies the same checks to all.
"""

import os
from collections.abc import Iterable

from drift.consensus.rule import Rule, operator_key
from drift.formats.base import shown_path
from drift.run.kept_tree import KeptTree, Tree
from sources import is_kind, kinds
from sources.base import ConfigError, Source
from sources.clock import NS
from sources.record import Record
from sources.schema import COMMON, REQUIRED, Key, Refused, Table, seconds

TOP_KEYS = ("timeout", "evidence", "state", "consensus", "sources", "probe")
CONSENSUS_KEYS = ("min_operators", "min_kinds", "tolerance")
DEFAULT_TIMEOUT_S = 2.5
LONGEST_TIMEOUT_S = 300.0
DEFAULT_MIN_OPERATORS = 3
DEFAULT_MIN_KINDS = 2
DEFAULT_TOLERANCE_S = 0.02
MOST_SOURCES = 500
"""With twice as many names, and name servers that hang, a run would exceed its timeout."""
LONGEST_FILE = 1 << 20

_HOST_AND_PORT = r" *(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z._-]{1,60})):([0-9]{1,5})/? *"
_LONGEST_TOLERANCE_S = 1.0
_LONGEST_PATH = 150
"""More of it would crowd out, in a line of 512 bytes, what is wrong."""


class Config(Record):
    """A configuration that holds together."""

    where: str
    """The file, or what else it was read from; for people."""
    timeout_ns: int
    rule: Rule
    sources: tuple[Source, ...]
    """In the order of the file within a kind; a pool counts as many as it asks."""
    evidence: str | None = None
    """The directory for evidence against Roughtime servers that lie; None collects none."""
    state: str | None = None
    """The directory for what later runs need; empty for none, None for the usual one."""


def find(named: str | None) -> str:
    """Return the path of the configuration to use; raise ConfigError when there is none.

    `--config` first, then $TIME_DRIFT_CONFIG, config.toml beside time-drift.sh,
    /etc/time-drift/config.toml, and the one shipped inside the package.
    """
    if named is not None:
        return named
    from_environment = os.environ.get("TIME_DRIFT_CONFIG")
    if from_environment:
        return from_environment
    package = os.path.dirname(os.path.abspath(__file__))
    checkout = os.path.dirname(package)
    candidates = ["/etc/time-drift/config.toml", os.path.join(package, "config.toml")]
    if _is_there(os.path.join(checkout, "time-drift.sh")):
        candidates.insert(0, os.path.join(checkout, "config.toml"))
    for candidate in candidates:
        if _is_there(candidate):
            return candidate
    raise ConfigError(
        f"no configuration: none of {', '.join(map(shown_path, candidates))} exists; "
        "name one: --config"
    )


def _is_there(path: str) -> bool:
    """Whether there is such a file; one that we may not look at counts as existing."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def load(path: str, *, keeps: bool = True) -> Config:
    """Read the file at `path`; raise ConfigError with everything needed to mend it.

    `keeps` leaves what was parsed for later runs.
    """
    shown = shown_path(path)
    if len(shown) > _LONGEST_PATH:
        shown = f"...{shown[-_LONGEST_PATH:]}"
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror or error}") from error
    if len(data) > LONGEST_FILE:
        raise ConfigError(f"{shown}: longer than {LONGEST_FILE} bytes, which is all that is read")
    kept = KeptTree(path, data)
    tree = kept.recall()
    if tree is not None:
        return _read(tree, shown)
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown}: byte {error.start}: not UTF-8, which TOML has to be"
        ) from error
    tree = _parsed(text, shown)
    settings = _read(tree, shown)
    if keeps:
        kept.keep(tree, settings.state)
    return settings


def parse(text: str, where: str) -> Config:
    """Read TOML text; `where` names it in errors."""
    return _read(_parsed(text, where), where)


def _parsed(text: str, where: str) -> Tree:
    import tomllib  # noqa: PLC0415 - an earlier run has kept what it makes of the file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers beyond int()
        raise ConfigError(f"{where}: not valid TOML: {error}") from error


def _read(tree: Tree, where: str) -> Config:
    check_names(where, "the top level", tree, TOP_KEYS)
    timeout_s = _seconds(where, "timeout", tree, DEFAULT_TIMEOUT_S, LONGEST_TIMEOUT_S)
    if timeout_s == 0:
        raise wrong(where, "timeout", 0, f"more than 0, up to {LONGEST_TIMEOUT_S:g} seconds")
    sources = _read_sources(where, tree)
    rule = _read_rule(where, tree, sources)
    evidence = _directory(where, "evidence", tree)
    state = "" if tree.get("state") == "" else _directory(where, "state", tree)
    return Config(where, round(timeout_s * NS), rule, sources, evidence, state)


def _directory(where: str, key: str, tree: dict[str, object]) -> str | None:
    """Read the path of a directory; agents start us in any one, so it has to be absolute."""
    if key not in tree:
        return None
    value = tree[key]
    if not isinstance(value, str) or not value.isprintable() or not os.path.isabs(value):
        raise wrong(where, key, value, "the absolute path of a directory")
    return value


def _read_rule(where: str, tree: dict[str, object], sources: Iterable[Source]) -> Rule:
    table = tree.get("consensus", {})
    if not isinstance(table, dict):
        raise wrong(where, "consensus", table, "a table: [consensus]")
    check_names(where, "[consensus]", table, CONSENSUS_KEYS)
    operators = len({operator_key(source.operator) for source in sources})
    kinds = len({source.kind for source in sources})
    tolerance_s = _seconds(
        where, "tolerance", table, DEFAULT_TOLERANCE_S, _LONGEST_TOLERANCE_S, "[consensus] "
    )
    return Rule(
        _at_least(where, "min_operators", table, DEFAULT_MIN_OPERATORS, operators, "operators"),
        _at_least(where, "min_kinds", table, DEFAULT_MIN_KINDS, kinds, "kinds"),
        round(tolerance_s * NS),
    )


def _at_least(
    where: str, key: str, table: dict[str, object], default: int, configured: int, what: str
) -> int:
    """Read a quorum. A default shrinks to what is configured; a written value may not exceed it."""
    if key not in table:
        return min(default, configured)
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= configured:
        allowed = f"1 to {configured}, the number of {what} configured"
        raise wrong(where, f"[consensus] {key}", value, allowed)
    return value


def _seconds(
    where: str,
    key: str,
    table: dict[str, object],
    default: float,
    most: float,
    prefix: str = "",
) -> float:
    value = table.get(key, default)
    allowed = seconds(most, default)
    try:
        value_s: float = allowed.read(value)
    except ValueError as error:
        raise wrong(where, prefix + key, value, allowed.allowed) from error
    return value_s


def _read_sources(where: str, tree: dict[str, object]) -> tuple[Source, ...]:
    found_kinds = tree.get("sources", {})
    if not isinstance(found_kinds, dict):
        raise wrong(where, "sources", found_kinds, "tables: [[sources.ntp]]")
    if not all(map(is_kind, found_kinds)):
        check_names(where, "sources", found_kinds, kinds())
    sources: list[Source] = []
    seen: dict[tuple[str, str], str] = {}
    for kind, tables in found_kinds.items():
        for number, table in enumerate(_array(where, f"sources.{kind}", tables), start=1):
            title = f"[[sources.{kind}]] number {number}"
            found = _read_source(where, title, kind, table)
            twin = seen.setdefault((kind, found[0].endpoint), title)
            if twin is not title:
                raise ConfigError(
                    f"{where}: {title}: {found[0].name} stands in {twin} already: "
                    "each source may be listed once"
                )
            sources += found
    if not sources:
        raise ConfigError(f"{where}: no sources: at least one [[sources.KIND]] table wanted")
    if len(sources) > MOST_SOURCES:
        raise ConfigError(f"{where}: {len(sources)} sources: at most {MOST_SOURCES} allowed")
    return tuple(sources)


def _array(where: str, name: str, tables: object) -> list[dict[str, object]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(where, name, tables, f"an array of tables: [[{name}]]")
    if not tables:
        raise ConfigError(f"{where}: {name} is empty: at least one source wanted")
    return tables


def _read_source(where: str, title: str, kind: str, table: dict[str, object]) -> list[Source]:
    # As importlib.import_module, which costs a third of a millisecond to import.
    module = __import__(f"sources.{kind}.source", fromlist=["KEYS"])
    keys: dict[str, Key] = module.KEYS | COMMON
    check_names(where, title, table, keys)
    values: dict[str, object] = {}
    for name, key in keys.items():
        if name not in table:
            if key.default is REQUIRED:
                raise ConfigError(f"{where}: {title}: {name} is missing: {key.allowed}")
            values[name] = key.default
            continue
        try:
            values[name] = key.read(table[name])
        except ValueError as error:
            why = f" ({error})" if isinstance(error, Refused) else ""
            allowed = key.allowed + why + _hint(name, table[name], keys)
            raise wrong(where, f"{title}: {name}", table[name], allowed) from error
    try:
        sources: list[Source] = module.build(Table(values))
    except ValueError as error:
        raise ConfigError(f"{where}: {title}: {error}") from error
    return sources


def _hint(name: str, value: object, keys: Iterable[str]) -> str:
    """Return where a port belongs, if it is what makes a host wrong."""
    import re  # noqa: PLC0415 - only an error needs it

    found = re.fullmatch(_HOST_AND_PORT, value) if isinstance(value, str) else None
    if name != "host" or "port" not in keys or not found:
        return ""
    return f'; a port has a key of its own: host = "{found[1] or found[2]}", port = {found[3]}'


def check_names(where: str, table: str, found: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise for the first name that is not allowed, suggesting the nearest one that is."""
    for name in found:
        if name not in allowed:
            from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

            nearest = get_close_matches(name, list(allowed))
            meant = max(nearest, key=lambda other: sorted(other) == sorted(name), default="")
            hint = f" (did you mean {meant}?)" if meant else ""
            found_here = f"{where}: {table}: unknown key {_shown(name)}{hint}"
            raise ConfigError(f"{found_here}; allowed: {', '.join(allowed)}")


def wrong(where: str, key: str, found: object, allowed: str) -> ConfigError:
    """Return the error of a value: where it stands, what was found, what is allowed."""
    return ConfigError(f"{where}: {key} = {_shown(found)}: allowed is {allowed}")


def _shown(found: object) -> str:
    """Show a value of the user's, cut to what one line can hold."""
    try:
        text = repr(found)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a line's worth
