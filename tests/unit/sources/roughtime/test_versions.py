"""Which versions a Roughtime server is offered, by what is remembered of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.roughtime.versions import (
    OFFERS,
    Known,
    Offer,
    after_silence,
    entry_of,
    known_in,
    offer_by_connection,
    offers_to,
)
from sources.roughtime.wire_dialects import DIALECTS

D7, D11, D12 = 0x80000007, 0x8000000B, 0x8000000C
known = st.builds(
    Known, st.sampled_from([None, *DIALECTS]), st.integers(0, 10) | st.integers(0, 10**9)
)


def test_the_first_offer_is_of_four_that_nearly_all_servers_speak() -> None:
    """RFC 10049, draft 7 (Netnod), draft 11 (Cloudflare), drafts 12 to 19: no more are read."""
    assert OFFERS[0] == (1, D7, D11, D12)
    assert OFFERS[1] == (D12,)


def test_every_version_is_offered_once_at_least() -> None:
    """The last offer has what the first one has not; each ascends, as section 5.1.1 wants."""
    assert {version for offer in OFFERS for version in offer} == set(DIALECTS)
    assert all(list(offer) == sorted(set(offer)) for offer in OFFERS)
    assert set(OFFERS[0]).isdisjoint(OFFERS[2])


@given(known)
def test_whatever_is_known_all_offers_are_made(found: Known) -> None:
    """None is forgotten, none is made twice, and a version that answered comes first."""
    offers = offers_to(found)

    assert set(OFFERS) <= set(offers)
    assert len(set(offers)) == len(offers)
    if found.version is not None and found.unanswered <= len(OFFERS):
        assert offers[0] == (found.version,)


@pytest.mark.parametrize("version", [None, 1, D7])
@pytest.mark.parametrize("made_a_run", [1, 2, 3])
def test_run_after_run_every_offer_has_its_turn(version: int | None, made_a_run: int) -> None:
    """Even where a run has time for one only."""
    found = Known(version)
    made: set[Offer] = set()
    for _ in range(8):
        now = offers_to(found)[:made_a_run]
        made.update(now)
        found = after_silence(found, now)

    assert made >= set(OFFERS)


@pytest.mark.parametrize("unanswered", range(8))
def test_the_likeliest_offer_is_among_the_first_two_always(unanswered: int) -> None:
    """A server that was down for a while is found again in the next run."""
    assert OFFERS[0] in offers_to(Known(None, unanswered))[:2]


def test_by_connection_a_list_of_one_is_not_the_first_guess() -> None:
    """Unless that version answered once, or is configured."""
    by_turn = [offer_by_connection(offers_to(Known(None, number))) for number in range(4)]

    assert by_turn == [OFFERS[0], OFFERS[0], OFFERS[0], OFFERS[2]]
    assert offer_by_connection(offers_to(Known(D7))) == (D7,)
    assert offer_by_connection([(D12,)]) == (D12,)


def test_what_was_not_asked_is_no_silence() -> None:
    """A run in which nothing was sent changes nothing."""
    assert after_silence(Known(D7, 2), []) == Known(D7, 2)


@given(known)
def test_what_is_kept_is_found_again(found: Known) -> None:
    """Up to a million of unanswered offers."""
    assert known_in(entry_of(found)).version == found.version
    if found.unanswered <= 1_000_000:
        assert known_in(entry_of(found)) == found


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"version": "1", "unanswered": "2"},
        {"version": 0, "unanswered": 0},
        {"version": 0x80000001, "unanswered": -1},
        {"version": 2**40, "unanswered": 2**40},
        {"version": ["1"], "unanswered": ["1"]},
    ],
)
def test_an_entry_of_no_use_says_nothing(entry: "dict[str, int | str | list[str]] | None") -> None:
    """Files can be broken, or of a version that is not spoken here."""
    assert known_in(entry) == Known()
