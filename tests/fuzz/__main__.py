"""Fuzz every target for a while, guided by coverage, and write a table.

    python -m tests.fuzz SECONDS [NAME...]

SECONDS are those of the whole, shared by the targets; two run at a time. Inputs that reach
something new stay in build/fuzz, so that the next time goes on from there. An input that a target
raised for is named, and belongs into tests/fuzz/corpus when it is mended.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sources.record import Record
from tests.fuzz.registry import TARGETS

_ROOT = Path(__file__).resolve().parent.parent.parent
_AT_ONCE = 2
_LEAST_S = 2
_GRACE_S = 300
"""What is imported is instrumented first, and a busy machine is slow."""
_KEPT = _ROOT / "build" / "fuzz"
_GIVEN = _ROOT / "tests" / "fuzz" / "corpus"
_STATUS = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


class Outcome(Record):
    """What came of one target."""

    name: str
    executions: int
    covered: int
    """Edges of byte-code that inputs reach."""
    inputs: int
    """Of the corpus, each with something that no other one reaches."""
    found: str
    """The file with an input that the target raised for; empty if there is none."""
    log: str


def main(arguments: list[str]) -> int:
    """Fuzz; return 1 if something was found."""
    seconds, names = int(arguments[0]), arguments[1:] or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        print(f"no target: {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
        return 2
    each_s = max(_LEAST_S, seconds * _AT_ONCE // len(names))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = list(pool.map(lambda name: _fuzz(name, each_s), names))
    print(_table(outcomes))
    found = [outcome for outcome in outcomes if outcome.found]
    for outcome in found:
        print(f"\n{outcome.name}: {outcome.found}\n{outcome.log[-3000:]}")
    return 1 if found else 0


def _fuzz(name: str, seconds: int) -> Outcome:
    place = _KEPT / name
    place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (place / f"seed-{number}").write_bytes(seed)
    before = {path.name for path in place.parent.glob(f"{name}-found-*")}
    flags = (
        f"-max_total_time={seconds}",
        f"-artifact_prefix={place.parent / name}-found-",
        *("-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"),
    )
    given = [str(_GIVEN / name)] if (_GIVEN / name).is_dir() else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.one", name, str(place), *given, *flags],
        capture_output=True,
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        timeout=seconds + _GRACE_S,
        check=False,
    )
    log = (done.stdout + done.stderr).decode(errors="replace")
    new = sorted({path.name for path in place.parent.glob(f"{name}-found-*")} - before)
    found = str(place.parent / new[0]) if new else ""
    if done.returncode and not found:
        found = f"it ended with {done.returncode} and without an input"
    *_, last = [("0", "0", "0", "0"), *_STATUS.findall(log)]
    return Outcome(name, int(last[0]), int(last[1]), int(last[3]), found, log)


def _table(outcomes: list[Outcome]) -> str:
    lines = [f"{'target':20} {'executions':>12} {'edges':>7} {'inputs':>7}  found"]
    for found in outcomes:
        counts = f"{found.executions:12,} {found.covered:7,} {found.inputs:7,}"
        lines.append(f"{found.name:20} {counts}  {found.found or '-'}")
    return "\n".join([*lines, f"{'all':20} {sum(one.executions for one in outcomes):12,}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
