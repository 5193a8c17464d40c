"""How often a run asks a server, usually and at worst. Pure; no run looks at it.

A kind says it in a module `load` of its own package; one that has none sends one query. What counts
is what a server counts: datagrams, and connections or requests on one. Look-ups of names are not
counted: they go to the machine's own resolver.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from sources.base import Source
from sources.net.udp import Patience
from sources.record import Record


class Circumstances(Record):
    """What it depends on."""

    every_s: float
    """From one run to the next."""
    timeout_ns: int
    keeps_state: bool
    """Whether runs leave something for later ones."""


class Tier(Record):
    """One way in which a source asks its server."""

    name: str
    """For people: the kind, or a part of it."""
    is_first: bool
    """Whether it is on the wire at once; else it waits for those that are, and may be spared."""
    usual: float
    """Queries of a run that asks, where the server answers."""
    worst: float
    """The most that silence, loss and an open integer can make of it."""
    renews: bool = False
    """Whether it brings what later runs need to be among the first."""


def tiers(source: Source, given: Circumstances) -> tuple[Tier, ...]:
    """Return what a run asks of one source's server."""
    module = f"sources.{source.kind}.load"
    if find_spec(module) is None:
        return (Tier(source.kind, source.cheap, 1, 1),)
    return cast(tuple[Tier, ...], import_module(module).tiers(source, given))


def sendings(patience: Patience, within_ns: float) -> int:
    """Return how many datagrams leave for a server that is silent, with one address."""
    sent, silent_ns = 1, 0
    for silence_ns in patience.silences_ns:
        silent_ns += silence_ns
        sent += silent_ns < within_ns
    return sent
