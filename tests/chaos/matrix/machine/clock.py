"""The clock that is judged, stepped while it is; and signals."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.fault import Expected, Fault, Machine
from tests.support.servers.chrony import faked

_SHORT_S, _LONG_S = 0.3, 2.0
_STEPPED_AFTER_S = 0.15
"""Before the honest servers answer."""
_FAKED = faked("", FAKETIME_TIMESTAMP_FILE="$FOLDER/clock", FAKETIME_NO_CACHE="1")
del _FAKED["FAKETIME"]  # which would hold against the file


def _step(_pid: int, folder: str, to: str) -> None:
    time.sleep(_STEPPED_AFTER_S)
    new = Path(folder) / "clock.new"
    new.write_text(f"{to}\n", encoding="ascii")
    new.replace(Path(folder) / "clock")


def _signals(pid: int, _folder: str, *plan: tuple[float, int]) -> None:
    for after_s, number in plan:
        time.sleep(after_s)
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _stepped(name: str, does: str, to: str, answer: int, **more: Any) -> Fault:
    machine = Machine(
        prepare="echo +0 >$FOLDER/clock\n",
        environ=_FAKED,
        during=partial(_step, to=to),
    )
    return Fault(name=f"clock: {name}", does=does, machine=machine, answer=answer, **more)


def _fixed(name: str, does: str, offset: str, answer: int) -> Fault:
    return Fault(f"clock: {name}", does, machine=Machine(environ=faked(offset)), answer=answer)


def _signalled(name: str, does: str, *plan: tuple[float, int], **more: Any) -> Fault:
    during: Callable[[int, str], None] = lambda pid, folder: _signals(pid, folder, *plan)  # noqa: E731
    return Fault(name=f"clock: {name}", does=does, machine=Machine(during=during), **more)


_STOP, _CONT = signal.SIGSTOP, signal.SIGCONT
_ENDED = {"beside": Expected.ENDED, "alone": Expected.ENDED}
FAULTS = [
    _stepped("steps ahead", "ten seconds, in the run", "+10", 6),
    _stepped("steps back", "an hour, in the run", "-3600", -3604),
    _stepped("steps by years", "fifteen of them", "+15y", 473_040_000 - 4),
    _fixed("slow", "30 years behind", "-30y", -946_080_000 - 4),
    _fixed("fast", "15 years ahead", "+15y", 473_040_000 - 4),
    _signalled("stopped", "and goes on, 0.3 s later", (0.1, _STOP), (_SHORT_S, _CONT)),
    _signalled(
        "stopped for long",
        "goes on after the deadline",
        (0.1, _STOP),
        (_LONG_S, _CONT),
        beside=Expected.EITHER,
        ends_late=True,
    ),
    _signalled(
        "stopped again and again",
        "five times",
        *[(0.05, _STOP), (0.02, _CONT)] * 5,
    ),
    _signalled("SIGTERM", "in the middle", (0.2, signal.SIGTERM), **_ENDED),
    _signalled("SIGINT", "in the middle", (0.2, signal.SIGINT), **_ENDED),
    _signalled(
        "two signals", "SIGINT and SIGTERM", (0.2, signal.SIGINT), (0, signal.SIGTERM), **_ENDED
    ),
    _signalled(
        "SIGPIPE and SIGWINCH", "that mean nothing", (0.1, signal.SIGPIPE), (0, signal.SIGWINCH)
    ),
    _signalled("SIGCONT", "to one that runs", *[(0.02, _CONT)] * 8),
]
