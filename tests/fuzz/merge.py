"""Renew what was merged into tests/fuzz/corpus from what runs have kept in build/fuzz.

    python -m tests.fuzz.merge

libFuzzer's merge says which edges each input reaches. Kept are those few that reach the most beyond
the seeds, the captures and the inputs that were crashes, whose files stay as they are.
"""

import shutil
import tempfile
from pathlib import Path

from sources.record import Record
from tests.fuzz.inputs import CORPUS, KEPT, run, write_seeds
from tests.fuzz.targets.registry import TARGETS

MOST_MERGED = 150
_MERGED = "merged-"
_LONGEST = 1500
_PATIENCE_S = 1800
_FLAGS = ("-set_cover_merge=1", "-use_counters=0")
"""An edge counts, how often it is taken does not: that would be five times as many inputs."""


class Choice(Record):
    """An input that is worth being kept."""

    target: str
    data: bytes
    gained: int
    """How many edges it reaches that nothing before it does."""


def main() -> None:
    """Choose among the inputs of all targets; replace what was merged before."""
    found = [choice for name in TARGETS for choice in _choices(name)]
    for old in CORPUS.glob(f"*/{_MERGED}*"):
        old.unlink()
    best = sorted(found, key=lambda choice: (-choice.gained, len(choice.data)))[:MOST_MERGED]
    for number, choice in enumerate(best):
        directory = CORPUS / choice.target
        directory.mkdir(exist_ok=True)
        (directory / f"{_MERGED}{number:03}").write_bytes(choice.data)


def _choices(name: str) -> list[Choice]:
    """Return inputs of one target, those first that gain the most."""
    with tempfile.TemporaryDirectory() as directory:
        begun, control = Path(directory, "begun"), Path(directory, "control")
        write_seeds(TARGETS[name], begun)
        for path in (CORPUS / name).glob("*"):
            if not path.name.startswith(_MERGED):
                shutil.copy(path, begun)
        others = [str(place) for place in (KEPT / name, CORPUS / name) if place.is_dir()]
        wanted = (*_FLAGS, f"-merge_control_file={control}", str(begun), *others)
        status, log = run(name, *wanted, timeout_s=_PATIENCE_S)
        if status:
            raise RuntimeError(f"{name}: {log[-3000:]}")
        inputs = _inputs(control.read_text(encoding="utf-8"))
        covered = {edge for path, edges in inputs if path.parent == begun for edge in edges}
        left = {path.read_bytes(): edges for path, edges in inputs if path.parent != begun}
    return _greedy(name, left, covered)


def _inputs(control: str) -> list[tuple[Path, set[int]]]:
    """Read the control file of a merge: how many files, their paths, and the edges of each."""
    count, _, *lines = control.splitlines()
    paths = [Path(line) for line in lines[: int(count)]]
    words = (line.split() for line in lines[int(count) :])
    return [
        (paths[int(number)], set(map(int, edges))) for what, number, *edges in words if what == "FT"
    ]


def _greedy(name: str, left: dict[bytes, set[int]], covered: set[int]) -> list[Choice]:
    chosen: list[Choice] = []
    while small := {data: left[data] - covered for data in left if len(data) <= _LONGEST}:
        best = max(small, key=lambda data: (len(small[data]), -len(data), data))
        if not small[best]:
            break
        chosen.append(Choice(name, best, len(small[best])))
        covered |= left.pop(best)
    return chosen


if __name__ == "__main__":
    main()
