"""Keys and cookies as an entry: there and back, none used twice, junk is no key."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.memory import Entry
from sources.net.addresses import is_address
from sources.net.validity import Validity
from sources.nts import cookies
from sources.nts import wire_ke as nts_ke
from sources.nts.cookies import (
    MOST_KEPT,
    TAKEN,
    entry_of,
    established_in,
    rest_of,
    with_more,
    without,
)
from sources.nts.proof import Established, Keys

KEYS = Keys(b"\x01" * 32, b"\x02" * 32)
OTHER_KEYS = Keys(b"\x03" * 32, b"\x04" * 32)
CHAIN = (Validity("CN=a leaf", -5, 4_000_000_000), Validity("", 0, 1))
FULL = Established(
    KEYS, tuple(bytes([n]) * 100 for n in range(8)), "ntp.example", "::1", 4123, CHAIN
)

WHOLE = st.integers(-(10**12), 10**12)
BYTES_32 = st.binary(min_size=32, max_size=32)
ESTABLISHED = st.builds(
    Established,
    st.builds(Keys, BYTES_32, BYTES_32),
    st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=MOST_KEPT).map(tuple),
    st.none() | st.text(min_size=1),
    st.ip_addresses().map(str),
    st.integers(1, 65_535),
    st.lists(st.builds(Validity, st.text(), WHOLE, WHOLE), min_size=1).map(tuple),
)
JUNK_VALUES = st.integers() | st.text() | st.lists(st.text())
JUNK = st.dictionaries(st.sampled_from(sorted(entry_of(FULL))) | st.text(), JUNK_VALUES)


def taken_from(entry: Entry | None) -> tuple[bytes, ...]:
    found = established_in(entry)
    return () if found is None else found.cookies


@given(established=ESTABLISHED)
@example(established=FULL)
def test_there_and_back(established: Established) -> None:
    """What is kept comes back the same, and of types that a memory takes."""
    entry = entry_of(established)

    assert established_in(entry) == established
    for value in entry.values():
        assert isinstance(value, int | str) or all(isinstance(item, str) for item in value)


def test_the_newest_are_kept() -> None:
    """A server that gives more than 8 gets no larger file."""
    many = tuple(bytes([n]) for n in range(1, 21))

    assert taken_from(entry_of(FULL.replaced(cookies=many))) == many[-MOST_KEPT:]


def test_nothing_is_established_in_nothing() -> None:
    """No entry, no keys."""
    assert established_in(None) is None
    assert established_in({}) is None


@given(entry=JUNK)
def test_junk_is_of_no_use(entry: Entry) -> None:
    """Entries of any keys and values never raise; without all the parts there is nothing."""
    found = established_in(entry)

    assert found is None or set(entry) >= set(entry_of(FULL))


@given(key=st.sampled_from(sorted(entry_of(FULL))), value=JUNK_VALUES)
@example(key="port", value=65_536)
@example(key="port", value=-1)
@example(key="port", value=10**30)
@example(key="address", value="")
@example(key="address", value="a.example")
@example(key="address", value="127.0.0.1\0")
@example(key="cookies", value=[""])
@example(key="cookies", value=["00", "zz"])
@example(key="cookies", value=["00" * 60_000])
@example(key="chain", value=["1"])
@example(key="chain", value=["a b c"])
@example(key="client_to_server", value="00" * 31)
def test_one_part_of_junk(key: str, value: int | str | list[str]) -> None:
    """With one part replaced by junk there is nothing, or something that can be asked with."""
    found = established_in(entry_of(FULL) | {key: value})

    if found is not None:
        assert 1 <= found.port <= 65_535
        assert all(map(nts_ke.usable, found.cookies))
        assert is_address(found.address)
        assert len(found.keys.client_to_server) == len(found.keys.server_to_client) == 32
        assert found.chain
        assert found.cookies


@pytest.mark.parametrize("key", sorted(entry_of(FULL)))
def test_one_part_missing(key: str) -> None:
    """Every part is needed."""
    entry = entry_of(FULL)
    del entry[key]

    assert established_in(entry) is None
    assert rest_of(entry) is None


@pytest.mark.parametrize("many", range(1, 9))
def test_who_takes_some_leaves_the_rest(many: int) -> None:
    """Two are taken, from the front, and never come again; all else stays with the entry."""
    entry: Entry = entry_of(FULL.replaced(cookies=FULL.cookies[:many])) | {"kept_boot_ns": 5}

    rest = rest_of(entry)

    assert rest is not None
    assert rest == entry | {"cookies": [cookie.hex() for cookie in FULL.cookies[TAKEN:many]]}
    assert taken_from(rest) == FULL.cookies[TAKEN:many]
    assert len(taken_from(entry)[:TAKEN]) == min(many, TAKEN)


def test_runs_in_turn_use_each_cookie_once() -> None:
    """Until none is left, and then there is nothing to take."""
    entry: Entry | None = entry_of(FULL)
    used: list[bytes] = []
    while found := established_in(entry):
        used += found.cookies[:TAKEN]
        entry = rest_of(entry)

    assert tuple(used) == FULL.cookies
    assert rest_of(entry) is None
    assert rest_of(None) is None


def test_more_of_the_same_keys_are_added() -> None:
    """New cookies go to the end, the oldest make room, and the entry keeps its age."""
    entry = (rest_of(entry_of(FULL)) or {}) | {"kept_boot_ns": 5}
    more = tuple(bytes([n]) * 3 for n in (101, 102, 103))

    found = with_more(entry, FULL, more)

    assert taken_from(found) == (FULL.cookies[2:] + more)[-MOST_KEPT:]
    assert (found or {})["kept_boot_ns"] == 5


def test_more_for_an_entry_that_has_none_left() -> None:
    """The entry that the last ones were taken from has the same keys, and their age."""
    entry: Entry = entry_of(FULL) | {"cookies": [], "kept_boot_ns": 5}

    found = with_more(entry, FULL, (b"new",))

    assert taken_from(found) == (b"new",)
    assert (found or {})["kept_boot_ns"] == 5


@pytest.mark.parametrize("kept", [None, entry_of(FULL.replaced(keys=OTHER_KEYS)), {"junk": 1}])
def test_keys_that_just_served_replace_others(kept: Entry | None) -> None:
    """Where other keys are kept, or none, or junk, there is a new entry; it has its own age."""
    kept = None if kept is None else kept | {"kept_boot_ns": 5}

    found = with_more(kept, FULL, (b"new",))

    assert found == entry_of(FULL.replaced(cookies=(b"new",)))


@pytest.mark.parametrize("kept", [None, entry_of(FULL), {"junk": 1}])
def test_no_more_changes_nothing(kept: Entry | None) -> None:
    """Who brings no cookies leaves the entry as it is."""
    assert with_more(kept, FULL, ()) == kept


def test_useless_keys_go_and_no_others() -> None:
    """A parallel run may have put in new keys meanwhile: those stay."""
    assert without(entry_of(FULL), FULL) is None
    assert without(entry_of(FULL) | {"cookies": []}, FULL) is None
    others = entry_of(FULL.replaced(keys=OTHER_KEYS))
    assert without(others, FULL) == others
    assert without({"junk": 1}, FULL) == {"junk": 1}
    assert without(None, FULL) is None


@given(entry=JUNK, own=st.booleans(), more=st.lists(st.binary(min_size=1), max_size=3))
@example(entry={"cookies": 5}, own=True, more=[b"new"])
@example(entry={}, own=True, more=[b"new"])
def test_no_update_raises_for_junk(entry: Entry, own: bool, more: list[bytes]) -> None:
    """Updates see what is in the file at that moment: whatever it is, nothing is raised."""
    if own:
        entry = {**entry, "client_to_server": KEYS.client_to_server.hex()}

    rest_of(entry)
    without(entry, FULL)
    found = with_more(entry, FULL, tuple(more))

    if more and own:
        assert found is not None
        assert [cookie.hex() for cookie in more][-1] in found["cookies"]  # type: ignore[operator]


def test_what_is_kept_fits_into_a_file() -> None:
    """Eight of the longest cookies that are used, and a long chain, stay far under 64 KiB."""
    longest = os.urandom(nts_ke._LONGEST_COOKIE)
    entry = entry_of(FULL.replaced(cookies=(longest,) * 8, chain=CHAIN * 10))

    assert sum(len(str(value)) for value in entry.values()) < 1 << 15
    assert cookies.MOST_AGE_NS == 86_400 * 10**9
