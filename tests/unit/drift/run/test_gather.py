"""Gathering: who is asked when, when it ends, and what becomes of those who do not answer."""

import _thread
import errno
import ssl
import threading
import time
from collections.abc import Callable
from types import ModuleType

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule
from drift.run import gather as gathering
from drift.run.gather import Gathered, gather
from sources.base import Failure, Malformed, Pending, Reason, Run, Sample, Source
from sources.clock import NS, Clock
from tests.support.fakes import FakeClock, FakeSource, HeavyFakeSource, a_sample

RULE = Rule(3, 1, NS // 50)


def says(low_s: float, high_s: float, operator: str) -> Callable[[Run], Sample]:
    return lambda run: a_sample(low_s, high_s, operator)


def honest(operator: str, kind: type[FakeSource] = FakeSource) -> FakeSource:
    return kind(operator, says(-4.1, -3.9, operator))


def hangs(operator: str) -> FakeSource:
    def hang(run: Run) -> Sample:
        threading.Event().wait(30)
        raise AssertionError("never reached")

    return FakeSource(operator, hang)


class ShiftedClock(Clock):
    """Real raw time, and a wall clock that equals it: samples are in drift already."""

    def wall_minus_raw_ns(self) -> int:
        return 0


def run(
    *sources: Source, deadline_s: float = 5, clock: Clock | None = None, patient: bool = False
) -> Gathered:
    clock = clock or ShiftedClock()
    deadline_raw_ns = clock.raw_ns() + round(deadline_s * NS)
    return gather(sources, RULE, deadline_raw_ns, clock, patient=patient)


def test_it_stops_as_soon_as_the_answer_is_settled() -> None:
    """With one of five silent the answer comes at once, and the silent one was not needed."""
    began = time.monotonic()
    found = run(*(honest(name) for name in "ABCD"), hangs("E"))

    assert isinstance(found.decision, Answer)
    assert found.decision.drift_s == -4
    assert time.monotonic() - began < 1
    assert isinstance(found.outcomes[4], Pending)


def test_a_patient_run_hears_everybody_out_and_prints_the_same() -> None:
    """A patient run waits for the silent one until the deadline and calls it timeout."""
    began = time.monotonic()
    found = run(*(honest(name) for name in "ABCD"), hangs("E"), deadline_s=0.4, patient=True)

    assert isinstance(found.decision, Answer)
    assert found.decision.drift_s == -4
    assert 0.35 < time.monotonic() - began < 1
    failure = found.outcomes[4]
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TIMEOUT


def test_everybody_silent_ends_at_the_deadline() -> None:
    """Hung sources are failed as timeouts at the deadline and waited for no longer."""
    began = time.monotonic()
    found = run(*(hangs(name) for name in "ABC"), deadline_s=0.3)

    assert 0.25 < time.monotonic() - began < 0.6
    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.NOTHING
    assert [isinstance(o, Failure) and o.reason for o in found.outcomes] == [Reason.TIMEOUT] * 3


def test_a_deadline_in_the_past_still_gives_every_source_an_outcome() -> None:
    """With no time at all everything is a timeout, and nothing hangs."""
    found = run(honest("A"), hangs("B"), deadline_s=-1)

    assert isinstance(found.decision, NoAnswer)
    assert len(found.outcomes) == 2


def test_failures_are_outcomes_with_their_reason() -> None:
    """A SourceError becomes a Failure that carries its reason and its words."""

    def broken(run: Run) -> Sample:
        raise Malformed("found this: wanted that")

    found = run(FakeSource("A", broken), *(honest(name) for name in "BCD"), patient=True)

    assert found.outcomes[0] == Failure("A", "ntp", Reason.MALFORMED, "found this: wanted that")


class PanicException(BaseException):
    """What cryptography raises where its Rust half panics."""


PanicException.__module__ = "pyo3_runtime"
HALF_LOADED = ModuleType("half_loaded")
"""As another thread's import leaves it that fails: the system knows it no more."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(errno.EMFILE, "Too many open files", "/x.py"), "Too many open files: /x.py"),
        (ImportError("failed to map segment"), "ImportError: failed to map segment"),
        (
            ModuleNotFoundError("No module named 'h11'"),
            "ModuleNotFoundError: No module named 'h11'",
        ),
        (SyntaxError("source code cannot contain null bytes"), "SyntaxError: source code"),
        (ssl.SSLError(1, "unknown error (_ssl.c:3063)"), "unknown error (_ssl.c:3063)"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (UnsupportedAlgorithm("AES-SIV is not supported"), "UnsupportedAlgorithm: AES-SIV"),
        (PanicException("no memory"), "PanicException: no memory"),
        (AttributeError(name="new", obj=HALF_LOADED), "half_loaded could not be loaded"),
    ],
)
def test_what_this_machine_lacks_is_that_sources_failure(error: BaseException, says: str) -> None:
    """Whatever a thread, an import, OpenSSL or the allocator raises; the others decide."""

    def lacking(run: Run) -> Sample:
        raise error

    found = run(FakeSource("E", lacking), *(honest(name) for name in "ABCD"), patient=True)

    assert isinstance(found.decision, Answer)
    failure = found.outcomes[0]
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.UNAVAILABLE
    assert failure.message.startswith(says)
    assert isinstance(run(FakeSource("E", lacking)).decision, NoAnswer)


@pytest.mark.parametrize(
    "error",
    [
        *(KeyError("x"), AssertionError(), TypeError("no"), RuntimeError()),
        AttributeError(name="no", obj=errno),
    ],
)
def test_a_bug_in_one_source_does_not_silence_the_others(error: Exception) -> None:
    """An answer that the others settle is printed; the verdict of that source has the bug."""

    def buggy(run: Run) -> Sample:
        raise error

    found = run(FakeSource("E", buggy), *(honest(name) for name in "ABCD"), patient=True)

    assert isinstance(found.decision, Answer)
    failure = found.outcomes[0]
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.UNAVAILABLE
    assert failure.message.startswith(f"bug: {type(error).__name__}")
    with pytest.raises(type(error)):
        run(FakeSource("E", buggy), honest("A"), honest("B"))


def test_a_bug_in_an_adapter_is_raised_in_the_main_thread() -> None:
    """An exception that is none of our errors is not swallowed into a verdict."""

    def buggy(run: Run) -> Sample:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(FakeSource("A", buggy), hangs("B"), deadline_s=0.3)


def test_heavy_sources_are_not_asked_when_the_cheap_ones_settle_it() -> None:
    """What the cheap sources decide costs no heavy import."""
    asked = threading.Event()

    def heavy(run: Run) -> Sample:
        asked.set()
        return a_sample(-4.1, -3.9, "H", "https")

    found = run(HeavyFakeSource("H", heavy), *(honest(name) for name in "ABC"))

    assert isinstance(found.decision, Answer)
    assert isinstance(found.outcomes[0], Pending)
    assert not asked.is_set()


def test_heavy_sources_are_asked_when_the_cheap_ones_are_in_and_undecided() -> None:
    """Two cheap answers of a quorum of three: the heavy one is asked at once, not after 0.15 s."""
    began = time.monotonic()
    found = run(honest("A"), honest("B"), honest("H", HeavyFakeSource))

    assert isinstance(found.decision, Answer)
    assert time.monotonic() - began < 0.12


def test_heavy_sources_are_asked_after_the_head_start_though_cheap_ones_hang() -> None:
    """A hung cheap source delays the heavy ones by 0.15 s and no more."""
    began = time.monotonic()
    found = run(honest("A"), honest("B"), hangs("C"), honest("H", HeavyFakeSource))

    assert isinstance(found.decision, Answer)
    assert 0.14 < time.monotonic() - began < 0.5


def test_a_suspend_during_the_run_voids_it() -> None:
    """When the machine slept between two samples there is no answer, whatever they say."""
    clock = FakeClock(wall_minus_raw_ns=0)

    def sleeps(run: Run) -> Sample:
        clock.suspended += 3 * NS
        return a_sample(-4.1, -3.9, "A")

    found = run(FakeSource("A", sleeps), honest("B"), honest("C"), clock=clock, deadline_s=60)

    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.SLEPT
    assert "slept 3.0 s" in found.decision.found


def test_the_drift_is_that_of_the_moment_of_decision() -> None:
    """A step of the wall clock between two samples moves all of them alike."""
    clock = FakeClock(wall_minus_raw_ns=0)

    def steps(run: Run) -> Sample:
        clock.wall_minus_raw += 3600 * NS
        return a_sample(-4.1, -3.9, "B")

    found = run(honest("A"), FakeSource("B", steps), honest("C"), clock=clock, deadline_s=60)

    assert isinstance(found.decision, Answer)
    assert found.decision.drift_s == 3600 - 4


def test_a_system_without_threads_to_spare_is_a_failure_not_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no further thread can be started that source is unavailable; the rest may decide."""
    start = _thread.start_new_thread

    def refuse_one(work: Callable[..., object], arguments: tuple[int, Source]) -> int:
        if arguments[0] == 0:
            raise RuntimeError("can't start new thread")
        return start(work, arguments)

    monkeypatch.setattr(gathering, "start_new_thread", refuse_one)
    found = run(*(honest(name) for name in "ABCD"))

    assert isinstance(found.decision, Answer)
    assert found.outcomes[0] == Failure("A", "ntp", Reason.UNAVAILABLE, "can't start new thread")


class AwaitedFakeSource(FakeSource):
    """A source of the kind that is waited for."""

    kind = "roughtime"


def test_an_awaited_kind_is_waited_for_until_half_way_and_nobody_else_is_asked() -> None:
    """Settled, the run goes on for one kind only, and costs no heavy import meanwhile."""
    late = AwaitedFakeSource("R", hangs("R").answer)
    heavy = honest("H", HeavyFakeSource)
    clock = ShiftedClock()
    began = time.monotonic()

    found = gather(
        [*(honest(name) for name in "ABCD"), late, heavy],
        RULE,
        clock.raw_ns() + NS,
        clock,
        awaited_kind="roughtime",
    )

    assert isinstance(found.decision, Answer)
    assert 0.45 < time.monotonic() - began < 0.8
    assert isinstance(found.outcomes[4], Pending)
    assert isinstance(found.outcomes[5], Pending)


def test_an_awaited_kind_that_answers_ends_the_waiting() -> None:
    """As soon as the last source of the awaited kind is in, the run is over."""
    quick = AwaitedFakeSource("R", says(-4.1, -3.9, "R"))
    clock = ShiftedClock()
    began = time.monotonic()

    found = gather(
        [*(honest(name) for name in "ABCD"), quick, hangs("E")],
        RULE,
        clock.raw_ns() + 5 * NS,
        clock,
        awaited_kind="roughtime",
    )

    assert isinstance(found.decision, Answer)
    assert isinstance(found.outcomes[4], Sample)
    assert time.monotonic() - began < 1
