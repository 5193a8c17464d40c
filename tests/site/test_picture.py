"""What a terminal showed, drawn."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from cloudformation.picture import draw

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "rect", "g", "text"}


def parts(svg: str) -> list[tuple[str, str]]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    return [(node.tag.removeprefix(SVG), node.text or "") for node in root.iter()]


def test_words_keep_their_columns_and_colours() -> None:
    """Each run of words is a text of its own, as wide as its cells."""
    picture = draw("plain  \x1b[1;31mbad & <b>\x1b[0m\n\x1b[32mgood\x1b[0m", "t")
    texts = re.findall(
        r'<text x="([0-9.]+)" y="([0-9.]+)" textLength="([0-9.]+)" (.*?)>(.*?)<', picture.svg
    )

    assert [text[4] for text in texts] == ["plain", "bad &amp; &lt;b&gt;", "good"]
    assert float(texts[1][0]) - float(texts[0][0]) == round(7 * 8.4, 1)
    assert float(texts[0][2]) == 5 * 8.4
    assert 'font-weight="bold"' in texts[1][3]
    assert len({text[3] for text in texts}) == 3
    assert texts[2][1] > texts[0][1]


def test_bars_are_rectangles() -> None:
    """Fonts leave gaps between the characters that the picture of intervals is made of."""
    reported = [tag for tag, _ in parts(draw("━━─░█◀", "t").svg)]

    assert reported.count("rect") == 1 + 4
    assert reported.count("text") == 1


@given(st.text(st.characters(codec="utf-8")))
def test_any_screen_is_an_svg_without_script_or_style(screen: str) -> None:
    """Whatever a terminal gets, the picture holds nothing but shapes and text."""
    picture = draw(screen, "t")
    drawn = parts(picture.svg)

    assert {tag for tag, _ in drawn} <= ALLOWED
    assert picture.width > 0
    assert picture.height > 0
