"""One run's world: its truth, its sources with their answers, and who is meant to be honest. Pure.

The raw clock is the wall clock unless a world says that the wall clock steps, so `raw - true` is
the drift.
"""

from collections.abc import Generator, Iterable
from random import Random

from sources.base import RefinableSource, Run, Sample, Source, SourceError, TimedOut
from sources.clock import NS
from sources.https import proof
from tools.simulation.network import MS, Network, Server, reply

_IMPORT_NS = 95 * MS
"""What an HTTPS request waits for its library."""


class Planned(Source):
    """A source whose answer is known beforehand, and when it comes."""

    def __init__(self, operator: str, address: str) -> None:
        """Nothing is planned yet: it would not answer."""
        super().__init__(operator, operator, address, f"{address}.example")
        self.address = address
        self.answer: Sample | SourceError | None = None
        self.latency_ns = 0
        """From being asked to the answer."""
        self.waits_until_raw_ns = 0
        """It does not answer before."""

    def sample(self, run: Run) -> Sample:  # noqa: ARG002 - the interface
        """Return what is planned, or raise it."""
        if self.answer is None:
            raise TimedOut("lost")
        if isinstance(self.answer, SourceError):
            raise self.answer
        return self.answer


class Ntp(Planned):
    """Plain NTP."""

    kind = "ntp"
    cheap = True


class Nts(Planned):
    """NTS with cookies of an earlier run."""

    kind = "nts"
    cheap = True


class Roughtime(Planned):
    """Roughtime."""

    kind = "roughtime"
    cheap = True


class Https(Planned, RefinableSource):
    """HTTPS, which can be asked again."""

    kind = "https"
    cheap = False

    def __init__(self, operator: str, address: str) -> None:
        """Nothing is planned yet."""
        super().__init__(operator, address)
        self.server: Server | None = None
        """Who answers when asked again; a liar does not."""
        self.rng = Random(0)  # noqa: S311 - a simulation, the same every time
        self.truth_raw_ns = 0
        self.now_raw_ns = 0
        """The time of its own thread."""

    def conversation(self, run: Run) -> Generator[Sample, int, str]:
        """Answer, and again at moments that decide, as sources/https/source.py has it."""
        sample = self.sample(run)
        boundary_raw_ns = yield sample
        for _ in range(2, proof.MOST_REQUESTS + 1):
            moment_raw_ns = proof.next_moment_raw_ns(
                self.now_raw_ns, sample.likely, boundary_raw_ns, sample.rtt_ns
            )
            if moment_raw_ns is None:
                return ""
            if self.server is None:
                return "a liar that says nothing more"
            if moment_raw_ns + sample.rtt_ns > run.deadline_raw_ns:
                return "no time left to ask at a moment that could decide"
            again = reply(self.rng, self.server, self.truth_raw_ns, moment_raw_ns)
            if not isinstance(again, Sample):
                return "lost"
            self.now_raw_ns = moment_raw_ns + again.rtt_ns
            sample = proof.narrowed(sample, again, lags=True)
            boundary_raw_ns = yield sample
        return ""


_CLASSES = {cls.kind: cls for cls in (Ntp, Nts, Roughtime, Https)}


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
        source = _CLASSES[server.kind](server.operator, server.address)
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
