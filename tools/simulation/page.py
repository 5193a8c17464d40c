"""docs/simulation.md, from what the runs came to. Pure."""

from collections import Counter
from collections.abc import Iterable

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
        _HEAD.format(
            runs=runs, seed=seed, minutes=totals.cpu_s / 60, ms=1000 * totals.cpu_s / runs
        ),
        _outcome(whole),
        _table(_OURS_COLUMNS, ((name, _ours(tally)) for name, tally in majority.items())),
        _OURS_AFTER,
        _PEERS_HEAD,
        _table(_PEER_COLUMNS, ((name, _beside(tally)) for name, tally in majority.items())),
        _PEERS_AFTER,
        _EARLY_HEAD,
        _table(_EARLY_COLUMNS, _early(tallies)),
        _BROKEN_HEAD,
        _table(_BROKEN_COLUMNS, _broken(tallies)),
        _BROKEN_AFTER,
        _TOLERANCE_HEAD,
        _table(_TOLERANCE_COLUMNS, _tolerances(tallies)),
        _TOLERANCE_AFTER,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


_HEAD = """# Simulation

<!-- Written by tools/simulation, not by hand. -->

{runs:,} runs on networks that do not exist, where the true drift is known. The rule and the
gathering are the program's own, `drift/consensus` and `drift/run/gather.py`, as they stand. Only
threads and clocks are replaced: answers come from a plan, and time goes on when somebody waits.

Seed {seed}. Every run has a number and its own random numbers, so the result is the same whatever
the number of processes. It took {minutes:.0f} minutes of processor time, {ms:.2f} ms a run, most of
it the program's own. `make simulation RUNS={runs}` repeats it.

## What is simulated

- **Sources**: 7 to 17 operators of all four kinds. In one mix of four some have several sources.
- **Networks**: quiet ones have round trips of 4 to 60 ms. Bad ones have 20 to 900 ms, all of it on
  one way at times, jitter of 30 ms, and lose 8 % of the answers.
- **Drift**: half of the runs are within 30 ms of where the integer turns, far more than in life.
- **Honest servers** hold the truth in what they certify. On a quiet network where nobody lies they
  are off by 1.5 ms (one standard deviation) beyond that, which the tolerance covers.
- **Liars** know the rule and have seen all honest answers. They are fewer than half of the
  operators, often just so. They choose their intervals, within what a kind may carry, and whether
  they answer first, last or mixed. `tools/simulation/liars.py` has the strategies.

## What is counted

- **wrong**: no drift that honest answers allow rounds to the integer. They allow all from the least
  to the greatest end of the honest likely intervals, the true drift included. [The
  guarantee](consensus.md#the-guarantee) excludes it.
- **not nearest**: the integer is not the one nearest to the true drift. Near to where the integer
  turns nobody can help that. It compares programs and proves nothing.
- **no answer**: the program refused.
- **interval misses**: the true drift is not in the interval that goes with the answer. It is
  counted apart where the honest were a majority of those who had answered by the moment of
  decision, and where they became one only afterwards.
- **not waited for**: sources that had not answered when the integer was printed.
- **error**: of the nanoseconds of an answer. The worst is of runs in which the honest were a
  majority by the moment of decision. Where coarse kinds alone are honest, it may be a second.

## With an honest majority
"""

_OURS_COLUMNS = (
    "case",
    "runs",
    "wrong",
    "not nearest %",
    "no answer %",
    "interval misses",
    "misses, majority only later",
    "changed after stop",
    "not waited for %",
    "mean error ms",
    "worst error ms",
)

_OURS_AFTER = """
Only runs in which more than half of the operators that answer by the deadline are honest in every
sample. "Changed after stop" counts early answers that the later ones would have changed.

Most refusals are "too coarse": near to where the integer turns, when HTTPS servers could not be
[asked again](consensus.md#asking-again) in time (D-68).

The integer needs an honest majority among those who answer by the deadline. The interval and the
nanoseconds of an early answer are of what had been measured by then, so they need the majority
[by then](decisions/consensus.md#d-103-the-interval-of-an-early-answer). Liars who hurry while the
honest are slow move them, and not the integer.

Where a minority smears, or stands just over the boundary, many integers are not nearest. The honest
intervals reach over the boundary there, half of the drifts being within 30 ms of it.
"""

_PEERS_HEAD = """
## Beside other rules

The same answers, all of them, given to other rules. Each cell: wrong % / not nearest % / no answer
%. The runs are those of the table above.
"""

_PEER_COLUMNS = ("case", OURS, *PEERS)

_PEERS_AFTER = """
- **median**: of the middles of all samples. **Marzullo**: the narrowest place where most intervals
  meet; it asks for no majority, so it always answers.
- **chrony** and **ntpd-rs**: their selection and combination, restated from their sources and given
  one exchange with each server. They speak NTP and NTS only, so a majority of those may lie where
  the honest are a majority of all. Their filters over time, which a single run has none of, are not
  here. chrony 4's `SRC_SelectSource`; ntpd-rs's `select.rs` and `combiner.rs`, with a twentieth of
  the round trip as the deviation that eight polls would have shown.
- Neither knows operators, kinds, or addresses that several names share.
"""

_EARLY_HEAD = """
## How early it stops

Quiet network, nobody lies.
"""

_EARLY_COLUMNS = (
    "sources",
    "settled before the last answer %",
    "not waited for %",
    "mean error ms",
)

_BROKEN_HEAD = """
## Without an honest majority

What happens where the assumption is broken, by `min_operators`. Nine operators of four kinds, an
honest clock; the lie is an hour. Each cell: wrong % / no answer %. In the last two rows 6 of 11
operators are plain NTP, and one box on the path answers for all of them while it blocks two NTS
servers. There each cell also has, in the middle, the integers that are not nearest.
"""

_BROKEN_COLUMNS = ("who", *(f"min_operators = {least}" for least in MIN_OPERATORS))

_BROKEN_AFTER = """
- Who can silence everybody else needs `min_operators` lying operators, of `min_kinds` kinds. This
  is what `min_operators` is for: 5 where the network is hostile.
- Who cannot silence others needs more than half of all that answer, and `min_operators` as well.
- One box that forges all plain NTP is one kind, and others have to agree with it. So it is refused,
  or stays within what they allow, and the integer is one off at most.
"""

_TOLERANCE_HEAD = """
## The tolerance

Near servers that admit little: round trips of 0.5 to 6 ms, root distances of 0.05 to 1 ms. They are
off by 1.5 ms beyond what they admit, or by 6 ms ("loose"), one standard deviation. "3 + 1" is three
NTP servers and one HTTPS server. The liars are 3 of 11 operators, all NTP. They stand at the edge
of the majority, which the tolerance moves out.
"""

_TOLERANCE_COLUMNS = (
    "tolerance s",
    "no answer %, 3 + 1",
    "honest outvoted %",
    "interval misses %",
    "no answer %, loose",
    "honest outvoted %, loose",
    "interval misses %, loose",
    "mean error ms, liars",
    "not nearest %, liars",
    "mean width of interval ms",
)

_TOLERANCE_AFTER = """
A tolerance widens votes, never estimates. So it costs a wider interval, by twice the tolerance, and
gives liars no more of the estimate. Why it is 0.02 s by default:
[D-104](decisions/consensus.md#d-104-the-tolerance-is-twice-what-loose-servers-need).
"""


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
            f"- The interval held the true drift in **{percent:.4f} %** of {counts['due']:,} "
            f"answers: {missed:,} misses.",
            f"- Where the honest were a majority only after the decision ({later:,} answers), it "
            f"held in {_percent(later_held, later)} %.",
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
