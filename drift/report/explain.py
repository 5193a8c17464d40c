"""The whole result as a picture, for people at a terminal. The only module that imports rich."""

import sys
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from drift.consensus import Answer
from drift.finding import Finding
from drift.report.words import agreement, sentence
from drift.verdict import AGREES, FALSETICKER, NOT_NEEDED, Verdict, span_text
from sources.base import Interval
from sources.clock import NS

_COLUMNS = 160
"""Columns where the output is no terminal that could tell: a source stays on one line."""
_LONGEST_NAME = 40
_AXIS = 44
_STYLES = {AGREES: "green", FALSETICKER: "bold red", NOT_NEEDED: "dim"}
_FAILED = "yellow"


def explain(finding: Finding) -> None:
    """Write table, picture and, with an answer, the sentence to stderr."""
    width = None if sys.stderr.isatty() else _COLUMNS
    console = Console(stderr=True, width=width, highlight=False, emoji=False, markup=False)
    parts: list[RenderableType] = [_table(finding.verdicts)]
    decision = finding.decision
    if decision.agreed:
        band = Interval(decision.agreed[0].low_ns, decision.agreed[-1].high_ns)
        fancy = console.encoding.lower().startswith("utf")
        parts += [Text(""), _picture(finding.verdicts, band, fancy=fancy), Text("")]
    if isinstance(decision, Answer):
        parts.append(Text(sentence(decision.drift_s), style="bold"))
        parts.append(Text(_evidence(decision, finding.elapsed_ns), style="dim"))
    console.print(Group(*parts))


def _evidence(answer: Answer, elapsed_ns: int) -> str:
    drift = f"drift {answer.estimate_ns / NS:+.6f} s"
    return f"{agreement(answer)}: {drift}, settled after {span_text(elapsed_ns)}"


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("source", "operator", "kind"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=_LONGEST_NAME)
    table.add_column("local - true", justify="right", no_wrap=True)
    table.add_column("round trip", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        told = verdict.word
        if verdict.text and verdict.word != AGREES:
            told = f"{verdict.word}: {verdict.text}"
        table.add_row(
            verdict.name,
            verdict.operator,
            verdict.kind,
            "" if verdict.likely is None else _interval(verdict.likely),
            "" if verdict.sample is None else span_text(verdict.sample.rtt_ns),
            Text(told, style=_STYLES.get(verdict.word, _FAILED)),
        )
    return table


def _interval(interval: Interval) -> str:
    middle_s = (interval.low_ns + interval.high_ns) / 2 / NS
    return f"{middle_s:+.4f} s +-{span_text(interval.width_ns // 2)}"


def _picture(verdicts: Sequence[Verdict], band: Interval, *, fancy: bool) -> Table:
    """Draw every certain interval on one axis around the consensus band."""
    near = [v.certain for v in verdicts if v.certain is not None and v.certain.meets(band)]
    low_ns = min([band.low_ns, *(interval.low_ns for interval in near)])
    high_ns = max([band.high_ns, *(interval.high_ns for interval in near)])
    margin_ns = max(1, (high_ns - low_ns) // 8)
    axis = Interval(low_ns - margin_ns, high_ns + margin_ns)
    table = Table(box=None, pad_edge=False, show_header=False)
    for verdict in verdicts:
        if verdict.certain is not None and verdict.likely is not None:
            table.add_row(verdict.name, _track(verdict, axis, band, fancy=fancy))
    table.add_row("consensus", _row({"#": band}, axis, band, fancy=fancy))
    ends = f"{axis.low_ns / NS:+.3f} s", f"{axis.high_ns / NS:+.3f} s"
    table.add_row("", Text(ends[0] + ends[1].rjust(_AXIS - len(ends[0])), style="dim"))
    return table


def _track(verdict: Verdict, axis: Interval, band: Interval, *, fancy: bool) -> Text:
    assert verdict.certain is not None  # noqa: S101 - only samples are drawn
    assert verdict.likely is not None  # noqa: S101 - only samples are drawn
    if not verdict.certain.meets(axis):
        below = verdict.certain.high_ns < axis.low_ns
        arrow = ("<", ">") if not fancy else ("◀", "▶")
        text = arrow[0].ljust(_AXIS) if below else arrow[1].rjust(_AXIS)
        return Text(text, style=_STYLES[FALSETICKER])
    return _row({"-": verdict.certain, "=": verdict.likely}, axis, band, fancy=fancy)


def _row(marks: dict[str, Interval], axis: Interval, band: Interval, *, fancy: bool) -> Text:
    """Draw the marks, later ones over earlier ones, over the band."""
    cells = [" "] * _AXIS
    for mark, interval in {":": band, **marks}.items():
        first, last = _cell(interval.low_ns, axis), _cell(interval.high_ns, axis)
        cells[first : last + 1] = mark * (last + 1 - first)
    line = "".join(cells)
    return Text(line.translate(str.maketrans(":-=#", "░─━█")) if fancy else line)


def _cell(ns: int, axis: Interval) -> int:
    place = (ns - axis.low_ns) * _AXIS // (axis.width_ns + 1)
    return max(0, min(_AXIS - 1, place))
