"""Nagios ends its plugins by signals: 3 and one line, whenever it comes, as real processes.

What comes before the shell has read its first lines ends it by default, as it would any program.
The kernel shows which signals a process catches, so those moments are distinguished.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import behaviour
from tests.conftest import Program
from tests.e2e.conftest import Start

_MOMENTS_S = [number * 0.03 / 60 for number in range(1, 61)]
_UNKNOWN = (3, "TIME DRIFT UNKNOWN - no answer: ended by a signal\n", "")


def _has_traps(pid: int) -> bool:
    """Tell whether both are caught: until its exec is over, a child still shows our own INT."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return all(int(caught, 16) >> (number - 1) & 1 for number in (signal.SIGTERM, signal.SIGINT))


def _ended(
    command: Sequence[str], number: int, after_s: float, *, group: bool
) -> tuple[tuple[int, str, str], bool]:
    """Return status, stdout, stderr of a run that got a signal, and whether it could catch it."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=group,
    )
    until_s = time.perf_counter() + after_s
    while time.perf_counter() < until_s:
        pass
    caught = _has_traps(process.pid)
    (os.killpg if group else os.kill)(process.pid, number)
    stdout, stderr = process.communicate(timeout=20)
    return (process.returncode, stdout, stderr), caught


@pytest.mark.timeout(120)
@pytest.mark.parametrize("group", [False, True], ids=["alone", "group"])
@pytest.mark.parametrize("words", [["--format", "nagios"], ["--format=nagios"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_unknown_at_any_moment(
    script: str, lab: Start, words: list[str], number: signal.Signals, group: bool
) -> None:
    """Never 143 or 130, no traceback, one line: alone, or with its whole process group."""
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "a child would show it as its own"
    command = [script, "--config", lab(*[behaviour.silent] * 3), *words]
    runs = {at_s: _ended(command, number, at_s, group=group) for at_s in _MOMENTS_S}

    assert {at_s: ran for at_s, (ran, caught) in runs.items() if caught and ran != _UNKNOWN} == {}
    assert {ran for ran, caught in runs.values() if not caught} <= {_UNKNOWN, (-number, "", "")}
    assert sum(caught for _, caught in runs.values()) > len(runs) / 2


def test_it_reads_the_stdin_that_it_was_given(program: Program) -> None:
    """A configuration may come through a pipe, also for a plugin; a closed stdin is no harm."""
    words = ("--config", "/dev/stdin", "--format", "nagios")
    piped = program(*words, wrap=("sh", "-c", 'echo "timeout = true" | "$@"', "sh"))
    closed = program("--version", *words, wrap=("sh", "-c", 'exec "$@" <&-', "sh"))

    assert "/dev/stdin" in piped.stdout
    assert "timeout" in piped.stdout
    assert (piped.returncode, piped.stderr) == (3, "")
    assert (closed.returncode, closed.stderr) == (0, "")
