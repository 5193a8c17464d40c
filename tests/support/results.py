"""What runs found, for the tests of reports: outcomes are put together as a run would."""

from hypothesis import strategies as st

from drift.consensus import rule as consensus
from drift.consensus.rule import Answer, Lack, NoAnswer, Rule
from drift.consensus.verdict import Verdict
from drift.run.gather import Gathered
from drift.run.result import Result, find
from sources.base import Failure, Interval, Outcome, Pending, Reason, Sample
from sources.clock import NS
from tests.support.fakes import FakeSource, a_sample

RULE = Rule(2, 1, 0)


def gathered(*outcomes: Outcome, rule: Rule = RULE, wall_minus_raw_s: int = 0) -> Gathered:
    """Return a run in which these came in, decided when raw time was one second."""
    wall_minus_raw_ns = wall_minus_raw_s * NS
    sources = [FakeSource(outcome.operator, _never) for outcome in outcomes]
    decision = consensus.settle(outcomes, rule, wall_minus_raw_ns)
    return Gathered(sources, outcomes, decision, wall_minus_raw_ns, NS, 12_345)


def result(*outcomes: Outcome, wall_minus_raw_s: int = 0) -> Result:
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


def the_demo() -> Result:
    """Return what the demo finds, with figures that are always the same."""
    found = [
        ("127.0.0.1:40001", "Alpha", "ntp", (-4.000214, 0.000191), 381_000),
        ("127.0.0.1:40002", "Bravo", "ntp", (-4.000156, 0.000133), 265_000),
        ("127.0.0.1:40003", "Charlie", "ntp", (-4.000347, 0.000312), 623_000),
        ("127.0.0.1:40004", "Delta", "ntp", (-4.000189, 0.000154), 307_000),
        ("127.0.0.1:40005", "Mallory", "ntp", (-3604.000122, 0.000099), 197_000),
        ("127.0.0.1:40006", "Golf", "nts", (-4.000094, 0.000125), 249_000),
        ("127.0.0.1:40007", "Foxtrot", "roughtime", (-3.901234, 0.500427), 854_000),
        ("127.0.0.1:40008", "Echo", "https", (-3.855678, 0.500833), 1_666_000),
    ]
    judged = [_sampled(*one) for one in found]
    expired = "certificate '127.0.0.1' expired 86400 s before the time the server claims"
    trudy = Verdict("127.0.0.1:40009", "Trudy", "https", "unverified", expired)
    band = Interval(-4_000_264_000, -4_000_009_000)
    operators = ("alpha", "bravo", "charlie", "delta", "golf", "foxtrot", "echo")
    kinds = ("https", "ntp", "nts", "roughtime")
    answer = Answer(-4, -4_000_123_000, band, (band,), operators, kinds)
    return Result(answer, (*judged, trudy), RULE, None, 57_300_000, 1_800_000_000 * NS)


def _sampled(
    name: str, operator: str, kind: str, offset_s: tuple[float, float], rtt_ns: int
) -> Verdict:
    """Return the verdict on one that answered: its offset, and how far to either side it reaches.

    Coarse kinds vote with a wider interval than they estimate with.
    """
    middle_ns, half_ns = (round(part * NS) for part in offset_s)
    likely = Interval(middle_ns - half_ns, middle_ns + half_ns)
    more_ns = {"roughtime": (0, NS), "https": (0, 6 * NS // 10)}.get(kind, (0, 0))
    certain = Interval(likely.low_ns - more_ns[0], likely.high_ns + more_ns[1])
    sample = Sample(operator, kind, False, certain, likely, rtt_ns, "127.0.0.1", "")
    lies = operator == "Mallory"
    word, text = ("falseticker", "3600 s ahead") if lies else ("agrees", "stratum 1")
    ahead_ns = 3600 * NS if lies else None
    return Verdict(name, operator, kind, word, text, sample, certain, likely, ahead_ns)
