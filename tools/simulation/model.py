"""A network that does not exist: servers, paths, and what they answer. Pure; chance is passed in.

The raw clock is the wall clock unless a world says that the wall clock steps, so `raw - true` is
the drift. Kinds answer as their protocols have it: NTP with two ends, HTTPS with a whole second,
Roughtime with a truncated midpoint and a radius.
"""

from collections.abc import Generator, Iterable
from random import Random

from sources.base import (
    Interval,
    RefinableSource,
    Run,
    Sample,
    Source,
    SourceError,
    TimedOut,
    admit,
)
from sources.clock import NS
from sources.https import proof
from sources.record import Record

MS = NS // 1000
DATE_LAG_NS = 600 * MS
_IMPORT_NS = 95 * MS
"""What an HTTPS request waits for its library."""
_FOR_EVER_NS = 1 << 90
"""Later than every date that `admit` may doubt: worlds have no release day."""


class Network(Record):
    """How a world's paths are drawn."""

    least_ns: int
    most_ns: int
    """Of a round trip without jitter; drawn evenly by order of magnitude."""
    skew: float
    """How much of a round trip may be on one way only: 0 is half and half, 1 is all of it."""
    jitter_ns: int
    """Mean of what each way takes longer now and then."""
    loss: float
    """Share of sources whose answer never comes."""
    root_ms: tuple[float, float] = (0.1, 20)
    """Least and most of what NTP servers admit beside the round trip."""
    unadmitted_ns: int = 0
    """Standard deviation of what honest servers are off beyond what they admit."""


QUIET = Network(4 * MS, 60 * MS, 0.3, MS, 0.0)
BAD = Network(20 * MS, 900 * MS, 1.0, 30 * MS, 0.08)


class Server(Record):
    """One server, honest or merely broken."""

    operator: str
    kind: str
    address: str
    network: Network
    off_ns: int = 0
    """Its clock minus true time, not admitted."""
    lag_ns: int = 0
    """How late its Date is."""


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


def reply(
    rng: Random, server: Server, truth_raw_ns: int, sent_raw_ns: int
) -> Sample | SourceError | None:
    """Return what a server answers to a request, why it does not count, or None: it is lost."""
    network = server.network
    if network.loss and rng.random() < network.loss:
        return None
    there_ns, back_ns = _ways(rng, network)
    off_ns = server.off_ns
    if network.unadmitted_ns:
        off_ns += round(rng.gauss(0, network.unadmitted_ns))
    # The server's clock when it answers.
    clock_ns = sent_raw_ns + there_ns - truth_raw_ns + off_ns
    received_raw_ns = sent_raw_ns + there_ns + back_ns
    certain, likely = _INTERVALS[server.kind](
        rng, network, sent_raw_ns, received_raw_ns, clock_ns - server.lag_ns
    )
    return sample(server, certain, likely, there_ns + back_ns)


def sample(
    of: Server | Planned, certain: Interval, likely: Interval, rtt_ns: int
) -> Sample | SourceError:
    """Return these intervals as a source's sample, or why it may not vote."""
    made = Sample(of.operator, of.kind, False, certain, likely, rtt_ns, of.address, "", None)
    try:
        return admit(made, _FOR_EVER_NS)
    except SourceError as error:
        return error


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


def _ways(rng: Random, network: Network) -> tuple[int, int]:
    """Draw how long a request and its reply take."""
    trip_ns = network.least_ns * (network.most_ns / network.least_ns) ** rng.random()
    there = 0.5 + network.skew * (rng.random() - 0.5)
    jitter = 1 / network.jitter_ns
    return (
        round(trip_ns * there + rng.expovariate(jitter)),
        round(trip_ns * (1 - there) + rng.expovariate(jitter)),
    )


def _ntp(
    rng: Random, network: Network, sent_ns: int, received_ns: int, clock_ns: int
) -> tuple[Interval, Interval]:
    least_ms, most_ms = network.root_ms
    root_distance_ns = round(MS * least_ms * (most_ms / least_ms) ** rng.random())
    certain = Interval(
        sent_ns - clock_ns - root_distance_ns, received_ns - clock_ns + root_distance_ns
    )
    return certain, certain


def _https(
    rng: Random,  # noqa: ARG001 - all kinds are called alike
    network: Network,  # noqa: ARG001
    sent_ns: int,
    received_ns: int,
    clock_ns: int,
) -> tuple[Interval, Interval]:
    date_ns = clock_ns // NS * NS
    likely = Interval(sent_ns - date_ns - NS, received_ns - date_ns)
    return Interval(likely.low_ns - DATE_LAG_NS, likely.high_ns), likely


def _roughtime(
    rng: Random,
    network: Network,  # noqa: ARG001 - as above
    sent_ns: int,
    received_ns: int,
    clock_ns: int,
) -> tuple[Interval, Interval]:
    midpoint_ns = clock_ns // NS * NS
    radius_ns = rng.choice((1, 1, 3, 3, 5, 10)) * NS
    certain = Interval(sent_ns - midpoint_ns - radius_ns, received_ns - midpoint_ns + radius_ns)
    return certain, Interval(sent_ns - midpoint_ns - NS, received_ns - midpoint_ns)


_INTERVALS = {"ntp": _ntp, "nts": _ntp, "https": _https, "roughtime": _roughtime}
