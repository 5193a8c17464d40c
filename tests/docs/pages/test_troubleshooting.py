"""docs/troubleshooting.md: what it explains is in the program, and its rows are readable.

tests/unit/drift/wording/test_advice.py holds it to what refusals say.
"""

import re

import pytest

from drift.consensus.verdict import AGREES, FALSETICKER, NOT_NEEDED, UNDECIDED
from sources.base import Reason
from tests.conftest import ROOT
from tests.support.troubleshooting import OF_PROCESSES, PAGE, is_of_processes, rows

PACKAGES = ("drift", "sources", "fleet", "nodes")


def program_text() -> str:
    """Return the program's own words: its strings, those of several lines put together."""
    files = [
        ROOT / "time-drift.sh",
        *(path for place in PACKAGES for path in (ROOT / place).rglob("*.py")),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", text)


@pytest.mark.parametrize("row", [row for row in rows() if is_of_processes(row)])
def test_what_processes_say_is_in_the_program(row: str) -> None:
    """The part of a message that is always the same stands in the program, to the letter."""
    part = max((part.strip(": ") for part in row.split("...")), key=len)

    assert part in program_text()


def test_each_message_of_processes_has_a_row() -> None:
    """What the other test leaves out is what this one looks at."""
    assert [word for word in OF_PROCESSES if not any(word in row for row in rows())] == []


def test_every_verdict_is_in_the_table() -> None:
    """Whoever finds a word beside a source finds it here, and here is no word that is not said."""
    section = PAGE.partition("\n## Verdicts\n")[2]
    explained = re.findall(r"^\| `(.+?)` \| .+ \|$", section, re.MULTILINE)
    words = {AGREES, FALSETICKER, UNDECIDED, NOT_NEEDED, *(reason.value for reason in Reason)}

    assert sorted(explained) == sorted(words)


def test_no_message_has_two_rows() -> None:
    """Whoever looks for one finds one answer."""
    assert len(set(rows())) == len(rows())
