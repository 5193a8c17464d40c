"""Which inputs of a campaign are worth being in the corpus."""

from pathlib import Path

from tests.fuzz import merge

CONTROL = """\
3
1
/a/seed-0
/b/one
/b/two
STARTED 0 4
FT 0 7 9
COV 0 7 9
STARTED 1 2
FT 1 7
COV 1
STARTED 2 9
FT 2
COV 2
"""


def test_a_control_file_says_what_each_input_reaches() -> None:
    """libFuzzer's, of a merge: paths, and edges by number of path; none is a set of none."""
    assert merge._inputs(CONTROL) == [
        (Path("/a/seed-0"), {7, 9}),
        (Path("/b/one"), {7}),
        (Path("/b/two"), set()),
    ]


def test_the_input_that_gains_the_most_comes_first() -> None:
    """What it reaches counts for no other; the shorter one of two that gain as much is kept."""
    left = {b"long": {1, 2, 3}, b"lon": {1, 2, 3}, b"x": {3, 4}, b"seed's": {5}, b"none": set()}

    chosen = merge._greedy("ntp", left, {5})

    assert [(choice.data, choice.gained) for choice in chosen] == [(b"lon", 3), (b"x", 1)]


def test_a_long_input_is_left_out() -> None:
    """However much it gains: a clone carries it for ever."""
    assert merge._greedy("ntp", {bytes(2000): {1, 2}}, set()) == []
