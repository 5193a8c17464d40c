"""One target's integer, or nothing: the contract of the plain run, for a node. Pure."""

from collections.abc import Sequence

from fleet.rounds import Result


def render(results: Sequence[Result]) -> str:
    """Return the integer of the only result, and a newline; nothing where it is not proven."""
    [result] = results
    return "" if result.drift_s is None else f"{result.drift_s}\n"
