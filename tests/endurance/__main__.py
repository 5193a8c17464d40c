"""Run `watch` and `serve` for many minutes that pass at once, and print what they held.

    python -m tests.endurance [MINUTES [SEED]]

43,200 minutes are thirty days. The exit status is 1 if anything is wrong with either.
"""

import sys
import tempfile
from pathlib import Path

from tests.endurance.serving import serving
from tests.endurance.watching import watching

MONTH = 43_200


def main(minutes: int = MONTH, seed: int = 1) -> int:
    """Run both, and print what each held and what is wrong."""
    status = 0
    for run in (watching, serving):
        with tempfile.TemporaryDirectory() as directory:
            wrong, figures = run(minutes, seed, Path(directory))
        lines = [figures, *(f"WRONG: {line}" for line in wrong)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
