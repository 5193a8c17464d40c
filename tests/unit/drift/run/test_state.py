"""The state directory: what is kept is recalled, what is not ours is not believed, nobody waits."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from unittest.mock import ANY

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.run import state
from drift.run.state import State, directory_of
from sources.clock import NS, Clock
from sources.memory import Entry, Update
from tests.conftest import ROOT

SHELF = "address"
NAME = "a.example"
ENTRY: Entry = {"text": "words", "whole": -7, "texts": ["a", "b"]}
SINCE = "kept_boot_ns"

LETTERS = st.characters(exclude_categories=["Cs"])
WHOLE = st.integers(-(10**40), 10**40)
VALUES = WHOLE | st.text(LETTERS) | st.lists(st.text(LETTERS))
KEYS = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True).filter(
    lambda key: key not in {"format", "name", "boot", SINCE}
)
NAMES = st.text(LETTERS, max_size=400) | st.text(st.sampled_from("aA._-/ :"), max_size=250)


class SetClock(Clock):
    """A clock that has run since boot for as long as the test says."""

    def __init__(self, boot_ns: int = 1000 * NS) -> None:
        self.boot = boot_ns

    def boot_ns(self) -> int:
        return self.boot


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where the state is to be kept; nothing is there yet."""
    return tmp_path / "state"


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return directories that are not there yet, one an example."""
    base = tmp_path_factory.mktemp("places")
    return (base / str(number) for number in count())


def opened(place: Path, clock: Clock | None = None) -> State:
    """Return the state as another run finds it."""
    return State(str(place), clock or SetClock())


def keep(place: Path, entry: Entry = ENTRY, name: str = NAME, clock: Clock | None = None) -> Path:
    """Keep an entry and return its file."""
    assert opened(place, clock).change(SHELF, name, lambda _: entry)
    (file,) = (path for path in place.iterdir() if path.suffix == ".toml")
    return file


def keep_as(place: Path, shelf: str, name: str, entry: Entry) -> None:
    assert opened(place).change(shelf, name, lambda _: entry)


def noting(seen: list[Entry | None]) -> Update:
    """Return an update that notes what it is given, and keeps ENTRY."""

    def update(entry: Entry | None) -> Entry:
        seen.append(entry)
        return ENTRY

    return update


def without_age(entry: Entry | None) -> Entry | None:
    return None if entry is None else {k: v for k, v in entry.items() if k != SINCE}


def recalled(place: Path, name: str = NAME, most_age_ns: int | None = None) -> Entry | None:
    return without_age(opened(place).recall(SHELF, name, most_age_ns))


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


# --- What is kept is recalled ---------------------------------------------------------------


@given(entry=st.dictionaries(KEYS, VALUES, max_size=8), name=NAMES)
@example(entry={"text": '"\\\n\r\t\x00\x7f\x85\u2028é😀', "texts": [""], "none": []}, name="/../x")
@example(entry={}, name="")
@example(entry={"text": "'''\"\"\""}, name="é" * 5000)
def test_what_is_kept_is_recalled(places: Iterator[Path], entry: Entry, name: str) -> None:
    """Any texts, numbers and lists of texts under any name come back to the letter."""
    place = next(places)

    assert opened(place).change(SHELF, name, lambda _: entry)

    assert recalled(place, name) == entry
    assert recalled(place, name, NS) == entry
    assert all(path.parent == place for path in place.rglob("*"))


@given(names=st.sets(NAMES, min_size=2, max_size=6))
@example(names={"a", "A", "a.", "a-", "a_", "a/", "_61_", "a_61_"})
@example(names={"é" * 300, "é" * 301, "E" * 300, "e" * 300})
def test_no_two_names_share_an_entry(places: Iterator[Path], names: set[str]) -> None:
    """Names that differ in anything at all have an entry each."""
    place = next(places)
    for name in names:
        keep_as(place, SHELF, name, {"text": name})

    for name in names:
        assert recalled(place, name) == {"text": name}


def test_a_name_that_looks_like_a_long_ones_file_has_its_own(place: Path) -> None:
    """Who names a host like the file of a long name takes nothing of it away."""
    long_name = "x" * 400
    look_alike = keep(place, name=long_name).stem.removeprefix(f"{SHELF}-")
    assert opened(place).change(SHELF, look_alike, lambda _: {"text": "other"})

    assert recalled(place, long_name) == ENTRY
    assert recalled(place, look_alike) == {"text": "other"}


def test_shelves_are_apart(place: Path) -> None:
    """The same name on two shelves is two entries."""
    for shelf in ("nts", "rest"):
        keep_as(place, shelf, NAME, {"text": shelf})

    for shelf in ("nts", "rest"):
        assert without_age(opened(place).recall(shelf, NAME)) == {"text": shelf}


def test_an_update_that_yields_none_removes(place: Path) -> None:
    """A removed entry is gone for good; removing what is not there is no failure."""
    file = keep(place)

    assert opened(place).change(SHELF, NAME, lambda _: None)
    assert not file.exists()
    assert opened(place).change(SHELF, NAME, lambda _: None)
    assert recalled(place) is None


def test_an_update_gets_what_is_kept(place: Path) -> None:
    """Changes build on one another, within a run and from run to run."""
    here = opened(place)
    for _ in range(3):
        assert here.change(SHELF, NAME, _one_more)
        assert opened(place).change(SHELF, NAME, _one_more)

    assert recalled(place) == {"count": 6}


def _one_more(entry: Entry | None) -> Entry:
    count = (entry or {}).get("count", 0)
    assert isinstance(count, int)
    return {"count": count + 1}


# --- Ages -----------------------------------------------------------------------------------


def test_ages_are_counted_on_the_boot_clock(place: Path) -> None:
    """An entry is recalled up to its greatest age, and always where there is no limit."""
    clock = SetClock()
    keep(place, clock=clock)

    clock.boot += 60 * NS
    assert opened(place, clock).recall(SHELF, NAME, 60 * NS) is not None
    clock.boot += 1
    assert opened(place, clock).recall(SHELF, NAME, 60 * NS) is None
    assert opened(place, clock).recall(SHELF, NAME) is not None


def test_what_is_too_old_is_not_given_to_an_update(place: Path) -> None:
    """A change sees what `recall` with the same age would return."""
    clock = SetClock()
    keep(place, clock=clock)
    clock.boot += 2 * NS
    seen: list[Entry | None] = []

    assert opened(place, clock).change(SHELF, NAME, noting(seen), NS)

    assert seen == [None]


def test_a_future_stamp_is_not_recalled(place: Path) -> None:
    """What will have been kept in a second has not been kept in this boot."""
    clock = SetClock()
    keep(place, clock=clock)
    clock.boot -= 1

    assert opened(place, clock).recall(SHELF, NAME, 86_400 * NS) is None
    assert opened(place, clock).recall(SHELF, NAME) is not None


def test_another_boot_is_not_recalled(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps of another boot say nothing, whatever their number."""
    keep(place)
    monkeypatch.setattr(state, "_boot_id", lambda: "another")

    assert opened(place).recall(SHELF, NAME, 86_400 * NS) is None
    assert recalled(place) == ENTRY


@pytest.mark.parametrize("line", ["", "kept_boot_ns = []", 'kept_boot_ns = "5"', "boot = 5"])
def test_an_entry_whose_age_is_not_told_is_too_old(place: Path, line: str) -> None:
    """Without a boot or a stamp, or with one of another type, nothing is fresh."""
    file = keep(place)
    kept = file.read_text().splitlines()
    key = line.partition(" ")[0] or SINCE
    file.write_text("\n".join([*(each for each in kept if not each.startswith(key)), line]))

    assert recalled(place, most_age_ns=10**30) is None
    assert recalled(place) is not None


def test_an_entry_made_of_another_is_as_old_as_that(place: Path) -> None:
    """Who takes something out, or puts something in, does not make the rest younger."""
    clock = SetClock()
    keep(place, clock=clock)
    clock.boot += 50 * NS

    assert opened(place, clock).change(SHELF, NAME, lambda e: (e or {}) | {"more": 1}, 60 * NS)

    clock.boot += 10 * NS
    found = opened(place, clock).recall(SHELF, NAME, 60 * NS)
    assert without_age(found) == ENTRY | {"more": 1}
    clock.boot += NS
    assert opened(place, clock).recall(SHELF, NAME, 60 * NS) is None


def test_a_new_entry_in_place_of_another_is_new(place: Path) -> None:
    """What is not made of the old one begins its own age."""
    clock = SetClock()
    keep(place, clock=clock)
    clock.boot += 50 * NS
    keep(place, {"text": "new"}, clock=clock)
    clock.boot += 50 * NS

    assert opened(place, clock).recall(SHELF, NAME, 60 * NS) is not None


# --- What is not ours -----------------------------------------------------------------------

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


# --- What cannot be written -----------------------------------------------------------------


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


# --- Two runs at once -----------------------------------------------------------------------


def test_a_lock_that_others_hold_is_not_waited_for(place: Path) -> None:
    """While another process changes something, a change fails at once; recalling does not."""
    keep(place)
    holding = (
        "import fcntl, sys\n"
        "lock = open(sys.argv[1], 'r+'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(place / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        called: list[Entry | None] = []

        assert opened(place).change(SHELF, NAME, noting(called)) is False

        assert time.monotonic() - began < 0.2
        assert called == []
        assert recalled(place) == ENTRY
        holder.stdin.close()

    assert opened(place).change(SHELF, NAME, lambda _: None)


def test_the_lock_is_free_after_an_update_that_raises(place: Path) -> None:
    """A bug in an update leaves the entry as it was, and the directory open to others."""
    keep(place)

    def fail(entry: Entry | None) -> Entry:
        raise ZeroDivisionError

    here = opened(place)
    with pytest.raises(ZeroDivisionError):
        here.change(SHELF, NAME, fail)
    with (place / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert recalled(place) == ENTRY


CROWD = """
import sys
from drift.run.state import State
from sources.clock import Clock
place, mine = sys.argv[1:]
here = State(place, Clock())
def one_more(entry):
    return {"count": (entry or {}).get("count", 0) + 1, "padding": "x" * 5000}
common, own = 0, 0
sys.stdin.read()
for turn in range(60):
    common += here.change("rest", "common", one_more)
    own += here.change("rest", mine, one_more)
print(common, own, len(here.notes))
"""


def test_twenty_processes_lose_and_mix_nothing(place: Path) -> None:
    """Each change that was said to be done is in the entry; no file is ever seen half written."""
    keep(place)
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", CROWD, str(place), f"run {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(20)
    ]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.close()
    looks = 0
    while any(process.poll() is None for process in crowd):
        looking = opened(place)
        for name in ("common", *(f"run {number}" for number in range(20))):
            entry = looking.recall("rest", name)
            assert entry is None or entry["padding"] == "x" * 5000
        assert looking.notes == []
        looks += 1
    common = 0
    for number, process in enumerate(crowd):
        assert process.stdout is not None
        with process.stdout:
            of_common, own, noted = map(int, process.stdout.read().split())
        assert process.returncode == 0
        assert noted == 0
        assert (opened(place).recall("rest", f"run {number}") or {"count": 0})["count"] == own
        common += of_common

    assert looks > 1
    assert common > 0
    assert (opened(place).recall("rest", "common") or {})["count"] == common
    assert {path.name for path in place.iterdir() if path.suffix != ".toml"} == {"lock"}


# --- Where it is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "systemd", "xdg", "home", "expected"),
    [
        ("/configured", "/systemd", "/xdg", "/", "/configured"),
        ("", "/systemd", "/xdg", "/", None),
        (None, "/systemd", "/xdg", "/", "/systemd"),
        (None, "/one:/two", None, None, "/one"),
        (None, "relative", "/xdg", "/", "/xdg/time-drift"),
        (None, ":/two", "/xdg", None, "/xdg/time-drift"),
        (None, "", "/xdg", "/", "/xdg/time-drift"),
        (None, None, "/xdg", None, "/xdg/time-drift"),
        (None, None, "relative", "/", "/.local/state/time-drift"),
        (None, None, "", "/", "/.local/state/time-drift"),
        (None, None, None, "/", "/.local/state/time-drift"),
        (None, None, None, "relative", None),
        (None, None, None, "/nonexistent/home", None),
        (None, None, None, "/etc/passwd", None),
        (None, None, None, "", None),
        (None, None, None, None, None),
    ],
)
def test_where_state_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    configured: str | None,
    systemd: str | None,
    xdg: str | None,
    home: str | None,
    expected: str | None,
) -> None:
    """As configured, else as systemd says, else in the XDG folder of a home that there is.

    Relative paths do not count.
    """
    values = {"STATE_DIRECTORY": systemd, "XDG_STATE_HOME": xdg, "HOME": home}
    for name, value in values.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    assert directory_of(configured) == expected


# The end of a run


def test_the_end_waits_for_a_change_under_way(place: Path) -> None:
    """Who is writing is waited for; who comes later is told that it could not be done."""
    kept = opened(place)
    writing, go_on = threading.Event(), threading.Event()
    done: list[bool] = []

    def slow(_: Entry | None) -> Entry:
        writing.set()
        go_on.wait(5)
        return ENTRY

    writer = threading.Thread(target=lambda: done.append(kept.change(SHELF, NAME, slow)))
    writer.start()
    assert writing.wait(5)
    threading.Timer(0.1, go_on.set).start()

    kept.finish(5)

    assert opened(place).recall(SHELF, NAME) == kept.recall(SHELF, NAME)
    assert kept.recall(SHELF, NAME) is not None
    assert not kept.change(SHELF, "later.example", lambda _: ENTRY)
    writer.join()
    assert done == [True]


def test_the_end_waits_no_longer_than_it_may(place: Path) -> None:
    """Where a write hangs the run leaves all the same."""
    kept = opened(place)
    writing, go_on = threading.Event(), threading.Event()

    def hang(_: Entry | None) -> Entry:
        writing.set()
        go_on.wait(5)
        return ENTRY

    writer = threading.Thread(target=lambda: kept.change(SHELF, NAME, hang))
    writer.start()
    assert writing.wait(5)
    began = time.monotonic()

    kept.finish(0.1)

    assert 0.05 < time.monotonic() - began < 1
    go_on.set()
    writer.join()


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
