"""`watch` over many minutes: start it among fickle servers, and say what is wrong with it then."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from lab.world import world
from tests.conftest import ROOT
from tests.endurance.fickle import servers
from tests.endurance.leaping import MINUTE_NS

MOST_GROWTH_KB = 256
"""By so much may what is resident grow after a tenth of the time: some pages are touched late."""
MOST_KEPT = 13
"""Two entries for each of six servers, and the lock."""
MOST_KEPT_BYTES = 16_384

Seen = Sequence[Mapping[str, int]]


def watching(ticks: int, seed: int, directory: Path) -> tuple[list[str], str]:
    """Watch for so many minutes; return what is wrong, and the figures in a line."""
    config, state = directory / "watch.toml", directory / "watch-state"
    state.mkdir(0o700)
    settings = f'timeout = 0.4\nstate = "{state}"\n[consensus]\nmin_kinds = 2'
    with world(*servers(seed), settings=settings) as lab:
        config.write_text(lab.toml, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", f"{__package__}.watch_for_long", config, str(ticks), state],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    *refusals, last = done.stderr.splitlines()
    said = json.loads(last)
    statuses, seen = said["statuses"], said["seen"]
    answers = done.stdout.splitlines()
    wrong = [
        *_unless(set(answers) == {"-4"}, f"answers are {sorted(set(answers))}"),
        *_unless(set(statuses) <= {"0", "3"}, f"exit statuses are {statuses}"),
        *_unless(len(answers) == statuses["0"], f"{len(answers)} answers, statuses {statuses}"),
        *_unless(
            len([line for line in refusals if line]) == statuses.get("3", 0),
            f"{len(refusals)} lines on stderr, statuses {statuses}",
        ),
        *_unless(statuses["0"] > ticks // 2, f"most were refused: {statuses}"),
        *punctual(said["moments"], ticks),
        *flat(without_a_child(seen), {"threads": 1, "children": 0}, MOST_GROWTH_KB),
    ]
    most = {name: max(one[name] for one in seen) for name in ("kept", "kept_bytes")}
    wrong += _unless(most["kept"] <= MOST_KEPT, f"{most['kept']} files of state")
    wrong += _unless(most["kept_bytes"] <= MOST_KEPT_BYTES, f"{most['kept_bytes']} B of state")
    figures = (
        f"watch: {ticks} ticks, {statuses}; {held(seen)}; state at most {most['kept']} files, "
        f"{most['kept_bytes']} bytes"
    )
    return wrong, figures


def punctual(moments: Sequence[int], ticks: int) -> list[str]:
    """Return what is wrong with moments that should be a minute apart, each up to 6 s late."""
    late_ns = [moment - number * MINUTE_NS for number, moment in enumerate(moments)]
    apart = [after - before for before, after in pairwise(moments)]
    return [
        *_unless(len(moments) == ticks, f"{len(moments)} ticks of {ticks}"),
        *_unless(min(late_ns) >= 0, "a tick came too early"),
        *_unless(max(late_ns) < MINUTE_NS // 10, f"a tick was {max(late_ns)} ns late"),
        *_unless(min(apart) > 0, "a tick was taken twice"),
    ]


def without_a_child(seen: Seen) -> Seen:
    """Leave one child out, if there is one: it stays after a success. A link to it is open then."""
    stays = [min(1, one["children"]) for one in seen]
    return [
        {**one, "children": one["children"] - stay, "files": one["files"] - stay}
        for one, stay in zip(seen, stays, strict=True)
    ]


def flat(seen: Seen, same: Mapping[str, int], most_growth_kb: int) -> list[str]:
    """Return what is not flat after a tenth of the time."""
    warm = seen[1:]
    grown_kb = max(one["resident_kb"] for one in warm) - warm[0]["resident_kb"]
    files = {one["files"] for one in warm}
    return [
        *_unless(len(seen) >= 3, "too few looks"),
        *_unless(grown_kb < most_growth_kb, f"resident memory grew by {grown_kb} kB"),
        *_unless(len(files) == 1, f"open files were {sorted(files)}"),
        *(
            f"{name} were {one[name]}"
            for one in warm
            for name, wanted in same.items()
            if one[name] != wanted
        ),
    ]


def held(seen: Seen) -> str:
    """Return what was held, at a tenth of the time and at the end."""
    return ", ".join(
        f"{name} {seen[1][name]} -> {seen[-1][name]}"
        for name in ("resident_kb", "files", "threads")
    )


def _unless(holds: bool, why: str) -> list[str]:
    return [] if holds else [why]
