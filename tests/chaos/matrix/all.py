"""All rows, in the order of the table."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.chaos.fault import Fault

SUBJECTS = tuple(
    sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in ("__init__", "all"))
)
EVERY = 4
"""One row in so many is in the short form; of each subject the first is."""


def faults() -> Sequence[Fault]:
    """Return every row."""
    found: list[Fault] = []
    for subject in SUBJECTS:
        found += import_module(f"tests.chaos.matrix.{subject}").FAULTS
    return found


def short() -> Sequence[Fault]:
    """Return a quarter of the rows, of every subject."""
    found: list[Fault] = []
    for subject in SUBJECTS:
        found += import_module(f"tests.chaos.matrix.{subject}").FAULTS[::EVERY]
    return found
