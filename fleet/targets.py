"""What is to be asked: targets as a person or an inventory writes them. Pure.

A target is MODULE://HOST, MODULE://HOST:PORT or, for http and https, a URL. An inventory is a file
of Prometheus's file_sd (JSON or YAML) as it is, so that one file serves both:

    [{"targets": ["bitcoin://203.0.113.7"], "labels": {"chain": "bitcoin"}}]

A target without a module, as exporters' inventories have them ("203.0.113.7:8333"), takes it from
the label `__param_module`, which is how Prometheus itself names it. Labels that begin with two
underscores are Prometheus's own business otherwise, and are not shown.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Protocol

from fleet.addresses import read_host
from sources.base import ConfigError
from sources.record import Record

MOST_TARGETS = 200_000
LONGEST_TARGET = 500
ALLOWED = '"MODULE://HOST", "MODULE://HOST:PORT" or a URL'

_MODULE_LABEL = "__param_module"
_SCHEME = re.compile("([A-Za-z][A-Za-z0-9_-]*)://(.*)", re.DOTALL)
_PLACE = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?")
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_SUFFIXES = (".json", ".yml", ".yaml")
_MOST_PORT = 65_535

Labels = tuple[tuple[str, str], ...]


class Asked(Protocol):
    """What of a module a target needs to know."""

    @property
    def chain(self) -> str:
        """The chain of its nodes; empty if it can be any."""

    @property
    def port(self) -> int:
        """The port where none is written."""

    @property
    def has_path(self) -> bool:
        """Whether a target may have a path."""


class Target(Record):
    """One node to ask."""

    text: str
    """As it was written."""
    module: str
    host: str
    port: int
    path: str = "/"
    chain: str = ""
    """By its label `chain`, or else by its module; empty if neither says."""
    labels: Labels = ()

    @property
    def endpoint(self) -> tuple[str, str, int, str]:
        """What two ways to write the same node have in common."""
        return self.module, self.host.removesuffix("."), self.port, self.path


def parse(
    text: str, modules: Mapping[str, Asked], module: str | None = None, labels: Labels = ()
) -> Target:
    """Return the target that a text means; raise ValueError for what it is not.

    `module` is the one to use where the text names none; where both do they have to be the same.
    """
    name, rest = _module_of(text, module)
    if name not in modules:
        raise ValueError(f"no module is called {name}: allowed are {', '.join(modules)}")
    place, _, path = rest.partition("/")
    if "@" in place:
        raise ValueError("user names and passwords are not taken")
    _check_path(path, has_path=modules[name].has_path)
    host, port = _host_and_port(place, modules[name].port)
    chain = dict(labels).get("chain") or modules[name].chain
    return Target(text, name, host, port, f"/{path}", chain, labels)


def _module_of(text: str, module: str | None) -> tuple[str, str]:
    """Return the name of the module to use, and what is left of the text without it."""
    if not text.isprintable() or len(text) > LONGEST_TARGET:
        raise ValueError(f"a target is printable, {LONGEST_TARGET} characters at most")
    scheme = _SCHEME.fullmatch(text)
    if scheme is None:
        if module is None:
            raise ValueError(f"it names no module: allowed is {ALLOWED}")
        return module, text
    name = sys.intern(scheme[1].lower())
    if module not in (None, name):
        raise ValueError(f"it is of {name}, and the module asked for is {module}")
    return name, scheme[2]


def _check_path(path: str, *, has_path: bool) -> None:
    if path and not has_path:
        raise ValueError("only http and https have paths")
    if not path.isascii() or any(mark in path for mark in " #\\"):
        raise ValueError("a path is ASCII, without blanks, # and \\")


def _host_and_port(place: str, usual_port: int) -> tuple[str, int]:
    found = _PLACE.fullmatch(place)
    if found is None:
        raise ValueError(f"allowed is {ALLOWED}; IPv6 addresses in brackets")
    host, port = found[1], int(found[2] or usual_port)
    if host.startswith("["):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError("only IPv6 addresses are in brackets")
    if not 1 <= port <= _MOST_PORT:
        raise ValueError(f"port {port}: allowed is 1 to {_MOST_PORT}")
    return read_host(host), port


def inventory(text: str, where: str, modules: Mapping[str, Asked]) -> list[Target]:
    """Return the targets of a file_sd file, in their order; `where` is its path.

    Raises ConfigError naming the file, the entry, the key and what is allowed.
    """
    targets: list[Target] = []
    for number, entry in enumerate(_entries(text, where), start=1):
        for target in _of_entry(entry, f"{where}: entry {number}", modules):
            targets.append(target)
            if len(targets) > MOST_TARGETS:
                raise ConfigError(f"{where}: more than {MOST_TARGETS} targets, which is the most")
    return targets


def _entries(text: str, where: str) -> list[object]:
    if not where.lower().endswith(_SUFFIXES):
        raise ConfigError(f"{where}: allowed are files of file_sd: {', '.join(_SUFFIXES)}")
    try:
        found = json.loads(text) if where.lower().endswith(".json") else _yaml(text)
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{where}: cannot be read: {said}") from error
    if found is None:
        return []
    if not isinstance(found, list):
        raise ConfigError(f"{where}: allowed is a list of entries with targets and labels")
    return found


def _yaml(text: str) -> object:
    """Return what YAML says, every scalar as it is written: `yes` and `0x1` are texts in labels."""
    import yaml  # noqa: PLC0415 - only inventories in YAML need it

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - it makes texts, lists and mappings only
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _of_entry(entry: object, where: str, modules: Mapping[str, Asked]) -> Iterator[Target]:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: allowed is an object with targets and labels")
    for key in entry:
        if key not in ("targets", "labels"):
            raise ConfigError(f"{where}: unknown key {_shown(key)}; allowed: targets, labels")
    labels = _labels(entry.get("labels") or {}, where)
    module = dict(labels).get(_MODULE_LABEL)
    shown = tuple((name, value) for name, value in labels if not name.startswith("__"))
    targets = entry.get("targets") or []
    if not isinstance(targets, list):
        raise ConfigError(f"{where}: targets = {_shown(targets)}: allowed is a list of targets")
    for number, text in enumerate(targets, start=1):
        at = f"{where}: targets, number {number} = {_shown(text)}"
        if not isinstance(text, str):
            raise ConfigError(f"{at}: allowed is {ALLOWED}")
        try:
            yield parse(text, modules, module, shown)
        except ValueError as error:
            raise ConfigError(f"{at}: {error}") from error


def _labels(labels: object, where: str) -> Labels:
    if not isinstance(labels, dict):
        raise ConfigError(f"{where}: labels = {_shown(labels)}: allowed is a table of texts")
    for name, value in labels.items():
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            raise ConfigError(f"{where}: labels: {_shown(name)} is no name of a label")
        if not isinstance(value, str):
            raise ConfigError(f"{where}: labels: {name} = {_shown(value)}: allowed is a text")
    return tuple(labels.items())


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a line's worth
