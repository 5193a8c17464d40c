"""All rows of the matrix, in the order of the table."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tests.chaos.fault import Fault

EVERY = 5
"""One row in so many is in the short form; of each subject the first is."""
_MATRIX = Path(__file__).parent / "matrix"


def faults() -> Sequence[Fault]:
    """Return every row."""
    return [fault for rows in _by_file().values() for fault in rows]


def short() -> Sequence[Fault]:
    """Return one row in EVERY of every file, and what once failed."""
    return [
        fault
        for rows in _by_file().values()
        for number, fault in enumerate(rows)
        if number % EVERY == 0 or fault.is_always_run
    ]


def _by_file() -> Mapping[str, Sequence[Fault]]:
    files = sorted(_MATRIX.glob("**/*.py"))
    names = [".".join(file.relative_to(_MATRIX).with_suffix("").parts) for file in files]
    return {name: import_module(f"tests.chaos.matrix.{name}").FAULTS for name in names}
