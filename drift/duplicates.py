"""One address is one server: several operators behind one have one vote together at most. Pure.

A captive portal, split DNS, or whoever forges DNS leads many names to one machine. It would have as
many votes as names. Addresses that the configuration itself has are taken as they stand there.
"""

from collections.abc import Iterable

from drift.consensus import operator_key
from sources.addresses import is_address, plain
from sources.base import Source


def duplicate_of(
    source: Source, server: str, answered: Iterable[tuple[Source, str]]
) -> Source | None:
    """Return which of the sources that have answered is the same server under another's name.

    `server` and those in `answered` are the addresses that the answers came from. Sources of one
    operator share a vote anyhow.
    """
    if not _is_by_name(source, server):
        return None
    for other, address in answered:
        if (
            plain(address) == plain(server)
            and operator_key(other.operator) != operator_key(source.operator)
            and _is_by_name(other, address)
        ):
            return other
    return None


def _is_by_name(source: Source, server: str) -> bool:
    return bool(source.host) and not is_address(source.host) and server not in source.literals
