"""The messages that docs/troubleshooting.md explains."""

import re

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

OF_PROCESSES = (
    "cannot prepare",
    "no venv module",
    "no Python 3.11",
    "no Python of these versions",
    "a Python that runs, of these versions",
    "the environment was prepared",
    "still reading",
    "still asking",
    "stdout cannot be written",
    "watch: ",
    "CLOCK_",
    "a port has a key",
)
"""Of those that are no refusal by consensus; tests of real processes show them."""
_NODES = PAGE.partition("\n## Nodes that are not yours\n")[2].partition("\n## ")[0]


def rows(text: str = PAGE) -> list[str]:
    """Return what the tables have people look for: each message of each first column."""
    table = re.findall(r"^\| (`.+?`) \| .+? \| .+? \|$", text, re.MULTILINE)
    return [said for cell in table for said in re.findall("`([^`]+)`", cell)]


def is_of_processes(row: str) -> bool:
    """Whether a message is no refusal by consensus: of other processes, or of other commands."""
    return row in rows(_NODES) or any(word in row for word in OF_PROCESSES)
