"""A fleet of nodes that measure, simulated: real schedule, back-off and rule, no socket, no wait.

Each node has a memory, and a clock that the simulation sets. Sources count what reaches them, by
the second. Of NTS only the number of cookies and the age of the keys are kept: what the real
adapter does with them, tests/contract/nts has.
"""

import random
from collections.abc import Callable, Sequence

from drift.config import Config
from drift.consensus.rule import Answer, settle
from drift.run.schedule import Schedule
from drift.run.splay import share_ns
from sources.base import (
    Failure,
    Interval,
    Outcome,
    Pending,
    Refused,
    Run,
    Sample,
    Source,
    SourceError,
    TimedOut,
)
from sources.clock import NS
from sources.memory import Entry, Memory, Update, back_off
from sources.nts.cookies import MOST_AGE_NS, MOST_KEPT, SHELF, TAKEN
from tests.support.fakes import FakeClock

TOOK_NS = 100 * NS // 1000
"""How long a run takes."""
_PRECISE = Interval(-NS // 100, NS // 100)
_COARSE = Interval(-NS // 2, NS // 2)


class Clock(FakeClock):
    """Raw time and time since the boot are one."""

    def boot_ns(self) -> int:
        return self.raw


class NodeMemory(Memory):
    """Keeps entries in this process; they age as those of files do."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[int, Entry]] = {}

    def recall(self, shelf: str, name: str, most_age_ns: int | None = None) -> Entry | None:
        found = self._kept.get((shelf, name))
        if found is None:
            return None
        since_ns, entry = found
        is_old = most_age_ns is not None and self._clock.raw - since_ns > most_age_ns
        return None if is_old else entry

    def change(self, shelf: str, name: str, update: Update, most_age_ns: int | None = None) -> bool:
        before = self.recall(shelf, name, most_age_ns)
        entry = update(before)
        if entry is None:
            self._kept.pop((shelf, name), None)
        else:
            since_ns = self._clock.raw if before is None else self._kept[shelf, name][0]
            self._kept[shelf, name] = since_ns, entry
        return True

    def keep_since(self, shelf: str, name: str, since_ns: int, entry: Entry) -> None:
        """Have an entry as old as that."""
        self._kept[shelf, name] = since_ns, entry


class Counting(Source):
    """Stands for a source of the configuration, and for its server, which counts."""

    def __init__(self, real: Source, seconds: int) -> None:
        super().__init__(real.name, real.operator, real.endpoint, real.host)
        self.kind = real.kind  # type: ignore[misc] # it stands for any
        self.cheap = real.cheap  # type: ignore[misc]
        self.backs_off = real.backs_off  # type: ignore[misc]
        self.precise = real.precise
        self.queries = [0] * seconds
        """By the second."""
        self.keys = 0
        """Exchanges of keys."""
        self.fault: Callable[[], SourceError] | None = None
        """What it raises instead of answering."""
        interval = _PRECISE if real.precise else _COARSE
        self._sample = Sample(real.operator, real.kind, True, interval, interval, 0, "", "")

    def is_cheap(self, memory: Memory) -> bool:
        if self.kind != "nts":
            return self.cheap
        return memory.recall(SHELF, self.endpoint, MOST_AGE_NS) is not None

    def sample(self, run: Run) -> Sample:
        cookies = self._taken(run.memory) if self.kind == "nts" else 0
        self.queries[run.clock.raw_ns() // NS] += 1
        if self.fault is not None:
            raise self.fault()
        if cookies:  # one was sent, and one came
            run.memory.change(
                SHELF, self.endpoint, lambda _: {"left": min(cookies, MOST_KEPT)}, MOST_AGE_NS
            )
        return self._sample

    def _taken(self, memory: Memory) -> int:
        """Take some of the cookies, getting new ones where none is left; return how many were."""
        kept = memory.recall(SHELF, self.endpoint, MOST_AGE_NS)
        left = kept["left"] if kept is not None else 0
        assert isinstance(left, int)
        if not left:
            self.keys += 1
            return MOST_KEPT
        rest = left - TAKEN
        memory.change(
            SHELF, self.endpoint, lambda _: {"left": rest} if rest > 0 else None, MOST_AGE_NS
        )
        return left


class Fleet:
    """Nodes that were started together, some days ago, and measure for some minutes."""

    def __init__(self, config: Config, nodes: int, every_s: int, minutes: int) -> None:
        """Simulate them; nothing has been asked yet."""
        self._measured_s = 60 * minutes
        self.sources = [Counting(source, 2 * self._measured_s) for source in config.sources]
        self._rule = config.rule
        self._nodes = nodes
        self._every_ns = every_s * NS
        self._settled: dict[tuple[type, ...], bool] = {}
        """By what there is of each source: all that answer say the same."""
        self.answers = 0
        self.runs = 0

    def measure(self, *, splay_s: int, seed: int = 0) -> None:
        """Have every node measure, from its own moment on."""
        below = random.Random(seed).randrange  # noqa: S311 - the same each time
        for number in range(self._nodes):
            clock = Clock(0, 0)
            memory = NodeMemory(clock)
            # A roll-out that took a day: the keys are of all ages.
            for source in self.sources:
                if source.kind == "nts":
                    age_ns = number * MOST_AGE_NS // self._nodes
                    memory.keep_since(SHELF, source.endpoint, -age_ns, {"left": MOST_KEPT})
            began_ns = share_ns(b"%032x" % number, splay_s * NS) if splay_s else 0
            run = Run(0, clock, lambda host, fallback: (host,), bytes, memory)
            schedule = Schedule(self._every_ns, began_ns, below)
            clock.raw = schedule.first_raw_ns()
            while clock.raw < began_ns + self._measured_s * NS:
                self._measure_once(run)
                clock.raw = schedule.next_raw_ns(clock.raw + TOOK_NS)

    def _measure_once(self, run: Run) -> None:
        """Ask as `gather` does: who is cheap at once, the others if that settles nothing."""
        at_once = [source.is_cheap(run.memory) for source in self.sources]
        outcomes: list[Outcome] = [
            asked(source, run) if is_cheap else Pending(source.operator, source.kind)
            for source, is_cheap in zip(self.sources, at_once, strict=True)
        ]
        is_settled = self._is_settled(outcomes)
        if not is_settled:
            for index, is_cheap in enumerate(at_once):
                if not is_cheap:
                    outcomes[index] = asked(self.sources[index], run)
            is_settled = self._is_settled(outcomes)
        self.runs += 1
        self.answers += is_settled

    def _is_settled(self, outcomes: Sequence[Outcome]) -> bool:
        key = tuple(map(type, outcomes))
        if key not in self._settled:
            self._settled[key] = isinstance(settle(outcomes, self._rule, 0), Answer)
        return self._settled[key]


def asked(source: Source, run: Run) -> Outcome:
    """Ask by way of back-off, as a source's thread does."""
    try:
        return back_off.asked(source, run)
    except SourceError as error:
        return Failure(source.operator, source.kind, error.reason, "")


def silence() -> SourceError:
    return TimedOut("no reply")


def kiss_of_rate() -> SourceError:
    return Refused("RATE", "RATE")
