"""Which headers betray a cache."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Stale
from sources.https import proof
from tests.support.sources.https_proof import headers_of, prove

FROM_CACHE = [
    ("age", "0"),
    ("age", "1"),
    ("age", "86400"),
    ("age", ""),
    ("age", "junk"),
    ("via", "1.1 varnish"),
    ("via", ""),
    ("x-cache", "HIT"),
    ("x-cache", "hit"),
    ("x-cache", "Hit from cloudfront"),
    ("x-cache", "RefreshHit from cloudfront"),
    ("x-cache", "TCP_HIT"),
    ("x-cache", "TCP_MEM_HIT from a23-1-2-3.deploy.akamaitechnologies.com"),
    ("x-cache", "TCP_REFRESH_HIT"),
    ("x-cache", "MISS, HIT"),
    ("x-cache", "HIT, MISS"),
    ("x-cache-status", "HIT"),
    ("x-cache-status", "STALE"),
    ("x-cache-status", "UPDATING"),
    ("x-cache-status", "REVALIDATED"),
    ("x-proxy-cache", "HIT"),
    ("x-proxy-cache", "STALE"),
    ("cf-cache-status", "HIT"),
    ("cf-cache-status", "STALE"),
    ("cf-cache-status", "UPDATING"),
    ("cf-cache-status", "REVALIDATED"),
    ("cache-status", "ExampleCache; hit"),
    ("cache-status", "ExampleCache;hit"),
    ("cache-status", '"one"; fwd=miss, "two"; HIT; ttl=30'),
    ("cache-status", "ExampleCache; ttl=30;  hit"),
]
FROM_ORIGIN = [
    ("x-cache", "MISS"),
    ("x-cache", "Miss from cloudfront"),
    ("x-cache", "Error from cloudfront"),
    ("x-cache", "TCP_MISS"),
    ("x-cache", "TCP_REFRESH_MISS"),
    ("x-cache", "MISS, MISS"),
    ("x-cache", ""),
    ("x-cache-status", "MISS"),
    ("x-cache-status", "BYPASS"),
    ("x-cache-status", "EXPIRED"),
    ("x-proxy-cache", "MISS"),
    ("cf-cache-status", "DYNAMIC"),
    ("cf-cache-status", "BYPASS"),
    ("cf-cache-status", "EXPIRED"),
    ("cf-cache-status", "MISS"),
    ("cf-cache-status", "NONE/UNKNOWN"),
    ("cache-status", "ExampleCache; fwd=miss"),
    ("cache-status", "ExampleCache; fwd=uri-miss; stored; ttl=0"),
    ("cache-status", "hit; fwd=bypass"),
    ("cache-control", "max-age=60, stale-if-error=60"),
    ("x-age", "5"),
    ("x-via", "1.1 proxy"),
    ("expires", "0"),
]


@pytest.mark.parametrize(("name", "value"), FROM_CACHE)
def test_a_cache_that_gives_itself_away_is_stale(name: str, value: str) -> None:
    """Each mark of a cache is refused, be the Date as good as it may, and shown."""
    with pytest.raises(Stale, match=f"from a cache: {name.title()}: ") as error:
        prove(headers_of((name, value)))

    assert value[:60] in str(error.value)


@pytest.mark.parametrize(("name", "value"), FROM_ORIGIN)
def test_a_cache_that_asked_the_origin_is_none(name: str, value: str) -> None:
    """What went on to the origin is as good as what came from there directly."""
    assert prove(headers_of((name, value))) == prove(headers_of())


@pytest.mark.parametrize(("name", "value"), FROM_CACHE)
def test_a_mark_can_be_ignored_where_it_means_no_cache(name: str, value: str) -> None:
    """An ignored header is as if it were not there."""
    assert prove(headers_of((name, value)), ignored=("x", name)) == prove(headers_of())


@pytest.mark.parametrize("ignored", sorted(proof.CACHE_MARKS))
def test_only_the_header_that_is_ignored_is_ignored(ignored: str) -> None:
    """Beside one ignored header every other one still betrays its cache."""
    for name, value in FROM_CACHE:
        if name != ignored:
            with pytest.raises(Stale, match=name.title()):
                prove(headers_of((ignored, "HIT"), (name, value)), ignored=(ignored,))


def test_every_mark_is_tried() -> None:
    """The examples above hold every header that can betray a cache."""
    assert {name for name, _ in FROM_CACHE} == set(proof.CACHE_MARKS)


def test_a_stale_date_is_named_before_a_malformed_one() -> None:
    """That a cache answered says more than what is wrong with its Date."""
    with pytest.raises(Stale):
        prove([("date", "junk"), ("age", "3")])


def test_a_long_mark_is_shortened() -> None:
    """What a cache says of itself is cut to what a line can hold: sixty characters."""
    for length in (59, 60, 61, 10_000):
        with pytest.raises(Stale) as error:
            prove(headers_of(("via", "x" * length)))

        assert str(error.value) == f"from a cache: Via: {'x' * min(length, 60)}"


def test_a_mark_is_shown_printable() -> None:
    """Escape sequences, which HTTP does not forbid in a header, are not passed on to a person."""
    with pytest.raises(Stale) as error:
        prove(headers_of(("via", "1.1 \x1b[2J\x9b31m")))

    assert str(error.value).isprintable()


cases = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])


@given(st.sampled_from(FROM_CACHE), cases)
def test_case_makes_no_difference(mark: tuple[str, str], case: Callable[[str], str]) -> None:
    """HIT, Hit and hit are one."""
    name, value = mark

    with pytest.raises(Stale):
        prove(headers_of((name, case(value))))
