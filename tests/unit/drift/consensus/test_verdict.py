"""What became of each source, by how much it is off, and what it is called."""

import pytest

from drift.consensus.rule import Lack, NoAnswer, Rule
from drift.consensus.verdict import (
    AGREES,
    FALSETICKER,
    UNDECIDED,
    Verdict,
    ahead_text,
    distinct_names,
    verdicts,
)
from sources.clock import NS
from tests.support.fakes import a_sample
from tests.support.results import gathered


def test_what_a_source_has_to_say_of_itself_is_kept() -> None:
    """Its particulars are the verdict's, whether there is a majority or none; of one that is
    outvoted they give way to by how much.
    """
    three = [
        a_sample(at, at, name).replaced(detail=f"{name}, stratum 1")
        for name, at in (("A", 0), ("B", 0), ("C", 9))
    ]

    judged, undecided = verdicts(gathered(*three), 0), verdicts(gathered(*three[1:]), 0)

    assert [(verdict.word, verdict.text) for verdict in judged] == [
        (AGREES, "A, stratum 1"),
        (AGREES, "B, stratum 1"),
        (FALSETICKER, "9 s behind"),
    ]
    assert [(verdict.word, verdict.text) for verdict in undecided] == [
        (UNDECIDED, "B, stratum 1"),
        (UNDECIDED, "C, stratum 1"),
    ]


def test_without_an_answer_the_majority_is_the_measure() -> None:
    """Who is outvoted by too few for a quorum is off from their middle, to the nanosecond, be the
    clock half a century off.
    """
    two = [a_sample(0, 3 / NS, name) for name in "AB"]

    found = gathered(*two, a_sample(9, 9), rule=Rule(3, 1, 0), wall_minus_raw_s=1_800_000_000)

    assert isinstance(found.decision, NoAnswer)
    assert found.decision.lack is Lack.NO_QUORUM
    assert verdicts(found, 0)[2].ahead_ns == 1 - 9 * NS


@pytest.mark.parametrize(
    ("ahead_ns", "text"), [(NS, "1 s ahead"), (1, "1e-06 ms ahead"), (0, "0 ms ahead")]
)
def test_nothing_behind_is_ahead(ahead_ns: int, text: str) -> None:
    """As is who stands in the gap of a majority of two parts, where its middle happens to be."""
    assert ahead_text(ahead_ns) == text
    assert ahead_text(-NS) == "1 s behind"


def test_names_are_numbered_where_kind_and_operator_are_the_same() -> None:
    """From the second on, in their order; another kind or operator counts anew."""
    found = [
        Verdict("a", "Alpha", "ntp", AGREES),
        Verdict("a", "Alpha", "ntp", AGREES),
        Verdict("a", "Alpha", "nts", AGREES),
        Verdict("a", "Beta", "ntp", AGREES),
        Verdict("b", "Alpha", "ntp", AGREES),
        Verdict("a", "Alpha", "ntp", AGREES),
    ]

    assert distinct_names(found) == ["a", "a #2", "a", "a", "b", "a #3"]
    assert distinct_names([]) == []
