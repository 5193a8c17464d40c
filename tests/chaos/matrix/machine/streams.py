"""Where the program's output goes: full, closed, or read by nobody."""

import sys
from typing import Any

from tests.chaos.fault import Expected, Fault, Machine

_UNREAD = """
import os, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"x" * 65536)
except BlockingIOError:
    os.set_blocking(writer, True)
os.set_inheritable(reader, True)
for number in map(int, sys.argv[1].split(",")):
    os.dup2(writer, number)
os.execvp(sys.argv[2], sys.argv[2:])
"""
_GONE = """
import os, sys
reader, writer = os.pipe()
os.close(reader)
for number in map(int, sys.argv[1].split(",")):
    os.dup2(writer, number)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def _shell(redirection: str) -> Machine:
    return Machine(wrap=("sh", "-c", f'exec "$@" {redirection}', "sh"))


def _python(program: str, numbers: str) -> Machine:
    return Machine(wrap=(sys.executable, "-I", "-S", "-c", program, numbers))


def _row(name: str, does: str, machine: Machine, **more: Any) -> Fault:
    more = {"beside": Expected.UNWRITTEN, **more}
    return Fault(name=f"streams: {name}", does=does, machine=machine, **more)


_CLOSED_OUT = {"alone": Expected.UNWRITTEN}
"""It is seen before anybody is asked."""
FAULTS = [
    _row("stdout is full", "/dev/full", _shell(">/dev/full")),
    _row("stdout is closed", "no descriptor 1", _shell(">&-"), **_CLOSED_OUT),
    _row("stdout is not read", "a full pipe", _python(_UNREAD, "1")),
    _row("stdout is gone", "a pipe without a reader", _python(_GONE, "1")),
    _row("stdout is read-only", "opened for reading", _shell("1</dev/null")),
    _row("stderr is full", "/dev/full", _shell("2>/dev/full"), beside=Expected.ANSWER),
    _row("stderr is closed", "no descriptor 2", _shell("2>&-"), beside=Expected.ANSWER),
    _row("stderr is not read", "a full pipe", _python(_UNREAD, "2"), beside=Expected.ANSWER),
    _row("stderr is gone", "a pipe without a reader", _python(_GONE, "2"), beside=Expected.ANSWER),
    _row("stdin is closed", "no descriptor 0", _shell("<&-"), beside=Expected.ANSWER),
    _row("stdout and stderr are full", "/dev/full", _shell(">/dev/full 2>&1")),
    _row("stdout and stderr are closed", "only stdin", _shell(">&- 2>&-"), **_CLOSED_OUT),
    _row("stdout and stderr are not read", "one full pipe", _python(_UNREAD, "1,2")),
    _row("all but stderr are closed", "no 0, no 1", _shell("<&- >&-"), **_CLOSED_OUT),
    _row("all closed, stderr too", "no 0, 1 and 2", _shell("<&- >&- 2>&-"), **_CLOSED_OUT),
    *(
        _row(f"stdout is full, {run}", "/dev/full", _shell(">/dev/full"), run=run, alone=alone)
        for run, alone in (
            ("json", Expected.UNWRITTEN),
            ("nagios", Expected.UNWRITTEN),
            ("prometheus", Expected.UNWRITTEN),
        )
    ),
]
