"""docs/measurements.md. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.bench.names import (
    ALONE,
    AWAY,
    BACK_S,
    BUSY,
    CHECK,
    CHECK_NTP_TIME,
    CHRONYD,
    COST_OF,
    EMPTY,
    HTPDATE,
    IMPORTING,
    MIXED,
    MOST_LIARS,
    NOBODY,
    NTPDIG,
    ONE,
    OURS,
    PATIENCE_S,
    PEERS,
    PLAIN,
    QUIET,
    ROUGHLY,
    RUNS,
    TRUTH_S,
)
from tools.bench.page.rows import Parts, figures_of, rows
from tools.bench.page.verdicts import is_right, worst

_WIDTH = 100
_MEANING = {
    QUIET: "five chronyd on loopback, on this machine's clock",
    BUSY: "the same, beside two programs that only compute",
    AWAY: f"replies take {BACK_S * 1000:.0f} ms, requests none",
    IMPORTING: "NTP replies arrive while the libraries of HTTPS are imported",
}
_NOT_MEASURED = "*not measured*"
_MARK = {True: "✓", False: "✗", None: "·"}
_MET = {True: "yes", False: "**no**", None: _NOT_MEASURED}


def page(parts: Parts, lies: Mapping[str, str]) -> str:
    """Return the page of all parts, and of the kinds of lies in words."""
    sections = (
        _head(parts),
        _goals(parts),
        _costs(parts),
        _accuracy(parts),
        _liars(parts, lies),
        _nodes(parts),
        _machine(parts),
    )
    return "\n".join(line for section in sections for line in section)


def _prose(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False) + "\n"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _head(parts: Parts) -> Iterator[str]:
    yield "# Measurements\n"
    yield _prose(
        "`make bench` writes this page; change nothing here by hand. It takes under ten minutes on "
        "two cores, and goes on where it was if it was stopped. 100,000 nodes take eight minutes "
        "more, and are measured by `make bench-nodes`. Everything runs on loopback, each part in a "
        "network namespace of its own. Programs take turns, so that what else runs slows all of "
        "them; figures are medians, quartiles in brackets. Python programs run on the "
        f"system's Python. Measured on {parts['costs']['date']}."
    )
    yield "![CPU, wall time and memory of each program](measurements.svg)\n"


def _goals(parts: Parts) -> Iterator[str]:
    yield "## Goals\n"
    body = [(row.what, row.goal, row.figure, _MET[row.met]) for row in rows(parts)]
    yield from _table(("what", "goal", "figure", "met"), body)
    yield _prose(
        "The guarantee is also held against simulated runs: see "
        "[consensus](consensus.md#how-it-is-tested)."
    )


def _costs(parts: Parts) -> Iterator[str]:
    yield "## What a run costs\n"
    groups = figures_of(parts, "costs")
    theirs = groups["plain"].get(ONE)
    head = ("program", "CPU ms", "x `ntpdig`", "wall ms", "memory MB")
    floor_mb = groups["plain"][EMPTY]["memory_mb"]
    body: list[tuple[str, ...]] = []
    for group in ("plain", "kinds", "other", "chronyd"):
        for name, cost in groups[group].items():
            if name not in [row[0] for row in body]:
                beside = groups[group].get(ONE, theirs)
                body.append(_cost_row(name, cost, beside, floor_mb))
    for peer, names in COST_OF.items():
        body += [
            (name, f"{peer} is not installed", *[_NOT_MEASURED] * 3)
            for name in names
            if name not in [row[0] for row in body]
        ]
    if CHRONYD not in groups["chronyd"]:
        body.append((CHRONYD, f"{CHRONYD} is not installed", *[_NOT_MEASURED] * 3))
    yield from _table(head, body)
    watched = [
        f"{cost['cpu_ms']:.1f} ms with `--format {name}`" for name, cost in groups["watch"].items()
    ]
    many = ", ".join(
        f"{cost['wall_ms']:.0f} ms for {count}" for count, cost in groups["many"].items()
    )
    yield _prose(
        f"What names kinds and no program is time-drift. One measurement of `watch` takes CPU of "
        f"{' and '.join(watched)}. Wall time by the number of sources: {many}. An empty "
        f"interpreter starts each program, so that none seems to hold less: {floor_mb:.0f} MB."
    )
    if (check := groups["plain"].get(CHECK)) is not None:
        ours = groups["plain"][PLAIN]
        yield _prose(
            f"`{CHECK_NTP_TIME}`, in C, is cheaper: {check['cpu_ms']:.1f} ms of CPU where "
            f"time-drift takes {ours['cpu_ms']:.0f}. It believes the server that looks best."
        )


def _cost_row(
    name: str, cost: Mapping[str, Any], theirs: Mapping[str, Any] | None, floor_mb: float
) -> tuple[str, ...]:
    def spread(field: str) -> str:
        low, high = cost[f"{field}_spread_ms"]
        digits = 0 if high > 100 else 1  # noqa: PLR2004 - three digits are enough
        return f"{cost[f'{field}_ms']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

    memory_mb = cost["memory_mb"]
    least = "at most " if memory_mb < 1.05 * floor_mb and name != EMPTY else ""
    return (
        name,
        spread("cpu"),
        f"{cost['cpu_ms'] / theirs['cpu_ms']:.2f}" if theirs else "",
        spread("wall"),
        f"{least}{memory_mb:.0f}",
    )


def _accuracy(parts: Parts) -> Iterator[str]:
    yield "## How far each program is off\n"
    yield _prose(
        "True drift is zero: all servers read this machine's clock. Each cell is the median error, "
        "and the worst."
    )
    found = figures_of(parts, "accuracy")
    asked = (OURS, *(name for name in PEERS if name not in (HTPDATE, ROUGHLY)))
    body = []
    for condition, meaning in _MEANING.items():
        cells = [_error(found[condition].get(name), name, condition) for name in asked]
        body.append((meaning, *cells))
    yield from _table(("where", *asked), body)
    held = [found[condition][OURS] for condition in _MEANING]
    away = found[AWAY][OURS]
    yield _prose(
        f"Delay of one direction only cannot be seen by any client: half of it, "
        f"{BACK_S * 500:.0f} ms, is everybody's error. The interval that time-drift prints beside "
        f"its number held the truth in {sum(each['held'] for each in held)} of "
        f"{sum(each['runs'] for each in held)} runs; over that path it did in {away['held']} of "
        f"{away['runs']}, and was {away['width_us'] / 1000:.0f} ms wide. {HTPDATE} and {ROUGHLY} "
        f"read clocks that count whole seconds, and are not compared here."
    )


def _error(found: Mapping[str, Any] | None, name: str, condition: str) -> str:
    if found is None:
        return "" if condition == IMPORTING else f"{name} is not installed"
    return f"{_us(found['median_us'])}, {_us(found['worst_us'])}"


def _us(error_us: float) -> str:
    return f"{error_us:.1f} µs" if error_us < 1000 else f"{error_us / 1000:.1f} ms"  # noqa: PLR2004


def _liars(parts: Parts, lies: Mapping[str, str]) -> Iterator[str]:
    found = figures_of(parts, "liars")
    yield "## What is printed when servers lie\n"
    yield _prose(
        f"One to {MOST_LIARS} of nine servers lie. True time is 4 s ahead: `{TRUTH_S}` is right. "
        f"Each program runs {RUNS} times, and the worst run counts. There is a mark for each "
        f"number of liars, from 1 to {MOST_LIARS}: ✓ the right integer, ✗ a wrong one, · none. "
        f"Liars come first among the servers that a program is given. Where servers look alike it "
        f"is chance which of them `{NTPDIG}` and `{CHECK_NTP_TIME}` choose. Peers print the "
        f"correction, which has the opposite sign: here it is turned round, and rounded for the "
        f"marks."
    )
    yield _prose(
        f"`{ROUGHLY} ecosystem state` prints nine times in whole seconds. They count as a number "
        f"if they agree, and as right if that is within a second. `{CHECK_NTP_TIME}` asks all "
        f"addresses of one name. What has not ended after {PATIENCE_S} s has printed nothing."
    )
    yield _prose(
        f"A ✗ is any integer but {TRUTH_S}, which is more than is [guaranteed]"
        f"(consensus.md#the-guarantee): where four lie by a second and four of the five honest "
        f"servers are coarse, the coarse ones may allow that second, too."
    )
    kinds = [kind for kind in lies if kind in found[ALONE]]
    names = [ALONE, MIXED, *PEERS]
    body = [
        (f"{kind}: {lies[kind]}", *(_marks(found.get(name), name, kind) for name in names))
        for kind in kinds
    ]
    honest = [_marks(found.get(name), name, NOBODY) for name in names]
    yield from _table(("liars", *names), [("nobody", *honest), *body])
    yield _prose("Each program's own number, local minus true, in seconds:")
    for name in names:
        yield f"### {name}\n"
        if name not in found:
            yield f"{name} is not installed.\n"
            continue
        yield from _table(
            ("liars", *map(str, range(1, MOST_LIARS + 1))),
            [(kind, *_numbers(found[name], name, kind)) for kind in kinds],
        )


def _marks(found: Mapping[str, Any] | None, name: str, kind: str) -> str:
    if found is None:
        return "not installed"
    by_count = found.get(kind)
    if not by_count:
        return "does not apply"
    return "".join(_MARK[is_right(name, worst(each))] for each in by_count.values())


def _numbers(found: Mapping[str, Any], name: str, kind: str) -> Iterator[str]:
    by_count = found.get(kind, {})
    for count in range(1, MOST_LIARS + 1):
        number = worst(by_count.get(str(count), [None]))
        if str(count) not in by_count:
            yield "does not apply"
        elif number is None:
            yield "none"
        else:
            shown = f"{number:.3f}".removesuffix(".000")
            yield shown if is_right(name, number) else f"**{shown}**"


def _nodes(parts: Parts) -> Iterator[str]:
    yield "## Many nodes\n"
    found, served = figures_of(parts, "nodes"), figures_of(parts, "exporter")
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in found["verdicts"].items())
    text = (
        f"`probe` read {found['nodes']:,} nodes in {found['wall_s']:.0f} s, with "
        f"{found['cpu_ms_each']:.2f} ms of CPU a node and {found['memory_mb']:.0f} MB: {verdicts}."
    )
    if served:
        text += (
            f" `serve` took {served['core_percent']:.1f} % of a core and "
            f"{served['memory_mb']:.0f} MB under a Prometheus that asked for {served['nodes']:,} "
            f"targets every {served['interval_s']} s, and that itself took "
            f"{served['prometheus_core_percent']:.1f} % and "
            f"{served['prometheus_memory_mb']:.0f} MB; {served['down']:,} scrapes had failed."
        )
    else:
        text += f" `serve` was not measured: {parts['exporter']['not_installed']} is not installed."
    yield _prose(f"{text} More is in [fleet](fleet.md).")


def _machine(parts: Parts) -> Iterator[str]:
    yield "## The machine\n"
    machine, versions = parts["costs"]["machine"], parts["costs"]["versions"]
    peers = ", ".join(f"{name} {versions.get(name, 'is not installed')}" for name in PEERS)
    yield _prose(
        f"{machine['cores']} cores of {machine['cpu']}, {machine['system']}, kernel "
        f"{machine['kernel']}, Python {machine['python']}. {peers}."
    )
    yield _prose(
        "Load is the one-minute average. Others are all programs that did not belong to the bench: "
        "with more than a few per cent the machine was not quiet."
    )
    body = [
        (
            name, part["date"], f"{part['seconds']:.0f} s", f"{part['load_before']:.2f}",
            f"{part['load_after']:.2f}", f"{part['others_percent']:.0f} %",
        )
        for name, part in parts.items()
        if "figures" in part
    ]  # fmt: skip
    head = ("part", "date", "took", "load before", "load after", "others")
    yield from _table(head, body)
