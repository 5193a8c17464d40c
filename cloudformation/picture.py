"""What a terminal showed, as an SVG without script, style and font: any policy lets it be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_CELL_W = 8.4
_CELL_H = 19.0
_FONT = 14
_MARGIN = 16.0
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_COLOURS = {"31": "#ff8f85", "32": "#6fd8b1", "33": "#f2c46d"}
_PLAIN = "#c9d4dc"
_DIM = "#93a3af"
_BOLD = "#ffffff"
_BARS = {"━": (0.3, 1.0), "─": (0.08, 1.0), "█": (1.0, 1.0), "░": (1.0, 0.35)}
"""Characters drawn as bars, since fonts leave gaps between them: part of the cell, opacity."""
_PIECES = re.compile("|".join(f"{bar}+" for bar in _BARS) + f"|[^{''.join(_BARS)}]+")


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG and its size in CSS pixels."""

    svg: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring characters of one line and one look."""

    column: int
    text: str
    colour: str
    bold: bool


def session(command: str, printed: str, shown: str) -> str:
    """Return what a terminal has after a command: its stdout, then its stderr."""
    return f"\x1b[1m$ {command}\x1b[0m\n\x1b[1m{printed}\x1b[0m{shown}"


def draw(screen: str, title: str) -> Picture:
    """Draw what a terminal showed: lines of text with colours by ANSI's SGR sequences."""
    lines = [list(_runs(line)) for line in screen.rstrip().replace("\r", "").split("\n")]
    columns = max((run.column + len(run.text) for line in lines for run in line), default=1)
    width = round(2 * _MARGIN + columns * _CELL_W)
    height = round(2 * _MARGIN + len(lines) * _CELL_H)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0f1720"/>',
        f'<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace" font-size="{_FONT}">',
        *(piece for row, line in enumerate(lines) for run in line for piece in _pieces(run, row)),
        "</g>",
        "</svg>",
    ]
    return Picture("\n".join(parts) + "\n", width, height)


def _runs(line: str) -> Iterator[_Run]:
    column, look = 0, frozenset[str]()
    for position, part in enumerate(_SGR.split(line)):
        if position % 2:
            codes = set(part.split(";")) - {""}
            look = frozenset() if not codes or "0" in codes else look | codes
            continue
        text = "".join(character for character in part if character.isprintable())
        if text.strip():
            colour = next((_COLOURS[code] for code in sorted(look) if code in _COLOURS), None)
            faint = _DIM if "2" in look else _BOLD if "1" in look else _PLAIN
            yield _Run(column, text, colour or faint, "1" in look)
        column += len(text)


def _pieces(run: _Run, row: int) -> Iterator[str]:
    """Return bars as rectangles, everything else as text that is held to its columns."""
    for found in _PIECES.finditer(run.text):
        piece = found[0]
        x = _MARGIN + (run.column + found.start()) * _CELL_W
        middle = _MARGIN + (row + 0.5) * _CELL_H
        if piece[0] in _BARS:
            part, opacity = _BARS[piece[0]]
            high = part * _CELL_H
            yield (
                f'<rect x="{x:.1f}" y="{middle - high / 2:.1f}" '
                f'width="{len(piece) * _CELL_W:.1f}" height="{high:.1f}" '
                f'fill="{run.colour}" fill-opacity="{opacity:g}"/>'
            )
            continue
        for word in re.finditer(r"\S+(?: \S+)*", piece):
            start = x + word.start() * _CELL_W
            weight = ' font-weight="bold"' if run.bold else ""
            yield (
                f'<text x="{start:.1f}" y="{middle + _FONT * 0.35:.1f}" '
                f'textLength="{len(word[0]) * _CELL_W:.1f}" fill="{run.colour}"{weight}>'
                f"{escape(word[0])}</text>"
            )
