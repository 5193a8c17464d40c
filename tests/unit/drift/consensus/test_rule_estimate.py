"""The estimate of those who agree, and the integer that it is rounded to."""

import pytest

from drift.consensus.rule import rounded_s
from sources.base import Interval
from sources.clock import NS
from tests.support.drift.settling import answer, failed, ms, said


def test_sharp_samples_decide_among_coarse_ones() -> None:
    """A wide likely interval pulls both ways alike, so that the sharp minority is the median."""
    coarse = [said(name, ms(-500, 900), kind="https") for name in "abcd"]
    sharp = said("e", ms(300, 302)), said("f", ms(301, 303))

    assert answer(*coarse, *sharp).estimate_ns == 301_500_000


def test_whole_second_roughtime_is_not_half_a_second_off() -> None:
    """`certain` votes, `likely` estimates: a truncated MIDP has its middle elsewhere (A2)."""
    found = answer(*(said(name, ms(-7000, -2500), ms(-4450, -3450), "roughtime") for name in "abc"))

    assert (found.drift_s, found.estimate_ns) == (-4, -3_950_000_000)


def test_outvoted_samples_do_not_estimate() -> None:
    """Two of five are far off; the median is that of the three that agree."""
    found = answer(
        *(said(name, ms(100, 120)) for name in "abc"), *(said(name, ms(800, 900)) for name in "xy")
    )

    assert found.estimate_ns == 110_000_000


def test_the_estimate_is_clamped_into_the_hull_of_the_majority() -> None:
    """Where the likely ends lie beside C, its near end is the estimate, and no point outside."""
    wide = [said(name, ms(0, 1000), ms(0, 0), "https") for name in "ab"]
    sharp = said("c", ms(800, 900))
    elsewhere = [said(name, ms(9000, 9000)) for name in "xy"]

    found = answer(*wide, sharp, *elsewhere)

    assert found.agreed == (ms(800, 900),)
    assert (found.estimate_ns, found.drift_s) == (800_000_000, 1)
    assert found.operators == ("c",)


def test_a_shared_vote_weighs_its_share() -> None:
    """Two sources of one operator pull the median with half a vote each."""
    wide = ms(-1000, 1000)
    halves = said("a", wide, ms(10, 10)), said("a", wide, ms(15, 15))
    whole = [said(name, wide, ms(at, at)) for name, at in (("b", -20), ("c", 0), ("d", 20))]

    # Both ends weigh -20: 2, 0: 2 | 10: 1, 15: 1, 20: 2. Five equal samples would say 10.
    assert answer(*halves, *whole).estimate_ns == 5_000_000
    # With the half at 10 failed, the whole of operator a is at 15.
    assert answer(failed("a"), halves[1], *whole).estimate_ns == 7_500_000


@pytest.mark.parametrize(
    ("ns", "seconds"),
    [
        (0, 0),
        (1, 0),
        (NS // 2 - 1, 0),
        (NS // 2, 1),
        (NS, 1),
        (3 * NS // 2 - 1, 1),
        (3 * NS // 2, 2),
        (2_500_000_000, 3),
        (7_258_118_400 * NS + NS // 2, 7_258_118_401),
    ],
)
def test_seconds_are_rounded_to_nearest_and_ties_away_from_zero(ns: int, seconds: int) -> None:
    """Half a second is one, on both sides of zero."""
    assert rounded_s(ns) == seconds
    assert rounded_s(-ns) == -seconds
    assert str(rounded_s(-ns)) != "-0"


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "estimate_ns", "drift_s"),
    [
        (1, 2, 1, 0),
        (-2, -1, -1, 0),
        (-1, 0, 0, 0),
        (0, 1, 0, 0),
        (NS // 2 - 1, NS // 2, NS // 2 - 1, 0),
        (NS // 2, NS // 2 + 1, NS // 2, 1),
        (NS // 2 - 1, NS // 2 + 1, NS // 2, 1),
        (-NS // 2, -NS // 2 + 1, -NS // 2 + 1, 0),
        (-NS // 2 - 1, -NS // 2, -NS // 2, -1),
        (-NS // 2 - 1, -NS // 2 + 1, -NS // 2, -1),
    ],
)
def test_half_a_nanosecond_never_rounds_an_integer_up(
    low_ns: int, high_ns: int, estimate_ns: int, drift_s: int
) -> None:
    """The middle of an even split is halved toward zero, and the integer is that of the middle."""
    found = answer(said("a", Interval(low_ns, high_ns)))

    assert (found.estimate_ns, found.drift_s) == (estimate_ns, drift_s)


@pytest.mark.parametrize("wall_ns", [0, NS, -4 * NS, -1_795_305_600 * NS, 4_000_000_000 * NS])
def test_any_drift_is_legal(wall_ns: int) -> None:
    """A clock that says 1970 or 2100 gets its huge integer: wall - raw is added, no more."""
    found = answer(said("a", ms(100, 200)), said("b", ms(150, 250)), wall_ns=wall_ns)

    assert found.drift_s == wall_ns // NS
    assert found.estimate_ns == 175_000_000 + wall_ns
    assert found.hull == ms(150, 200).shifted(wall_ns)
