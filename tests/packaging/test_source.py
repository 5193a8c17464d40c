"""What of a checkout goes into packages."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.packages import source


def held(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_an_archive_without_git_gives_the_same_files(tmp_path: Path) -> None:
    """As the hand-over's is: what was unpacked is what git would have listed."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git clone: the two were NOT compared")
    source.copy(ROOT, tmp_path / "first")
    source.copy(tmp_path / "first", tmp_path / "second")

    assert "drift/cli.py" in held(tmp_path / "first")
    assert held(tmp_path / "first") == held(tmp_path / "second")


def test_what_lies_beside_is_left_out(tmp_path: Path) -> None:
    """A file that git does not track, and byte code, are in no package."""
    source.copy(ROOT, tmp_path / "clone")
    tracked = held(tmp_path / "clone")
    shutil.copytree(tmp_path / "clone", tmp_path / "git")
    git = ["git", "-C", str(tmp_path / "git")]
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "git" / "drift" / ".env").write_text("SECRET=1")
    (tmp_path / "clone" / "drift" / "__pycache__").mkdir()
    (tmp_path / "clone" / "drift" / "__pycache__" / "x.pyc").write_text("")
    source.copy(tmp_path / "git", tmp_path / "from git")
    source.copy(tmp_path / "clone", tmp_path / "from clone")

    assert held(tmp_path / "from git") == tracked
    assert held(tmp_path / "from clone") == tracked
