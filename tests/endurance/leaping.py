"""Time that leaps: minutes between two measurements pass at once, and the rest as always."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap

from sources.clock import NS, Clock

MINUTE_NS = 60 * NS


class Leaping(Clock):
    """The machine's clocks, the raw one and that of the boot ahead by what was leapt."""

    def __init__(self) -> None:
        self._leapt = mmap(-1, 8)  # one for this process and for children that stay

    @property
    def leapt_ns(self) -> int:
        """How much was leapt so far."""
        return int.from_bytes(self._leapt[:], signed=True)

    @leapt_ns.setter
    def leapt_ns(self, leapt_ns: int) -> None:
        self._leapt[:] = leapt_ns.to_bytes(8, signed=True)

    def raw_ns(self) -> int:
        """Return the machine's, and what was leapt."""
        return super().raw_ns() + self.leapt_ns

    def boot_ns(self) -> int:
        """Return the machine's, and what was leapt."""
        return super().boot_ns() + self.leapt_ns

    def leap_to(self, raw_ns: int) -> None:
        """Let the time until then pass, unless it has."""
        self.leapt_ns += max(0, raw_ns - self.raw_ns())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take back the time of this block if whoever runs us stops us in it and lets us go on."""
        continued: list[int] = []
        before = signal.signal(signal.SIGCONT, lambda number, _: continued.append(number))
        began_raw_ns = self.raw_ns()
        try:
            yield
        finally:
            signal.signal(signal.SIGCONT, before)
            if continued:
                self.leapt_ns -= self.raw_ns() - began_raw_ns


def used(process: str = "self") -> dict[str, int]:
    """Return what a process holds: memory, threads, open files, children."""
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    children = 0
    for task in os.listdir(f"/proc/{process}/task"):
        try:
            with open(f"/proc/{process}/task/{task}/children", encoding="ascii") as file:
                children += len(file.read().split())
        except OSError:  # a thread that has ended meanwhile
            continue
    return {
        "resident_kb": int(fields["VmRSS"].split()[0]),
        "threads": int(fields["Threads"]),
        "files": len(os.listdir(f"/proc/{process}/fd")),
        "children": children,
    }
