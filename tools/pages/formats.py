"""The table of output formats in docs/formats.md, from their registry."""

import re

from drift.formats.registry import format_class, names

_TABLE = re.compile(r"(?<=<!-- formats -->\n).*?(?=<!-- /formats -->)", re.DOTALL)
_HEAD = "| `--format` | stdout |\n|---|---|\n"


def text(page: str) -> str:
    """Return the page with the table between its two comments as it has to be."""
    rows = (f"| `{name}` | {format_class(name).summary} |\n" for name in names())
    table = _HEAD + "".join(rows)
    return _TABLE.sub(lambda _: table, page)
