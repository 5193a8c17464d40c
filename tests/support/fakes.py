"""Fakes that tests share: a clock that stands still, sources that say what they are reported."""

import threading
import time
from collections.abc import Callable, Generator

from sources.base import Interval, RefinableSource, Run, Sample, Source
from sources.clock import NS, Clock
from sources.memory import Entry, Memory, Update

TRUE_UNIX_NS = 1_800_000_000 * NS
"""A time after the release, for servers that do not ask a clock."""


class FakeClock(Clock):
    """A clock whose readings are set by the test; raw time stands still unless moved."""

    def __init__(self, raw_ns: int = 1000 * NS, wall_minus_raw_ns: int = TRUE_UNIX_NS) -> None:
        self.raw = raw_ns
        self.wall_minus_raw = wall_minus_raw_ns
        self.suspended = 0

    def raw_ns(self) -> int:
        return self.raw

    def wall_ns(self) -> int:
        return self.raw + self.wall_minus_raw

    def wall_minus_raw_ns(self) -> int:
        return self.wall_minus_raw

    def suspended_ns(self) -> int:
        return self.suspended


def a_run(
    deadline_s: float = 2.0,
    clock: Clock | None = None,
    random_bytes: Callable[[int], bytes] | None = None,
) -> Run:
    """Return a Run that resolves literal addresses only and ends `deadline_s` from now."""
    import os

    clock = clock or Clock()
    return Run(
        clock.raw_ns() + round(deadline_s * NS),
        clock,
        lambda host, fallback: fallback or (host,),
        random_bytes or os.urandom,
    )


def a_sample(
    low_s: float,
    high_s: float,
    operator: str = "Alpha",
    kind: str = "ntp",
    likely_s: tuple[float, float] | None = None,
) -> Sample:
    """Return a sample of these ends, in seconds; likely is the same unless given."""
    certain = Interval(round(low_s * NS), round(high_s * NS))
    likely = certain
    if likely_s is not None:
        likely = Interval(round(likely_s[0] * NS), round(likely_s[1] * NS))
    return Sample(operator, kind, False, certain, likely, 0, f"server of {operator}", "")


class Notebook(Memory):
    """Has nothing to recall; what it is to remember can be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: dict[tuple[str, str], Entry | None] = {}

    def change(self, shelf: str, name: str, update: Update, most_age_ns: int | None = None) -> bool:
        self.changed[shelf, name] = update(None)
        return True


class FakeSource(Source):
    """A source whose `sample` is a function of the test's."""

    kind = "ntp"
    cheap = True
    precise = True

    def __init__(self, operator: str, answer: Callable[[Run], Sample]) -> None:
        super().__init__(operator.lower(), operator, operator)
        self.answer = answer

    def sample(self, run: Run) -> Sample:
        return self.answer(run)


class HeavyFakeSource(FakeSource):
    """The same, of a kind whose library is heavy."""

    cheap = False


class RefinableFakeSource(RefinableSource):
    """A source that says one sample after the other, and what it was asked about each time."""

    kind = "https"
    cheap = False
    precise = False

    def __init__(self, operator: str, *said: Sample | Exception, delay_s: float = 0) -> None:
        super().__init__(operator.lower(), operator, operator)
        self.said = said
        self.delay_s = delay_s
        self.boundaries: list[int] = []

    def conversation(self, run: Run) -> Generator[Sample, int, str]:
        for outcome in self.said:
            threading.Event().wait(self.delay_s)
            if isinstance(outcome, Exception):
                raise outcome
            self.boundaries.append((yield outcome))
        return ""


class Elapsed:
    """How long the block took, in seconds."""

    def __enter__(self) -> "Elapsed":
        self._began_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.s = time.monotonic() - self._began_s
