"""What somebody does who downloaded the archive: unpack, run the demo, clone, test."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cloudformation import archive
from tests.conftest import ROOT

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1200)]

AGAIN = "--hypothesis-profile=brief " + " ".join(
    f"--ignore=tests/{name}"
    for name in (
        *("e2e", "contract", "property", "fuzz", "endurance"),
        *("unit/drift", "unit/sources", "unit/nodes", "unit/fleet"),
    )
)
"""Of the nested run: it is about whether all that tests need is in the archive, and each of these
has run here already."""
_TESTED_WITHIN_S = 1100


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the archive of HEAD unpacks to, in a directory that was empty."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git clone: the archive was NOT made")
    work = tmp_path_factory.mktemp("handover")
    clone = work / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    made = archive.write(clone, work)
    subprocess.run(["unzip", "-q", str(made.path), "-d", str(work / "empty")], check=True)
    return work / "empty" / made.folder


def as_a_visitor(place: Path, *command: str, within_s: float) -> "subprocess.CompletedProcess[str]":
    """Run a command with nothing of the tests' own surroundings."""
    ours = ("CI", "MAKE", "MFLAGS", "PYTEST", "COV_", "HYPOTHESIS")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command,
        cwd=place,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
        stdin=subprocess.DEVNULL,
    )


def test_the_demo_runs_from_the_archive(unpacked: Path) -> None:
    """Two commands after the download there is a picture, and the integer."""
    done = as_a_visitor(unpacked, "./time-drift.sh", "--demo", within_s=300)

    assert (done.stdout, done.returncode) == ("-4\n", 0)
    assert "falseticker" in done.stderr


def another_python() -> str:
    """Return a newer Python than the floor, where there is one that runs; else the usual one."""
    for python in ("python3.13", *map(str, Path.home().glob(".pyenv/versions/3.13*/bin/python3"))):
        found = shutil.which(python)
        if (
            found
            and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
        ):
            return found
    return "python3"


def test_the_tests_pass_in_a_clone_of_the_bundle(unpacked: Path) -> None:
    """All of them that start no other program, by another Python than ours."""
    subprocess.run(["git", "clone", "-q", archive.BUNDLE, "history"], cwd=unpacked, check=True)
    done = as_a_visitor(
        unpacked / "history",
        *("make", "test", f"PYTHON={another_python()}", f"PYTEST={AGAIN}"),
        within_s=_TESTED_WITHIN_S,
    )
    reported = done.stdout[-3000:]

    assert done.returncode == 0, reported + done.stderr[-1000:]
    assert int(re.findall(r"(\d+) passed", reported)[-1]) > 1000
