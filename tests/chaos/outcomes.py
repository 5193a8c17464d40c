"""What came of the rows, and how one process hands it to another. Pure."""

import json
from collections.abc import Mapping

from sources.record import Record


class Outcome(Record):
    """One run of one row."""

    name: str
    beside: bool
    wrong: list[str]
    """What was not kept of the contract."""
    wall_s: float


def written(outcome: Outcome) -> str:
    """Return one line."""
    return json.dumps(outcome)


def read(lines: str) -> Mapping[tuple[str, bool], Outcome]:
    """Return the outcomes of these lines, by row and by whether it was beside honest servers."""
    found = [Outcome(*json.loads(line)) for line in lines.splitlines()]
    return {(outcome.name, outcome.beside): outcome for outcome in found}
