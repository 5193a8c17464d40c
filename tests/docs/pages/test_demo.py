"""docs/demo.svg: what the program draws today, and nothing that a forge would not show."""

import re
from xml.etree import ElementTree

from tests.conftest import ROOT
from tools.pages import demo
from tools.pages.__main__ import generated

_MOST_BYTES = 60_000
_PICTURE = ROOT / "docs" / "demo.svg"


def test_generated_files_are_up_to_date() -> None:
    """Who changes how results are drawn runs `make pages`."""
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, path.name


def test_it_is_the_same_each_time() -> None:
    """No clock, no terminal and no random identifier has a part in it."""
    assert demo.text() == demo.text()


def test_it_shows_the_command_the_integer_and_the_sentence() -> None:
    """As the terminal has them: first what was typed, then stdout, then what stderr says."""
    texts = re.findall(r"<text [^>]*>(.*?)</text>", _PICTURE.read_text(encoding="utf-8"))

    assert texts[:2] == ["$ ./time-drift.sh --demo", "-4"]
    assert "falseticker: 3600 s ahead" in texts
    assert "this clock is 4 s behind" in texts


def test_it_is_small_and_needs_nothing_from_elsewhere() -> None:
    """Text and rectangles on a ground of its own, so that it is readable on any page."""
    text = _PICTURE.read_text(encoding="utf-8")
    tags = [node.tag.rpartition("}")[2] for node in ElementTree.fromstring(text).iter()]  # noqa: S314 - ours

    assert len(text.encode()) < _MOST_BYTES
    assert set(tags) == {"svg", "title", "rect", "g", "text"}
    assert tags[2] == "rect"
    assert re.findall(r"https?://[^\"]+|url\(|href", text) == ["http://www.w3.org/2000/svg"]
