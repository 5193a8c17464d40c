"""Each row of the threat model names what shows it, and that is there."""

import re

import pytest

from drift.config import parse
from sources.base import ConfigError
from tests.chaos.rows import faults
from tests.conftest import ROOT

PAGE = "docs/threat-model.md"
ROWS = [
    line.strip("| ").split(" | ")
    for line in (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| who |")
]
OUT_OF_SCOPE = "the local machine"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_what_shows_a_row_is_there(row: list[str]) -> None:
    """A test by file and name, or a row of the chaos matrix; one row alone has nothing to show."""
    references = re.findall("`([^`]+)`", row[3])

    assert references or row[0] == OUT_OF_SCOPE
    for reference in references:
        assert _is_there(reference), reference


def _is_there(reference: str) -> bool:
    if reference.startswith("chaos: "):
        return reference.removeprefix("chaos: ") in {fault.name for fault in faults()}
    file, _, test = reference.partition("::")
    path = ROOT / file
    return path.exists() and f"\ndef {test}(" in path.read_text(encoding="utf-8")


def test_the_table_is_read() -> None:
    """Four cells a row, and not a row lost."""
    assert len(ROWS) > 20
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("kind", ["ntp", "roughtime"])
def test_ntp_and_roughtime_trust_no_ca(kind: str) -> None:
    """Their tables have nowhere to name one."""
    with pytest.raises(ConfigError, match="ca_file"):
        parse(f'[[sources.{kind}]]\nhost = "a.example"\nca_file = "/x"\n', "here")
