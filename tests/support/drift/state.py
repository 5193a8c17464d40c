"""State directories, and what a run keeps in one and finds there."""

from pathlib import Path

from hypothesis import strategies as st

from drift.run.state import State
from sources.clock import NS, Clock
from sources.memory import Entry, Update

SHELF = "address"
NAME = "a.example"
ENTRY: Entry = {"text": "words", "whole": -7, "texts": ["a", "b"]}
SINCE = "kept_boot_ns"

LETTERS = st.characters(exclude_categories=["Cs"])
WHOLE = st.integers(-(10**40), 10**40)


class SetClock(Clock):
    """A clock that has run since boot for as long as the test says."""

    def __init__(self, boot_ns: int = 1000 * NS) -> None:
        self.boot = boot_ns

    def boot_ns(self) -> int:
        return self.boot


def opened(place: Path, clock: Clock | None = None) -> State:
    """Return the state as another run finds it."""
    return State(str(place), clock or SetClock())


def keep(place: Path, entry: Entry = ENTRY, name: str = NAME, clock: Clock | None = None) -> Path:
    """Keep an entry and return its file."""
    assert opened(place, clock).change(SHELF, name, lambda _: entry)
    (file,) = (path for path in place.iterdir() if path.suffix == ".toml")
    return file


def noting(seen: list[Entry | None]) -> Update:
    """Return an update that notes what it is given, and keeps ENTRY."""

    def update(entry: Entry | None) -> Entry:
        seen.append(entry)
        return ENTRY

    return update


def without_age(entry: Entry | None) -> Entry | None:
    return None if entry is None else {k: v for k, v in entry.items() if k != SINCE}


def recalled(place: Path, name: str = NAME, most_age_ns: int | None = None) -> Entry | None:
    return without_age(opened(place).recall(SHELF, name, most_age_ns))
