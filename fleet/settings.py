"""[probe] and [probe.modules.NAME] of config.toml: everything checked, errors as drift's own.

Every error names the file, the table, the key, what was found and what is allowed. The rest of the
file is drift's business, which reads it first.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from drift import __version__
from drift.config import check_names, wrong
from fleet.addresses import Network, networks
from nodes import KINDS
from nodes.base import Node, NodeTable, node_class
from nodes.modules import MODULES
from sources.base import ConfigError
from sources.clock import NS
from sources.record import Record
from sources.schema import REQUIRED, Key, Table, one_of, read_text, seconds, whole

DEFAULT_AGENT = f"time-drift/{__version__}"

_LONGEST_TIMEOUT_S = 60.0
_LONGEST_AGENT = 120
_MODULE_NAME = re.compile("[a-z][a-z0-9_-]{0,39}")
_DATED = ("http", "https")
"""Kinds that nodes of any chain speak."""


def _timeout() -> Key:
    plain = seconds(_LONGEST_TIMEOUT_S, 5.0)

    def read(value: object) -> object:
        found = plain.read(value)
        if not found:
            raise ValueError(value)
        return found

    return Key(f"more than 0, up to {_LONGEST_TIMEOUT_S:g} seconds", read, 5.0)


def _read_agent(value: object) -> str:
    text = read_text(value, _LONGEST_AGENT)
    if not text.isascii():
        raise ValueError(value)
    return text


def _read_allow(value: object) -> tuple[Network, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(value)
    return networks(value)


PROBE_KEYS = {
    "timeout": _timeout(),
    "rate": whole("connections a second", 1, 500, 100),
    "min_interval": whole("seconds from one round with a node to the next", 60, 86_400, 600),
    "agent": Key(
        f"who asks and why, for the people who run the nodes; {_LONGEST_AGENT} ASCII characters",
        _read_agent,
        DEFAULT_AGENT,
    ),
    "allow": Key('a list of networks (["10.0.0.0/8", "fd00::/8"])', _read_allow, ()),
}
MODULE_KEYS = {
    "kind": one_of(*KINDS).replaced(default=REQUIRED),
    "chain": Key("the name of the chain that its nodes are of", read_text, None),
}


class Module(Record):
    """How the nodes of one name are asked."""

    name: str
    chain: str
    """The chain of its targets, unless their labels say another; empty if it can be any."""
    node: Node

    @property
    def port(self) -> int:
        """The port where a target has none."""
        return self.node.port

    @property
    def has_path(self) -> bool:
        """Whether a target may have a path."""
        return self.node.has_path


class Modules(Mapping[str, Module]):
    """The modules by their names: those that are built in, and those of the configuration.

    What is built in is made when it is first needed, as kinds have libraries.
    """

    def __init__(self, configured: Mapping[str, Module]) -> None:
        """Know those that are configured; they replace built-in ones of the same name."""
        self._made = dict(configured)
        self._names = tuple(dict.fromkeys([*MODULES, *configured]))
        self.configured = tuple(configured)

    def __getitem__(self, name: str) -> Module:
        """Return a module; raise KeyError if there is none."""
        if name not in self._made:
            kind, table = MODULES[name]
            self._made[name] = _module("built in", name, {"kind": kind, **table})
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a module, without making it."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)


class Settings(Record):
    """How nodes are asked."""

    timeout_ns: int
    """For one connection to a node, looking up its name included."""
    rate: int
    """Connections a second, at most."""
    min_interval_ns: int
    """From one round with a node to the next, at least."""
    agent: str
    allow: tuple[Network, ...]
    """Networks that may be asked besides public ones."""
    modules: Modules
    is_written: bool = False
    """Whether the configuration says anything of it."""


def load(path: str) -> Settings:
    """Read the tables of the file at `path`, which drift has read without an error."""
    try:
        with open(path, "rb") as file:
            return parse(file.read().decode("utf-8").removeprefix("\ufeff"), path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start}: not UTF-8") from error


def parse(text: str, where: str) -> Settings:
    """Read TOML text; `where` names it in errors."""
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from error
    table = tree.get("probe", {})
    if not isinstance(table, dict):
        raise wrong(where, "probe", table, "a table: [probe]")
    values = _values(where, "[probe]", table, PROBE_KEYS, beside=("modules",))
    modules = table.get("modules", {})
    if not isinstance(modules, dict):
        raise wrong(where, "[probe] modules", modules, "tables: [probe.modules.NAME]")
    made = {name: _module(where, name, found) for name, found in modules.items()}
    read = Table(values)
    return Settings(
        timeout_ns=read.seconds_ns("timeout"),
        rate=read.whole("rate"),
        min_interval_ns=read.whole("min_interval") * NS,
        agent=read.text("agent"),
        allow=cast(tuple[Network, ...], values["allow"]),
        modules=Modules(made),
        is_written="probe" in tree,
    )


def described(settings: Settings) -> str:
    """Return the modules and limits, for --check-config."""
    limits = (
        f"probe: timeout {settings.timeout_ns / NS:g} s, at most {settings.rate} connections a "
        f"second, no node sooner than every {settings.min_interval_ns // NS} s"
    )
    allowed = ", ".join(map(str, settings.allow)) or "nothing"
    lines = [limits, f"probe: agent {settings.agent}; allowed besides public addresses: {allowed}"]
    for name in settings.modules:
        module = settings.modules[name]
        origin = "configured" if name in settings.modules.configured else "built in"
        chain = f", chain {module.chain}" if module.chain else ""
        lines.append(f"  module {name}: {module.node.kind}, port {module.port}{chain} ({origin})")
    if settings.agent == DEFAULT_AGENT:
        lines.append("note: [probe] agent has no contact: operators cannot say that they object")
    return "\n".join(lines) + "\n"


def _module(where: str, name: str, table: object) -> Module:
    title = f"[probe.modules.{name}]"
    if not _MODULE_NAME.fullmatch(name):
        allowed = "a name of 40 small letters, digits, - and _, beginning with a letter"
        raise wrong(where, "[probe.modules] name", name, allowed)
    if not isinstance(table, dict):
        raise wrong(where, f"probe.modules.{name}", table, f"a table: {title}")
    kind = _values(where, title, table, {"kind": MODULE_KEYS["kind"]}, beside=table)["kind"]
    made = node_class(str(kind))
    values = _values(where, title, table, {**MODULE_KEYS, **made.KEYS})
    usual_chain = "" if kind in _DATED else name
    try:
        node = made(NodeTable(values))
    except ValueError as error:
        raise ConfigError(f"{where}: {title}: {error}") from error
    chain = usual_chain if values["chain"] is None else str(values["chain"])
    return Module(name, chain, node)


def _values(
    where: str,
    title: str,
    table: Mapping[str, object],
    keys: Mapping[str, Key],
    beside: Iterable[str] = (),
) -> dict[str, object]:
    """Return a value for every key; `beside` are keys of the table that somebody else reads."""
    check_names(where, title, table, [*keys, *beside])
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
            raise wrong(where, f"{title} {name}", table[name], key.allowed) from error
    return values
