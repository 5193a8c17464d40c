"""Sentences and figures that more than one output format has. Pure."""

import re

from fleet.readings import integers
from fleet.rounds import DECIDED, NOT_READ, UNDECIDED, Result
from sources.base import Interval
from sources.clock import NS

_CENTI_NS = NS // 100
_SOFTWARE = re.compile(r"([A-Za-z][A-Za-z _]{0,30}?)[-:/ ]+v?([0-9]{1,6})(?![0-9])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,30}")


def interval_text(interval: Interval) -> str:
    """Write an interval in hundredths of a second, rounded outwards: "-0.31 .. +0.44"."""
    low = interval.low_ns // _CENTI_NS
    high = -(-interval.high_ns // _CENTI_NS)
    return f"{_centi(low)} .. {_centi(high)}"


def bounds_text(bounds: Interval) -> str:
    """Write bounds of an absolute value, rounded outwards: "0.00 .. 0.44 s"."""
    return interval_text(bounds).replace("+", "") + " s"


def possible_text(interval: Interval) -> str:
    """Write which integers are possible: "-1 or 0", "-3 to 2"."""
    possible = integers(interval)
    if len(possible) <= 2:  # noqa: PLR2004 - "or" is for two
        return " or ".join(map(str, possible))
    return f"{possible[0]} to {possible[-1]}"


def explanation(result: Result) -> str:
    """Say what a verdict rests on; empty where the figures say it all."""
    parts = []
    if result.verdict == UNDECIDED and result.interval is not None:
        parts.append(f"undecided: {possible_text(result.interval)}")
    elif result.verdict != DECIDED and result.interval is not None:
        parts.append(f"shows {interval_text(result.interval)}")
    if result.note:
        parts.append(result.note)
    return "; ".join(parts)


def software_label(software: str) -> str:
    """Return the name and the major version of a software, and no more.

    A whole user agent identifies a node, and would be a time series of its own for each comment.
    """
    found = _SOFTWARE.search(software)
    if found is not None:
        return f"{found[1].strip()} {found[2]}"
    name = _NAME.search(software)
    return "" if name is None else name[0].strip()


def is_success(results: list[Result]) -> bool:
    """Whether every node is decided."""
    return all(result.verdict == DECIDED for result in results)


def is_blind(results: list[Result]) -> bool:
    """Whether the observer had no consensus, so that nobody was read."""
    return bool(results) and all(result.verdict == NOT_READ for result in results)


def _centi(hundredths: int) -> str:
    whole, rest = divmod(abs(hundredths), 100)
    return f"{'-' if hundredths < 0 else '+'}{whole}.{rest:02}"
