"""One run's world: its truth, its sources, and who is meant to be honest. Pure.

The raw clock is the wall clock unless a world says that the wall clock steps, so `raw - true` is
the drift.
"""

from collections.abc import Iterable
from random import Random

from sources.base import Sample
from sources.clock import NS
from tools.simulation.network import MS, Network, Server, reply
from tools.simulation.planned import CLASSES, Https, Planned

_IMPORT_NS = 95 * MS
"""What an HTTPS request waits for its library."""


class World:
    """One run's network: its truth, its sources, and who of them is meant to be honest."""

    def __init__(self, rng: Random, truth_raw_ns: int) -> None:
        """Begin without sources, at some phase of a second."""
        self.rng = rng
        self.truth_raw_ns = truth_raw_ns
        """Raw minus true."""
        self.begin_raw_ns = rng.randrange(NS)
        self.sources: list[Planned] = []
        self.liars: set[str] = set()
        """Operators that are not honest."""
        self.step_raw_ns = 1 << 80
        """When the wall clock steps: never."""
        self.step_ns = 0

    def add(self, server: Server) -> None:
        """Add a source whose server answers, or whose answer is lost."""
        source = CLASSES[server.kind](server.operator, server.address)
        self.sources.append(source)
        begun_raw_ns = self.begin_raw_ns + self.rng.randrange(200 * MS)
        source.answer = reply(self.rng, server, self.truth_raw_ns, begun_raw_ns)
        if isinstance(source.answer, Sample):
            source.latency_ns = source.answer.rtt_ns
        if isinstance(source, Https):
            source.latency_ns = _IMPORT_NS + 3 * source.latency_ns
            source.server, source.rng = server, self.rng
            source.truth_raw_ns = self.truth_raw_ns

    @property
    def seen(self) -> list[Sample]:
        """What the honest answer, which liars have seen before they answer."""
        return [
            source.answer
            for source in self.sources
            if source.operator not in self.liars and isinstance(source.answer, Sample)
        ]


def drawn_truth(rng: Random) -> int:
    """Draw a drift: half of them within 30 ms of where the integer turns, a few enormous."""
    kind = rng.random()
    if kind < 0.5:  # noqa: PLR2004 - as the first line says
        return rng.randrange(-5, 5) * NS + NS // 2 + rng.randrange(-30 * MS, 30 * MS)
    reach_s = 5 if kind < 0.95 else 10**9  # noqa: PLR2004
    return rng.randrange(-reach_s * NS, reach_s * NS)


def servers(mix: Iterable[tuple[str, str]], network: Network) -> list[Server]:
    """Return a server, at an address of its own, for each (operator, kind)."""
    return [
        Server(operator, kind, f"192.0.2.{number}", network)
        for number, (operator, kind) in enumerate(mix, start=1)
    ]
