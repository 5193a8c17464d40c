"""Simulate, and write docs/simulation.md.

    python -m tools.simulation [--runs N] [--processes N] [--seed N] [--page FILE]

The result is the same whatever the number of processes. Blocks that are done are kept in
build/simulation.jsonl, so what was interrupted goes on when the same is run again. Exits with 1 if
a run was found that the guarantee excludes; its case and number are printed.
"""

import argparse
import sys
from pathlib import Path

from tools.simulation.blocks import simulate
from tools.simulation.page import render

_ROOT = Path(__file__).resolve().parents[2]
_SEED = 19


def main() -> int:
    """Run what the command line says, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tools.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--page", type=Path, default=_ROOT / "docs/simulation.md")
    options = parser.parse_args()
    kept = _ROOT / "build/simulation.jsonl"
    kept.parent.mkdir(exist_ok=True)
    totals = simulate(options.runs, options.processes, options.seed, kept)
    text = render(totals, runs=options.runs, seed=options.seed)
    options.page.write_text(text, "utf-8")
    bugs = {name: tally.bugs for name, tally in totals.tallies.items() if tally.bugs}
    for name, numbers in bugs.items():
        print(f"the guarantee excludes: {name}: {numbers}", file=sys.stderr)
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
