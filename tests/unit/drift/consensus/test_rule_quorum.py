"""Which operators and kinds count for the quorum."""

import pytest

from drift.consensus.rule import Lack, NoAnswer
from tests.support.drift.settling import answer, failed, lack, ms, said, settled


def test_a_quorum_counts_operators_and_kinds() -> None:
    """What is found and what is wanted is said in operators and kinds."""
    three = [said(name, ms(0, 10)) for name in "abc"]

    assert answer(*three, operators=3).drift_s == 0
    assert settled(*three, operators=3, kinds=2) == NoAnswer(
        Lack.NO_QUORUM,
        "3 operators of 1 kind can agree on 0 s",
        "3 operators of 2 kinds",
        (ms(0, 10),),
    )
    assert lack(*three, operators=4) is Lack.NO_QUORUM


def test_a_second_kind_counts_only_of_an_operator_that_counts() -> None:
    """Kinds are those of the supporting samples of counted operators, and of no others."""
    ntp = [said(name, ms(0, 10)) for name in "abc"]
    third = said("d", ms(0, 10), kind="nts")
    liars = said("d", ms(5000, 5001), kind="nts"), said("d", ms(7000, 7001), kind="nts")

    assert answer(*ntp, third, liars[0], kinds=2).kinds == ("ntp", "nts")
    assert lack(*ntp, third, *liars, kinds=2) is Lack.NO_QUORUM


@pytest.mark.parametrize(
    ("supporting", "others", "counts"), [(1, 1, True), (1, 2, False), (2, 1, True)]
)
def test_an_operator_counts_if_half_of_its_sources_support(
    supporting: int, others: int, counts: bool
) -> None:
    """At least half of an operator's sources that have not failed have to support the integer."""
    mixed = [said("m", ms(0, 10))] * supporting + [said("m", ms(9000, 9001))] * others
    plain = [said(name, ms(0, 10)) for name in "ab"]

    found = answer(*mixed, failed("m"), failed("m"), *plain)

    assert ("m" in found.operators) is counts


def test_a_coarse_sample_seconds_away_does_not_count() -> None:
    """Overlap alone is no support: the likely interval has to reach the integer (research A6)."""
    forged = [said(name, ms(4990, 5010)) for name in "abc"]
    far = said("r", ms(-10_500, 9500), ms(-1000, 0), "roughtime")
    near = said("r", ms(-5500, 14_500), ms(4000, 4500), "roughtime")

    refused = settled(*forged, far, operators=3, kinds=2)
    assert isinstance(refused, NoAnswer)
    assert refused.lack is Lack.NO_QUORUM
    assert refused.found == "3 operators of 1 kind can agree on 5 s"
    assert answer(*forged, near, operators=4, kinds=2).drift_s == 5


def test_operators_are_named_in_the_order_of_configuration() -> None:
    """The first source of each decides its place; names are case-folded, kinds sorted."""
    found = answer(
        said("Zoe", ms(0, 10), kind="roughtime"), said("B", ms(0, 10)), said("zoe", ms(0, 10))
    )

    assert found.operators == ("zoe", "b")
    assert found.kinds == ("ntp", "roughtime")
