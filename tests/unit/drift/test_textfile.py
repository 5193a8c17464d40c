"""The file of --output: replaced whole, or left as it is; and what is read back of it."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.textfile import previous_text, replace


def test_what_cannot_be_replaced_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle costs nothing: the old file stays, no other is left."""
    target = tmp_path / "out"
    target.write_text("before", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        replace(str(target), "after")

    assert target.read_text(encoding="utf-8") == "before"
    assert os.listdir(tmp_path) == ["out"]


def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    """Who may write the directory must not have us replace what only we may write."""
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.write_text("mine", encoding="utf-8")
    target.symlink_to(elsewhere)

    with pytest.raises(OSError, match="it is a link"):
        replace(str(target), "after")

    assert target.is_symlink()
    assert elsewhere.read_text(encoding="utf-8") == "mine"


def test_no_rights_are_given_away(tmp_path: Path) -> None:
    """Of the mode of what was there, the bits for set-user-id and the like are not kept."""
    target = tmp_path / "out"
    target.write_text("before", encoding="utf-8")
    target.chmod(0o6751)

    replace(str(target), "after")

    assert stat.S_IMODE(target.stat().st_mode) == 0o751


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """Its mode was its owner's choice, for a file of theirs: ours is a new one."""
    target = tmp_path / "out"
    target.write_text("before", encoding="utf-8")
    target.chmod(0o666)
    os.chown(target, 65_534, 65_534)
    umask = os.umask(0o077)

    try:
        replace(str(target), "after")
    finally:
        os.umask(umask)

    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0o644)


def test_a_long_name(tmp_path: Path) -> None:
    """As long as the file system allows."""
    target = tmp_path / ("x" * 255)

    replace(str(target), "text")

    assert target.read_text(encoding="utf-8") == "text"


def test_any_text_can_be_written(tmp_path: Path) -> None:
    """Also what no encoding has: half a character of somebody's path."""
    replace(str(tmp_path / "out"), "ä \udcff")

    assert (tmp_path / "out").read_bytes() == b"\xc3\xa4 \\udcff"


def test_a_name_of_this_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a directory means the current one."""
    monkeypatch.chdir(tmp_path)

    replace("out", "text")

    assert (tmp_path / "out").read_text(encoding="utf-8") == "text"


def test_the_file_of_before_is_read(tmp_path: Path) -> None:
    """What is going to be replaced can be asked for what it holds."""
    path = tmp_path / "x.prom"
    path.write_text("before\n", encoding="utf-8")

    assert previous_text(str(path)) == "before\n"


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_text(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever lies there, reading it does not fail."""
    path = tmp_path_factory.getbasetemp() / "any.prom"
    path.write_bytes(data)

    assert previous_text(str(path)).encode(errors="replace") == data.decode(
        errors="replace"
    ).encode(errors="replace")


def test_no_file_and_what_is_none(tmp_path: Path) -> None:
    """Missing, a directory, a pipe that nobody writes to: nothing, and at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for path in (tmp_path / "missing", tmp_path, pipe):
        assert previous_text(str(path)) == ""
