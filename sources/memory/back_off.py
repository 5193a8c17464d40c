"""For how long a server is left alone that does not want to be asked, or does not answer.

After a kiss-o'-death (RATE, DENY, RSTR: RFC 5905 section 7.4) it is left alone, after each further
one twice as long, up to a cap, since a kiss may be forged. A silent Roughtime server is asked ever
more rarely: the pause grows by half with each request (RFC 10049 section 5).
Only `asked` asks and remembers; the rest is pure.
"""

from sources.base import (
    Refused,
    Run,
    Sample,
    Source,
    SourceError,
    TimedOut,
    Unavailable,
    Unreachable,
)
from sources.clock import NS
from sources.memory import Entry, Update

REMEMBERED_NS = 2 * 86_400 * NS
"""Longer than any rest."""

_SHELF = "rest"
_HOUR_NS = 3600 * NS
_DAY_NS = 24 * _HOUR_NS
_RESTS_NS = {"RATE": (60 * NS, _HOUR_NS), "DENY": (_HOUR_NS, _DAY_NS), "RSTR": (_HOUR_NS, _DAY_NS)}
"""How long at first and at most, by kiss code."""
_REQUESTS_A_RUN = 3
_MOST_TIMES = 60


def asked(source: Source, run: Run) -> Sample:
    """Ask a source, unless it is to be left alone; remember for later runs what came of it."""
    name = f"{source.kind} {source.endpoint}"
    entry = run.memory.recall(_SHELF, name, REMEMBERED_NS)
    rest_ns = left_ns(entry, run.clock.boot_ns()) if entry is not None else 0
    if entry is not None and rest_ns:
        kind = Refused if entry.get("code") else TimedOut
        raise kind(described(entry, rest_ns))

    def remember(update: Update) -> None:
        run.memory.change(_SHELF, name, update, REMEMBERED_NS)

    try:
        sample = source.sample(run)
    except Refused as refused:
        code = refused.code
        if code:
            remember(lambda entry: after_kiss(entry, code, run.clock.boot_ns()))
        raise
    except SourceError as error:
        # What never left this machine was no request.
        if source.backs_off and not isinstance(error, Unreachable | Unavailable):
            remember(lambda entry: after_silence(entry, run.clock.boot_ns()))
        raise
    if entry is not None:
        remember(lambda _: None)
    return sample


def left_ns(entry: Entry | None, now_boot_ns: int) -> int:
    """Return how much longer a server is to be left alone; 0 if it may be asked."""
    until_ns = _whole(entry, "until_boot_ns")
    return min(max(0, until_ns - now_boot_ns), _DAY_NS)


def after_kiss(entry: Entry | None, code: str, now_boot_ns: int) -> Entry | None:
    """Return what to remember of a kiss-o'-death; what was there, if the code asks for nothing."""
    if code not in _RESTS_NS:
        return entry
    first_ns, most_ns = _RESTS_NS[code]
    times = _times(entry, code) + 1
    return _entry(code, times, now_boot_ns + min(first_ns << (times - 1), most_ns))


def after_silence(entry: Entry | None, now_boot_ns: int) -> Entry:
    """Return what to remember of a run in which a Roughtime server did not answer."""
    times = _times(entry, "") + 1
    rest_ns = NS * 3 ** (_REQUESTS_A_RUN * times) // 2 ** (_REQUESTS_A_RUN * times)
    return _entry("", times, now_boot_ns + min(rest_ns, _DAY_NS))


def described(entry: Entry, left_for_ns: int) -> str:
    """Say why a server was not asked."""
    code = entry.get("code")
    said = f"said {code}" if code else "did not answer"
    times = min(_whole(entry, "times"), _MOST_TIMES)
    return f"{said}, {times} in a row: until {left_for_ns / NS:.0f} s from now"


def _entry(code: str, times: int, until_boot_ns: int) -> Entry:
    return {"code": code, "times": min(times, _MOST_TIMES), "until_boot_ns": until_boot_ns}


def _times(entry: Entry | None, code: str) -> int:
    if entry is None or entry.get("code") != code:
        return 0
    return min(_whole(entry, "times"), _MOST_TIMES - 1)


def _whole(entry: Entry | None, key: str) -> int:
    value = entry.get(key) if entry is not None else None
    return value if isinstance(value, int) and value > 0 else 0
