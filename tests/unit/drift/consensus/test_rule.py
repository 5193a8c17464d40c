"""The vote on worked examples, most of them from the attacks that shaped the rule."""

import pytest

from drift.consensus.rule import Answer, Lack, NoAnswer, operator_key
from sources.base import Interval
from tests.support.drift.settling import answer, failed, lack, ms, out, said, settled


def test_three_agree_and_one_is_outvoted() -> None:
    """C is where more than half meet; every field of the answer follows from those who do."""
    found = answer(
        said("a", ms(-4010, -3990)),
        said("b", ms(-4005, -3985), kind="nts"),
        said("c", ms(-4000, -3980)),
        said("liar", ms(-10, 10), kind="roughtime"),
        operators=3,
        kinds=2,
    )

    # Of ends -4010 -4005 -4000 | -3990 -3985 -3980 the middle two decide.
    assert found == Answer(
        -4, -3_995_000_000, ms(-4000, -3990), (ms(-4000, -3990),), ("a", "b", "c"), ("ntp", "nts")
    )


def test_half_of_the_votes_are_no_majority() -> None:
    """Two of four agreeing is not more than half."""
    two_and_two = [said(name, ms(0, 10)) for name in "ab"] + [
        said(name, ms(90, 99)) for name in "cd"
    ]

    assert settled(*two_and_two) == NoAnswer(
        Lack.NO_MAJORITY, "at most 2 of 4 votes agree", "more than half"
    )


def test_the_votes_that_agree_are_counted_in_votes() -> None:
    """Half of an operator's sources is half a vote, whatever weights stand for it."""
    apart = [said(name, ms(at, at + 9)) for name, at in zip("aabc", (0, 50, 100, 200), strict=True)]
    with_half = [
        said("a", ms(0, 9)),
        said("a", ms(50, 59)),
        said("b", ms(0, 9)),
        said("c", ms(90, 99)),
    ]

    assert settled(*apart) == NoAnswer(
        Lack.NO_MAJORITY, "at most 1 of 3 votes agree", "more than half"
    )
    assert settled(*with_half) == NoAnswer(
        Lack.NO_MAJORITY, "at most 1.5 of 3 votes agree", "more than half"
    )


def test_touching_intervals_overlap() -> None:
    """Intervals are closed: one that ends where the other begins shares that point with it."""
    found = answer(said("a", ms(0, 100)), said("b", ms(100, 300)))

    assert found.agreed == (ms(100, 100),)
    assert found.estimate_ns == 100_000_000


def test_a_nanosecond_apart_is_apart() -> None:
    """Without a tolerance, intervals that do not share a point do not agree."""
    assert lack(said("a", Interval(0, 99)), said("b", Interval(100, 300))) is Lack.NO_MAJORITY


def test_the_tolerance_brings_neighbours_together_and_moves_no_estimate() -> None:
    """Each vote is widened on both sides; the ends that estimate are not."""
    neighbours = said("a", ms(0, 10)), said("b", ms(50, 60))

    assert lack(*neighbours, tolerance_ms=19) is Lack.NO_MAJORITY
    found = answer(*neighbours, tolerance_ms=20)
    assert found.agreed == (ms(30, 30),)
    assert found.estimate_ns == 30_000_000
    assert answer(*neighbours, tolerance_ms=500).estimate_ns == 30_000_000


def test_a_majority_may_meet_in_two_places() -> None:
    """C need not be one interval, and its hull spans the gap (research B1)."""
    found = answer(
        said("wide", ms(0, 10_000)),
        said("b", ms(4000, 5000)),
        said("c", ms(4000, 5000)),
        said("liar", ms(8000, 9000)),
        said("other liar", ms(8000, 9000)),
    )

    assert found.agreed == (ms(4000, 5000), ms(8000, 9000))
    assert found.hull == ms(4000, 9000)
    # 0 4 4 5 5 | 8 8 9 9 10: an even split, so the middle of 5 and 8; 6.5 s is a tie, to 7.
    assert (found.estimate_ns, found.drift_s) == (6_500_000_000, 7)
    assert found.operators == ("wide",)


def test_a_sample_in_the_gap_of_a_majority_does_not_agree() -> None:
    """Agreeing takes a point of C: one between C's parts, inside its hull, does not estimate."""
    found = answer(
        said("wide", ms(0, 9000)),
        said("wide too", ms(0, 9000)),
        said("early", ms(1000, 2000)),
        said("early too", ms(1000, 2000)),
        said("gap", ms(2900, 2900)),
        said("late", ms(3000, 3000)),
        said("late too", ms(3000, 3000)),
    )

    assert found.agreed == (ms(1000, 2000), ms(3000, 3000))
    # 0 0 1 1 2 2 | 3 3 3 3 9 9; with the gap's two ends it would be 2900.
    assert found.estimate_ns == 2_500_000_000


def test_many_sources_of_one_operator_are_one_vote() -> None:
    """An operator that runs five lying sources is one liar."""
    found = answer(
        *[said("liar", ms(5000, 5010))] * 5, said("a", ms(0, 10)), said("b", ms(5, 15)), operators=2
    )

    assert found.drift_s == 0
    assert found.operators == ("a", "b")


def test_votes_are_shared_exactly() -> None:
    """Half of the votes are no majority, be they shared among whatever numbers of sources.

    These have no factor in common: one vote is 10^16 equal parts, more than a float tells apart.
    """
    sources_of_each = 5, 7, 8, 11, 13, 17, 19, 23, 27, 29, 31, 41, 43
    half = [said(str(number), ms(0, 10)) for number in sources_of_each for _ in range(number)]
    other = [said(f"other {number}", ms(90, 99)) for number in sources_of_each]

    assert settled(*half, *other) == NoAnswer(
        Lack.NO_MAJORITY, "at most 13 of 26 votes agree", "more than half"
    )


def test_failed_sources_do_not_dilute_an_operator() -> None:
    """Five operators answering with one source of three outvote three liars (research A5)."""
    honest = [
        outcome
        for name in "abcde"
        for outcome in (failed(name), said(name, ms(-10, 10)), failed(name))
    ]
    liars = [said(name, ms(9000, 9010)) for name in "xyz"]

    found = answer(*honest, *liars, operators=5)

    assert found.drift_s == 0
    assert found.operators == ("a", "b", "c", "d", "e")


def test_outstanding_sources_of_the_honest_keep_liars_from_winning_early() -> None:
    """While two of three sources of each honest operator are out, the liars' lead means nothing."""
    honest = [
        outcome for name in "abcde" for outcome in (out(name), said(name, ms(-10, 10)), out(name))
    ]
    liars = [said(name, ms(9000, 9010)) for name in "xyz"]

    assert isinstance(settled(*honest, *liars), NoAnswer)


@pytest.mark.parametrize("spelling", ["Apple", "APPLE", " apple", "apple\t"])
def test_operators_compare_case_folded_and_stripped(spelling: str) -> None:
    """However its name is written, an operator is one."""
    assert operator_key(spelling) == "apple"
    sources = said("apple", ms(0, 10)), said(spelling, ms(0, 10)), said("b", ms(90, 99))

    assert lack(*sources) is Lack.NO_MAJORITY
