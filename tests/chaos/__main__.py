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
from tests.chaos.matrix.all import faults, short
from tests.chaos.outcomes import Outcome, written
from tests.chaos.runner import run
from tests.conftest import ROOT


def main(words: Sequence[str]) -> int:
    """Run the rows and return the exit status."""
    why_not = is_possible()
    if why_not:
        print(f"chaos: not made: {why_not}", file=sys.stderr)
        return 1
    chosen = short() if "--short" in words else faults()
    wanted = [word for word in words if not word.startswith("--")]
    chosen = [f for f in chosen if not wanted or any(word in f.name for word in wanted)]
    subprocess.run([ROOT / "time-drift.sh", "--version"], check=True, stdout=subprocess.DEVNULL)
    began_s = time.monotonic()
    found: dict[str, dict[bool, Outcome]] = {fault.name: {} for fault in chosen}
    for outcome in run(chosen):
        found[outcome.name][outcome.beside] = outcome
        if "--lines" in words:
            print(written(outcome))
    if "--lines" in words:
        return 0
    failed = [outcome for both in found.values() for outcome in both.values() if outcome.wrong]
    print(_table(chosen, found))
    for outcome in failed:
        print(f"{outcome.name}, {'beside' if outcome.beside else 'alone'}: {outcome.wrong}")
    took_s = time.monotonic() - began_s
    print(f"{len(chosen)} faults, {2 * len(chosen)} cases, {len(failed)} failed, {took_s:.0f} s")
    return 1 if failed else 0


def _table(chosen: Sequence[Fault], found: dict[str, dict[bool, Outcome]]) -> str:
    head = (f"{'fault':<36}  {'what it does':<44}  {'beside three honest ones':<27}  alone", "-" * 140)
    rows = (
        f"{fault.name:<36}  {fault.does:<44}  "
        f"{_cell(fault.beside.value, found[fault.name].get(True)):<27}  "
        f"{_cell(fault.alone.value, found[fault.name].get(False))}"
        for fault in chosen
    )
    return "\n".join([*head, *rows])


def _cell(expected: str, outcome: Outcome | None) -> str:
    if outcome is None or outcome.wrong:
        return f"{expected}: FAILED"
    return f"{expected} {outcome.wall_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
