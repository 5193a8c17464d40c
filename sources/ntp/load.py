"""What a run asks of an NTP server: one datagram, and another one after silence. Pure."""

from sources.base import Source
from sources.load import Circumstances, Tier, sendings
from sources.net.udp import USUAL


def tiers(source: Source, given: Circumstances) -> tuple[Tier, ...]:
    """Return the one tier there is; of a pool each share is a source of its own."""
    return (Tier(source.kind, True, 1, sendings(USUAL, given.timeout_ns)),)
