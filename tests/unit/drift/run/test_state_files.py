"""Files that are not ours are not believed; what cannot be written leaves nothing behind."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.run import state
from sources.memory import Entry
from tests.conftest import ROOT
from tests.support.drift.state import (
    ENTRY,
    LETTERS,
    NAME,
    SHELF,
    WHOLE,
    keep,
    noting,
    opened,
    recalled,
    without_age,
)


def assert_ignored_and_rewritten(place: Path) -> None:
    """What lies there is not believed, is noted, and gives way to the next entry."""
    looking = opened(place)
    assert looking.recall(SHELF, NAME) is None
    assert len(looking.notes) == 1
    assert "is ignored" in looking.notes[0]

    seen: list[Entry | None] = []
    assert opened(place).change(SHELF, NAME, noting(seen))
    assert seen == [None]
    assert recalled(place) == ENTRY


HEAD = b'format = 1\nname = "a.example"\nboot = ""\nkept_boot_ns = 1\n'


@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"a = " + b"[" * 60_000)
@example(data=b"a = " + b"{a=" * 20_000)
@example(data=b"a" + b".a" * 500 + b" = 1")
@example(data=b"a = " + b"9" * 60_000)
@example(data=b'format = 1\nname = "another"\n')
@example(data=b'format = 2\nname = "a.example"\n')
@example(data=b'name = "a.example"\n')
@example(data=HEAD + b"x = 1.5")
@example(data=HEAD + b"x = true")
@example(data=HEAD + b"x = [1]")
@example(data=HEAD + b'x = [["a"]]')
@example(data=HEAD + b"x = 2026-11-22")
@example(data=HEAD + b"[x]\ny = 1")
@example(data=HEAD + b"\xff")
@example(data=HEAD[:-10])
@example(data=b"\0" * 65_536)
def test_any_bytes_are_ignored_and_rewritten(places: Iterator[Path], data: bytes) -> None:
    """Whatever is in a file that is no entry: no exception, a note, and a new entry takes over."""
    place = next(places)
    keep(place).write_bytes(data)

    assert_ignored_and_rewritten(place)


@given(lines=st.lists(st.tuples(st.text(LETTERS, max_size=20), WHOLE | st.text(LETTERS))))
@example(lines=[("a b", 1)])
@example(lines=[("é", 1)])
@example(lines=[("", 1)])
def test_what_others_added_breaks_no_update(
    places: Iterator[Path], lines: list[tuple[str, int | str]]
) -> None:
    """Keys that we would not write are carried along or dropped; nothing is raised for them."""
    place = next(places)
    file = keep(place)
    added = {state._toml(key): state._toml(value) for key, value in lines}
    file.write_text(file.read_text() + "".join(f"{k} = {v}\n" for k, v in added.items()))

    assert opened(place).change(SHELF, NAME, lambda e: (e or {}) | {"more": 1})

    assert (recalled(place) or {}).get("more") == 1


def test_a_number_too_long_to_print_breaks_no_update(place: Path) -> None:
    """Hexadecimal numbers can be read at any length, but not written in tens."""
    file = keep(place)
    file.write_text(file.read_text() + f"long = 0x{'f' * 20_000}\n")

    assert opened(place).change(SHELF, NAME, lambda e: (e or {}) | {"more": 1})

    assert (recalled(place) or {}).get("more") == 1


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_may_write_is_ignored(place: Path, mode: int) -> None:
    """Anybody could have written it; the new one is private."""
    file = keep(place)
    file.chmod(mode)

    assert_ignored_and_rewritten(place)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_ignored(place: Path) -> None:
    """Its owner may have written anything into it."""
    os.chown(keep(place), 12345, 12345)

    assert_ignored_and_rewritten(place)


def test_a_symbolic_link_is_ignored(place: Path, tmp_path: Path) -> None:
    """It is not followed, neither to be read nor to be written."""
    file = keep(place)
    target = tmp_path / "target"
    file.rename(target)
    before = target.read_bytes()
    file.symlink_to(target)

    assert_ignored_and_rewritten(place)
    assert target.read_bytes() == before
    assert not file.is_symlink()


def test_a_fifo_is_ignored(place: Path) -> None:
    """Nobody waits for what may come out of it."""
    file = keep(place)
    file.unlink()
    os.mkfifo(file)
    began = time.monotonic()

    assert_ignored_and_rewritten(place)
    assert time.monotonic() - began < 1


def test_a_directory_is_ignored(place: Path) -> None:
    """Where a directory is in the way nothing is recalled, and nothing kept."""
    file = keep(place)
    file.unlink()
    file.mkdir()
    here = opened(place)

    assert here.recall(SHELF, NAME) is None
    assert not here.change(SHELF, NAME, lambda _: ENTRY)
    assert not here.change(SHELF, NAME, lambda _: None)
    assert here.notes
    assert opened(place).change(SHELF, "another", lambda _: ENTRY)


def test_the_longest_file_that_is_read(place: Path) -> None:
    """Up to 64 KiB are read, and not a byte more."""
    file = keep(place)
    whole = file.read_bytes() + b'more = "'
    for length, expected in ((1 << 16, ENTRY | {"more": ANY}), ((1 << 16) + 1, None)):
        file.write_bytes(whole + b"x" * (length - len(whole) - 2) + b'"\n')
        assert recalled(place) == expected


def test_the_same_note_is_taken_once(place: Path) -> None:
    """However often a broken file is looked at, one note says so."""
    keep(place).write_bytes(b"junk")
    here = opened(place)
    for _ in range(3):
        assert here.recall(SHELF, NAME) is None

    assert len(here.notes) == 1
    assert here.notes[0].startswith("state: ")


def test_nobody_else_may_read_what_is_kept(place: Path) -> None:
    """Keys are in there: the files are 0600, the directory 0700, whatever the umask."""
    before = os.umask(0)
    try:
        file = keep(place)
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.iterdir())


def test_a_file_left_aside_does_not_lend_its_mode(place: Path) -> None:
    """What a run that died, or somebody else, left aside does not become the entry's file."""
    place.mkdir()
    aside = place / "new"
    aside.write_bytes(b"left")
    aside.chmod(0o666)

    assert keep(place).stat().st_mode & 0o777 == 0o600
    assert recalled(place) == ENTRY


@pytest.mark.parametrize("name", ["new", "lock"])
def test_a_fifo_in_the_way_is_not_waited_for(place: Path, name: str) -> None:
    """A FIFO where we write costs the benefit at most, and no time."""
    place.mkdir()
    os.mkfifo(place / name)
    script = (
        "import sys; from drift.run.state import State; from sources.clock import Clock\n"
        f"State(sys.argv[1], Clock()).change('{SHELF}', '{NAME}', lambda _: {{'a': 1}})"
    )

    subprocess.run([sys.executable, "-c", script, str(place)], check=True, cwd=ROOT, timeout=5)


def _below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file" / "state"


def _a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file"


@pytest.mark.parametrize(
    "of",
    [_below_a_file, _a_file, lambda _: Path("/proc/state"), lambda path: path / ("x" * 300)],
    ids=["below a file", "a file", "in /proc", "name too long"],
)
def test_a_directory_that_cannot_be(tmp_path: Path, of: Callable[[Path], Path]) -> None:
    """Nothing is recalled or kept, which is noted; nothing is raised."""
    here = opened(of(tmp_path))

    assert here.recall(SHELF, NAME) is None
    assert here.change(SHELF, NAME, lambda _: ENTRY) is False
    assert len(here.notes) == 1
    assert "cannot be written" in here.notes[0]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    """A home without an XDG folder gets one."""
    place = tmp_path / "a" / "b" / "state"

    keep(place)

    assert recalled(place) == ENTRY


def test_looking_makes_nothing(place: Path) -> None:
    """A run that has nothing to keep leaves no trace."""
    assert recalled(place) is None
    assert not place.exists()


def test_a_directory_that_is_deleted_meanwhile(place: Path) -> None:
    """It is made again by the next change."""
    here = opened(place)
    assert here.change(SHELF, NAME, lambda _: ENTRY)
    for path in place.iterdir():
        path.unlink()
    place.rmdir()

    assert here.recall(SHELF, NAME) is None
    assert here.notes == []
    assert here.change(SHELF, NAME, lambda _: ENTRY)
    assert without_age(here.recall(SHELF, NAME)) == ENTRY


def test_a_full_disk_leaves_nothing_half_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written whole is not left in part, and the entry stays as it was."""
    kept = opened(place)
    assert kept.change(SHELF, NAME, lambda _: ENTRY)
    files = sorted(path.name for path in place.iterdir())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    assert not kept.change(SHELF, NAME, lambda _: {"text": "other"})
    assert sorted(path.name for path in place.iterdir()) == files
    assert "No space left" in kept.notes[0]
