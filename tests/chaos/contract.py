"""What of the program's contract a run did not keep, in words. Pure."""

import json
import re

from drift.formats.registry import format_class
from sources.record import Record
from tests.chaos.fault import Expected, Fault

GRACE_S = 0.3
MEASUREMENTS = 2
"""That `watch` is asked for."""
HONEST_NODES = 3
_MOST_BYTES = 512


class Ran(Record):
    """What came of a run."""

    stdout: str
    stderr: str
    status: int
    wall_s: float
    left: tuple[str, ...] = ()
    """Processes and files that are still there, and should not be."""
    deadline_s: float = 0


def _shows(text: str, run: str, answer: int | None) -> bool:
    """Return whether stdout is what this run prints with an answer, or (None) without one."""
    if run in ("integer", "many"):
        return text == ("" if answer is None else f"{answer}\n")
    if run == "watch":
        return text == ("" if answer is None else f"{answer}\n" * MEASUREMENTS)
    if run == "probe":
        # Beside the faulty node there are three honest ones; alone it has no integer.
        integers = [line.split()[0] for line in text.splitlines()]
        return integers == ([] if answer is None else [str(answer)] * HONEST_NODES + ["?"])
    if run == "serve":
        drifts = re.findall(r"(?m)^time_drift_node_seconds (-?\d+)", text)
        return [int(drift) for drift in drifts] == ([] if answer is None else [answer])
    if run == "json" and not text:
        return answer is None  # a run that hung has no object
    if run in ("json", "zabbix"):
        json.loads(text)
    found = re.findall(format_class(run).integer_pattern, text)
    return bool(text) and found == ([] if answer is None else [str(answer)])


QUIET = ("nagios", "zabbix")
"""Formats whose refusal is in their output."""
_STATUS = {
    Expected.ANSWER: 0,
    Expected.REFUSAL: 3,
    Expected.UNWRITTEN: 70,
    Expected.USAGE: 2,
}


def broken(fault: Fault, expected: Expected, says: str, ran: Ran) -> list[str]:
    """Return what is wrong with a run under this fault; nothing if it kept the contract."""
    wrong = [f"left behind: {what}" for what in ran.left]
    if ran.wall_s > ran.deadline_s and not fault.ends_late:
        wrong.append(f"took {ran.wall_s:.2f} s of {ran.deadline_s:.2f}")
    if "Traceback" in ran.stderr or "bug:" in ran.stderr + ran.stdout:
        wrong.append(f"a bug of ours: {ran.stderr[-300:]}{ran.stdout[-300:]}")
    answers = _answers(fault, expected, ran)
    wrong += _of_status(fault, expected, ran, answers=answers)
    wrong += _of_stdout(fault, expected, ran, answers=answers)
    return wrong + _of_stderr(fault, expected, says, ran, answers=answers)


def _answers(fault: Fault, expected: Expected, ran: Ran) -> bool:
    if expected is not Expected.EITHER:
        return expected is Expected.ANSWER
    return ran.status == 0


def _is_each_apart(fault: Fault, expected: Expected) -> bool:
    """Return whether each measurement may come to something else: one answers, one refuses."""
    return fault.run == "watch" and expected is Expected.EITHER


def _of_status(fault: Fault, expected: Expected, ran: Ran, *, answers: bool) -> list[str]:
    if expected is Expected.ENDED:
        return [] if ran.status in (130, 143) else [f"exit status {ran.status}"]
    wanted = _STATUS.get(expected, 0 if answers else 3)
    if fault.run == "nagios" and wanted:
        wanted = 3
    if fault.run == "serve":
        wanted = 143
    if fault.run == "probe":
        wanted = 3
    if fault.run == "watch" and wanted == _STATUS[Expected.REFUSAL]:
        wanted = 0  # it stays, whatever its measurements find
    return [] if ran.status == wanted else [f"exit status {ran.status}, not {wanted}"]


def _of_stdout(fault: Fault, expected: Expected, ran: Ran, *, answers: bool) -> list[str]:
    if expected in (Expected.UNWRITTEN, Expected.ENDED, Expected.USAGE):
        return [f"stdout: {ran.stdout[:200]!r}"] if ran.stdout else []
    if _is_each_apart(fault, expected):
        said = ran.stdout.splitlines()
        is_right = len(said) <= MEASUREMENTS and set(said) <= {str(fault.answer)}
        return [] if is_right else [f"stdout: {ran.stdout[:300]!r}"]
    try:
        is_right = _shows(ran.stdout, fault.run, fault.answer if answers else None)
    except (ValueError, LookupError, TypeError) as error:
        return [f"stdout is not {fault.run}: {type(error).__name__}: {ran.stdout[:300]!r}"]
    return [] if is_right else [f"stdout: {ran.stdout[:300]!r}"]


def _of_stderr(
    fault: Fault, expected: Expected, says: str, ran: Ran, *, answers: bool
) -> list[str]:
    if fault.run == "serve":
        return []  # it is its log
    lines = ran.stderr.splitlines(keepends=True)
    is_quiet = fault.run in QUIET and expected is not Expected.UNWRITTEN
    most = 0 if answers or is_quiet or expected is Expected.ENDED else 1
    if _is_each_apart(fault, expected):
        most = MEASUREMENTS - ran.stdout.count("\n")
    elif fault.run == "watch":
        most *= MEASUREMENTS
    wrong = []
    if len(lines) > most or (most and not lines and not _may_be_dumb(fault)):
        wrong.append(f"{len(lines)} lines on stderr: {ran.stderr[:700]!r}")
    if any(len(line.encode()) >= _MOST_BYTES or not line.endswith("\n") for line in lines):
        wrong.append(f"a line of stderr is too long: {ran.stderr[:600]!r}")
    if any(not line[:-1].isprintable() for line in lines):
        wrong.append(f"stderr is not printable: {ran.stderr[:600]!r}")
    if says and not answers and says not in ran.stderr + ran.stdout and not _may_be_dumb(fault):
        wrong.append(f"{says!r} is not in {ran.stderr[:512]!r}")
    return wrong


def _may_be_dumb(fault: Fault) -> bool:
    """Return whether stderr goes nowhere, or where the run's caller cannot see it."""
    return (fault.subject == "streams" and "stderr" in fault.name) or fault.run == "probe"
