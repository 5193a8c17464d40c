"""What a run asks of a Roughtime server: one datagram; after silence more, and a connection. Pure.

With state a server that stays silent is asked ever more rarely; the worst case is without.
"""

from typing import cast

from sources.base import Source
from sources.load import Circumstances, Tier, sendings
from sources.roughtime.source import BY_UDP, PATIENCE, RoughtimeSource


def tiers(source: Source, given: Circumstances) -> tuple[Tier, ...]:
    """Return the one tier there is."""
    transport = cast(RoughtimeSource, source).transport
    if transport == "tcp":
        worst = 1
    elif transport == "udp":
        worst = sendings(PATIENCE, given.timeout_ns)
    else:
        worst = sendings(PATIENCE, given.timeout_ns * BY_UDP[0] / BY_UDP[1]) + 1
    return (Tier(source.kind, True, 1, worst),)
