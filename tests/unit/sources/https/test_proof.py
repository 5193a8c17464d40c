"""What the Date of one response proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Interval, Malformed, SourceError
from sources.clock import NS
from sources.https import proof
from sources.https import wire_date as http_date
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.https_proof import (
    DATE_UNIX_S,
    LAG_NS,
    MS,
    RECEIVED_RAW_NS,
    SENT_RAW_NS,
    Headers,
    headers_of,
    prove,
)


def test_the_interval_is_a_second_and_the_trip() -> None:
    """The second that began at D was running between sending and receiving: raw - true is thus in
    (sent - D - 1 s, received - D].
    """
    proof = prove(headers_of())

    assert proof.certain == Interval(-1_799_995_001_000_000_000, -1_799_994_999_960_000_000)
    assert proof.likely == proof.certain
    assert proof.rtt_ns == 40_000_000


def test_a_lag_moves_the_low_end_of_what_is_certain_and_nothing_else() -> None:
    """A Date may be late, so the true time later and raw - true less; it is never early."""
    proof = prove(headers_of(), LAG_NS)

    assert proof.certain == Interval(-1_799_995_001_600_000_000, -1_799_994_999_960_000_000)
    assert proof.likely == Interval(-1_799_995_001_000_000_000, -1_799_994_999_960_000_000)
    assert proof.rtt_ns == 40_000_000


def test_the_claim_is_the_second_that_the_date_names_and_the_lag() -> None:
    """The server's time was D at the earliest, and D + 1 s and the lag at the latest."""
    exact, lagging = prove(headers_of()), prove(headers_of(), LAG_NS)

    assert exact.earliest_unix_ns == lagging.earliest_unix_ns == 1_800_000_000_000_000_000
    assert exact.latest_unix_ns == 1_800_000_001_000_000_000
    assert lagging.latest_unix_ns == 1_800_000_001_600_000_000


def test_a_clock_that_is_ahead_is_positive() -> None:
    """Where raw time is exactly 7 s more than the server's, the interval holds +7 s."""
    sent_raw_ns = TRUE_UNIX_NS + 7 * NS + 300 * MS

    proven = proof.prove(headers_of(), sent_raw_ns, sent_raw_ns + MS, 0, ())

    assert proven.certain == Interval(6 * NS + 300 * MS, 7 * NS + 301 * MS)


def test_no_date_is_malformed() -> None:
    """A response without a Date says how many are wanted."""
    with pytest.raises(Malformed, match="no Date headers in the response: one wanted"):
        prove([("server", "lab"), ("x-date", http_date.encode(DATE_UNIX_S))])


def test_two_dates_that_differ_are_malformed() -> None:
    """Two times cannot both be meant, be they only a second apart."""
    with pytest.raises(Malformed, match="2 Date headers in the response: one wanted"):
        prove(headers_of(("date", http_date.encode(DATE_UNIX_S + 1))))


def test_one_date_twice_is_one_date() -> None:
    """A header that something repeated word for word leaves no doubt."""
    assert prove(headers_of(*headers_of())) == prove(headers_of())


def test_a_date_that_is_none_is_malformed() -> None:
    """What the codec refuses is refused here."""
    with pytest.raises(Malformed, match=r"Date 'now': none of the three forms"):
        prove([("date", "now")])


def test_headers_may_be_an_iterator() -> None:
    """They are gone through more than once, and so kept."""
    response = proof.prove(iter(headers_of()), SENT_RAW_NS, RECEIVED_RAW_NS, 0, iter(()))

    assert response == prove(headers_of())


names = st.sampled_from(["date", "age", "via", "x-cache", "cache-status", "cf-cache-status", "x"])


@given(st.lists(st.tuples(names, st.text()), max_size=5), st.integers(0, NS), st.lists(names))
def test_any_headers_prove_something_or_fail_by_name(
    headers: Headers, date_lag_ns: int, ignored: list[str]
) -> None:
    """Arbitrary headers end in a proof or in one of our errors, never in anything else."""
    for date in ([], headers_of()):
        try:
            proof = prove(headers + date, date_lag_ns, tuple(ignored))
        except SourceError as error:
            assert str(error)
        else:
            assert proof.certain.contains(proof.likely)
