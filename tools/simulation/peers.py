"""How others choose from the same answers, restated. Pure; from the samples to a drift, or None.

One exchange with each source, so nothing of their filters over time is here. chrony and ntpd-rs
speak NTP and NTS only, so they get those of the samples. Neither knows operators.
"""

import statistics
from collections.abc import Sequence

from sources.base import Sample

_NTP = ("ntp", "nts")
_NTPD_RS_WIDEST_NS = 250_000_000
_NTPD_RS_AGREEING = 3
_NTPD_RS_JITTER = 20
"""A round trip is as many standard deviations of the offset: what eight polls would have shown."""
_CHRONY_RESELECT_NS = 100_000
_CHRONY_COMBINE = 3
_CHRONY_FARTHEST_NS = 3_000_000_000


def median(samples: Sequence[Sample]) -> int | None:
    """Return the median of the middles of all samples: simple clients, one kind at a time."""
    return round(statistics.median(_middle(*one.certain) for one in samples)) if samples else None


def marzullo(samples: Sequence[Sample]) -> int | None:
    """Return the middle of where most intervals meet (Marzullo 1984); it asks for no majority."""
    if not samples:
        return None
    places, _ = _deepest([one.certain for one in samples])
    return _middle(*min(places, key=lambda place: place[1] - place[0]))


def chrony(samples: Sequence[Sample]) -> int | None:
    """Return what chrony's selection and combination make of them, all being new (4.x).

    Where most intervals meet has to be in more than half of them. Chosen are sources that hold all
    of that place or lie in it. Of them those no farther than three times the nearest (by root
    distance) are averaged, the nearer the heavier.
    """
    intervals = [
        tuple(one.certain)
        for one in samples
        if one.kind in _NTP and one.certain.width_ns <= 2 * _CHRONY_FARTHEST_NS
    ]
    if not intervals:
        return None
    places, depth = _deepest(intervals)
    # Of several such places chrony takes the beginning of the first and the end of the last.
    best_low_ns, best_high_ns = places[0][0], places[-1][1]
    if depth <= len(intervals) // 2:
        return None
    chosen = [
        (low_ns, high_ns)
        for low_ns, high_ns in intervals
        if (low_ns <= best_low_ns and high_ns >= best_high_ns)
        or (low_ns >= best_low_ns and high_ns <= best_high_ns)
    ]
    if not chosen:
        return None
    nearest_ns = min(high_ns - low_ns for low_ns, high_ns in chosen) / 2
    limit_ns = _CHRONY_COMBINE * (nearest_ns + _CHRONY_RESELECT_NS)
    return _averaged(
        [
            (_middle(low_ns, high_ns), 2 / max(high_ns - low_ns, 1))
            for low_ns, high_ns in chosen
            if (high_ns - low_ns) / 2 <= limit_ns or (high_ns - low_ns) / 2 == nearest_ns
        ]
    )


def ntpd_rs(samples: Sequence[Sample]) -> int | None:
    """Return what ntpd-rs's selection and combination make of them.

    Intervals are two standard deviations and a quarter of the round trip wide to each side; those
    wider than 0.25 s are not looked at. Where most meet has to be in at least three, and in more
    than half. Averaged by inverse variance, the servers' own dispersion included.
    """
    found = []
    for one in samples:
        if one.kind in _NTP:
            deviation_ns = one.rtt_ns / _NTPD_RS_JITTER
            radius_ns = round(2 * deviation_ns + one.rtt_ns / 4)
            # What is not the round trip's is the server's own.
            own_ns = max(0, (one.certain.width_ns - one.rtt_ns) / 2)
            if radius_ns <= _NTPD_RS_WIDEST_NS:
                middle_ns = _middle(*one.certain)
                variance = max(deviation_ns**2 + own_ns**2, 1.0)
                found.append((middle_ns - radius_ns, middle_ns + radius_ns, middle_ns, variance))
    if not found:
        return None
    places, depth = _deepest([(low_ns, high_ns) for low_ns, high_ns, _, _ in found])
    if depth < _NTPD_RS_AGREEING or 2 * depth <= len(found):
        return None
    return _averaged(
        [
            (middle_ns, 1 / variance)
            for low_ns, high_ns, middle_ns, variance in found
            if low_ns <= places[0][0] <= high_ns
        ]
    )


PEERS = {
    "median": median,
    "Marzullo": marzullo,
    "chrony": chrony,
    "ntpd-rs": ntpd_rs,
}


def _deepest(intervals: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, int]], int]:
    """Return, in order, the places that most intervals hold, and how many that is."""
    ends = sorted((end, closes) for interval in intervals for closes, end in enumerate(interval))
    depth = most = 0
    begin_ns: int | None = None
    places: list[tuple[int, int]] = []
    for end_ns, closes in ends:
        if not closes:
            depth += 1
            begin_ns = end_ns
            if depth > most:
                most, places = depth, []
        else:
            if depth == most and begin_ns is not None:
                places.append((begin_ns, end_ns))
            depth -= 1
            begin_ns = None
    return places, most


def _middle(low_ns: int, high_ns: int) -> int:
    return (low_ns + high_ns) // 2


def _averaged(weighted: Sequence[tuple[int, float]]) -> int:
    """Return the weighted mean, taken about the first value so that floats stay exact enough."""
    base_ns = weighted[0][0]
    total = sum(weight for _, weight in weighted)
    return base_ns + round(sum((value - base_ns) * weight for value, weight in weighted) / total)
