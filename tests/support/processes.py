"""Runs of the program under limits of the kernel, and what the kernel says that they took."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sources.record import Record
from tests.conftest import ROOT

NOBODY = 65_534

# Small, and a process of its own: the peak of a child is no less than its parent's at the fork.
_RUNNER = """
import json, os, resource, sys
limits, uid, results = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
os.set_inheritable(results, False)
command = sys.argv[4:]
pid = os.fork()
if not pid:
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
    os.execv(command[0], command)
_, status, used = os.wait4(pid, 0)
with os.fdopen(results, "w") as results:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024], results)
"""


class Ran(Record):
    """What came of a run."""

    stdout: str
    stderr: str
    returncode: int
    peak_bytes: int
    """The most memory that it held at a time, by the kernel's count."""
    wall_s: float


_OF_THE_SCRIPT = {"MALLOC_ARENA_MAX": "1"}
"""What time-drift.sh exports."""


def run_limited(
    *arguments: str,
    limits: Mapping[str, int] | None = None,
    uid: int = 0,
    environ: Mapping[str, str] | None = None,
    root: Path = ROOT,
    program: Sequence[str] | None = None,
) -> Ran:
    """Run the program, prepared already, under limits (NOFILE, AS, NPROC ...) and as a user."""
    command = program or (
        str(root / ".venv/bin/python"),
        "-I",
        "-S",
        "-c",
        "import sys; sys.path += sys.argv[1:3]; del sys.argv[1:3]\n"
        "from drift.__main__ import main; main()",
        str(root),
        str(root / ".venv/packages"),
    )
    whole = [*command, *arguments]
    reported = json.dumps(dict(limits or {}))
    reading, writing = os.pipe()
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _RUNNER, reported, str(uid), str(writing), *whole],
            pass_fds=(writing,),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | _OF_THE_SCRIPT | dict(environ or {}),
            timeout=30,
            check=False,
        )
        wall_s = time.monotonic() - began
        os.close(writing)
        writing = -1
        with os.fdopen(reading, closefd=False) as report:
            status, peak_bytes = json.load(report)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return Ran(done.stdout, done.stderr, status, peak_bytes, wall_s)


@contextmanager
def full_pipe() -> Iterator[int]:
    """Yield the end to write to of a pipe that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65_536)
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)
