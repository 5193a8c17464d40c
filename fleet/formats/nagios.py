"""Plugin output for Nagios, Icinga and kin: the worst of the nodes. Pure.

Ranges are held against integers, which are proven. A node that is not decided is UNKNOWN, unless
another one is worse than that.
"""

from collections.abc import Sequence

from nagiosplugin import Performance

from drift.formats.nagios import Threshold, one_line
from fleet.formats.words import explanation
from fleet.rounds import DECIDED, Result

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)
_WORST_FIRST = (_CRITICAL, _WARNING, _UNKNOWN, _OK)


def render(
    results: Sequence[Result], warning: Threshold | None, critical: Threshold | None
) -> tuple[str, int]:
    """Return a line, a line more for each node that is not OK, and the state."""
    states = [_state(result, warning, critical) for result in results]
    state = min(states, key=_WORST_FIRST.index, default=_UNKNOWN)
    decided = [result.drift_s for result in results if result.drift_s is not None]
    said = f"{len(decided)} of {len(results)} nodes decided"
    data = [Performance("nodes", len(results), min=0), Performance("decided", len(decided), min=0)]
    if decided:
        worst_s = max(decided, key=abs)
        said += f", the worst is {worst_s} s off"
        ranges = (one and one.text for one in (warning, critical))
        data.insert(0, Performance("worst", worst_s, "s", *ranges))
    first = f"NODE CLOCKS {_STATES[state]} - {said} | {' '.join(map(str, data))}"
    more = [_more(r, s) for r, s in zip(results, states, strict=True) if s != _OK]
    return "\n".join([first, *more, ""]), state


def _more(result: Result, state: int) -> str:
    drift = "" if result.drift_s is None else f" {result.drift_s} s"
    parts = (
        f"{_STATES[state]}: {result.target.text}: {result.verdict}{drift}",
        explanation(result),
    )
    return one_line(", ".join(part for part in parts if part))


def _state(result: Result, warning: Threshold | None, critical: Threshold | None) -> int:
    if result.verdict != DECIDED or result.drift_s is None:
        return _UNKNOWN
    if critical is not None and critical.alerts(result.drift_s):
        return _CRITICAL
    if warning is not None and warning.alerts(result.drift_s):
        return _WARNING
    return _OK
