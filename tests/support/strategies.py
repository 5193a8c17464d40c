"""What the property tests of the consensus share: builders, and runs as Hypothesis draws them.

Everything is in nanoseconds of raw - true; with a wall clock that equals the raw one, which is
what `final` assumes, that is drift itself.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

from drift.consensus.rule import Answer, NoAnswer, Rule, settle
from sources import kinds
from sources.base import Failure, Interval, Outcome, Pending, Reason, Sample
from sources.clock import NS

KINDS = kinds()
ANY_MAJORITY = Rule(min_operators=0, min_kinds=0, tolerance_ns=0)
"""No quorum and no tolerance: what is left is the vote and the estimate."""

_LANDMARKS = [
    half_s * NS // 2 + nearly for half_s in (-3, -2, -1, 0, 1, 2, 3) for nearly in (-1, 0, 1)
]
"""Where rounding turns, and where intervals touch: half seconds, and a nanosecond about them."""


def sample(operator: str, certain: Interval, likely: Interval, kind: str = "ntp") -> Sample:
    """Return a sample of which only what the rule reads is of interest."""
    return Sample(
        operator=operator,
        kind=kind,
        authenticated=False,
        certain=certain,
        likely=likely,
        rtt_ns=0,
        server="192.0.2.1",
        detail="",
    )


def failed(operator: str, kind: str = "ntp") -> Failure:
    """Return a failure."""
    return Failure(operator, kind, Reason.TIMEOUT, "no answer before the deadline")


def final(outcomes: Sequence[Outcome], rule: Rule = ANY_MAJORITY) -> Answer | NoAnswer:
    """Settle on a machine whose wall clock equals its raw clock."""
    return settle(outcomes, rule, 0)


rules = st.builds(
    Rule,
    min_operators=st.integers(0, 4),
    min_kinds=st.integers(0, 3),
    tolerance_ns=st.sampled_from([0, 0, 1, NS // 50, NS // 4]),
)
points_ns = st.one_of(st.sampled_from(_LANDMARKS), st.integers(-2 * NS, 2 * NS))


@st.composite
def likely_within(draw: st.DrawFn, certain: Interval) -> Interval:
    """Draw a likely interval inside `certain`; half the time all of it, as NTP has it."""
    if draw(st.booleans()):
        return certain
    inside = st.one_of(
        st.sampled_from([certain.low_ns, certain.high_ns]),
        st.integers(certain.low_ns, certain.high_ns),
    )
    return Interval(*sorted((draw(inside), draw(inside))))


@st.composite
def anywhere(draw: st.DrawFn, operator: str, kind: str) -> Sample:
    """Draw what a liar may say: anything."""
    certain = Interval(*sorted((draw(points_ns), draw(points_ns))))
    return sample(operator, certain, draw(likely_within(certain)), kind)


@st.composite
def honest(draw: st.DrawFn, operator: str, kind: str, truth_ns: int) -> Sample:
    """Draw what an honest source may say: its certain interval holds the truth, no more."""
    before_ns = draw(st.sampled_from([0, 1, NS // 100, NS // 10, NS // 2, NS]))
    after_ns = draw(st.sampled_from([0, 1, NS // 100, NS // 10, NS // 2, NS]))
    certain = Interval(truth_ns - before_ns, truth_ns + after_ns)
    return sample(operator, certain, draw(likely_within(certain)), kind)


@st.composite
def liar(draw: st.DrawFn, operator: str, kind: str, seen: Sequence[Sample]) -> Sample:
    """Draw what a liar says who saw all others: often exactly at or beside one of their ends."""
    ends_ns = [end_ns for other in seen for end_ns in (*other.certain, *other.likely)]
    near = (
        st.tuples(st.sampled_from(ends_ns), st.integers(-1, 1)).map(sum) if ends_ns else points_ns
    )
    place = st.one_of(near, points_ns)
    certain = Interval(*sorted((draw(place), draw(place))))
    return sample(operator, certain, draw(likely_within(certain)), kind)


@st.composite
def runs(
    draw: st.DrawFn, *, pending: bool, min_operators: int = 0, max_operators: int = 6
) -> list[Outcome]:
    """Draw the outcomes of a run: operators of one to three sources, most about one truth."""
    truth_ns = draw(points_ns)
    states = ["honest", "honest", "honest", "anywhere", "failed"] + ["pending"] * pending
    found: list[Outcome] = []
    for number in range(draw(st.integers(min_operators, max_operators))):
        operator = f"o{number}"
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            kind = draw(st.sampled_from(KINDS))
            match draw(st.sampled_from(states)):
                case "honest":
                    found.append(draw(honest(operator, kind, truth_ns)))
                case "anywhere":
                    found.append(draw(anywhere(operator, kind)))
                case "failed":
                    found.append(failed(operator, kind))
                case "pending":
                    found.append(Pending(operator, kind))
    return draw(st.permutations(found))


@st.composite
def nearly_settled(draw: st.DrawFn) -> list[Outcome]:
    """Draw a run that an early answer is to be expected of: most are in and say the truth."""
    truth_ns = draw(points_ns)
    total = draw(st.integers(3, 7))
    found: list[Outcome] = []
    for number in range(total):
        operator, kind = f"o{number}", draw(st.sampled_from(KINDS))
        late = number >= total - max(1, total // 3)
        if late and draw(st.booleans()):
            found.append(Pending(operator, kind))
            continue
        if draw(st.integers(0, 7)):
            found.append(draw(honest(operator, kind, truth_ns)))
        else:
            found.append(draw(anywhere(operator, kind)))
        match draw(st.integers(0, 5)):
            case 0:
                found.append(Pending(operator, kind))
            case 1:
                found.append(failed(operator, kind))
    return draw(st.permutations(found))


@st.composite
def completions(draw: st.DrawFn, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Draw how the run may end: each outstanding source fails, agrees with another, or lies."""
    seen = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
    found: list[Outcome] = []
    for outcome in outcomes:
        if not isinstance(outcome, Pending):
            found.append(outcome)
        elif draw(st.integers(0, 3)) == 0:
            found.append(failed(outcome.operator, outcome.kind))
        else:
            found.append(draw(liar(outcome.operator, outcome.kind, seen)))
    return found
