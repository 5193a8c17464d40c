"""All cases by blocks of runs, in several processes; what is done is kept, and not done again."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from sources.record import Record
from tools.simulation.cases import Case, cases
from tools.simulation.count import Tally, tally

_ROOT = Path(__file__).resolve().parents[2]
_BLOCK = 250


Line = dict[str, Any]
"""A block that is done, as it is kept."""


class Block(NamedTuple):
    """Runs of one case, by their numbers. (A Record does not travel between processes.)"""

    name: str
    first: int
    end: int


class Totals(Record):
    """What all runs came to."""

    tallies: dict[str, Tally]
    """By the names of the cases."""
    cpu_s: float


def simulate(runs: int, processes: int, seed: int, kept: Path | None = None) -> Totals:
    """Run all cases, `runs` together, and return what they came to.

    It is the same whatever the number of processes. `kept` is a file of blocks that are done: those
    of the same seed and the same code are taken from it, and new ones are added to it.
    """
    tallies = {case.name: Tally() for case in cases()}
    cpu_s = 0.0
    done, to_do = _kept(kept, seed), blocks(runs)
    for block in to_do:
        if block in done:
            tallies[block.name].add(_tally_of(done[block]))
            cpu_s += done[block]["cpu_s"]
    left = [block for block in to_do if block not in done]
    for line in _lines(left, processes, seed):
        tallies[line["name"]].add(_tally_of(line))
        cpu_s += line["cpu_s"]
        if kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    return Totals(tallies, cpu_s)


def blocks(runs: int) -> list[Block]:
    """Divide so many runs among all cases; each case's are spread over the whole time."""
    found = cases()
    total = sum(case.weight for case in found)
    timed = []
    below = 0
    for case in found:
        count = runs * (below + case.weight) // total - runs * below // total
        below += case.weight
        timed += [
            (first / count, Block(case.name, first, min(first + _BLOCK, count)))
            for first in range(0, count, _BLOCK)
        ]
    return [block for _, block in sorted(timed)]


def case_of(name: str) -> Case:
    """Return the case of a name; raise KeyError if there is none."""
    return {case.name: case for case in cases()}[name]


def _lines(left: list[Block], processes: int, seed: int) -> Iterator[Line]:
    run = partial(_run, seed=seed, code=_code())
    if processes == 1:
        yield from map(run, left)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from pool.map(run, left)


def _run(block: Block, seed: int, code: str) -> Line:
    """Run one block, and return it as a line of the file that is kept."""
    began_s = time.process_time()
    found = tally(case_of(block.name), seed, range(block.first, block.end))
    return {
        "name": block.name,
        "first": block.first,
        "end": block.end,
        "seed": seed,
        "code": code,
        "cpu_s": time.process_time() - began_s,
        "counts": dict(found.counts),
        "worst_ns": found.worst_ns,
        "bugs": found.bugs,
    }


def _tally_of(line: Line) -> Tally:
    found = Tally(Counter(line["counts"]), line["worst_ns"])
    found.bugs = line["bugs"]
    return found


def _kept(path: Path | None, seed: int) -> dict[Block, Line]:
    """Return the lines that are kept, of this seed and this code."""
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    code = _code()
    return {
        Block(line["name"], line["first"], line["end"]): line
        for line in lines
        if line["seed"] == seed and line["code"] == code
    }


def _code() -> str:
    """Return a digest of what decides, and of what simulates."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    files = [*(_ROOT / "drift/consensus").glob("*.py"), _ROOT / "drift/run/gather.py"]
    files += [
        file
        for file in here.glob("*.py")
        if file.name not in ("__main__.py", "page.py", "wording.py")
    ]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
