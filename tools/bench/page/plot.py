"""The plot of docs/measurements.md: bars with their quartiles, as an SVG. Pure.

It has no script, style or font, and a ground of its own, so that light and dark pages both show it.
"""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

from tools.bench.names import (
    ALL,
    CHECK,
    CHRONYD,
    EMPTY,
    KEPT,
    ONE,
    PAGE,
    PLAIN,
    QUERY,
    WEB,
)
from tools.bench.page.rows import Parts, figures_of

_WIDTH, _LABEL, _BAR, _GAP = 840, 340, 400, 26
_TOP = 54
_GROUND, _TEXT, _DIM, _OURS, _THEIRS = "#0f1720", "#ffffff", "#93a3af", "#6fd8b1", "#8aa4c8"
_WHISKER = "#f2c46d"
_SHOWN = (EMPTY, PLAIN, KEPT, WEB, ALL, ONE, CHECK, QUERY, PAGE, CHRONYD)
_LABELS = {
    KEPT: "time-drift, all shipped, HTTPS not needed",
    WEB: "time-drift, NTP and HTTPS needed",
    ALL: "time-drift, all four kinds needed",
}
_THEIR_NAMES = (EMPTY, ONE, CHECK, QUERY, PAGE, CHRONYD)
_PANELS = (
    ("CPU, ms (logarithmic, as below)", "cpu_ms", "cpu_spread_ms"),
    ("wall time, ms", "wall_ms", "wall_spread_ms"),
    ("memory, MB (at least an empty interpreter's)", "memory_mb", None),
)


def picture(parts: Parts) -> str:
    """Return the SVG. Scales are logarithmic: a C program takes 1 ms, chronyd some seconds."""
    costs = _costs(parts)
    panel = _TOP + _GAP * len(costs)
    height = panel * len(_PANELS) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">',
        "<title>CPU, wall time and memory of time-drift and of other programs</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="{_GROUND}"/>',
        '<g font-family="ui-sans-serif, DejaVu Sans, Helvetica, sans-serif" font-size="14">',
    ]
    for number, (title, field, spread) in enumerate(_PANELS):
        lines += _panel(costs, number * panel, (title, field, spread))
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _costs(parts: Parts) -> dict[str, Any]:
    """Return what is shown, in its order; of what was measured twice, what was measured first."""
    groups = figures_of(parts, "costs")
    found: dict[str, Any] = {}
    for group in ("plain", "kinds", "other", "chronyd"):
        found = {**groups[group], **found}
    return {name: found[name] for name in _SHOWN if name in found}


def _panel(costs: dict[str, Any], top: float, shown: tuple[str, str, str | None]) -> Iterator[str]:
    title, field, spread = shown
    yield _text(20, top + 36, title, _TEXT, "bold")
    most = max(max(cost[spread]) if spread else cost[field] for cost in costs.values())
    least = min(cost[field] for cost in costs.values()) / 2

    def x(value: float) -> float:
        return _LABEL + _BAR * math.log(max(value, least) / least) / math.log(most / least)

    for row, (name, cost) in enumerate(costs.items()):
        y = top + _TOP + row * _GAP
        ours = name not in _THEIR_NAMES
        label = _LABELS.get(name, name)
        yield _text(_LABEL - 10, y + 13, label, _TEXT if ours else _DIM, anchor="end")
        yield _rect(_LABEL, y + 1, x(cost[field]) - _LABEL, 16, _OURS if ours else _THEIRS)
        end = x(cost[field])
        if spread:
            low, high = (x(value) for value in cost[spread])
            yield _rect(low, y + 8, max(high - low, 1), 2, _WHISKER)
            end = max(end, high)
        yield _text(end + 8, y + 13, _figure(cost[field]), _TEXT)


def _figure(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004 - two digits


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}"'
    return f'<rect {where} fill="{colour}"/>'


def _text(
    x: float, y: float, text: str, colour: str, weight: str = "normal", anchor: str = "start"
) -> str:
    look = f'fill="{colour}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'
