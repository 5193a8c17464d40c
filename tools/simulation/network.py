"""Servers and paths that do not exist, and what they answer. Pure; chance is passed in.

Kinds answer as their protocols have it: NTP with two ends, HTTPS with a whole second, Roughtime
with a truncated midpoint and a radius.
"""

from random import Random

from sources.base import Interval, Sample, SourceError, admit
from sources.clock import NS
from sources.record import Record

MS = NS // 1000
_DATE_LAG_NS = 600 * MS
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
    rtt_ns = there_ns + back_ns
    return sample(server.operator, server.kind, server.address, certain, likely, rtt_ns)


def sample(
    operator: str, kind: str, address: str, certain: Interval, likely: Interval, rtt_ns: int
) -> Sample | SourceError:
    """Return these intervals as a source's sample, or why it may not vote."""
    made = Sample(operator, kind, False, certain, likely, rtt_ns, address, "", None)
    try:
        return admit(made, _FOR_EVER_NS)
    except SourceError as error:
        return error


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
    return Interval(likely.low_ns - _DATE_LAG_NS, likely.high_ns), likely


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
