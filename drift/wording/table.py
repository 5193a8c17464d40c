"""The verdicts as a table, as wide as there is room for. Pure.

Where there is room each source has one line:

    source           operator  kind          local - true (s)  rtt (ms)  verdict
    127.0.0.1:40001  Alpha     ntp           -4.0000 ± 0.0002      0.38  agrees

Where there is not, its figures stand below it; names are shortened when even that is too wide.
Particulars of a verdict stand beside it if they fit there, or on lines of their own.
"""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells
from rich.text import Text

from drift.consensus.verdict import AGREES, FALSETICKER, NOT_NEEDED, Verdict
from drift.wording.letters import Letters
from sources.clock import NS
from sources.record import Record

STYLES = {AGREES: "green", FALSETICKER: "bold red", NOT_NEEDED: "dim"}
"""Of verdicts; every other one is a failure."""
FAILED = "yellow"

_HEADINGS = ("source", "operator", "kind", "local - true (s)", "rtt (ms)", "verdict")
_LONGEST_NAME = 40
_LONGEST_OPERATOR = 24
_LEAST_OPERATOR = 8
_GAP = "  "
_INDENT = "    "
_STEP_NS = NS // 10_000
"""Offsets and uncertainties are shown to this, the latter rounded up."""


class _Row(Record):
    """One source, its figures aligned with those of the others."""

    name: str
    operator: str
    kind: str
    offset: str
    rtt: str
    word: str
    text: str
    style: str


def table(verdicts: Sequence[Verdict], columns: int, letters: Letters) -> list[Text]:
    """Return the lines."""
    rows = _rows(verdicts, letters)
    widths = [
        max(cell_len(heading), *(cell_len(row[index]) for row in rows))
        for index, heading in enumerate(_HEADINGS)
    ]
    widths[0] = min(widths[0], _LONGEST_NAME)
    widths[1] = min(widths[1], _LONGEST_OPERATOR)
    for gap in (_GAP, " "):
        if sum(widths) + len(gap) * (len(widths) - 1) <= columns:
            return _wide(rows, widths, gap, columns, letters)
    return _narrow(rows, widths, columns, letters)


def _wide(
    rows: Sequence[_Row], widths: Sequence[int], gap: str, columns: int, letters: Letters
) -> list[Text]:
    name, operator, kind, offset, rtt, _ = widths

    def cells(row: Sequence[str]) -> Iterator[str]:
        yield letters.fitted(row[0], name)
        yield letters.fitted(row[1], operator)
        yield row[2].ljust(kind)
        yield row[3].rjust(offset)
        yield row[4].rjust(rtt)

    lines = [Text(gap.join([*cells(_HEADINGS), _HEADINGS[-1]]), style="bold")]
    for row in rows:
        lines += _with_verdict(gap.join([*cells(row), ""]), row, columns)
    return lines


def _narrow(
    rows: Sequence[_Row], widths: Sequence[int], columns: int, letters: Letters
) -> list[Text]:
    """Return two lines a source, the figures on the second one."""
    name, operator, kind, offset, rtt, word = widths
    room = columns - kind - word - 3 * len(_GAP)
    if name + operator > room:
        operator = min(operator, max(_LEAST_OPERATOR, room // 3))
        name = max(1, min(name, room - operator))

    def cells(row: Sequence[str]) -> str:
        names = letters.fitted(row[0], name), letters.fitted(row[1], operator)
        return _GAP.join([*names, row[2].ljust(kind)])

    offset = max(cell_len(row.offset) for row in rows)
    rtt = max(cell_len(row.rtt) for row in rows)
    lines = [Text(_GAP.join([cells(_HEADINGS), _HEADINGS[-1]]), style="bold")]
    for row in rows:
        first, *more = _with_verdict(cells(row) + _GAP, row, columns)
        lines.append(first)
        if row.offset:
            figures = f"{row.offset.rjust(offset)} s", f"rtt {row.rtt.rjust(rtt)} ms"
            together = _INDENT + ", ".join(figures)
            fits = cell_len(together) <= columns
            lines += [Text(together)] if fits else [Text(_INDENT + figure) for figure in figures]
        lines += more
    return lines


def _with_verdict(head: str, row: _Row, columns: int) -> list[Text]:
    """Return a line that ends with the verdict, and those that its particulars need below it."""
    line = Text(head)
    beside = f"{row.word}: {row.text}"
    if row.text and line.cell_len + cell_len(beside) <= columns:
        return [line.append(beside, row.style)]
    line.append(row.word, row.style)
    below = wrapped(row.text, columns - len(_INDENT)) if row.text else []
    return [line, *(Text(_INDENT + part, style=row.style) for part in below)]


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text in lines of so many columns, broken at blanks where it has any."""
    lines = [""]
    for word in text.split():
        if cell_len(lines[-1]) + 1 + cell_len(word) <= columns and lines[-1]:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, columns)
    return [line for line in lines if line]


def _rows(verdicts: Sequence[Verdict], letters: Letters) -> list[_Row]:
    uncertainties = [
        "" if verdict.likely is None else _decimal(-(-verdict.uncertainty_ns // _STEP_NS))
        for verdict in verdicts
    ]
    widest = max(map(len, uncertainties))
    rows = []
    for verdict, uncertainty in zip(verdicts, uncertainties, strict=True):
        offset = rtt = ""
        if verdict.likely is not None:
            sign = "-" if verdict.offset_ns < 0 else "+"
            shown = _decimal((abs(verdict.offset_ns) + _STEP_NS // 2) // _STEP_NS)
            offset = f"{sign}{shown} {letters.plus_minus} {uncertainty.rjust(widest)}"
        if verdict.sample is not None:
            rtt = f"{verdict.sample.rtt_ns / 1e6:.2f}"
        rows.append(
            _Row(
                letters.shown(verdict.name),
                letters.shown(verdict.operator),
                verdict.kind,
                offset,
                rtt,
                verdict.word,
                "" if verdict.word == AGREES else letters.shown(verdict.text),
                STYLES.get(verdict.word, FAILED),
            )
        )
    return rows


def _decimal(steps: int) -> str:
    """Write a number of steps as seconds: "4.0000"."""
    return f"{steps * _STEP_NS // NS}.{steps * _STEP_NS % NS // _STEP_NS:04}"
