"""Sources whose answers are known beforehand. Pure."""

from collections.abc import Generator
from random import Random

from sources.base import RefinableSource, Run, Sample, Source, SourceError, TimedOut
from sources.https import proof
from tools.simulation.network import Server, reply


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


CLASSES = {cls.kind: cls for cls in (Ntp, Nts, Roughtime, Https)}
