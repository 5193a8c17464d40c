"""docs/measurements.md and its plot, as the bench wrote them: whole, and of the goals of today."""

import re
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT
from tests.support.tools.bench import measured
from tools.bench.names import ALONE, MIXED, NOBODY, PEERS
from tools.bench.page.rows import rows
from tools.bench.servers.lies import KINDS

PAGE = (ROOT / "docs/measurements.md").read_text("utf-8")


def table(section: str) -> list[list[str]]:
    """Return the cells of a section's first table, below its head."""
    after = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|.*\|$", after.partition("\n### ")[0], re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_every_goal_has_its_row() -> None:
    """In the bench's order: what, goal, figure, and whether it is met."""
    found = table("Goals")

    assert [row[:2] for row in found] == [[row.what, row.goal] for row in rows(measured())]
    for _, _, figure, met in found:
        assert figure
        assert met in ("yes", "**no**", "*not measured*")


@pytest.mark.parametrize("name", [ALONE, MIXED, *PEERS])
def test_every_program_meets_liars(name: str) -> None:
    """Each has a column of marks, and its own numbers below, or a line that it is not there."""
    head = re.search(r"^\| liars \| (time-drift.*) \|$", PAGE, re.MULTILINE)

    assert head
    assert name in head[1].split(" | ")
    assert f"\n### {name}\n" in PAGE


def test_every_lie_has_its_row_and_ours_no_integer_that_the_guarantee_excludes() -> None:
    """A row a kind of lie; in ours no cross, but where coarse honest servers allow the lie, too."""
    found = table("What is printed when servers lie")

    assert [row[0].partition(":")[0] for row in found] == [NOBODY, *KINDS]
    assert [row for row in found if "✗" in row[1]] == []
    wrong = {row[0].partition(":")[0]: row[2] for row in found if "✗" in row[2]}
    assert wrong.keys() <= {"near"}
    assert all(marks.index("✗") == len(marks) - 1 for marks in wrong.values()), "four liars only"


def test_the_machine_is_described() -> None:
    """In words and by its load, with no name of its own."""
    section = PAGE.partition("## The machine\n")[2]

    assert re.search(r"\d+ cores of .+ kernel [0-9.]+, Python 3\.[0-9.]+", section)
    assert {row[0] for row in table("The machine")} >= {"costs", "accuracy", "liars", "nodes"}


def test_the_plot_is_well_formed() -> None:
    """And has a title, which is what a screen reader says."""
    root = ElementTree.parse(ROOT / "docs/measurements.svg").getroot()  # noqa: S314 - our own

    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "measurements.svg)" in PAGE
