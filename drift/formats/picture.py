"""The samples' intervals on one axis, as wide as there is room for. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from drift.consensus.verdict import AGREES, FALSETICKER, Verdict, span_text
from drift.wording.letters import Letters
from drift.wording.table import STYLES
from sources.base import Interval
from sources.clock import NS

_GAP = "  "
_CONSENSUS = "consensus"
_MOST_DIGITS = 9


def picture(
    verdicts: Sequence[Verdict], band: Interval, columns: int, letters: Letters
) -> list[Text]:
    """Return a line a sample, with the band of the consensus behind them, and the axis."""
    drawn = [verdict for verdict in verdicts if verdict.certain is not None]
    names = [letters.shown(verdict.name) for verdict in drawn]
    label = min(columns // 3, max(map(cell_len, [_CONSENSUS, *names])))
    cells = columns - label - len(_GAP)
    axis = _axis(drawn, band)
    lines = []
    for name, verdict in zip(names, drawn, strict=True):
        line = Text(letters.fitted(name, label) + _GAP)
        lines.append(line.append_text(_track(verdict, band, axis, cells, letters)))
    line = Text(letters.fitted(_CONSENSUS, label) + _GAP, style="bold")
    lines.append(line.append(_row({letters.consensus: band}, band, axis, cells, letters)))
    ends = _ends(axis, cells)
    return [*lines, *(Text(" " * label + _GAP + end, style="dim") for end in ends)]


def _axis(drawn: Sequence[Verdict], band: Interval) -> Interval:
    """Return what holds the band and all that meets it, with some air on either side."""
    near = [v.certain for v in drawn if v.certain is not None and v.certain.meets(band)]
    low_ns = min([band.low_ns, *(interval.low_ns for interval in near)])
    high_ns = max([band.high_ns, *(interval.high_ns for interval in near)])
    margin_ns = max(1, (high_ns - low_ns) // 8)
    return Interval(low_ns - margin_ns, high_ns + margin_ns)


def _ends(axis: Interval, cells: int) -> list[str]:
    """Return what the ends of the axis are, with as many digits as distinguish them."""
    digits = next(d for d in (3, 6, 9) if axis.width_ns * 10 ** (d - 1) >= NS or d == _MOST_DIGITS)
    low, high = (f"{end_ns / NS:+.{digits}f} s" for end_ns in axis)
    if len(low) + len(high) < cells:
        return [low + high.rjust(cells - len(low))]
    return [low, high.rjust(cells)]


def _track(verdict: Verdict, band: Interval, axis: Interval, cells: int, letters: Letters) -> Text:
    assert verdict.certain is not None  # noqa: S101 - only samples are drawn
    assert verdict.likely is not None  # noqa: S101 - samples have one
    if not verdict.certain.meets(axis):
        where = f"{'-' if verdict.offset_ns < 0 else '+'}{span_text(abs(verdict.offset_ns))}"
        below = verdict.certain.high_ns < axis.low_ns
        text = f"{letters.below} {where}" if below else f"{where} {letters.above}".rjust(cells)
        return Text(text, style=STYLES[FALSETICKER])
    marks = {letters.certain: verdict.certain, letters.likely: verdict.likely}
    style = STYLES[AGREES] if verdict.word == AGREES else ""
    return Text(_row(marks, band, axis, cells, letters), style=style)


def _row(
    marks: dict[str, Interval], band: Interval, axis: Interval, cells: int, letters: Letters
) -> str:
    """Draw the marks, later ones over earlier ones, over the band."""
    row = [" "] * cells
    for mark, interval in {letters.band: band, **marks}.items():
        first, last = (_cell(end_ns, axis, cells) for end_ns in interval)
        row[first : last + 1] = mark * (last + 1 - first)
    return "".join(row).rstrip()


def _cell(ns: int, axis: Interval, cells: int) -> int:
    place = (ns - axis.low_ns) * cells // (axis.width_ns + 1)
    return max(0, min(cells - 1, place))
