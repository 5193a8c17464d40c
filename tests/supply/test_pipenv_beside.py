"""pipenv takes a .venv beside the Pipfile for its own unless it is forbidden; ours is not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.interop

PIPENV = ROOT / ".venv-setups" / "bin" / "pipenv"


def test_the_programs_environment_is_not_pipenvs(script: str, tmp_path: Path) -> None:
    """What is pinned stays as it is, whoever installs with pipenv after the first run."""
    if not PIPENV.exists():
        if os.environ.get("CI"):
            pytest.fail("no .venv-setups, and CI may not skip")
        pytest.skip("no .venv-setups (`make tools`): this test did NOT run")
    shutil.copy2(ROOT / "Pipfile", tmp_path)
    shutil.copytree(
        Path(script).parent / ".venv" / "bin", tmp_path / ".venv" / "bin", symlinks=True
    )
    done = subprocess.run(
        [PIPENV, "--venv"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert str(tmp_path / ".venv") not in done.stdout
    assert "No virtualenv has been created" in done.stdout + done.stderr
