"""`make chaos`: run the matrix, print it as a table with what came of it, and end 1 if any failed.

    python -m tests.chaos [--short] [--lines] [WORD ...]

`--short` takes a part of the rows, `--lines` prints what came of each as JSON, and WORDs choose the
rows whose name has one of them.
"""

import subprocess
import sys
import time
from collections.abc import Sequence

from tests.chaos.arena import is_possible
from tests.chaos.fault import Fault
from tests.chaos.outcomes import Outcome, written
from tests.chaos.rows import faults, short
from tests.chaos.runner import run
from tests.conftest import ROOT


def main(words: Sequence[str]) -> int:
    """Run the rows and return the exit status."""
    why_not = is_possible()
    if why_not:
        sys.stderr.write(f"chaos: not made: {why_not}\n")
        return 1
    chosen = short() if "--short" in words else faults()
    wanted = [word for word in words if not word.startswith("--")]
    chosen = [f for f in chosen if not wanted or any(word in f.name for word in wanted)]
    subprocess.run([ROOT / "time-drift.sh", "--version"], check=True, stdout=subprocess.DEVNULL)
    began_s = time.monotonic()
    found = list(run(chosen))
    failed = [outcome for outcome in found if outcome.wrong]
    if "--lines" in words:
        lines = [written(outcome) for outcome in found]
    else:
        took = f"{time.monotonic() - began_s:.0f} s"
        count = f"{len(chosen)} faults, {len(found)} cases, {len(failed)} failed, {took}"
        lines = [*_table(chosen, found), *map(_failure, failed), count]
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if failed else 0


def _failure(outcome: Outcome) -> str:
    return f"{outcome.name}, {'beside' if outcome.beside else 'alone'}: {'; '.join(outcome.wrong)}"


def _table(chosen: Sequence[Fault], found: Sequence[Outcome]) -> list[str]:
    by = {(outcome.name, outcome.beside): outcome for outcome in found}
    heads = ("fault", "what it does", "beside three honest ones", "alone")
    rows = [
        (
            fault.name,
            fault.does,
            _cell(fault.beside.value, by[fault.name, True]),
            _cell(fault.alone.value, by[fault.name, False]),
        )
        for fault in chosen
    ]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [heads, *rows]]


def _cell(expected: str, outcome: Outcome) -> str:
    return f"{expected}: FAILED" if outcome.wrong else f"{expected}  {outcome.wall_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
