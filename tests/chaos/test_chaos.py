"""The short form of the matrix: one row in five, each beside three honest servers and alone.

`make chaos` runs all of it, and prints it as a table.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.chaos.arena import is_possible
from tests.chaos.contract import Ran, broken
from tests.chaos.fault import Expected, Fault
from tests.chaos.outcomes import Outcome, read
from tests.chaos.rows import faults, short
from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(240)
LEAST_FAULTS = 120


@pytest.fixture(scope="module")
def outcomes(script: str) -> Mapping[tuple[str, bool], Outcome]:
    """What came of all rows, which are run at once by a process of their own."""
    why_not = is_possible()
    if why_not and os.environ.get("CI"):
        pytest.fail(f"no chaos, and CI may not skip: {why_not}")
    if why_not:
        pytest.skip(f"no chaos here, these tests did NOT run: {why_not}")
    command = [sys.executable, "-m", "tests.chaos", "--short", "--lines"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = read(done.stdout)
    assert found, done.stderr
    return found


@pytest.mark.parametrize("beside", [True, False], ids=["beside", "alone"])
@pytest.mark.parametrize("fault", short(), ids=lambda fault: fault.name)
def test_the_contract_is_kept(
    outcomes: Mapping[tuple[str, bool], Outcome], fault: Fault, beside: bool
) -> None:
    """The truth beside honest servers, a refusal alone; in time, in one line, nothing left."""
    assert outcomes[fault.name, beside].wrong == []


def test_the_matrix_is_large_and_its_names_are_its_own() -> None:
    """Each row has a name, of its file's subject, that no other has."""
    names = [fault.name for fault in faults()]

    assert len(names) == len(set(names)) >= LEAST_FAULTS
    assert {fault.name for fault in short()} < set(names)


@pytest.mark.parametrize(
    ("stdout", "stderr", "is_kept"),
    [
        ("-4\n", "time-drift: no answer: x\n", True),
        ("-4\n-4\n", "", True),
        ("", "time-drift: no answer: x\n" * 2, True),
        ("-4\n-4\n", "time-drift: no answer: x\n", False),
        ("-4\n", "", False),
        ("-5\n", "time-drift: no answer: x\n", False),
        ("-4\n" * 3, "", False),
    ],
)
def test_measurements_of_watch_are_judged_apart(stdout: str, stderr: str, is_kept: bool) -> None:
    """Where either may come, each of the two is the right line, or one line on stderr."""
    fault = Fault("limits: x", "", run="watch", answer=-4)

    wrong = broken(fault, Expected.EITHER, "", Ran(stdout, stderr, 0, 1, (), 2))

    assert (wrong == []) is is_kept
