"""What the tests of set-ups and of hooks share: a copy of the clone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.supply.test_locks import missing


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is in git, and nothing else of the checkout."""
    if not (ROOT / ".git").exists():
        missing("this is no git clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in os.fsdecode(listed.stdout).rstrip("\0").split("\0"):
        (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"
