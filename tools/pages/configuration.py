"""What config.toml may hold: keys from the schema, explained by the comments of the shipped file.

What a comment repeats from the schema is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module

from drift.config import (
    CONSENSUS_KEYS,
    DEFAULT_MIN_KINDS,
    DEFAULT_MIN_OPERATORS,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TOLERANCE_S,
    TOP_KEYS,
)
from fleet.settings import MODULE_KEYS, PROBE_KEYS
from nodes import KINDS as NODE_KINDS
from nodes.base import node_class
from sources import kinds
from sources.record import Record
from sources.schema import COMMON, REQUIRED, Key

EVERY = "every kind"

_DEFAULTS = {
    "timeout": DEFAULT_TIMEOUT_S,
    "min_operators": DEFAULT_MIN_OPERATORS,
    "min_kinds": DEFAULT_MIN_KINDS,
    "tolerance": DEFAULT_TOLERANCE_S,
}
"""Where it is not the comment that has the default: the shipped file writes these."""

_ASSIGNED = re.compile(r"(?:# )?(\w+) = .*? +# (.*)")
_FURTHER = re.compile(r" {8,}# (.*)")
_HEADING = re.compile(r"# (?:.* )?Keys of (?:\[\[sources\.(\w+)\]\](?:, )?|every kind)(.*):")
_KEY = re.compile(r"#   (\w+)  +(\S.*)")
_MORE = re.compile(r"#    +(\S.*)")
_AFTER = re.compile(r"# (\S.*)")
_CLAUSE = re.compile(r"(?<=[;.]) ")
_WORD = re.compile(r"[\w.]+\w|\w")


class Section(Record):
    """The keys of one table, and what each means."""

    name: str
    text: str
    keys: dict[str, str]
    notes: str = ""
    """What holds for all of them."""


def sections(shipped: str) -> tuple[Section, ...]:
    """Return the top level, [consensus], and the keys of sources in the order of the comments.

    Raises ValueError where the comments explain a key that is not there, or do not explain one.
    """
    lines = shipped.splitlines()
    assigned = dict(_assigned(lines))
    top = [key for key in TOP_KEYS if key not in ("consensus", "sources", "probe")]
    explained = {section.name: section for section in _explained(lines)}
    _same("the top level and [consensus]", assigned, [*top, *CONSENSUS_KEYS])
    _same("[[sources]]", explained, [EVERY, *kinds()])
    return (
        Section("", "", {key: _with_default(key, assigned[key]) for key in top}),
        Section(
            "consensus", "", {key: _with_default(key, assigned[key]) for key in CONSENSUS_KEYS}
        ),
        *(_merged(section, _keys(name)) for name, section in explained.items()),
        *_of_nodes(lines),
    )


def _of_nodes(lines: Sequence[str]) -> Iterator[Section]:
    """Yield [probe], and the tables of modules with what each kind has beside."""
    assigned = dict(_assigned(lines[lines.index("# [probe]") :]))
    own = [key for key in assigned if key not in MODULE_KEYS]
    _same("[probe.modules]", [key for key in assigned if key in MODULE_KEYS], MODULE_KEYS)
    yield _merged(Section("probe", "", {key: assigned[key] for key in own}), PROBE_KEYS)
    keys = {name: _both(key, assigned[name]) for name, key in MODULE_KEYS.items()}
    for kind in NODE_KINDS:
        for name, key in node_class(kind).KEYS.items():
            keys[f"{name} ({kind})"] = _both(key, "")
    yield Section("probe.modules.NAME", "A name for targets, and how its nodes are asked", keys)


def _keys(kind: str) -> dict[str, Key]:
    if kind == EVERY:
        return COMMON
    found: dict[str, Key] = import_module(f"sources.{kind}.source").KEYS
    return found


def _same(where: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    different = set(found) ^ set(wanted)
    if different:
        raise ValueError(f"config.toml explains {where} wrongly: {', '.join(sorted(different))}")


def _assigned(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each key above the sources, and the comment that stands beside it."""
    key, text = "", ""
    for line in lines:
        if found := _ASSIGNED.fullmatch(line):
            if key:
                yield key, text
            key, text = found[1], found[2]
        elif key and (more := _FURTHER.fullmatch(line)):
            text += f" {more[1]}"
        elif "Keys of" in line:
            break
    yield key, text


def _explained(lines: Iterable[str]) -> Iterator[Section]:
    """Yield each list of keys, with what its comments say."""
    section: Section | None = None
    key = ""
    for line in lines:
        if found := _HEADING.fullmatch(line):
            if section:
                yield section
            section = Section(found[1] or EVERY, found[2], {})
        elif section and (entry := _KEY.fullmatch(line)):
            key = entry[1]
            section.keys[key] = entry[2]
        elif section and (more := _MORE.fullmatch(line)):
            section.keys[key] += f" {more[1]}"
        elif section and (after := _AFTER.fullmatch(line)):
            section = section.replaced(notes=f"{section.notes} {after[1]}".lstrip())
        elif section:
            yield section
            section = None


def _with_default(key: str, comment: str) -> str:
    default = _DEFAULTS.get(key)
    return _sentence(comment) + ("" if default is None else f" {default:g} if not written.")


def _merged(section: Section, schema: Mapping[str, Key]) -> Section:
    """Return the section with what the schema allows, and of the comments what is more."""
    _same(section.name, section.keys, schema)
    keys = {name: _both(key, section.keys[name]) for name, key in schema.items()}
    return section.replaced(keys=keys)


def _both(key: Key, comment: str) -> str:
    allowed = key.allowed
    if key.default is REQUIRED:
        allowed += "; has to be written"
    elif key.default not in (None, ()):
        default = f'"{key.default}"' if isinstance(key.default, str) else f"{key.default}"
        allowed += f"; {default} if not written"
    known = set(_words(allowed))
    more = [clause for clause in _CLAUSE.split(comment) if not set(_words(clause)) <= known]
    return " ".join(map(_sentence, filter(None, (allowed, " ".join(more)))))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(";.") + "."
