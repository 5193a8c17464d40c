"""One address is one server: several operators behind one have one vote together at most. Pure.

A captive portal, split DNS, or whoever forges DNS leads many names to one machine. It would have as
many votes as names. Addresses that the configuration itself has are taken as they stand there.
"""

from collections import Counter
from collections.abc import Sequence

from drift.consensus.rule import operator_key
from sources.base import Source
from sources.net.addresses import plain

_FEW_SOURCES = 2
"""So few that half of the vote at least goes with one of them."""


class Addresses:
    """Whose vote each address has, in one run.

    Who answers first keeps it; whoever comes later has failed, which is one of the completions that
    the early stop allows for. Samples that have been taken in stay.

    With a name nobody can silence more than he gives up himself: an operator of up to two sources
    loses as large a share to the address as it takes from another. One of more (a pool) keeps an
    address only while all that it has said came from there, and then says nothing else.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        """Begin a run of these sources."""
        self._sources = sources
        self._count = Counter(operator_key(source.operator) for source in sources)
        self._granted: set[tuple[int, str]] = set()
        self._holders: dict[str, int] = {}
        self._heard_from: dict[str, set[str]] = {}
        self._bound: dict[str, str] = {}
        """Operators of many sources that have kept another from an address, and which."""

    def claim(self, index: int, server: str) -> str:
        """Vote by the address that a source has answered from; return why it may not, or nothing.

        Who may once may always.
        """
        address = plain(server)
        if (index, address) in self._granted:
            return ""
        source = self._sources[index]
        operator = operator_key(source.operator)
        bound = self._bound.get(operator, address)
        if bound != address:
            return f"its operator has the vote of {bound}, and no other"
        if _is_by_name(source, server):
            holder = self._sources[self._holders.setdefault(address, index)]
            if operator_key(holder.operator) != operator:
                if self._keeps(operator_key(holder.operator), address):
                    return f"same address as {holder.kind} {holder.name} ({server})"
                self._holders[address] = index
        self._heard_from.setdefault(operator, set()).add(address)
        self._granted.add((index, address))
        return ""

    def _keeps(self, holder: str, address: str) -> bool:
        """Whether an operator can keep its address from others."""
        if self._count[holder] <= _FEW_SOURCES:
            return True
        if self._heard_from[holder] != {address}:
            return False
        self._bound[holder] = address
        return True


def _is_by_name(source: Source, server: str) -> bool:
    return bool(source.host) and server not in (source.host, *source.literals)
