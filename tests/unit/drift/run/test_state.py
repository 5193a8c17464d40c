"""The state directory: where it is, what is kept is recalled, and for how long."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift.run import state
from drift.run.state import directory_of
from sources.clock import NS
from sources.memory import Entry
from tests.support.drift.state import (
    ENTRY,
    LETTERS,
    NAME,
    SHELF,
    SINCE,
    WHOLE,
    SetClock,
    keep,
    noting,
    opened,
    recalled,
    without_age,
)

VALUES = WHOLE | st.text(LETTERS) | st.lists(st.text(LETTERS))
KEYS = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True).filter(
    lambda key: key not in {"format", "name", "boot", SINCE}
)
NAMES = st.text(LETTERS, max_size=400) | st.text(st.sampled_from("aA._-/ :"), max_size=250)


def keep_as(place: Path, shelf: str, name: str, entry: Entry) -> None:
    assert opened(place).change(shelf, name, lambda _: entry)


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
def test_an_entry_whose_age_is_not_reported_is_too_old(place: Path, line: str) -> None:
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
