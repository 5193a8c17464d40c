"""The goals, and what of them is met. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sources.record import Record
from tools.bench.names import (
    ALL,
    ALONE,
    CHRONYD,
    COOKIES,
    EMPTY,
    IMPORTING,
    KEPT,
    MIXED,
    NTPDIG,
    ONE,
    OURS,
    PLAIN,
    QUIET,
    ROUGH,
    TRUTH_S,
    WEB,
)

Parts = Mapping[str, Any]
"""By the name of a part its figures, beside date, load and what was not installed."""


class Row(Record):
    """One goal."""

    what: str
    goal: str
    figure: str
    met: bool | None
    """None where it was not measured."""


def rows(parts: Parts) -> Sequence[Row]:
    """Return every goal, also those that were not measured, with the reason."""
    return [make(parts) for make in _ROWS]


def figures_of(parts: Parts, part: str) -> Any:
    """Return the figures of a part; nothing if it was not measured."""
    return parts.get(part, {}).get("figures") or {}


def _against(what: str, goal: str, most: Sequence[float], runs: Sequence[tuple[str, ...]]) -> Any:
    """Make a row of ratios: of each run a group, ours, a peer, and which of a cost's figures."""

    def make(parts: Parts) -> Row:
        costs = figures_of(parts, "costs")
        found = []
        for group, ours, theirs, field in runs:
            both = costs.get(group, {})
            if theirs not in both:
                return Row(what, goal, f"{theirs.split(',')[0]} is not installed", None)
            found.append(both[ours][field] / both[theirs][field])
        *first, last = (f"{ratio:.2f}" for ratio in found)
        shown = f"{', '.join(first)} and {last}" if first else last
        met = all(ratio <= limit for ratio, limit in zip(found, most, strict=True))
        return Row(what, goal, shown, met)

    return make


def _chronyd(parts: Parts) -> Row:
    what, goal = f"wall time against {CHRONYD}, the same five servers", "at most 1/150"
    both = figures_of(parts, "costs").get("chronyd", {})
    if CHRONYD not in both:
        return Row(what, goal, f"{CHRONYD} is not installed", None)
    part = both[CHRONYD]["wall_ms"] / both[PLAIN]["wall_ms"]
    return Row(what, goal, f"1/{part:.0f}", part >= 150)  # noqa: PLR2004 - as its goal says


def _watch(parts: Parts) -> Row:
    what = "CPU of one measurement of `watch`, integer and prometheus, against `ntpdig`"
    goal = "at most 0.10 and 0.15 times"
    costs = figures_of(parts, "costs")
    if ONE not in costs.get("plain", {}):
        return Row(what, goal, f"{NTPDIG} is not installed", None)
    theirs_ms = costs["plain"][ONE]["cpu_ms"]
    found = [costs["watch"][name]["cpu_ms"] / theirs_ms for name in ("integer", "prometheus")]
    met = found[0] <= 0.10 and found[1] <= 0.15  # noqa: PLR2004 - as its goal says
    return Row(what, goal, f"{found[0]:.2f} and {found[1]:.2f}", met)


def _many(parts: Parts) -> Row:
    many = figures_of(parts, "costs")["many"]
    ratio = many["200"]["wall_ms"] / many["10"]["wall_ms"]
    what = "wall time of 200 sources against 10"
    return Row(what, "at most 2.5 times", f"{ratio:.2f}", ratio <= 2.5)  # noqa: PLR2004


def _error(condition: str, what: str, most_us: float) -> Callable[[Parts], Row]:
    def make(parts: Parts) -> Row:
        found = figures_of(parts, "accuracy")[condition][OURS]
        shown = f"{found['median_us']:.1f} µs, at worst {found['worst_us']:.0f} µs"
        return Row(what, f"median below {most_us} µs", shown, found["median_us"] < most_us)

    return make


def _liars(parts: Parts) -> Row:
    wrong = runs = 0
    for name in (ALONE, MIXED):
        for by_count in figures_of(parts, "liars")[name].values():
            numbers = [number for each in by_count.values() for number in each]
            runs += len(numbers)
            wrong += sum(number not in (None, TRUTH_S) for number in numbers)
    what = "wrong integers where up to 4 of 9 servers lie, real processes"
    return Row(what, "none", f"{wrong} of {runs} runs", wrong == 0)


def _nodes(parts: Parts) -> Row:
    found = figures_of(parts, "nodes")
    shown = f"{found['cpu_ms_each']:.2f} ms, with {found['nodes']:,} nodes"
    what = "CPU a node, `bitcoin` by TCP, 500 connections a second"
    return Row(what, "at most 0.2 ms", shown, found["cpu_ms_each"] <= 0.2)  # noqa: PLR2004


def _nodes_many(parts: Parts) -> Row:
    what, goal = "memory for 100,000 nodes", "at most 120 MB"
    part = parts.get("nodes-many", {})
    if not part.get("figures"):
        return Row(what, goal, "`make bench-nodes` has not run before", None)
    found = part["figures"]
    shown = f"{found['memory_mb']:.0f} MB, with {found['nodes']:,} nodes, {part['date']}"
    return Row(what, goal, shown, found["memory_mb"] <= 120)  # noqa: PLR2004


def _exporter(parts: Parts) -> Row:
    what, goal = "`/probe` for a real Prometheus, 10,000 targets", "at most 15 % of a core"
    found = figures_of(parts, "exporter")
    if not found:
        return Row(what, goal, f"{parts['exporter']['not_installed']} is not installed", None)
    shown = (
        f"{found['core_percent']:.1f} %, {found['nodes']:,} targets every {found['interval_s']} s"
    )
    return Row(what, goal, shown, found["core_percent"] <= 15)  # noqa: PLR2004


_ROWS: Sequence[Callable[[Parts], Row]] = (
    _against(
        "CPU and wall time, five NTP servers, the whole process, against `ntpdig` asking one",
        "at most 0.50 times", (0.5, 0.5),
        [("plain", PLAIN, ONE, "cpu_ms"), ("plain", PLAIN, ONE, "wall_ms")],
    ),
    _against(
        "the same against an empty interpreter (python3 -I -S -c '')",
        "at most 3.5 times", (3.5, 3.5),
        [("plain", PLAIN, EMPTY, "cpu_ms"), ("plain", PLAIN, EMPTY, "wall_ms")],
    ),
    _chronyd,
    _against(
        "CPU with Roughtime, with NTS and its cookies kept, and of all shipped sources, HTTPS "
        "not needed, against `ntpdig`",
        "at most 0.85 times", (0.85, 0.85, 0.85),
        [("kinds", name, ONE, "cpu_ms") for name in (ROUGH, COOKIES, KEPT)],
    ),
    _against(
        "CPU where HTTPS is needed, with NTP and with all kinds, against `ntpdig`",
        "at most 1.7 and 1.9 times", (1.7, 1.9),
        [("kinds", WEB, ONE, "cpu_ms"), ("kinds", ALL, ONE, "cpu_ms")],
    ),
    _error(QUIET, "error of the drift in nanoseconds, NTP on loopback", 10),
    _error(IMPORTING, "the same while the libraries of HTTPS are imported", 100),
    _watch,
    _liars,
    _many,
    _nodes,
    _nodes_many,
    _exporter,
)  # fmt: skip
