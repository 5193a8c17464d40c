"""What sources are called where each needs a name of its own."""

from drift.consensus.verdict import AGREES, Verdict, distinct_names


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
