"""What two responses prove together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Interval, Sample, Stale
from sources.clock import NS
from sources.https import proof
from tests.support.sources.https_proof import LAG_NS, MS

SLACK_NS = 2 * MS
"""How much two replies may contradict each other."""


def a_sample(
    low_ns: int, high_ns: int, certain_low_ns: int | None = None, rtt_ns: int = 0
) -> Sample:
    """Return a sample of this likely interval; certain begins earlier where that is given."""
    certain = Interval(low_ns if certain_low_ns is None else certain_low_ns, high_ns)
    likely = Interval(low_ns, high_ns)
    return Sample("Alpha", "https", True, certain, likely, rtt_ns, "127.0.0.1", "Date")


def test_two_replies_prove_what_both_prove() -> None:
    """The narrowed interval is where the two overlap, and the trip the shorter one."""
    first, second = a_sample(-500, 600, rtt_ns=70), a_sample(-200, 900, rtt_ns=50)

    narrowed = proof.narrowed(first, second, lags=False)

    assert narrowed == a_sample(-200, 600, rtt_ns=50)
    assert proof.narrowed(second, first, lags=False) == narrowed


def test_a_date_that_may_lag_never_narrows_the_vote() -> None:
    """The estimate is narrowed, the certain interval stays what the first reply proved."""
    first = a_sample(-500, 600, certain_low_ns=-1100, rtt_ns=50)
    second = a_sample(-200, 300, certain_low_ns=-800, rtt_ns=70)

    narrowed = proof.narrowed(first, second, lags=True)

    assert narrowed.certain == Interval(-1100, 600)
    assert narrowed.likely == Interval(-200, 300)
    assert narrowed.rtt_ns == 50


def test_touching_replies_leave_a_point() -> None:
    """Closed intervals that share one end prove that very instant."""
    narrowed = proof.narrowed(a_sample(0, 100), a_sample(100, 200), lags=False)

    assert narrowed.certain == narrowed.likely == Interval(100, 100)


@pytest.mark.parametrize("gap_ns", [1, MS, SLACK_NS])
def test_a_small_contradiction_changes_nothing(gap_ns: int) -> None:
    """Two milliseconds apart may be a slewed clock; what was known before is kept as it is."""
    below, above = a_sample(0, 100, rtt_ns=70), a_sample(100 + gap_ns, NS, rtt_ns=50)

    assert proof.narrowed(below, above, lags=False) == below
    assert proof.narrowed(above, below, lags=False) == above


@pytest.mark.parametrize("gap_ns", [SLACK_NS + 1, NS, 3600 * NS])
def test_a_contradiction_is_stale(gap_ns: int) -> None:
    """Replies that exclude each other come of a stored Date or of a clock being set."""
    below, above = a_sample(0, 100), a_sample(100 + gap_ns, 2 * 3600 * NS)

    for one, other in ((below, above), (above, below)):
        with pytest.raises(
            Stale,
            match=f"^two replies contradict each other by {gap_ns / NS:.3f} s: "
            "a Date that is not made afresh, or a clock being set$",
        ):
            proof.narrowed(one, other, lags=False)


ends = st.integers(-3 * MS, 3 * MS)


@given(ends, ends, ends, ends, st.booleans())
def test_narrowing_never_widens(one: int, two: int, three: int, four: int, lags: bool) -> None:
    """Whatever two replies say, the result is inside the first, and in both if they overlap."""
    first = a_sample(min(one, two), max(one, two), certain_low_ns=min(one, two) - LAG_NS * lags)
    second = a_sample(min(three, four), max(three, four))
    try:
        narrowed = proof.narrowed(first, second, lags=lags)
    except Stale:
        assert not first.likely.widened(SLACK_NS).meets(second.likely)
        return

    assert first.certain.contains(narrowed.certain)
    assert first.likely.contains(narrowed.likely)
    assert narrowed.certain.contains(narrowed.likely)
    assert second.likely.contains(narrowed.likely) == first.likely.meets(second.likely)
    if lags:
        assert narrowed.certain == first.certain
