"""Asking ONE time source: bytes and sockets in, a Sample or a SourceError out.

Nothing in here knows of consensus, of configuration files or of output. A kind of source is one
package of this folder that has a `source.py`; its name is the kind's name in config.toml
(`[[sources.ntp]]`). docs/extending.md shows how one is added.
"""

import os

_HERE = os.path.dirname(os.path.abspath(__file__))


def is_kind(name: str) -> bool:
    """Whether there is such a kind of source."""
    return name.isidentifier() and os.path.isfile(os.path.join(_HERE, name, "source.py"))


def kinds() -> tuple[str, ...]:
    """Return the name of every kind there is, sorted."""
    return tuple(sorted(filter(is_kind, os.listdir(_HERE))))
