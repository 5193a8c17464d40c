"""The program's own gathering, in which only threads and time are replaced.

`drift/run/gather.py` decides when whom to ask, when to stop, whom to ask again and who is a
duplicate; all of that is run as it stands. Here answers come from a plan instead of from threads,
and the clock goes on when somebody waits for it.
"""

from heapq import heappop, heappush
from itertools import count

from drift.consensus.rule import Answer, NoAnswer, Rule, settle
from drift.run.gather import _Ended, _failure, _Gathering, _Said
from sources.base import Outcome, Pending, Sample, SourceError
from sources.clock import NS, Clock
from sources.memory import Memory
from sources.record import Record
from tools.simulation.model import Https, Planned, World

_TIME_NS = 2_470 * NS // 1000
"""From the start of asking to the deadline: what the shipped timeout leaves."""


class Ran(Record):
    """What a run decided, and how it would have gone on."""

    decision: Answer | NoAnswer
    outstanding: int
    """Sources that were not waited for."""
    wall_minus_raw_ns: int
    """At the moment of decision."""
    decided_on: list[Outcome]
    """What had come by the moment of decision."""
    outcomes: list[Outcome]
    """Everything that would have come by the deadline."""
    complete: Answer | NoAnswer
    """What all of that decides."""


def run(world: World, rule: Rule) -> Ran:
    """Run the program's gathering in this world; then go on, to see what it did not wait for."""
    clock = _VirtualClock(world)
    gathering = _Virtual(world.sources, rule, clock)
    gathered = gathering.decide(patient=False)
    decided_on = list(gathered.outcomes)
    outstanding = sum(isinstance(outcome, Pending) for outcome in decided_on)
    complete = gathered.decision
    outcomes = gathering.completed()
    if outstanding:
        complete = settle(outcomes, rule, gathered.wall_minus_raw_ns)
    return Ran(
        gathered.decision,
        outstanding,
        gathered.wall_minus_raw_ns,
        decided_on,
        outcomes,
        complete,
    )


class _VirtualClock(Clock):
    """A clock that stands still until somebody waits."""

    def __init__(self, world: World) -> None:
        self.now_raw_ns = world.begin_raw_ns
        self._world = world

    def raw_ns(self) -> int:
        return self.now_raw_ns

    def wall_minus_raw_ns(self) -> int:
        return self._world.step_ns if self.now_raw_ns >= self._world.step_raw_ns else 0

    def suspended_ns(self) -> int:
        return 0


class _Virtual(_Gathering):
    """Gathering in which asking is looking up a plan, and waiting is setting a clock."""

    def __init__(self, sources: list[Planned], rule: Rule, clock: _VirtualClock) -> None:
        super().__init__(sources, rule, clock.raw_ns() + _TIME_NS, clock, None, Memory())
        self._planned = sources
        self._virtual = clock
        self._to_come: list[tuple[int, int, int, _Said]] = []
        """When, a number that breaks ties, who, and what."""
        self._numbers = count()
        self._refining: set[int] = set()

    def _ask(self, *, cheap: bool) -> None:
        now_raw_ns = self._virtual.now_raw_ns
        for index, source in enumerate(self._planned):
            if self._cheap[index] is cheap and source.answer is not None:
                self._put(
                    max(now_raw_ns + source.latency_ns, source.waits_until_raw_ns),
                    index,
                    self._said(source, source.answer),
                )

    def _put(self, when_raw_ns: int, index: int, said: _Said) -> None:
        heappush(self._to_come, (when_raw_ns, next(self._numbers), index, said))

    def _said(self, source: Planned, answer: Sample | SourceError) -> _Said:
        if isinstance(answer, Sample):
            return answer
        return _failure(source, answer.reason, str(answer))

    def _take(self, until_raw_ns: int) -> None:
        if self._refine.wait(0):
            for index in self._refinable - self._refining:
                self._ask_again(index)
        clock = self._virtual
        if not self._to_come or self._to_come[0][0] > until_raw_ns:
            clock.now_raw_ns = max(clock.now_raw_ns, until_raw_ns)
            return
        clock.now_raw_ns = max(clock.now_raw_ns, self._to_come[0][0])
        self._take_all(clock.now_raw_ns)

    def _take_all(self, until_raw_ns: int) -> None:
        while self._to_come and self._to_come[0][0] <= until_raw_ns:
            _, _, index, said = heappop(self._to_come)
            self._take_in(index, said)

    def _ask_again(self, index: int) -> None:
        """Plan the rest of a conversation, which is one source's own affair."""
        source = self._planned[index]
        if not isinstance(source, Https):
            return
        self._refining.add(index)
        source.now_raw_ns = self._virtual.now_raw_ns
        boundary_raw_ns = NS // 2 - self._virtual.wall_minus_raw_ns()
        conversation = source.conversation(self._run)
        next(conversation)
        try:
            while True:
                again = conversation.send(boundary_raw_ns)
                self._put(source.now_raw_ns, index, again)
        except StopIteration as end:
            self._put(source.now_raw_ns, index, _Ended(end.value))
        except SourceError as error:
            self._put(source.now_raw_ns, index, _failure(source, error.reason, str(error)))

    def completed(self) -> list[Outcome]:
        """Return what all sources would have said by the deadline."""
        if self._unasked:
            self._unasked = False
            self._ask(cheap=False)
        self._take_all(self._deadline_raw_ns)
        self._fail_the_outstanding()
        return list(self._outcomes)
