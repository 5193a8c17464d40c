"""A line a target, for people: the integer or `?`, the interval or verdict, the target. Pure."""

from collections.abc import Sequence

from fleet.formats.words import explanation, interval_text
from fleet.rounds import Result

_LONGEST_TARGET = 60


def render(results: Sequence[Result]) -> str:
    """Return the lines, in the order of the results."""
    width = max((len(_shown(result)) for result in results), default=0)
    return "".join(_line(result, width) for result in results)


def _line(result: Result, width: int) -> str:
    integer = "?" if result.drift_s is None else str(result.drift_s)
    is_read = result.is_read and result.interval is not None
    found = interval_text(result.interval) if is_read and result.interval else result.verdict
    asked = f"{result.probes} asked"
    secured = "authenticated" if result.authenticated else ""
    rest = [part for part in (asked, result.software, secured, explanation(result)) if part]
    line = f"{integer:>6}  {found:<20}  {_shown(result):<{width}}  {'  '.join(rest)}"
    return "".join(letter if letter.isprintable() else " " for letter in line) + "\n"


def _shown(result: Result) -> str:
    text = result.target.text
    return text if len(text) <= _LONGEST_TARGET else text[: _LONGEST_TARGET - 3] + "..."
