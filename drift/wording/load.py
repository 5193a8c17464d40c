"""How often a fleet asks whom, and what is published about that, for --check-config. Pure."""

import math
from collections.abc import Sequence

from drift.config import Config
from drift.load.count import Load, loads
from drift.load.limits import Limit, limit_of, was_looked_up
from sources.record import Record

LONGEST_EVERY_S = 86_400
_MINUTE_S = 60
_HEAD = ("operator", "what", "usual", "(a second)", "at worst", "(a second)", "published limit")
_USUAL = (
    "usual: state is kept, and whoever is asked at once answers within 0.15 s; the others have "
    "their turn where these cannot decide, and when keys of NTS are renewed, once a day. Where "
    "most servers are farther away, the others have it in every run, with one query each"
)
_WORST = (
    "at worst: every run is without state, or meets silence and lost packets, or leaves the "
    "integer open to the end; somewhat less in the first run of each node"
)
_OPEN = "here those that are asked at once cannot decide alone: the others are asked in every run"


class Fleet(Record):
    """Who asks."""

    nodes: int
    every_s: int
    is_behind_one_address: bool

    @property
    def per_address(self) -> int:
        """How many of them one server sees as one client."""
        return self.nodes if self.is_behind_one_address else 1


def load(config: Config, fleet: Fleet) -> str:
    """Return the table of queries a minute, and a line for each published limit that is passed."""
    found = loads(config, fleet.every_s)
    rows = [_HEAD, *_rows(found, fleet)]
    wide = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    where = "behind one address" if fleet.is_behind_one_address else "each with its own address"
    nodes = f"{fleet.nodes:,} node{'s' if fleet.nodes > 1 else ''}"
    lines = [f"{nodes}, {where}, every {span_text(fleet.every_s)}: queries a minute"]
    lines += [_line(row, wide) for row in rows]
    lines += [_USUAL, _WORST]
    if any(each.what == "https" and each.usual == 1 for each in found):
        lines.append(_OPEN)
    lines += _passed(found, fleet)
    return "\n".join(lines) + "\n"


def span_text(seconds: int) -> str:
    """Return a span as --every takes it."""
    for unit, unit_s in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def number_text(number: float) -> str:
    """Return a rate so that a person can compare it: whole from 100 on, else three digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"  # noqa: PLR2004 - three digits


def _rows(found: Sequence[Load], fleet: Fleet) -> list[tuple[str, ...]]:
    rows = []
    by_operator: dict[str, list[Load]] = {}
    for each in found:
        by_operator.setdefault(each.operator, []).append(each)
    for operator, of_it in by_operator.items():
        for number, each in enumerate(of_it):
            limit = _limit_text(each.host)
            rows.append(_row("" if number else operator, each.what, limit, [each], fleet))
    return [*rows, _row("all", "", "", found, fleet)]


def _row(
    operator: str, what: str, limit: str, found: Sequence[Load], fleet: Fleet
) -> tuple[str, ...]:
    a_second = fleet.nodes / fleet.every_s
    usual, worst = (
        a_second * sum(each.usual for each in found),
        a_second * sum(each.worst for each in found),
    )
    rates = (usual * _MINUTE_S, usual, worst * _MINUTE_S, worst)
    shown = [number_text(rate) for rate in rates]
    return (operator, what, shown[0], f"({shown[1]})", shown[2], f"({shown[3]})", limit)


def _line(row: Sequence[str], wide: Sequence[int]) -> str:
    words = [
        cell.ljust(width) if column in (0, 1, 6) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, wide, strict=True))
    ]
    return f"  {'  '.join(words)}".rstrip()


def _limit_text(host: str) -> str:
    limit = limit_of(host)
    if limit is None:
        return "none published" if was_looked_up(host) else "not known here"
    return f"{number_text(_per_minute(limit))} from one address"


def _per_minute(limit: Limit) -> float:
    return limit.queries * _MINUTE_S / limit.in_s


def _passed(found: Sequence[Load], fleet: Fleet) -> list[str]:
    """Return a warning for each host that is asked too often, a note where it may be."""
    by_host: dict[str, list[Load]] = {}
    for each in found:
        by_host.setdefault(each.host, []).append(each)
    said = []
    for host, of_it in by_host.items():
        limit = limit_of(host)
        if limit is None:
            continue
        usual, worst = sum(each.usual for each in of_it), sum(each.worst for each in of_it)
        if _is_passed(usual, limit, fleet):
            said.append(f"warning: {_said(of_it[0], usual, limit, fleet)}")
        elif _is_passed(worst, limit, fleet):
            said.append(f"note: at worst {_said(of_it[0], worst, limit, fleet)}")
    return said


def _is_passed(a_run: float, limit: Limit, fleet: Fleet) -> bool:
    return a_run * fleet.per_address * limit.in_s > limit.queries * fleet.every_s


def _said(asked: Load, a_run: float, limit: Limit, fleet: Fleet) -> str:
    rate = a_run * fleet.per_address * _MINUTE_S / fleet.every_s
    fits_s = math.ceil(a_run * fleet.per_address * limit.in_s / limit.queries)
    if fits_s > 2 * _MINUTE_S:
        fits_s = math.ceil(fits_s / _MINUTE_S) * _MINUTE_S
    remedy = f"kept from --every {span_text(fits_s)} on"
    if fits_s > LONGEST_EVERY_S:
        remedy = "so many nodes cannot ask it: leave it out"
    return (
        f"{asked.operator} ({asked.host}) gets {number_text(rate)} a minute from one address; "
        f"published are {number_text(_per_minute(limit))} ({limit.where}): {remedy}"
    )
