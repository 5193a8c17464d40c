"""The other ways to install that README.md names, each from an empty home, in a copy of the clone.

They ask the package index that pip is configured to ask. What pipenv locks names that index, so it
is left where no commit can find it.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.bootstrap import _PIP, _bundled_pip, _settings_of_pip
from tests.conftest import ROOT
from tests.docs.markdown import commands
from tests.docs.registry import taken
from tests.supply.test_locks import missing

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
TOOLS = ROOT / ".venv-setups" / "bin"
PYTHON = os.path.realpath(sys.executable)
SOME = "test_wording or test_formats or test_advice or test_server_list"
"""Files that use what only developers install; all others are imported at least."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How pip asks an index here, as variables: the home that may say so is not there."""
    pip = [sys.executable, "-I", "-c", _PIP, _bundled_pip()]
    settings = _settings_of_pip(pip, show=False)
    download = [*pip, "download", "--quiet", "--no-deps", "ntplib"]
    place = tmp_path_factory.mktemp("download")
    done = subprocess.run(
        download, cwd=place, env=os.environ | settings, capture_output=True, check=False, timeout=60
    )
    if done.returncode:
        missing("no package index can be asked")
    return settings


@pytest.fixture
def run(clone: Path, tmp_path: Path, settings: dict[str, str]) -> Run:
    """Run a command in the clone, its home empty; it has to succeed."""
    home = tmp_path / "home"
    home.mkdir()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PIPENV_", "PIPX_", "XDG_", "PYTEST_", "COV_"))
        and name not in {"VIRTUAL_ENV", "STATE_DIRECTORY", "CI"}
    }
    environ |= settings | {"HOME": str(home)}

    def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            command,
            cwd=clone,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done

    return run


@pytest.fixture
def tools() -> Path:
    """Where pipenv and pipx are."""
    if not TOOLS.exists():
        missing("no .venv-setups (`make tools`)")
    return TOOLS


def test_pipenv_installs_all_that_the_tests_need(run: Run, tools: Path) -> None:
    """`pipenv install --dev`, then the tests: each file of tests/unit is imported, none skipped."""
    run(tools / "pipenv", "install", "--dev", "--python", PYTHON)
    quick = ("-q", "-rs", "--hypothesis-profile=brief", "-k", SOME)
    done = run(tools / "pipenv", "run", "pytest", "tests/unit", *quick)

    assert " passed" in done.stdout
    assert "SKIPPED" not in done.stdout


def test_pip_installs_the_checkout(run: Run, tmp_path: Path) -> None:
    """`pip install .` in a fresh virtual environment gives a command that answers."""
    run(PYTHON, "-m", "venv", tmp_path / "fresh")
    run(tmp_path / "fresh" / "bin" / "pip", "install", "--quiet", ".")

    assert run(tmp_path / "fresh" / "bin" / "time-drift", "--demo").stdout == "-4\n"


def test_pipx_installs_the_wheel(run: Run, tools: Path, tmp_path: Path) -> None:
    """As docs/install.md has it: the command is where users' commands are."""
    supply = ROOT / ".venv-supply" / "bin" / "python"
    if not supply.exists():
        missing("no .venv-supply (`make tools`)")
    run(supply, "-m", "build", "--wheel", "--no-isolation", "--outdir", ".")
    line = commands(taken("pipx"))
    run("sh", "-c", f"PATH={tools}:$PATH; export PIPX_DEFAULT_PYTHON={PYTHON}; {line}")

    assert run(tmp_path / "home" / ".local" / "bin" / "time-drift", "--demo").stdout == "-4\n"
