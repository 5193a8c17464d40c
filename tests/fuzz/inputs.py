"""Where inputs are kept, and one target in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets.target import Target

_ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = _ROOT / "build" / "fuzz"
"""What earlier runs of this checkout have found to reach something new."""
CORPUS = _ROOT / "tests" / "fuzz" / "corpus"
"""What everybody begins with, beside the seeds that are made."""


def write_seeds(target: Target, directory: Path) -> None:
    """Make the directory, and the seeds of a target in it."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (directory / f"seed-{number}").write_bytes(seed)


def run(name: str, *arguments: str, timeout_s: float) -> tuple[int, str]:
    """Give libFuzzer these arguments; return its exit status and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", name, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        timeout=timeout_s,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")
