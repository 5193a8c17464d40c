"""Run `serve` for many minutes that pass at once; whoever started it says when the next one does.

    python -m tests.endurance.serve_for_long CONFIG SEED DIRECTORY

stdout gets the moment of each renewal, in nanoseconds from the first one; after each it waits for a
line on stdin, `reload` to have it read its configuration again. Every sixtieth measurement is a
real one, in a process of its own as always. At the others that process answers what the last one
found, or at random: nothing, junk, a failure, or it is not there.
"""

import random
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from fleet import commands, measuring
from fleet.exporter import serve
from fleet.observer import Measure, Measured
from fleet.readings import Reference
from sources.clock import NS, Clock
from tests.endurance.leaping import Leaping

_REAL_EVERY = 60
_FAULTS = {
    "nothing": ":",
    "junk": "echo junk; echo junk >&2",
    "failure": "exit 1",
    "null": "echo null",
}
_FAULTY_SHARE = 0.01


class Minutes:
    """What wakes the thread that renews the consensus: here, whoever reads our stdout."""

    def __init__(self, clock: Leaping) -> None:
        self.clock = clock
        self.began_raw_ns = clock.raw_ns()

    def wait(self, timeout_s: float) -> bool:
        """Leap over the time to wait, and return whether the configuration is to be read."""
        due_raw_ns = self.clock.raw_ns() + round(timeout_s * NS)
        wish = self._handed_over()
        if wish == "reload\n":
            return True
        self.clock.leap_to(due_raw_ns)
        return False

    def _handed_over(self) -> str:
        sys.stdout.write(f"{self.clock.raw_ns() - self.began_raw_ns}\n")
        sys.stdout.flush()
        wish = sys.stdin.readline()
        if not wish:
            raise EOFError("whoever started this has gone")
        return wish

    def clear(self) -> None:
        """Forget nothing: each line is read once."""


def measuring_apart(
    path: str, clock: Leaping, seed: int, programs: dict[str, str], measure: Measure
) -> Iterator[Measured]:
    """Yield what each measurement found, by the real code, of programs that fail at random."""
    dice = random.Random(seed)  # noqa: S311 - a test's
    count = 0
    while True:
        name = "real" if count % _REAL_EVERY == 0 else "remembered"
        if count == 1 or (count and dice.random() < _FAULTY_SHARE):  # its code is loaded early
            name = dice.choice([*_FAULTS, "absent"])
        sys.executable = programs[name]
        found = measure()
        if found.reference is not None:  # that process read a clock that leaps over nothing
            there = found.reference
            found = found.replaced(
                reference=Reference(
                    there.raw_minus_true.shifted(clock.leapt_ns), there.at_raw_ns + clock.leapt_ns
                )
            )
        yield found
        count += 1


def _programs(directory: Path) -> dict[str, str]:
    """Write the programs that measure, and return their paths."""
    last, new = (shlex.quote(str(directory / name)) for name in ("last", "new"))
    texts = {
        "real": f'{shlex.quote(sys.executable)} "$@" >{new}\ncat {new}\n'
        f"grep -q 'raw_minus_true\": null' {new} || mv {new} {last}",
        "remembered": f"exec cat {last}",
        **_FAULTS,
    }
    for name, text in texts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o700)
    return {name: str(directory / name) for name in (*texts, "absent")}


def _print_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Serve until whoever started this ends it."""
    path, seed, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    clock = Leaping()
    apart = measuring.measuring_apart(path, clock)
    found = measuring_apart(path, clock, seed, _programs(directory), apart)
    minutes = Minutes(clock)

    class Keeper(serve._Keeper):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            self._wake = minutes  # type: ignore[assignment]

    def found_next(_path: str, _clock: Clock) -> Measure:
        return lambda: next(found)

    serve._Keeper = Keeper  # type: ignore[misc, assignment]
    measuring.measuring_apart = found_next  # type: ignore[assignment]
    arguments = ("serve", "--config", path, "--listen", "127.0.0.1:0")
    commands.run(arguments, clock, sys.stdout.write, _print_line)


if __name__ == "__main__":
    main()
