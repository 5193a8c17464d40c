"""One target's integer, or nothing: the contract of the plain run, for a node. Pure."""

from collections.abc import Sequence

from fleet.formats.words import explanation
from fleet.rounds import UNDECIDED, Result


def render(results: Sequence[Result]) -> str:
    """Return the integer of the only result, and a newline; nothing where it is not proven."""
    [result] = results
    return "" if result.drift_s is None else f"{result.drift_s}\n"


def refusal(results: Sequence[Result]) -> str:
    """Return why there is no integer, for people."""
    [result] = results
    why = explanation(result)
    return f"no answer: {why if result.verdict == UNDECIDED else f'{result.verdict}: {why}'}"
