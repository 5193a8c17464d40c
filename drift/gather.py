"""Ask all sources at once, decide as early as can be, leave without waiting for anyone.

One thread a source, started raw: threading.Thread waits for each to have begun, which costs more
than asking does. None is ever waited for. The main thread alone holds the outcomes and decides.
Sources that cost one datagram go first; those with heavy libraries follow after a head start, or
as soon as all the cheap ones are in and undecided, and stay unasked if they are not needed.
"""

import os
from _thread import start_new_thread
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from drift import consensus
from drift.consensus import Answer, Lack, NoAnswer, Rule
from sources.base import Failure, Outcome, Pending, Reason, Run, Source, SourceError
from sources.clock import NS, Clock
from sources.record import Record
from sources.resolver import Resolver

HEAD_START_NS = 150 * NS // 1000
"""How long the cheap sources are alone on the wire (brief 3.9)."""

_SLEPT_NS = NS // 100
_LAST_WORDS_NS = 30 * NS // 1000
"""How much earlier than the run a source's deadline is, so that it can still say what it lacked."""


class Gathered(Record):
    """Everything one run found; every report is made from this and nothing else."""

    sources: Sequence[Source]
    outcomes: Sequence[Outcome]
    """One a source, in the same order; Pending means it was not needed."""
    decision: Answer | NoAnswer
    wall_minus_raw_ns: int
    """At the moment of decision: turns raw - true into drift."""
    elapsed_ns: int
    """From the start of gathering to the decision."""


def gather(
    sources: Sequence[Source],
    rule: Rule,
    deadline_raw_ns: int,
    clock: Clock,
    *,
    patient: bool = False,
) -> Gathered:
    """Ask the sources and return what came of it by `deadline_raw_ns`.

    `patient` goes on listening when the answer is settled, so that every source gets a verdict
    of its own; it cannot change the integer.
    """
    return _Gathering(sources, rule, deadline_raw_ns, clock).decide(patient=patient)


class _Gathering:
    """The state of one run: who was asked, what came in."""

    def __init__(
        self, sources: Sequence[Source], rule: Rule, deadline_raw_ns: int, clock: Clock
    ) -> None:
        self._sources = sources
        self._rule = rule
        self._clock = clock
        self._began_raw_ns = clock.raw_ns()
        self._suspended_ns = clock.suspended_ns()
        self._outcomes: list[Outcome] = [Pending(s.operator, s.kind) for s in sources]
        self._deadline_raw_ns = deadline_raw_ns
        self._inbox: SimpleQueue[tuple[int, Outcome | Exception]] = SimpleQueue()
        last_words_raw_ns = deadline_raw_ns - _LAST_WORDS_NS
        self._run = Run(
            last_words_raw_ns,
            clock,
            Resolver(last_words_raw_ns, clock).addresses,
            os.urandom,
        )

    def decide(self, *, patient: bool) -> Gathered:
        """Ask, wait and settle until there is an answer or nothing left to wait for."""
        self._ask(cheap=True)
        unasked = not all(source.cheap for source in self._sources)
        head_start_ends_ns = self._began_raw_ns + HEAD_START_NS
        while True:
            now_ns = self._clock.raw_ns()
            if now_ns >= self._deadline_raw_ns:
                self._fail_the_outstanding()
            wall_minus_raw_ns = self._clock.wall_minus_raw_ns()
            settled = consensus.settle(self._outcomes, self._rule, wall_minus_raw_ns)
            if not self._outstanding() or (isinstance(settled, Answer) and not patient):
                return self._gathered(settled, wall_minus_raw_ns)
            if unasked and (now_ns >= head_start_ends_ns or not self._outstanding(cheap=True)):
                unasked = False
                self._ask(cheap=False)
                continue  # those that no thread could be had for have failed already
            next_ns = head_start_ends_ns if unasked else self._deadline_raw_ns
            self._take(min(self._deadline_raw_ns, next_ns))

    def _ask(self, *, cheap: bool) -> None:
        for index, source in enumerate(self._sources):
            if source.cheap is cheap:
                try:
                    start_new_thread(self._work, (index, source))
                except RuntimeError as error:
                    self._outcomes[index] = _failure(source, Reason.UNREACHABLE, str(error))

    def _work(self, index: int, source: Source) -> None:
        """Run in the source's own thread: every outcome, even a bug of ours, goes to the inbox."""
        outcome: Outcome | Exception
        try:
            outcome = source.sample(self._run)
        except SourceError as error:
            outcome = _failure(source, error.reason, str(error))
        except Exception as bug:  # noqa: BLE001 - raised again, in the main thread
            outcome = bug
        self._inbox.put((index, outcome))

    def _take(self, until_raw_ns: int) -> None:
        """Wait for an outcome until then, and take in all that have come."""
        try:
            wait_ns = max(0, until_raw_ns - self._clock.raw_ns())
            index, outcome = self._inbox.get(timeout=wait_ns / NS)
            while True:
                if isinstance(outcome, Exception):
                    raise outcome
                self._outcomes[index] = outcome
                index, outcome = self._inbox.get_nowait()
        except Empty:
            return

    def _outstanding(self, *, cheap: bool = False) -> bool:
        return any(
            isinstance(outcome, Pending) and (source.cheap or not cheap)
            for source, outcome in zip(self._sources, self._outcomes, strict=True)
        )

    def _fail_the_outstanding(self) -> None:
        for index, source in enumerate(self._sources):
            if isinstance(self._outcomes[index], Pending):
                self._outcomes[index] = _failure(
                    source, Reason.TIMEOUT, "no answer before the deadline"
                )

    def _gathered(self, settled: Answer | NoAnswer, wall_minus_raw_ns: int) -> Gathered:
        slept_ns = self._clock.suspended_ns() - self._suspended_ns
        if slept_ns > _SLEPT_NS:
            found = f"this machine slept {slept_ns / NS:.1f} s during the run"
            settled = NoAnswer(Lack.SLEPT, found, "a run without a pause: ask again")
        return Gathered(
            self._sources,
            self._outcomes,
            settled,
            wall_minus_raw_ns,
            self._clock.raw_ns() - self._began_raw_ns,
        )


def _failure(source: Source, reason: Reason, message: str) -> Failure:
    return Failure(source.operator, source.kind, reason, message)
