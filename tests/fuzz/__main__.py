"""Fuzz every target for a while, guided by coverage, and write a table.

    python -m tests.fuzz SECONDS [NAME...]

SECONDS are those of the whole, shared by the targets; two run at a time, each in a process that is
forked from this one, as to instrument what they import takes seconds. Inputs that reach something
new stay in build/fuzz, so that the next time goes on from there. An input that a target
raised for is named, and belongs into tests/fuzz/corpus when it is mended.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.instrumented import TARGETS, fuzz

from sources.record import Record  # isort: skip - later, to be instrumented, too
from tests.fuzz.inputs import CORPUS, KEPT, run, write_seeds

_AT_ONCE = 2
_LEAST_S = 1
_PATIENCE_S = 300
"""For three tries of one input on a busy machine."""
_TRIES = 3
_TIMEOUT = "-timeout=20"
_SEED = 1 if os.environ.get("CI") else 0
"""Of libFuzzer, 0 for one of its own: in CI a commit fails for what it changes."""
_STATUS = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
_WRITTEN = re.compile(r"Test unit written to (\S+)")


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
    holds: bool
    """Whether it does so again."""
    log: str


def main(arguments: list[str]) -> int:
    """Fuzz; return 1 if something was found."""
    seconds, names = int(arguments[0]), arguments[1:] or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        print(f"no target: {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
        return 2
    each_s = max(_LEAST_S, seconds * _AT_ONCE // len(names))
    found = dict(_fuzzed(names, each_s))
    outcomes = [found[name] for name in names]
    print(_table(outcomes))
    for outcome in outcomes:
        if outcome.found:
            said = "" if outcome.holds else " (not again, so a busy machine is to blame)"
            print(f"\n{outcome.name}: {outcome.found}{said}\n{outcome.log[-3000:]}")
    return int(any(outcome.holds for outcome in outcomes))


def _fuzzed(names: list[str], seconds: int) -> Iterator[tuple[str, Outcome]]:
    """Fuzz some at a time; yield what came of each when it has ended."""
    waiting, running = list(reversed(names)), dict[int, str]()
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            name = waiting.pop()
            running[_start(name, seconds)] = name
        pid, status = os.wait()
        name = running.pop(pid)
        yield name, _outcome(name, os.waitstatus_to_exitcode(status))


def _log(name: str) -> Path:
    return KEPT / f"{name}.log"


def _start(name: str, seconds: int) -> int:
    """Fuzz in a process of its own, whose limits are libFuzzer's; return its number."""
    place = KEPT / name
    write_seeds(TARGETS[name], place)
    given = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    flags = (
        f"-max_total_time={seconds}",
        f"-artifact_prefix={KEPT / name}-found-",
        f"-seed={_SEED}",
        *(_TIMEOUT, "-rss_limit_mb=2048", "-max_len=4096"),
        *(("-len_control=0",) if TARGETS[name].talks else ()),  # too slow to begin with one edit
    )
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        with open(_log(name), "wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        fuzz(name, [str(place), *given, *flags])
        os._exit(0)
    return pid


def _outcome(name: str, status: int) -> Outcome:
    log = _log(name).read_text(encoding="utf-8", errors="replace")
    written = _WRITTEN.search(log) if status else None
    found = written[1] if written else f"it ended with {status} and without an input"
    holds = bool(status) and (written is None or _holds(name, found))
    *_, last = [("0", "0", "0", "0"), *_STATUS.findall(log)]
    counts = (int(last[0]), int(last[1]), int(last[3]))
    return Outcome(name, *counts, found if status else "", holds, log)


def _holds(name: str, found: str) -> bool:
    """Whether what was found is a bug: a busy machine may be to blame for what is about time.

    That is what a talk raises for, and any time-out; it has to happen again.
    """
    if not TARGETS[name].talks and "-timeout-" not in found:
        return True
    status, _ = run(name, *[found] * _TRIES, _TIMEOUT, timeout_s=_PATIENCE_S)
    return status != 0


def _table(outcomes: list[Outcome]) -> str:
    lines = [f"{'target':20} {'executions':>12} {'edges':>7} {'inputs':>7}  found"]
    for found in outcomes:
        counts = f"{found.executions:12,} {found.covered:7,} {found.inputs:7,}"
        lines.append(f"{found.name:20} {counts}  {found.found or '-'}")
    return "\n".join([*lines, f"{'all':20} {sum(one.executions for one in outcomes):12,}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
