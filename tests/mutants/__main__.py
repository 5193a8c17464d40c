"""Change the code that proves and decides, one thing at a time, and see whether a test notices.

    python -m tests.mutants [PART...]

Works in clones of what is committed, under build/mutants. Fails if a mutant survives that is not in
tests/mutants/equivalent.toml, or if one is listed that does not survive.
"""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from sources.record import Record
from tests.mutants.parts import PARTS, Part
from tests.mutants.survivors import Mutant, listed, of_difference, stale, unlisted

_ROOT = Path(__file__).resolve().parent.parent.parent
_PLACE = _ROOT / "build" / "mutants"
_MUTMUT = (sys.executable, "-m", "mutmut")
_AT_ONCE = 2
_KILLED = (1, 3, 24, 36, 152, -24, -11)
"""A test failed or pytest did, or it ran for too long or crashed."""
_DIFFERENCES = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps([get_diff_for_mutant(key) for key in sys.argv[1:]]))
"""
_CONFIGURATION = """[mutmut]
source_paths =
    drift
    sources
    nodes
    fleet
only_mutate =
{files}
also_copy =
    lab
    docs
    config.toml
pytest_add_cli_args =
    -p
    no:cacheprovider
    --hypothesis-profile=mutants
    -p
    tests.mutants.quickest_first
pytest_add_cli_args_test_selection =
{tests}
"""


class Result(Record):
    """What came of one part."""

    name: str
    mutants: int
    killed: int
    survivors: list[Mutant]
    modules: tuple[str, ...]


def main(names: list[str]) -> int:
    """Run the parts; return 1 if a test or an entry of the list is missing."""
    known = {part.name: part for part in PARTS}
    if unknown := set(names) - known.keys():
        print(f"no part: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    text = (_ROOT / "tests" / "mutants" / "equivalent.toml").read_text(encoding="utf-8")
    equivalent = listed(tomllib.loads(text))
    failed = False
    for name in names or known:
        result = _run(known[name])
        missing = unlisted(result.survivors, equivalent)
        gone = stale(result.survivors, equivalent, result.modules)
        print(
            f"{name}: {result.mutants} mutants, {result.killed} killed, "
            f"{len(result.survivors) - len(missing)} equivalent, {len(missing)} survived"
        )
        for word, mutants in (("survived", missing), ("listed, but not a survivor", gone)):
            for mutant in mutants:
                print(f"\n{word}: {mutant.function}\n- {mutant.was}\n+ {mutant.becomes}")
        failed |= bool(missing or gone or not result.mutants)
    return int(failed)


def _run(part: Part) -> Result:
    """Mutate a part in a clone, and read what mutmut left there."""
    clone = _PLACE / part.name.replace("/", "-")
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", _ROOT, clone], check=True)
    chosen = *part.tests, *(f"--deselect={test}" for test in part.without)
    files, tests = ("\n".join(f"    {one}" for one in many) for many in (part.files, chosen))
    configuration = _CONFIGURATION.format(files=files, tests=tests)
    (clone / "setup.cfg").write_text(configuration, encoding="utf-8")
    with (clone / "mutmut.log").open("w", encoding="utf-8") as log:
        subprocess.run(
            [*_MUTMUT, "run", "--max-children", str(_AT_ONCE)],
            cwd=clone,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    codes: dict[str, int | None] = {}
    for path in sorted((clone / "mutants").rglob("*.py.meta")):
        codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    alive = [key for key, code in codes.items() if code not in _KILLED]
    modules = tuple(sorted({key.rpartition(".")[0] for key in codes}))
    differences = zip(alive, _differences(clone, alive), strict=True)
    survivors = [of_difference(key, difference) for key, difference in differences]
    return Result(part.name, len(codes), len(codes) - len(alive), survivors, modules)


def _differences(clone: Path, keys: list[str]) -> list[str]:
    """Return the unified difference that each mutant makes; one process, as it starts slowly."""
    done = subprocess.run(
        [sys.executable, "-c", _DIFFERENCES, *keys],
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
