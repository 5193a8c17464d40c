"""docs/decisions/: each decision once, in the index, short, and with what was rejected."""

import re
from collections.abc import Iterator

import pytest

from sources.record import Record
from tests.conftest import ROOT

DIRECTORY = ROOT / "docs" / "decisions"
_MOST_LINES = 8
_WIDEST = 100


class Decision(Record):
    """One decision of a page."""

    number: int
    title: str
    page: str
    lines: tuple[str, ...]
    """Below its heading, empty ones left out."""

    @property
    def anchor(self) -> str:
        """What forges make of its heading: letters, digits and hyphens."""
        plain = re.sub(r"[^a-z0-9 -]", "", f"D-{self.number:02} {self.title}".lower())
        return plain.replace(" ", "-")


def decisions() -> Iterator[Decision]:
    """Yield all of them, page by page."""
    for path in sorted(DIRECTORY.glob("*.md")):
        if path.name == "README.md":
            continue
        for part in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            heading, _, rest = part.partition("\n")
            found = re.fullmatch(r"D-(\d+) (.+)", heading)
            assert found, f"{path.name}: {heading}"
            lines = tuple(filter(None, rest.split("\n")))
            yield Decision(int(found[1]), found[2], path.name, lines)


DECISIONS = tuple(decisions())
INDEX = (DIRECTORY / "README.md").read_text(encoding="utf-8")


def test_every_number_is_there_once() -> None:
    """From 1 to the last; none is used twice, so that a number in a comment means one thing."""
    numbers = sorted(decision.number for decision in DECISIONS)

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_index_has_every_decision_in_order() -> None:
    """Its rows are the headings of the pages, with links that lead to them."""
    rows = re.findall(r"^\| D-(\d+) \| \[(.+?)\]\((.+?)#(.+?)\) \| .+ \|$", INDEX, re.MULTILINE)
    wanted = [
        (f"{decision.number:02}", decision.title, decision.page, decision.anchor)
        for decision in sorted(DECISIONS, key=lambda decision: decision.number)
    ]

    assert rows == wanted


def test_the_index_has_every_page() -> None:
    """And calls its area as the page does."""
    for path in DIRECTORY.glob("*.md"):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# Decisions: ")
        if path.name != "README.md":
            assert f"| {title} | [{path.name}]({path.name}) |" in INDEX
            on_page = [decision for decision in DECISIONS if decision.page == path.name]
            assert INDEX.count(f") | {title} |") == len(on_page)


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: f"D-{decision.number:02}")
def test_a_decision_is_short_and_says_what_was_rejected(decision: Decision) -> None:
    """What and why, then what else there was; eight lines at most, none of them too wide."""
    assert len(decision.lines) <= _MOST_LINES
    assert max(map(len, decision.lines)) <= _WIDEST
    assert [line.startswith("**Rejected:** ") for line in decision.lines].count(True) == 1
    assert not decision.lines[0].startswith("**Rejected:**")


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: f"D-{decision.number:02}")
def test_an_anchor_is_the_same_on_all_forges(decision: Decision) -> None:
    """Some make one hyphen of several, some do not: there is never more than one in a row."""
    assert "--" not in decision.anchor


def test_what_decisions_refer_to_is_there() -> None:
    """Another decision by its number, a file by its path."""
    known = {f"D-{decision.number:02}" for decision in DECISIONS}
    for decision in DECISIONS:
        text = " ".join(decision.lines)
        assert set(re.findall(r"D-\d\d\b", text)) <= known
        for name in re.findall(r"\b(?:[a-z]+/)+[\w-]+\.(?:py|md|svg)\b", text):
            assert (ROOT / name).exists(), name
