"""docs/simulation.md, from what the runs came to. Pure."""

from collections import Counter
from collections.abc import Iterable

from tools.simulation import wording
from tools.simulation.blocks import Totals
from tools.simulation.cases import MIN_OPERATORS, TOLERANCES_S
from tools.simulation.count import OURS, Tally
from tools.simulation.peers import PEERS

_BROKEN = "broken: "
_TOLERANCE = "tolerance "
_MIX = "mix: "


def render(totals: Totals, *, runs: int, seed: int) -> str:
    """Return the page."""
    tallies = totals.tallies
    majority = {
        name: tally
        for name, tally in tallies.items()
        if not name.startswith((_BROKEN, _TOLERANCE, _MIX))
    }
    whole = Tally()
    for name, tally in tallies.items():
        if not name.startswith((_BROKEN, _TOLERANCE)):
            whole.add(tally)
    parts = [
        wording.HEAD.format(
            runs=runs, seed=seed, minutes=totals.cpu_s / 60, ms=1000 * totals.cpu_s / runs
        ),
        _outcome(whole),
        _table(wording.OURS_COLUMNS, ((name, _ours(tally)) for name, tally in majority.items())),
        wording.OURS_AFTER,
        wording.PEERS_HEAD,
        _table(wording.PEER_COLUMNS, ((name, _beside(tally)) for name, tally in majority.items())),
        wording.PEERS_AFTER,
        wording.EARLY_HEAD,
        _table(wording.EARLY_COLUMNS, _early(tallies)),
        wording.BROKEN_HEAD,
        _table(wording.BROKEN_COLUMNS, _broken(tallies)),
        wording.BROKEN_AFTER,
        wording.TOLERANCE_HEAD,
        _table(wording.TOLERANCE_COLUMNS, _tolerances(tallies)),
        wording.TOLERANCE_AFTER,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _outcome(whole: Tally) -> str:
    counts = whole.counts
    answered = counts[f"{OURS} answered"]
    missed = counts["due"] - counts["due covered"]
    percent = 10**4 * 100 * counts["due covered"] // max(1, counts["due"]) / 10**4
    later = answered - counts["due"]
    later_held = counts["covered"] - counts["due covered"]
    return "\n".join(
        (
            f"- Runs with an honest majority: {counts['runs']:,}. Wrong integers: "
            f"**{counts[f'{OURS} wrong']:,}**.",
            f"- Early answers that later ones would have changed: **{counts['changed']:,}** of "
            f"{counts['early']:,}.",
            f"- The interval held the true drift in **{_percent(counts['covered'], answered)} %** "
            f"of {answered:,} answers:",
            f"  - where the honest were a majority by the moment of decision, {percent:.4f} % of "
            f"{counts['due']:,}",
            f"    ({missed:,} misses);",
            f"  - where they became one only afterwards, {_percent(later_held, later)} % of "
            f"{later:,}.",
            f"- Runs set aside because the honest were no majority: {counts['broken runs']:,}.",
        )
    )


def _ours(tally: Tally) -> list[str]:
    counts = tally.counts
    answered = counts[f"{OURS} answered"]
    later = answered - counts["due"]
    later_missed = later - (counts["covered"] - counts["due covered"])
    return [
        f"{counts['runs']:,}",
        f"{counts[f'{OURS} wrong']:,}",
        _percent(counts[f"{OURS} beside"], counts["runs"]),
        _percent(counts[f"{OURS} refused"], counts["runs"]),
        f"{counts['due'] - counts['due covered']:,} of {counts['due']:,}",
        f"{later_missed:,} of {later:,}",
        f"{counts['changed']:,}",
        _percent(counts["outstanding"], counts["sources"]),
        _mean_ms(counts["off us"], answered),
        f"{tally.worst_ns / 1e6:,.1f}",
    ]


def _beside(tally: Tally) -> list[str]:
    return [_three(tally.counts, name) for name in (OURS, *PEERS)]


def _early(tallies: dict[str, Tally]) -> Iterable[tuple[str, list[str]]]:
    for name, tally in tallies.items():
        if name.startswith(_MIX):
            counts = tally.counts
            cells = [
                _percent(counts["early"], counts["runs"]),
                _percent(counts["outstanding"], counts["sources"]),
                _mean_ms(counts["off us"], counts[f"{OURS} answered"]),
            ]
            yield name.removeprefix(_MIX), cells


def _broken(tallies: dict[str, Tally]) -> Iterable[tuple[str, list[str]]]:
    names = [name for name in tallies if name.startswith(_BROKEN)]
    for row in dict.fromkeys(name.rpartition("; ")[0] for name in names):
        cells = []
        for least in MIN_OPERATORS:
            counts = _all(tallies[f"{row}; {least}"].counts)
            cells.append(_three(counts, OURS) if "UDP" in row else _two(counts, OURS))
        yield row.removeprefix(_BROKEN), cells


def _tolerances(tallies: dict[str, Tally]) -> Iterable[tuple[str, list[str]]]:
    for tolerance_s in TOLERANCES_S:
        cells = []
        for kind in ("few", "few, loose"):
            counts = _all(tallies[f"{_TOLERANCE}{tolerance_s}: {kind}"].counts)
            answered = counts[f"{OURS} answered"]
            cells += [
                _percent(counts[f"{OURS} refused"], counts["runs"]),
                _percent(counts["outvoted"], counts["sources"]),
                _percent(answered - counts["covered"], answered),
            ]
        counts = _all(tallies[f"{_TOLERANCE}{tolerance_s}: liars"].counts)
        answered = counts[f"{OURS} answered"]
        cells += [
            _mean_ms(counts["off us"], answered),
            _percent(counts[f"{OURS} beside"], counts["runs"]),
            _mean_ms(counts["width us"], answered),
        ]
        yield str(tolerance_s), cells


def _all(counts: Counter[str]) -> Counter[str]:
    """Return the counts whether or not the majority was honest."""
    found: Counter[str] = Counter()
    for name, count in counts.items():
        found[name.removeprefix("broken ")] += count
    return found


_WORDS = ("wrong", "beside", "refused")


def _three(counts: Counter[str], name: str) -> str:
    return " / ".join(_percent(counts[f"{name} {word}"], counts["runs"]) for word in _WORDS)


def _two(counts: Counter[str], name: str) -> str:
    return " / ".join(
        _percent(counts[f"{name} {word}"], counts["runs"]) for word in ("wrong", "refused")
    )


def _percent(part: int, whole: int) -> str:
    """Write a share: 0 only if there is none, 100 only if it is all."""
    if not whole:
        return "-"
    if part in (0, whole):
        return "0" if not part else "100"
    return f"{min(max(100 * part / whole, 0.01), 99.99):.2f}"


def _mean_ms(total_us: int, count: int) -> str:
    return f"{total_us / 1000 / count:.1f}" if count else "-"


def _table(columns: Iterable[str], rows: Iterable[tuple[str, list[str]]]) -> str:
    heads = list(columns)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join((name, *cells))} |" for name, cells in rows]
    return "\n".join(lines)
