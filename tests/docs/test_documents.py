"""The documents: short enough to be read, each link and reference leads somewhere, plain words."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
_TOPS = "cloudformation|docs|drift|fleet|lab|monitoring|nodes|packaging|sources|tests|tools"
_PATH = re.compile(rf"(?<![\w/.-])((?:{_TOPS})/[\w./*-]*\w)")
"""A file or folder that a comment or a page names by its path from the root."""

PAGES = sorted(
    path
    for place in ("*.md", "docs/**/*.md", "monitoring/**/*.md", "cloudformation/**/*.md")
    for path in ROOT.glob(place)
)
OUR_PROSE = [
    path
    for path in PAGES
    if path.name != "CHANGELOG.md" and path.relative_to(ROOT).parts[0] != "monitoring"
]
DOCUMENTS = [
    path
    for path in OUR_PROSE
    if path.name != "THIRD-PARTY.md" and path.relative_to(ROOT).parts[0] != "cloudformation"
]
READ_IN_FULL = [*DOCUMENTS, ROOT / "cloudformation/README.md", ROOT / "monitoring/README.md"]
SOURCES = sorted(
    path
    for place in ("cloudformation", "drift", "fleet", "lab", "nodes", "sources", "tests", "tools")
    for path in (ROOT / place).rglob("*.py")
    if path != Path(__file__)
)


def examples() -> set[str]:
    """Return the files and folders that a reader of docs/extending.md makes."""
    page = (ROOT / "docs/extending.md").read_text("utf-8")
    files = [Path(found) for found in re.findall(r"^```python (\S+)$", page, re.MULTILINE)]
    return {str(path) for file in files for path in (file, file.parent)}


def prose(text: str) -> str:
    """Return a page without what is not prose: code blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def slug(heading: str) -> str:
    """Return the anchor that forges make of a heading."""
    plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page."""
    return {slug(found[1]) for found in _HEADING.finditer(_FENCE.sub("", path.read_text("utf-8")))}


def name_of(path: Path) -> str:
    """Return a path from the root."""
    return str(path.relative_to(ROOT))


def prose_lines(text: str) -> Iterator[str]:
    """Yield the lines of prose: no table, no code."""
    for line in prose(text).splitlines():
        if not line.lstrip().startswith("|"):
            yield line


def test_readme_is_short() -> None:
    """A newcomer reads README in three minutes, on any screen."""
    text = (ROOT / "README.md").read_text("utf-8")

    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 900


def test_design_is_brief() -> None:
    """A panel of engineers hears design.md read aloud."""
    text = (ROOT / "design.md").read_text("utf-8")

    assert len(text.splitlines()) <= 130
    assert len(text.split()) <= 1300


def test_the_two_commands_stand_on_the_first_screen() -> None:
    """Whoever opens README sees what to type without scrolling."""
    first = (ROOT / "README.md").read_text("utf-8").splitlines()[:25]

    assert any(line.startswith("./time-drift.sh --demo") for line in first)
    assert any(line.startswith("make test") for line in first)


@pytest.mark.parametrize("page", READ_IN_FULL, ids=name_of)
def test_no_line_of_prose_is_long(page: Path) -> None:
    """It fits a terminal, beside nothing else; tables and code are as wide as they have to be."""
    text = page.read_text("utf-8")

    assert [line for line in prose_lines(text) if len(line) > 100] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the repository, and a heading that is in it."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if re.match("[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page

        assert path.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{name_of(page)}: {target}"


def test_every_page_is_reached_from_the_index() -> None:
    """docs/README.md links each page of docs/; what is deeper is linked by its own index."""
    index = (ROOT / "docs/README.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


_ELSEWHERE = re.compile(
    r"(?i)\bbrief\b.{0,12}\b(section|[0-9])|\bthe brief\b|\bresearch/|\bshared/|\bissue [0-9]+"
)
"""How comments named documents that nobody who clones the repository has."""


_PLACEHOLDER = re.compile(r"\b(?!README|CHANGELOG)[A-Z]{3,}\b")
"""What stands for a name: KIND, NAME."""


def said(path: Path) -> str:
    """Return a page, or of a program its comments and docstrings."""
    if path.suffix != ".py":
        return path.read_text("utf-8")
    with path.open("rb") as file:
        return "\n".join(
            token.string
            for token in tokenize.tokenize(file.readline)
            if token.type == tokenize.COMMENT or token.string.startswith('"""')
        )


@pytest.mark.parametrize("source", [*SOURCES, *OUR_PROSE], ids=name_of)
def test_what_is_referred_to_is_there(source: Path) -> None:
    """No comment and no page names a document, decision, file or folder that is not here."""
    text = said(source)
    decided = (ROOT / "docs/decisions/README.md").read_text("utf-8")

    assert not _ELSEWHERE.search(text)
    for number in re.findall(r"\bD-([0-9]{2})\b", text):
        assert f"D-{number}" in decided, f"D-{number}"
    for found in _PATH.findall(text):
        if _PLACEHOLDER.search(found) or found in examples():
            continue
        assert (ROOT / found).exists() or list(ROOT.glob(found)), found


_RETIRED = {
    r"untold": "render_failure",
    r"aloud": "on stderr",
    r"findings?": "result",
    r"manners": "back-off",
    r"(?:is|are|was|were|be|been) told": "prints, says",
    r"tells? (?:of|that|when|whether|who)": "says, shows",
}
"""Words of our own that were retired, and what is said instead."""
_MAY = {"design.md": {r"aloud"}}
_DEFINITION = re.compile(r"\b(?:def|class) (\w+)|^ *(\w+)(?:: [^=\n]+)? = ", re.MULTILINE)
_RETIRED_NAMES = {"told", "untold", "aloud", "finding", "findings", "manners", "voice"}


@pytest.mark.parametrize("page", OUR_PROSE, ids=name_of)
def test_words_are_the_fields_own(page: Path) -> None:
    """README, design.md and docs/ use no word that a reader would have to learn from us."""
    text = prose(page.read_text("utf-8"))
    found = {
        word: re.findall(rf"(?i).{{0,30}}\b{word}\b.{{0,30}}", text)
        for word in _RETIRED
        if word not in _MAY.get(page.name, set())
    }

    assert {word: lines for word, lines in found.items() if lines} == {}


def test_names_in_the_code_are_no_retired_words() -> None:
    """Nothing that is defined there has one of them in its name."""
    defined = {
        (name_of(source), name)
        for source in SOURCES
        for found in _DEFINITION.findall(source.read_text("utf-8"))
        for name in filter(None, found)
    }

    assert len(defined) > len(SOURCES)
    assert {one for one in defined if set(one[1].lower().split("_")) & _RETIRED_NAMES} == set()
