"""Whether what a program printed is right. Pure."""

from collections.abc import Sequence

from tools.bench.names import ROUGHLY, TRUTH_S

_TOLERANCE_S = {ROUGHLY: 1}
"""Of programs that print whole seconds of two clocks, which need not turn over at once."""


def worst(numbers: Sequence[float | None]) -> float | None:
    """Return the one farthest from the truth; none, if there is one, unless another is wrong."""
    printed = [number for number in numbers if number is not None]
    farthest = max(printed, key=lambda number: abs(number - TRUTH_S), default=None)
    if len(printed) < len(numbers) and (farthest is None or rounded(farthest) == TRUTH_S):
        return None
    return farthest


def is_right(name: str, number: float | None) -> bool | None:
    """Return whether a program's number rounds to the truth; None of none."""
    if number is None:
        return None
    return abs(rounded(number) - TRUTH_S) <= _TOLERANCE_S.get(name, 0)


def rounded(number: float) -> int:
    """Round to nearest, ties away from zero."""
    size = int(abs(number) + 0.5)
    return -size if number < 0 else size
