"""Ask all sources at once, decide as early as can be, leave without waiting for anyone.

Each source has a thread, started by _thread: threading.Thread would wait until each has begun,
which costs more than asking. No thread is waited for. The main thread alone holds the outcomes and
decides. Sources that cost one datagram go first. Those with heavy libraries follow after a head
start, or as soon as all cheap ones are in and leave the integer open.

Coarse sources can be asked again, for a narrower sample. It counts only when no first answer is
outstanding, since the proof of the early stop needs samples that stay as they are.
"""

import os
from _queue import Empty, SimpleQueue
from _thread import stack_size, start_new_thread
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from drift.consensus import rule as consensus
from drift.consensus.rule import Answer, Lack, NoAnswer, Rule
from sources.base import (
    Failure,
    Outcome,
    Pending,
    Reason,
    RefinableSource,
    Run,
    Sample,
    Source,
    SourceError,
    Stale,
    lack_in,
    loading,
)
from sources.clock import NS, Clock
from sources.departures import Departures
from sources.latch import Latch
from sources.memory import Memory, back_off
from sources.net.addresses import is_address
from sources.net.resolver import Resolver
from sources.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drift.consensus.duplicates import Addresses

HEAD_START_NS = 150 * NS // 1000
"""How long the cheap sources are alone on the wire."""

_DEPARTURES_S = 0.01
"""How long NTS with cookies waits for others to have sent: looking up a name may take longer."""
_STACK_BYTES = 1 << 20
"""Stack of a source's thread. Two hundred of the system's 8 MB are more than some may have."""
_SLEPT_NS = NS // 100
_CUT_OFF = "not done before the deadline"
_LAST_WORDS_NS = 30 * NS // 1000
"""How much a source's deadline is before the run's: time to report its failure."""


class _Ended(Record):
    """A source cannot be asked again, or need not be."""

    why: str
    """What kept it from being asked again; empty where there is nothing more to ask."""


_Said = Sample | Failure | _Ended
"""What a source's thread puts into the queue."""


class Gathered(Record):
    """Everything one run found; every report is made from this and nothing else."""

    sources: Sequence[Source]
    outcomes: Sequence[Outcome]
    """One a source, in the same order; Pending means it was not needed."""
    decision: Answer | NoAnswer
    wall_minus_raw_ns: int
    """At the moment of decision: turns raw - true into drift."""
    decided_raw_ns: int
    """The moment of decision."""
    elapsed_ns: int
    """From the start of gathering to the decision."""


def gather(  # noqa: PLR0913 - all that a run is made of
    sources: Sequence[Source],
    rule: Rule,
    deadline_raw_ns: int,
    clock: Clock,
    *,
    patient: bool = False,
    awaited_kind: str | None = None,
    memory: Memory | None = None,
) -> Gathered:
    """Ask the sources and return what came of it by `deadline_raw_ns`.

    `patient` goes on listening when the answer is settled, so that every source gets a verdict
    of its own; `awaited_kind` does so for the sources of one kind, until half of the time is over.
    Neither can change the integer. `memory` holds what earlier runs left for this one.
    """
    stack_size(_STACK_BYTES)
    gathering = _Gathering(sources, rule, deadline_raw_ns, clock, awaited_kind, memory or Memory())
    return gathering.decide(patient=patient)


class _Gathering:
    """The state of one run: who was asked, what came in."""

    def __init__(
        self,
        sources: Sequence[Source],
        rule: Rule,
        deadline_raw_ns: int,
        clock: Clock,
        awaited_kind: str | None,
        memory: Memory,
    ) -> None:
        self._sources = sources
        self._awaited_kind = awaited_kind
        self._rule = rule
        self._clock = clock
        self._began_raw_ns = clock.raw_ns()
        self._suspended_ns = clock.suspended_ns()
        self._outcomes: list[Outcome] = [Pending(s.operator, s.kind) for s in sources]
        self._deadline_raw_ns = deadline_raw_ns
        self._half_way_raw_ns = (self._began_raw_ns + deadline_raw_ns) // 2
        self._cheap = [source.is_cheap(memory) for source in sources]
        self._unasked = not all(self._cheap)
        first = {i for i, s in enumerate(sources) if self._cheap[i] and not s.loads_first}
        self._departures = Departures(first)
        self._loaded_meanwhile = sorted({name for i in first for name in sources[i].libraries})
        self._by_address: Addresses | None = None
        """Whose vote each address has, once there is a name among the sources that answer."""
        self._settled_early = False
        self._patient = False
        self._refine = Latch()
        self._refinable: set[int] = set()
        """Sources that have answered and can be asked again."""
        self._bugs: list[BaseException] = []
        self._missed: dict[int, str] = {}
        """Sources that could not be asked again, and why."""
        self._refined: dict[int, Sample | Failure] = {}
        """What came of asking again, until it may count."""
        self._unrefined: dict[int, Sample] = {}
        """The first samples of those whose `likely` was narrowed, but not their vote."""
        self._arrivals: SimpleQueue[tuple[int, _Said]] = SimpleQueue()
        last_words_raw_ns = deadline_raw_ns - _LAST_WORDS_NS
        self._run = Run(
            last_words_raw_ns,
            clock,
            Resolver(last_words_raw_ns, clock, memory).addresses,
            os.urandom,
            memory,
        )

    def decide(self, *, patient: bool) -> Gathered:
        """Ask, wait and settle until there is an answer or nothing left to wait for."""
        self._patient = patient
        self._ask(cheap=True)
        while True:
            now_ns = self._clock.raw_ns()
            if now_ns >= self._deadline_raw_ns:
                self._fail_the_outstanding()
            if not self._outstanding() and not self._settled_early:
                self._take_in_refined()
            wall_minus_raw_ns = self._clock.wall_minus_raw_ns()
            settled = consensus.settle(self._outcomes, self._rule, wall_minus_raw_ns)
            if self._outstanding():
                self._settled_early |= isinstance(settled, Answer)
                over = self._settled_early and not patient and not self._is_awaiting(now_ns)
            else:
                over = not self._worth_refining(now_ns, wall_minus_raw_ns)
            if over:
                return self._gathered(self._final(settled, wall_minus_raw_ns), wall_minus_raw_ns)
            self._take(self._go_on(now_ns))

    def _final(self, settled: Answer | NoAnswer, wall_minus_raw_ns: int) -> Answer | NoAnswer:
        """Return the last word; raise the bug, if there was one and no answer in spite of it."""
        if isinstance(settled, NoAnswer) and self._unrefined:
            settled = self._settle_unrefined(wall_minus_raw_ns)
        if isinstance(settled, Answer) and not self._settled_early:
            settled = self._unless_unrefined(settled, wall_minus_raw_ns)
        self._note_what_was_missed()
        if isinstance(settled, NoAnswer) and self._bugs:
            raise self._bugs[0]
        return settled

    def _go_on(self, now_ns: int) -> int:
        """Begin what is due; return until when there is nothing to do but to wait."""
        if self._settled_early and not self._patient:
            return self._half_way_raw_ns  # only those of the awaited kind are waited for
        head_start_ends_ns = self._began_raw_ns + HEAD_START_NS
        if self._unasked:
            if now_ns < head_start_ends_ns and self._outstanding(cheap=True):
                return min(head_start_ends_ns, self._deadline_raw_ns)
            self._unasked = False
            self._ask(cheap=False)
            return now_ns  # those that no thread could be had for have failed already
        # Who hangs until the deadline must not keep the others from being refined by then.
        half_way_ns = self._half_way_raw_ns
        if not self._settled_early and (now_ns >= half_way_ns or not self._outstanding()):
            self._refine.open()
        return (
            half_way_ns if now_ns < half_way_ns and self._outstanding() else self._deadline_raw_ns
        )

    def _is_awaiting(self, now_ns: int) -> bool:
        return now_ns < self._half_way_raw_ns and any(
            isinstance(outcome, Pending) and outcome.kind == self._awaited_kind
            for outcome in self._outcomes
        )

    def _ask(self, *, cheap: bool) -> None:
        for index, source in enumerate(self._sources):
            if self._cheap[index] is cheap:
                try:
                    start_new_thread(self._work, (index, source))
                except (RuntimeError, MemoryError) as error:
                    self._outcomes[index] = _failure(source, Reason.UNAVAILABLE, lack_in(error))
                    self._departures.done(index)

    def _depart(self, index: int) -> None:
        """Note that a source has sent; after the last, load what replies on their way will need."""
        if not self._departures.done(index):
            return
        for name in self._loaded_meanwhile:
            with suppress(SourceError), loading(name.partition(".")[0]):  # its sources will say so
                __import__(name)

    def _work(self, index: int, source: Source) -> None:
        """Run in the source's own thread: every outcome, even a bug of ours, goes to the queue.

        What this machine lacked counts as a failure of this source. So does a bug of ours, as long
        as the other sources have an answer: a server whose reply crashes our code must not silence
        the others. Without an answer the bug is reported.
        """
        try:
            if isinstance(source, RefinableSource):
                self._converse(index, source)
            else:
                if self._cheap[index] and source.loads_first:
                    self._departures.wait(_DEPARTURES_S)
                run = self._run.noting(partial(self._depart, index))
                self._arrivals.put((index, back_off.asked(source, run)))
        except BaseException as error:  # noqa: BLE001 - some of cryptography's are no Exceptions
            self._arrivals.put((index, self._failed(source, error)))
        finally:
            self._departures.done(index)

    def _failed(self, source: Source, error: BaseException) -> Failure:
        """Return an exception as the failure of the source in whose thread it was raised."""
        if isinstance(error, SourceError):
            return _failure(source, error.reason, str(error))
        lack = lack_in(error)
        if not lack:
            self._bugs.append(error)
            lack = f"bug: {type(error).__name__}: {error}"
        return _failure(source, Reason.UNAVAILABLE, lack)

    def _converse(self, index: int, source: RefinableSource) -> None:
        """Put in the first sample and, once they are wanted, narrower ones, and why that ended.

        The boundaries between integers are where this clock shows a half second.
        """
        conversation = source.conversation(self._run)
        self._arrivals.put((index, next(conversation)))
        try:
            while self._refine.wait(max(0, self._deadline_raw_ns - self._clock.raw_ns()) / NS):
                boundary_raw_ns = NS // 2 - self._clock.wall_minus_raw_ns()
                self._arrivals.put((index, conversation.send(boundary_raw_ns)))
        except StopIteration as end:
            self._arrivals.put((index, _Ended(end.value)))
        except Stale:
            raise
        except BaseException as error:  # noqa: BLE001 - leaves standing what was said before
            failure = self._failed(source, error)
            self._arrivals.put((index, _Ended(f"{failure.reason.value}: {failure.message}")))

    def _take(self, until_raw_ns: int) -> None:
        """Wait for an outcome until then, and take in all that have come."""
        try:
            wait_ns = max(0, until_raw_ns - self._clock.raw_ns())
            index, outcome = self._arrivals.get(timeout=wait_ns / NS)
            while True:
                self._take_in(index, outcome)
                index, outcome = self._arrivals.get_nowait()
        except Empty:
            return

    def _take_in(self, index: int, outcome: _Said) -> None:
        if isinstance(outcome, Sample):
            outcome = self._unless_duplicate(index, outcome)
        if not isinstance(outcome, Sample):
            self._refinable.discard(index)
        if isinstance(outcome, _Ended):
            if outcome.why:
                self._missed[index] = outcome.why
            return
        if not isinstance(self._outcomes[index], Pending):
            self._refined[index] = outcome
            return
        self._outcomes[index] = outcome
        if isinstance(outcome, Sample) and isinstance(self._sources[index], RefinableSource):
            self._refinable.add(index)

    def _unless_duplicate(self, index: int, sample: Sample) -> Sample | Failure:
        """Return the sample, or why it has no vote: another operator's has come from its address.

        To the rule that is one more way in which an outstanding source can fail, so what is settled
        stays settled.
        """
        if self._by_address is None:
            if all(is_address(source.host or sample.server) for source in self._sources):
                return sample
            from drift.consensus.duplicates import Addresses  # noqa: PLC0415 - where names are asked only

            self._by_address = Addresses(self._sources)
        why_not = self._by_address.claim(index, sample.server)
        if not why_not:
            return sample
        return _failure(self._sources[index], Reason.DUPLICATE, why_not)

    def _take_in_refined(self) -> None:
        for index, outcome in self._refined.items():
            first = self._outcomes[index]
            if isinstance(first, Failure):
                continue
            if isinstance(first, Sample) and isinstance(outcome, Sample):
                if first.certain == outcome.certain:
                    self._unrefined.setdefault(index, first)
            else:
                self._unrefined.pop(index, None)
            self._outcomes[index] = outcome
        self._refined.clear()

    def _settle_unrefined(self, wall_minus_raw_ns: int) -> Answer | NoAnswer:
        """Settle without what is only likely: it may sharpen an answer, not take one away."""
        for index, first in self._unrefined.items():
            self._outcomes[index] = first
        return consensus.settle(self._outcomes, self._rule, wall_minus_raw_ns)

    def _unless_unrefined(self, answer: Answer, wall_minus_raw_ns: int) -> Answer | NoAnswer:
        """Return the answer unless it depends on samples that could not be narrowed."""
        if self._clock.raw_ns() >= self._deadline_raw_ns:
            self._missed |= dict.fromkeys(self._refinable, _CUT_OFF)
        return consensus.unless_unrefined(
            answer, self._outcomes, self._missed, self._rule, wall_minus_raw_ns
        )

    def _note_what_was_missed(self) -> None:
        """Let the samples that stayed coarse say why."""
        for index, why in self._missed.items():
            outcome = self._outcomes[index]
            if isinstance(outcome, Sample):
                detail = f"{outcome.detail}; asking again failed: {why}"
                self._outcomes[index] = outcome.replaced(detail=detail.removeprefix("; "))

    def _worth_refining(self, now_ns: int, wall_minus_raw_ns: int) -> bool:
        if self._settled_early or not self._refinable or now_ns >= self._deadline_raw_ns:
            return False
        # Those that failed count, too: the integer may depend on them and the others together.
        return consensus.worth_refining(
            self._outcomes, self._refinable | self._missed.keys(), self._rule, wall_minus_raw_ns
        )

    def _outstanding(self, *, cheap: bool = False) -> bool:
        return any(
            isinstance(outcome, Pending) and (is_cheap or not cheap)
            for is_cheap, outcome in zip(self._cheap, self._outcomes, strict=True)
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
        decided_raw_ns = self._clock.raw_ns()
        return Gathered(
            self._sources,
            self._outcomes,
            settled,
            wall_minus_raw_ns,
            decided_raw_ns,
            decided_raw_ns - self._began_raw_ns,
        )


def _failure(source: Source, reason: Reason, message: str) -> Failure:
    return Failure(source.operator, source.kind, reason, SourceError(message).args[0])
