"""What runs found, for the tests of reports: outcomes are put together as a run would."""

from hypothesis import strategies as st

from drift import consensus
from drift.consensus import Lack, NoAnswer, Rule
from drift.finding import Finding, find
from drift.gather import Gathered
from sources.base import Failure, Outcome, Pending, Reason, Sample
from sources.clock import NS
from tests.fakes import FakeSource, a_sample

RULE = Rule(2, 1, 0)


def gathered(*outcomes: Outcome, rule: Rule = RULE, wall_minus_raw_s: int = 0) -> Gathered:
    """Return a run in which these came in, decided when raw time was one second."""
    wall_minus_raw_ns = wall_minus_raw_s * NS
    sources = [FakeSource(outcome.operator, _never) for outcome in outcomes]
    decision = consensus.settle(outcomes, rule, wall_minus_raw_ns)
    return Gathered(sources, outcomes, decision, wall_minus_raw_ns, NS, 12_345)


def finding(*outcomes: Outcome, wall_minus_raw_s: int = 0) -> Finding:
    """Return what came of such a run."""
    return find(gathered(*outcomes, wall_minus_raw_s=wall_minus_raw_s), RULE)


def three_honest_one_liar() -> tuple[Outcome, ...]:
    """Return three that agree on -4 s, one that lies, one that refuses, one that is not needed."""
    return (
        a_sample(-4.1, -3.9, "Alpha"),
        a_sample(-4.2, -3.95, "Bravo"),
        a_sample(-4.1, -3.95, "Charlie"),
        a_sample(-3604.1, -3603.9, "Mallory"),
        Failure("Delta", "ntp", Reason.REFUSED, "kiss-o'-death RATE"),
        Pending("Echo", "ntp"),
    )


def _settled(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Return them as a run may end: where what is outstanding could change it, it has failed."""
    decision = gathered(*outcomes).decision
    if not isinstance(decision, NoAnswer) or decision.lack is not Lack.UNSETTLED:
        return tuple(outcomes)
    return tuple(
        Failure(outcome.operator, outcome.kind, Reason.TIMEOUT, "no answer")
        if isinstance(outcome, Pending)
        else outcome
        for outcome in outcomes
    )


_PRINTABLE = st.characters(categories=("L", "M", "N", "P", "S")) | st.just(" ")
names = st.builds(
    "".join, st.tuples(st.sampled_from("Aé日'\"\\|,={"), st.text(_PRINTABLE, max_size=20))
)
"""What the configuration takes for an operator."""

runs = st.lists(
    st.one_of(
        st.builds(lambda name, at: a_sample(at, at + 1, name), names, st.integers(-(10**6), 10**6)),
        st.builds(lambda name: a_sample(-4.1, -3.9, name), names),
        st.builds(
            lambda name, why: Failure(name, "ntp", why, "a|b"), names, st.sampled_from(Reason)
        ),
        st.builds(lambda name: Pending(name, "ntp"), names),
    ),
    min_size=1,
    max_size=8,
).map(_settled)
"""Outcomes of a run that has come to its end."""


def _never(run: object) -> Sample:
    raise AssertionError("reports ask nobody")
