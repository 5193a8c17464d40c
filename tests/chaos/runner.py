"""Runs rows of the matrix, each run in a process of its own, some at once."""

import json
import os
import selectors
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sources.record import Record
from tests.chaos.arena import play
from tests.chaos.contract import Ran, broken
from tests.chaos.fault import Fault
from tests.chaos.outcomes import Outcome

AT_ONCE = 8
"""Most of the time a run waits for its deadline."""


class _Job(Record):
    fault: Fault
    beside: bool
    folder: Path
    """Its own; it goes with the last run."""


def run(faults: Sequence[Fault], at_once: int = AT_ONCE) -> Iterator[Outcome]:
    """Run each row beside honest servers and alone, and yield what came of it as it comes.

    A run that failed beside others is run once more by itself, and that counts: a machine that is
    busy is late by no fault of the program's.
    """
    # Not pytest's own directory, which is nobody else's.
    with TemporaryDirectory(prefix="time-drift-chaos-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        pairs = [(fault, beside) for fault in faults for beside in (True, False)]
        jobs = [_Job(*pair, Path(place) / str(number)) for number, pair in enumerate(pairs)]
        again = [job for job in jobs if job.fault.needs_quiet]
        together = [job for job in jobs if not job.fault.needs_quiet]
        for job, outcome in _all(together, at_once):
            if outcome.wrong:
                again.append(job.replaced(folder=Path(f"{job.folder}-again")))
            else:
                yield outcome
        for _, outcome in _all(again, 1):
            yield outcome


def _all(jobs: Sequence[_Job], at_once: int) -> Iterator[tuple[_Job, Outcome]]:
    waiting = list(reversed(jobs))
    with selectors.DefaultSelector() as under_way:
        while waiting or under_way.get_map():
            while waiting and len(under_way.get_map()) < at_once:
                job = waiting.pop()
                under_way.register(_begin(job), selectors.EVENT_READ, job)
            for key, _ in under_way.select():
                under_way.unregister(key.fileobj)
                yield key.data, _outcome(key.data, key.fd)
            _reap()


def _begin(job: _Job) -> int:
    """Begin to play in a process of its own; return where what came of it can be read."""
    job.folder.mkdir()
    job.folder.chmod(0o755)
    reading, writing = os.pipe()
    sys.stdout.flush()
    if os.fork():
        os.close(writing)
        return reading
    os.close(reading)
    try:
        said = json.dumps(play(job.fault, job.folder, beside=job.beside))
    except BaseException:  # noqa: BLE001 - whatever it is, it is reported
        said = json.dumps(traceback.format_exc())
    with os.fdopen(writing, "w") as results:
        results.write(said)
    os._exit(0)


def _outcome(job: _Job, reading: int) -> Outcome:
    with os.fdopen(reading) as results:
        text = results.read()
    found = json.loads(text or '"it ended without a word"')
    if isinstance(found, str):
        return Outcome(job.fault.name, job.beside, [f"could not be run: {found}"], 0)
    ran = Ran(*found)
    expected = job.fault.beside if job.beside else job.fault.alone
    wrong = broken(job.fault, expected, "" if job.beside else job.fault.says, ran)
    return Outcome(job.fault.name, job.beside, wrong, ran.wall_s)


def _reap() -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
