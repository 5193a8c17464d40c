"""All rows, in the order of the table."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.chaos.fault import Fault

SUBJECTS = tuple(
    sorted(
        file.stem
        for file in Path(__file__).parent.glob("*.py")
        if file.stem not in ("__init__", "all")
    )
)
EVERY = 5
"""One row in so many is in the short form; of each subject the first is."""


def faults() -> Sequence[Fault]:
    """Return every row."""
    found: list[Fault] = []
    for subject in SUBJECTS:
        found += import_module(f"tests.chaos.matrix.{subject}").FAULTS
    return found


def short() -> Sequence[Fault]:
    """Return one row in EVERY of every subject, and what once failed."""
    rows = faults()
    chosen = {name for subject in SUBJECTS for name in _names(subject)[::EVERY]}
    return [fault for fault in rows if fault.is_always_run or fault.name in chosen]


def _names(subject: str) -> list[str]:
    return [f.name for f in import_module(f"tests.chaos.matrix.{subject}").FAULTS]
