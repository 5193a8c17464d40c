"""One round with one node: a few connections, and what comes of them. Pure.

A round begins with what earlier ones have left, and ends when nothing is left to ask. Verdicts:

    decided            the integer is proven
    undecided          it answered, and more than one integer is possible
    clock being set    its stamps contradict each other, or what it showed before
    adjusted, coarse, proxy, unknown software
                       it answered, but not with its own clock, or not so that one can know
    silent, refused, unreachable, malformed, unverified
                       no stamp
    not allowed        its address may not be asked; nothing was sent
    not read           the observer had no consensus of its own; nothing was sent, or it is void
"""

from fleet import readings
from fleet.readings import Reading, Reference
from fleet.sweep.aim import MOST_PROBES, Habit, Window, aim
from fleet.targets import Target
from nodes.base import Stamp
from sources.base import Interval
from sources.record import Record

DECIDED = "decided"
UNDECIDED = "undecided"
BEING_SET = "clock being set"
NOT_ALLOWED = "not allowed"
NOT_READ = "not read"

READ = (DECIDED, UNDECIDED)
"""Verdicts with an interval that holds the drift of the node's own clock."""

_FINAL = (NOT_ALLOWED, NOT_READ)


class Round(Record):
    """What is known of a node in the middle of a round, or at its end."""

    reading: Reading | None = None
    """Of this round and earlier ones, as far as they are of one clock."""
    habit: Habit | None = None
    probes: int = 0
    """Connections of this round."""
    stamp: Stamp | None = None
    """The latest of this round."""
    shown: Interval | None = None
    """What the latest stamp alone proves."""
    failure: str = ""
    """The verdict on the latest connection of this round, where it brought no stamp."""
    note: str = ""
    is_contradicted: bool = False


class Result(Record):
    """What came of a round: what a program or a person is shown."""

    target: Target
    verdict: str
    drift_s: int | None = None
    """Node's clock minus true time; None unless it is proven."""
    interval: Interval | None = None
    """Of node - true; with a verdict other than decided or undecided, of what the node showed."""
    probes: int = 0
    software: str = ""
    server: str = ""
    authenticated: bool = False
    note: str = ""
    read_unix_ns: int | None = None
    """True time of the last stamp."""
    elapsed_ns: int = 0
    """From the beginning of the round to its end."""

    @property
    def is_read(self) -> bool:
        """Whether `interval` is of the node's own clock."""
        return self.verdict in READ


def begun(last: Round | None) -> Round:
    """Return a new round, with what the last one has left if anything."""
    return Round() if last is None else Round(reading=last.reading, habit=last.habit)


def heard(past: Round, stamp: Stamp, reference: Reference, begun_raw_ns: int) -> Round:
    """Return the round after a connection, begun at `begun_raw_ns`, that has brought a stamp."""
    found = readings.read(stamp, reference)
    joined = found if past.reading is None else readings.joined(past.reading, found)
    if stamp.verdict:
        joined = None
    return past.replaced(
        reading=found if joined is None and not stamp.verdict else joined,
        habit=Habit(
            stamp.grain_ns,
            stamp.lag_ns,
            max(0, stamp.sent_raw_ns - begun_raw_ns),
            max(0, stamp.received_raw_ns - begun_raw_ns),
        ),
        probes=past.probes + 1,
        stamp=stamp,
        shown=found.interval,
        failure="",
        note=stamp.note,
        is_contradicted=past.is_contradicted or (joined is None and not stamp.verdict),
    )


def failed(past: Round, verdict: str, note: str) -> Round:
    """Return the round after a connection that has brought no stamp."""
    return past.replaced(probes=past.probes + 1, failure=verdict, note=note)


def unasked(past: Round, verdict: str, note: str) -> Round:
    """Return the round after no connection was made, or what came of it was void."""
    return past.replaced(reading=None, stamp=None, shown=None, failure=verdict, note=note)


def next_window(current: Round, doubt_ns: int) -> Window | None:
    """Return when to connect next, None if the round is at its end; `doubt_ns` as for `aim`."""
    if current.probes >= MOST_PROBES or current.is_contradicted or current.failure in _FINAL:
        return None
    if current.failure and current.stamp is None:
        return None
    if current.stamp is not None and current.stamp.verdict:
        return None
    return aim(current.reading, current.habit, current.probes, doubt_ns)


def verdict(current: Round) -> str:
    """Return the verdict at the end of a round."""
    if current.stamp is None or current.failure in _FINAL:
        return current.failure or NOT_READ
    if current.stamp.verdict:
        return current.stamp.verdict
    if current.is_contradicted:
        return BEING_SET
    assert current.reading is not None  # noqa: S101 - a stamp without a verdict left one
    return UNDECIDED if readings.proven_s(current.reading.interval) is None else DECIDED


def result(target: Target, current: Round, read_unix_ns: int | None, elapsed_ns: int) -> Result:
    """Return what came of a round."""
    word = verdict(current)
    stamp = current.stamp
    if stamp is None:
        return Result(target, word, probes=current.probes, note=current.note, elapsed_ns=elapsed_ns)
    is_read = word in READ and current.reading is not None
    interval = current.reading.interval if is_read and current.reading else current.shown
    return Result(
        target,
        word,
        readings.proven_s(interval) if word == DECIDED and interval is not None else None,
        interval,
        current.probes,
        stamp.software,
        stamp.server,
        stamp.authenticated,
        current.note,
        read_unix_ns,
        elapsed_ns,
    )
