"""What an HTTP response's Date proves, and when to ask again. Pure.

With t1, t4 the local times of sending and receiving, and D the Date: the server's clock was in
[D, D + 1 s) at some instant between them. So local - true is inside [t1 - D - 1 s, t4 - D], if the
server fills in its Date afresh (RFC 9110 section 6.6.1); one that lags by up to `date_lag` moves
the lower end, never the upper one.

Asking again. One reply leaves a second open, and so always one or two boundaries between integers.
All of them fall on the same phase of the second: where this clock shows a half. A reply that came
just before that moment, and one to a request sent just after it, prove the drift below or above
every such boundary, unless it is nearer to one than the round trip:

    server's second     |        7        |        8        |
    this clock          +----- .5 --------+----- .5 --------+
    requests                 a ^ b              both say 7: this clock's minus the server's
                                                time is inside one integer's second
"""

from collections.abc import Iterable

from sources.base import Interval, Malformed, Sample, Stale
from sources.clock import NS
from sources.https import wire_date as http_date
from sources.record import Record

MOST_REQUESTS = 6
"""How often one server is asked in one run."""

_FROM_CACHE = r"(?i)(^|,)\s*[^\s,]*(hit|stale|updating|revalidated)"
"""The first word of a member; what follows may be the name of the cache's host."""
CACHE_MARKS = {
    "age": "",
    "via": "",
    "x-cache": _FROM_CACHE,
    "x-cache-status": _FROM_CACHE,
    "x-proxy-cache": _FROM_CACHE,
    "cf-cache-status": _FROM_CACHE,
    "cache-status": r"(?i);\s*hit\b",
}
"""Headers that betray a cache, and the pattern in them that does. Even `Age: 0` does: a
Date that a cache has stored is already late. Patterns, not compiled before one is needed."""

_SLACK_NS = NS // 500
"""How much two replies may contradict each other: clocks are slewed by 500 ppm, for seconds."""
_MARGIN_NS = NS // 100
"""How far from the boundary's phase, beyond the round trip, to be surely on one side of it."""
_AFTER_NS = NS // 1000
_LATE_NS = NS // 10
"""How soon, and how late, after the phase to ask what it says."""


class Proof(Record):
    """What one response proves."""

    certain: Interval
    """Of raw - true; holds it if the Date lags by no more than allowed."""
    likely: Interval
    """Of raw - true; holds it if the Date does not lag."""
    rtt_ns: int
    earliest_unix_ns: int
    latest_unix_ns: int
    """The times that the server's claim allows."""


def prove(
    headers: Iterable[tuple[str, str]],
    sent_raw_ns: int,
    received_raw_ns: int,
    date_lag_ns: int,
    ignored: Iterable[str],
) -> Proof:
    """Return what the response's headers (names in lower case) prove, or raise why nothing.

    Raises Stale where a cache has given itself away by a header that is not in `ignored`, and
    Malformed where there is not exactly one Date of a valid format.
    """
    import re  # noqa: PLC0415 - a configuration with HTTPS in it needs none

    headers = list(headers)
    for name, value in headers:
        if name in CACHE_MARKS and name not in ignored and re.search(CACHE_MARKS[name], value):
            raise Stale(f"from a cache: {name.title()}: {value[:60]}")
    dates = {value for name, value in headers if name == "date"}
    if len(dates) != 1:
        raise Malformed(f"{len(dates) or 'no'} Date headers in the response: one wanted")
    date_unix_ns = http_date.decode(dates.pop()) * NS
    low_ns, high_ns = sent_raw_ns - date_unix_ns - NS, received_raw_ns - date_unix_ns
    return Proof(
        Interval(low_ns - date_lag_ns, high_ns),
        Interval(low_ns, high_ns),
        received_raw_ns - sent_raw_ns,
        date_unix_ns,
        date_unix_ns + NS + date_lag_ns,
    )


def narrowed(current: Sample, new: Sample, *, lags: bool) -> Sample:
    """Return what two replies of one server prove together; raise Stale if both cannot be honest.

    `lags` says that its Date is allowed to lag: then the estimate is narrowed, the vote never. What
    is only likely may be contradicted: the Date lagged one time and not the other.
    """
    apart_ns = _apart_ns(current.certain, new.certain)
    if apart_ns > _SLACK_NS:
        raise Stale(
            f"two replies contradict each other by {apart_ns / NS:.3f} s: a Date that is not made "
            "afresh, or a clock being set"
        )
    if _apart_ns(current.likely, new.likely) > 0:
        return current
    likely = Interval(
        max(current.likely.low_ns, new.likely.low_ns),
        min(current.likely.high_ns, new.likely.high_ns),
    )
    return current.replaced(
        certain=current.certain if lags else likely,
        likely=likely,
        rtt_ns=min(current.rtt_ns, new.rtt_ns),
    )


def _apart_ns(one: Interval, other: Interval) -> int:
    """Return the gap between two intervals; zero or less where they share a point."""
    return max(one.low_ns, other.low_ns) - min(one.high_ns, other.high_ns)


def straddles(likely: Interval, boundary_raw_ns: int) -> bool:
    """Whether the interval holds the boundary, or a point that is whole seconds away from it."""
    return (likely.high_ns - boundary_raw_ns) // NS > (likely.low_ns - boundary_raw_ns - 1) // NS


def next_moment_raw_ns(
    now_raw_ns: int, likely: Interval, boundary_raw_ns: int, rtt_ns: int
) -> int | None:
    """Return when to ask next, None when no reply could say more.

    `boundary_raw_ns` is a value of raw - true between two integers of drift: where it is the
    truth, the server's second begins at its phase of raw time. A reply received before that phase
    shows a truth below it, a request sent after it a truth above; either only if the likely
    interval reaches far enough to that side. What comes first is chosen.
    """
    if not straddles(likely, boundary_raw_ns):
        return None
    # Below the last such point in the interval, above the first: there may be two.
    below_ns = likely.width_ns - (likely.high_ns - boundary_raw_ns) % NS
    above_ns = likely.width_ns - (boundary_raw_ns - likely.low_ns) % NS
    since_ns = (now_raw_ns - boundary_raw_ns) % NS
    before_ns = rtt_ns + rtt_ns // 4 + _MARGIN_NS
    waits_ns = []
    if below_ns > _MARGIN_NS:
        waits_ns.append((-before_ns - since_ns) % NS)
    if above_ns > _MARGIN_NS:
        still = _AFTER_NS <= since_ns <= min(_LATE_NS, above_ns // 2)
        waits_ns.append(0 if still else (_AFTER_NS - since_ns) % NS)
    return now_raw_ns + min(waits_ns) if waits_ns else None
