"""The first run prepares an environment, and the second does not."""

import re
import subprocess

import pytest

from tests.support.checkout import Checkout, Prepared, assert_version


@pytest.mark.timeout(240)
def test_first_run_prepares_and_then_runs(prepared: Prepared) -> None:
    """The very first run makes the environment, leaves nothing else, and does what was asked."""
    assert_version(prepared.first)
    assert prepared.checkout.made == [".venv"]


@pytest.mark.timeout(240)
def test_first_run_installs_what_the_lock_names(prepared: Prepared) -> None:
    """The environment holds every package of the lock, and no pip that nobody needs."""
    wanted = set(re.findall(r"^([\w-]+)==(\S+)", prepared.checkout.lock.read_text(), re.MULTILINE))
    code = "from importlib.metadata import distributions\n"
    code += "for d in distributions():\n"
    code += "    print(d.metadata['Name'].lower().replace('_', '-'), d.version)"
    python = prepared.checkout.venv / "bin" / "python"
    listed = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert {tuple(line.split()) for line in listed.stdout.splitlines()} == wanted


@pytest.mark.timeout(240)
def test_second_run_prepares_nothing(ready: Checkout) -> None:
    """A run that finds its environment uses it: it does not even look for a Python."""
    before = ready.identity

    assert_version(ready(environ={"TIME_DRIFT_PYTHON": "/nowhere/python3"}))
    assert ready.identity == before
