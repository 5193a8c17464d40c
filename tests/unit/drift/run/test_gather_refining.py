"""Asking coarse sources again: when it is done, what comes of it, and that no early stop bends."""

import threading
import time

import pytest

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule
from drift.run.gather import Gathered, gather
from sources.base import Failure, Malformed, Pending, Reason, Run, Sample, Source, Stale
from sources.clock import NS, Clock
from tests.support.fakes import FakeSource, HeavyFakeSource, RefinableFakeSource, a_sample

RULE = Rule(3, 1, 0)


class DriftClock(Clock):
    """Real raw time, and a wall clock that equals it but for 0.1 s."""

    def wall_minus_raw_ns(self) -> int:
        return NS // 10


def wide(operator: str) -> Sample:
    """Return a sample of drift -5.2 to -4.0: either of two integers, the middle the wrong one."""
    return a_sample(-5.3, -4.1, operator, "https")


def narrow(operator: str) -> Sample:
    """Return a sample of drift -4.4 to -4.0: one integer only."""
    return a_sample(-4.5, -4.1, operator, "https")


def run(*sources: Source, deadline_s: float = 5, patient: bool = False) -> Gathered:
    clock = DriftClock()
    deadline_raw_ns = clock.raw_ns() + round(deadline_s * NS)
    return gather(sources, RULE, deadline_raw_ns, clock, patient=patient)


def answer_of(found: Gathered) -> int:
    assert isinstance(found.decision, Answer), found.decision
    return found.decision.drift_s


def hanging(run: Run) -> Sample:
    threading.Event().wait(30)
    raise AssertionError("never reached")


def test_coarse_sources_are_asked_again_until_the_integer_is_sure() -> None:
    """Three sources of a second each leave two integers; narrowed by asking again, only one."""
    sources = [RefinableFakeSource(name, wide(name), narrow(name)) for name in "ABC"]
    began = time.monotonic()

    found = run(*sources)

    assert answer_of(found) == -4
    assert found.outcomes == [narrow(name) for name in "ABC"]
    assert time.monotonic() - began < 1


def test_what_they_are_asked_about_is_where_this_clock_shows_a_half_second() -> None:
    """The boundary is a value of raw - true at which the drift is half way between integers."""
    source = RefinableFakeSource("C", wide("C"), narrow("C"), narrow("C"))
    run(RefinableFakeSource("A", wide("A"), narrow("A")), honest("B"), source)

    assert source.boundaries[0] % NS == NS // 2 - NS // 10


def honest(operator: str, kind: type[FakeSource] = FakeSource) -> FakeSource:
    return kind(operator, lambda run: a_sample(-4.15, -4.12, operator))


def test_nobody_is_asked_again_when_precise_sources_have_decided() -> None:
    """Three operators whose samples round to one integer only are enough: nothing is refined."""
    coarse = RefinableFakeSource("D", wide("D"), narrow("D"))
    late = HeavyFakeSource("C", honest("C").answer)

    found = run(honest("A"), honest("B"), late, coarse, patient=True)

    assert answer_of(found) == -4
    assert found.outcomes[3] in (wide("D"), narrow("D"))
    assert coarse.boundaries == []


def test_nobody_is_asked_again_when_it_could_not_decide() -> None:
    """Where no sample that can be narrowed could change the integer, the answer comes at once."""
    coarse = RefinableFakeSource("C", narrow("C"), narrow("C"))
    coarse_too = HeavyFakeSource("B", lambda run: wide("B"))

    found = run(honest("A"), coarse_too, coarse)

    assert answer_of(found) == -4
    assert coarse.boundaries == []


def test_one_that_may_change_the_integer_is_asked_again() -> None:
    """Though too few operators can become sure: a sharp sample beside coarse ones decides."""
    coarse = (
        HeavyFakeSource("A", lambda run: wide("A")),
        HeavyFakeSource("B", lambda run: wide("B")),
    )

    assert answer_of(run(*coarse, RefinableFakeSource("C", wide("C"), narrow("C")))) == -4


def test_a_source_that_contradicts_itself_is_stale_and_loses_its_vote() -> None:
    """Stale on asking again replaces the sample by a failure; the others go on."""
    liar = RefinableFakeSource("D", wide("D"), Stale("contradicts itself"))
    sources = [RefinableFakeSource(name, wide(name), narrow(name), delay_s=0.05) for name in "ABC"]

    found = run(*sources, liar)

    assert answer_of(found) == -4
    assert found.outcomes[3] == Failure("D", "https", Reason.STALE, "contradicts itself")


def test_any_other_failure_on_asking_again_leaves_what_was_said_before() -> None:
    """A connection that breaks later takes back nothing: the first sample stays and votes."""
    broken = RefinableFakeSource("D", wide("D"), Malformed("nonsense"))
    sources = [RefinableFakeSource(name, wide(name), narrow(name), delay_s=0.05) for name in "ABC"]

    found = run(*sources, broken)

    assert answer_of(found) == -4
    assert found.outcomes[3] == failed_again(wide("D"), "malformed: nonsense")


def failed_again(sample: Sample, why: str) -> Sample:
    """Return the sample as its verdict shows it where it could not be narrowed."""
    return sample.replaced(detail=f"asking again failed: {why}")


def test_what_only_asking_again_could_decide_is_no_answer_where_that_failed() -> None:
    """Coarse samples leave two integers: a failure on asking again is named, not rounded away."""
    found = run(*(RefinableFakeSource(n, wide(n), Malformed("nonsense")) for n in "ABC"))

    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.UNREFINED
    assert found.decision.found == "-5 to -4 s possible, asking again failed: malformed: nonsense"
    assert found.outcomes[0] == failed_again(wide("A"), "malformed: nonsense")


def test_what_this_machine_lacks_on_asking_again_leaves_what_was_said_before() -> None:
    """No memory for the second question is no reason to lose the vote of the first."""
    broken = RefinableFakeSource("D", wide("D"), MemoryError())
    sources = [RefinableFakeSource(name, wide(name), narrow(name), delay_s=0.05) for name in "ABC"]

    found = run(*sources, broken)

    assert answer_of(found) == -4
    assert found.outcomes[3] == failed_again(wide("D"), "unavailable: not enough memory")


def test_one_that_failed_is_held_against_those_that_did_not() -> None:
    """Two of three narrowed carry the answer; one of three does not."""
    broken = [RefinableFakeSource(n, wide(n), Malformed("nonsense")) for n in "BC"]
    sharp = [RefinableFakeSource(n, wide(n), narrow(n)) for n in "AB"]

    assert answer_of(run(*sharp, broken[1])) == -4
    assert isinstance(run(sharp[0], *broken).decision, NoAnswer)


def test_what_could_not_be_asked_again_in_time_is_no_answer() -> None:
    """Sources that hang on being asked again leave the integer open at the deadline."""
    slow = [RefinableFakeSource(n, wide(n), narrow(n), delay_s=0.4) for n in "ABC"]

    found = run(*slow, deadline_s=0.7)

    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.UNREFINED
    assert "asking again failed: not done before the deadline" in found.decision.found


def test_it_ends_when_all_have_said_what_they_can() -> None:
    """Sources that have nothing narrower end the run at once, not at the deadline."""
    sources = [RefinableFakeSource(name, wide(name)) for name in "ABC"]
    began = time.monotonic()

    found = run(*sources, deadline_s=20)

    assert answer_of(found) == -5
    assert time.monotonic() - began < 2


def test_one_that_hangs_on_being_asked_again_costs_the_deadline_at_most() -> None:
    """At the deadline what has been refined counts, and what has not counts as it was."""
    slow = RefinableFakeSource("C", wide("C"), narrow("C"), delay_s=0.4)
    sources = [RefinableFakeSource(name, wide(name), narrow(name)) for name in "AB"]
    began = time.monotonic()

    found = run(*sources, slow, deadline_s=0.7)

    assert answer_of(found) == -4
    missed = failed_again(wide("C"), "not done before the deadline")
    assert found.outcomes == [narrow("A"), narrow("B"), missed]
    assert time.monotonic() - began < 1


def test_who_hangs_from_the_start_does_not_keep_the_others_from_being_refined() -> None:
    """Half-way to the deadline the others are asked again, which counts at the deadline."""
    sources = [RefinableFakeSource(name, wide(name), narrow(name)) for name in "ABC"]
    began = time.monotonic()

    found = run(*sources, FakeSource("D", hanging), deadline_s=0.8)

    assert answer_of(found) == -4
    assert found.outcomes[:3] == [narrow(name) for name in "ABC"]
    assert isinstance(found.outcomes[3], Failure)
    assert 0.7 < time.monotonic() - began < 1.2


@pytest.mark.parametrize("patient", [False, True])
def test_patience_refines_nothing_that_was_settled_without(patient: bool) -> None:
    """When the answer was settled early nobody is asked again, however long one then listens."""
    coarse = RefinableFakeSource("E", wide("E"), narrow("E"))
    late = FakeSource("H", hanging)

    found = run(*(honest(n) for n in "ABCD"), coarse, late, deadline_s=0.5, patient=patient)

    assert answer_of(found) == -4
    assert coarse.boundaries == []
    assert isinstance(found.outcomes[4], Sample if patient else Pending)


def lagging(operator: str, likely_s: tuple[float, float]) -> Sample:
    """Return a sample of drift -5.2 to -3.4 for certain, and likely in a part of it."""
    return a_sample(-5.3, -3.5, operator, "https", likely_s)


def test_what_is_only_likely_does_not_take_an_answer_away() -> None:
    """A server allowed to lag, narrowed to another integer, still counts as it did at first."""
    first, narrower = lagging("C", (-4.3, -3.5)), lagging("C", (-3.55, -3.5))
    coarse = RefinableFakeSource("C", first, narrower)

    found = run(honest("A"), honest("B"), coarse)

    assert answer_of(found) == -4
    assert found.outcomes[2] == first


def test_what_is_certain_takes_an_answer_away() -> None:
    """A server that does not lag, narrowed to where the others are not, leaves no quorum."""
    coarse = RefinableFakeSource("C", wide("C"), a_sample(-5.3, -4.6, "C", "https"))

    found = run(honest("A"), honest("B"), coarse)

    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.NO_QUORUM


def test_a_stale_source_is_not_brought_back() -> None:
    """What contradicted itself does not count again when an answer is missed without it."""
    first, narrower = lagging("C", (-4.3, -3.5)), lagging("C", (-4.2, -3.5))
    coarse = RefinableFakeSource("C", first, narrower, Stale("contradicts itself"))

    found = run(honest("A"), honest("B"), coarse)

    assert isinstance(found.decision, NoAnswer)
    assert isinstance(found.outcomes[2], Failure)
