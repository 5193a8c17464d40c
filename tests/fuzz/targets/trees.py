"""Edits of a tree of JSON, TOML or YAML that a fuzzer's bytes stand for. Pure.

Edits of its text seldom get past the parser; a tree with one value of another type, one key too
many or one entry twice is what the code behind it has to take.
"""

import json
from copy import deepcopy
from datetime import UTC, date, datetime, time
from itertools import islice
from math import inf, nan
from typing import Any

from tests.fuzz.targets.edits import Taker, edited

_MOST_EDITS = 8
_DEEPEST = 6
ODD: tuple[object, ...] = (
    "", " ", "x" * 5000, "\0", "\x7f", "\u202e", "\U0001f550", "é.example", "192.0.2.1", "::1",
    "fe80::1%lo", "127.0.0.1", "0.0.0.0/0", "a.example:0", "https://", "ntp", "=", "../..",
    0, 1, -1, 65536, 1 << 63, 1 << 300, 0.0, -0.0, 1e-9, 1e308, inf, nan, True, False,
    [], {}, [[]], [{}], {"": {}}, {"a": 1},
)  # fmt: skip
"""What JSON and TOML have both."""
ODD_IN_TOML = (*ODD, date(1, 1, 1), time(23, 59), datetime(9999, 12, 31, tzinfo=UTC))
ODD_IN_JSON = (*ODD, None)


def bent(tree: object, edits: bytes, odd: tuple[object, ...]) -> Any:
    """Return the tree with edits: where, by a byte for each step down; what; and with what."""
    taker = Taker(edits)
    holder = [deepcopy(tree)]
    for _ in islice(iter(taker.__bool__, False), _MOST_EDITS):
        where, key = _place(holder, taker)
        _bend(where, key, taker, odd)
        if not holder:
            return None
    return holder[0]


def toml(value: object) -> str:
    """Write a value as TOML has it, tables inline."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return (
                f"{{{', '.join(f'{toml(key)} = {toml(inner)}' for key, inner in value.items())}}}"
            )
        case date() | time():
            return value.isoformat()
    return str(value)


def document(tree: Any) -> str:
    """Write a whole tree as TOML; what is no table has no meaning there."""
    if not isinstance(tree, dict):
        return toml(tree)
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in tree.items())


def _place(holder: Any, taker: Taker) -> tuple[Any, Any]:
    where, key = holder, 0
    for _ in range(taker.whole() % _DEEPEST):
        inner = where[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        where, key = inner, keys[taker.whole() % len(keys)]
    return where, key


def _bend(where: Any, key: Any, taker: Taker, odd: tuple[object, ...]) -> None:
    found = where[key]
    match taker.whole() % 6:
        case 0:
            where[key] = deepcopy(odd[taker.whole() % len(odd)])
        case 1:
            text = found if isinstance(found, str) else str(found)
            where[key] = edited(text.encode(), taker.take(5)).decode("utf-8", "replace")
        case 2:
            where[key] = taker.whole(1 + taker.whole() % 9) - (1 << 15)
        case 3:
            where[key] = [found]
        case 4:
            del where[key]
        case _:
            _twice(where, key, taker)


def _twice(where: Any, key: Any, taker: Taker) -> None:
    """Let an entry be there again, in a table by another name: all edits make it 256 at most."""
    copied = deepcopy(where[key])
    if isinstance(where, list):
        where.insert(key, copied)
    else:
        where[edited(key.encode(), taker.take(5)).decode("utf-8", "replace")] = copied
