"""What a Date proves, who betrays a cache, and whether asking again really tells more."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Interval, Malformed, Sample, SourceError, Stale
from sources.clock import NS
from sources.https import proof
from sources.https import wire_date as http_date
from tests.support.fakes import TRUE_UNIX_NS

MS = NS // 1000
DATE_UNIX_S = TRUE_UNIX_NS // NS
SENT_RAW_NS = 5000 * NS
RECEIVED_RAW_NS = SENT_RAW_NS + 40 * MS
LAG_NS = 600 * MS
SLACK_NS = 2 * MS
"""How much two replies may contradict each other."""

Headers = list[tuple[str, str]]


def headers_of(*more: tuple[str, str], date_unix_s: int = DATE_UNIX_S) -> Headers:
    """Return the headers of an honest response, and these."""
    return [("server", "lab"), ("date", http_date.encode(date_unix_s)), *more]


def prove(headers: Headers, date_lag_ns: int = 0, ignored: tuple[str, ...] = ()) -> proof.Proof:
    return proof.prove(headers, SENT_RAW_NS, RECEIVED_RAW_NS, date_lag_ns, ignored)


# What one response proves


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


# Caches

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
    """What a cache says of itself is cut to what a line can hold."""
    with pytest.raises(Stale) as error:
        prove(headers_of(("via", "x" * 10_000)))

    assert len(str(error.value)) < 100


def test_a_mark_is_shown_printable() -> None:
    """Escape sequences, which HTTP does not forbid in a header, are not passed on to a person."""
    with pytest.raises(Stale) as error:
        prove(headers_of(("via", "1.1 \x1b[2J\x9b31m")))

    assert str(error.value).isprintable()


cases = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])
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


@given(st.sampled_from(FROM_CACHE), cases)
def test_case_makes_no_difference(mark: tuple[str, str], case: Callable[[str], str]) -> None:
    """HIT, Hit and hit are one."""
    name, value = mark

    with pytest.raises(Stale):
        prove(headers_of((name, case(value))))


# Two responses


def a_sample(
    low_ns: int, high_ns: int, certain_low_ns: int | None = None, rtt_ns: int = 0
) -> Sample:
    """Return a sample of this likely interval; certain begins earlier where that is given."""
    certain = Interval(low_ns if certain_low_ns is None else certain_low_ns, high_ns)
    likely = Interval(low_ns, high_ns)
    return Sample("Alpha", "https", True, certain, likely, rtt_ns, "127.0.0.1", "Date")


def test_two_replies_prove_what_both_prove() -> None:
    """The narrowed interval is where the two overlap, and the trip the shorter one."""
    first, second = a_sample(-500, 600, rtt_ns=70), a_sample(-200, 900, rtt_ns=50)

    narrowed = proof.narrowed(first, second, lags=False)

    assert narrowed == a_sample(-200, 600, rtt_ns=50)
    assert proof.narrowed(second, first, lags=False) == narrowed


def test_a_date_that_may_lag_never_narrows_the_vote() -> None:
    """The estimate is narrowed, the certain interval stays what the first reply proved."""
    first = a_sample(-500, 600, certain_low_ns=-1100, rtt_ns=50)
    second = a_sample(-200, 300, certain_low_ns=-800, rtt_ns=70)

    narrowed = proof.narrowed(first, second, lags=True)

    assert narrowed.certain == Interval(-1100, 600)
    assert narrowed.likely == Interval(-200, 300)
    assert narrowed.rtt_ns == 50


def test_touching_replies_leave_a_point() -> None:
    """Closed intervals that share one end prove that very instant."""
    narrowed = proof.narrowed(a_sample(0, 100), a_sample(100, 200), lags=False)

    assert narrowed.certain == narrowed.likely == Interval(100, 100)


@pytest.mark.parametrize("gap_ns", [1, MS, SLACK_NS])
def test_a_small_contradiction_changes_nothing(gap_ns: int) -> None:
    """Two milliseconds apart may be a slewed clock; what was known before is kept as it is."""
    below, above = a_sample(0, 100, rtt_ns=70), a_sample(100 + gap_ns, NS, rtt_ns=50)

    assert proof.narrowed(below, above, lags=False) == below
    assert proof.narrowed(above, below, lags=False) == above


@pytest.mark.parametrize("gap_ns", [SLACK_NS + 1, NS, 3600 * NS])
def test_a_contradiction_is_stale(gap_ns: int) -> None:
    """Replies that exclude each other come of a stored Date or of a clock being set."""
    below, above = a_sample(0, 100), a_sample(100 + gap_ns, 2 * 3600 * NS)

    for one, other in ((below, above), (above, below)):
        with pytest.raises(Stale, match=f"contradict each other by {gap_ns / NS:.3f} s"):
            proof.narrowed(one, other, lags=False)


ends = st.integers(-3 * MS, 3 * MS)


@given(ends, ends, ends, ends, st.booleans())
def test_narrowing_never_widens(one: int, two: int, three: int, four: int, lags: bool) -> None:
    """Whatever two replies say, the result is inside the first, and in both if they overlap."""
    first = a_sample(min(one, two), max(one, two), certain_low_ns=min(one, two) - LAG_NS * lags)
    second = a_sample(min(three, four), max(three, four))
    try:
        narrowed = proof.narrowed(first, second, lags=lags)
    except Stale:
        assert not first.likely.widened(SLACK_NS).meets(second.likely)
        return

    assert first.certain.contains(narrowed.certain)
    assert first.likely.contains(narrowed.likely)
    assert narrowed.certain.contains(narrowed.likely)
    assert second.likely.contains(narrowed.likely) == first.likely.meets(second.likely)
    if lags:
        assert narrowed.certain == first.certain


# When to ask again

near = st.integers(-3 * 8, 3 * 8).map(lambda eighths: eighths * NS // 8)
ticks = st.builds(lambda place, off: place + off, near, st.integers(-2, 2))


@given(ticks, ticks, ticks)
def test_straddling_is_holding_a_boundary(one: int, two: int, boundary_raw_ns: int) -> None:
    """An interval straddles if it holds the boundary moved by some whole number of seconds."""
    likely = Interval(min(one, two), max(one, two))
    all_of_them = [boundary_raw_ns + number * NS for number in range(-10, 11)]

    assert proof.straddles(likely, boundary_raw_ns) == any(
        likely.low_ns <= boundary <= likely.high_ns for boundary in all_of_them
    )


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "expected"),
    [
        (1, NS - 1, False),
        (0, NS - 1, True),
        (1, NS, True),
        (-1, 1, True),
        (0, 0, True),
        (NS, NS, True),
        (-NS, -NS, True),
        (NS // 2, NS // 2, False),
        (NS + 1, 2 * NS - 1, False),
        (-5 * NS + 1, -4 * NS - 1, False),
    ],
)
def test_the_ends_count(low_ns: int, high_ns: int, expected: bool) -> None:
    """An interval that only touches a boundary straddles it: both integers are still possible."""
    assert proof.straddles(Interval(low_ns, high_ns), 0) is expected
    assert proof.straddles(Interval(low_ns - 7, high_ns - 7), 3 * NS - 7) is expected


boundaries = st.integers(-(2**62), 2**62)
round_trips = st.integers(0, 300 * MS)


rooms = st.integers(0, NS // 2)


@given(st.integers(0, 10 * NS), boundaries, round_trips, rooms, rooms)
def test_the_next_moment_is_just_before_or_just_after(
    now_ns: int, boundary_raw_ns: int, rtt_ns: int, below_ns: int, above_ns: int
) -> None:
    """It is now or less than a second ahead; and where the boundary's phase is the server's second,
    the reply comes shortly before that begins, or the request is sent shortly after. Only on a side
    on which the interval reaches 10 ms beyond the boundary there is anything to tell.
    """
    likely = Interval(boundary_raw_ns - below_ns, boundary_raw_ns + above_ns)

    moment_ns = proof.next_moment_raw_ns(now_ns, likely, boundary_raw_ns, rtt_ns)

    if moment_ns is None:
        assert max(below_ns, above_ns) <= 10 * MS
        return
    assert now_ns <= moment_ns < now_ns + NS
    since_ns, left_ns = (moment_ns - boundary_raw_ns) % NS, (boundary_raw_ns - moment_ns) % NS
    just_after = MS <= since_ns <= (100 * MS if moment_ns == now_ns else MS)
    just_before = left_ns == rtt_ns + rtt_ns // 4 + 10 * MS
    assert (just_after and above_ns > 10 * MS) or (just_before and below_ns > 10 * MS)


@given(st.integers(0, 10 * NS), boundaries, round_trips, rooms, rooms)
def test_no_moment_is_passed_over(
    now_ns: int, boundary_raw_ns: int, rtt_ns: int, below_ns: int, above_ns: int
) -> None:
    """With both sides to tell the earlier moment is chosen; with one, that side's."""
    wide = Interval(boundary_raw_ns - NS // 2, boundary_raw_ns + NS // 2)
    lower = Interval(boundary_raw_ns - NS // 2, boundary_raw_ns)
    upper = Interval(boundary_raw_ns, boundary_raw_ns + NS // 2)

    both, before, after = (
        proof.next_moment_raw_ns(now_ns, likely, boundary_raw_ns, rtt_ns)
        for likely in (wide, lower, upper)
    )

    assert before is not None
    assert after is not None
    assert both == min(before, after)


def test_two_boundaries_are_told_from_both_sides() -> None:
    """An interval of a second and more may hold two: the truth between them takes two replies."""
    both = Interval(-1, NS + 1)

    after_ns = proof.next_moment_raw_ns(NS // 2, both, 0, MS)

    assert after_ns is not None
    assert NS - 20 * MS < after_ns < NS
    assert proof.next_moment_raw_ns(after_ns + 1, both, 0, MS) == NS + MS


@given(st.integers(0, 10 * NS), boundaries, round_trips)
def test_what_is_clear_needs_no_moment(now_ns: int, boundary_raw_ns: int, rtt_ns: int) -> None:
    """An interval that holds no boundary is asked no more about."""
    clear = Interval(boundary_raw_ns + 1, boundary_raw_ns + NS - 1)

    assert proof.next_moment_raw_ns(now_ns, clear, boundary_raw_ns, rtt_ns) is None


class HonestServer:
    """A simulated server whose true time is raw time less `off_ns`, at the end of a shaky path."""

    def __init__(self, off_ns: int, refreshed_ns: int = 0) -> None:
        """`refreshed_ns` is how far into each second it makes its Date anew."""
        self.off_ns = off_ns
        self.refreshed_ns = refreshed_ns

    def ask(self, sent_raw_ns: int, there_ns: int, back_ns: int, date_lag_ns: int = 0) -> Sample:
        true_unix_ns = sent_raw_ns + there_ns - self.off_ns
        date_unix_s = (true_unix_ns - self.refreshed_ns) // NS
        proven = proof.prove(
            headers_of(date_unix_s=date_unix_s),
            sent_raw_ns,
            sent_raw_ns + there_ns + back_ns,
            date_lag_ns,
            (),
        )
        return Sample(
            "Alpha",
            "https",
            True,
            proven.certain,
            proven.likely,
            proven.rtt_ns,
            "127.0.0.1",
            "Date",
        )


offs = st.integers(-TRUE_UNIX_NS - 10**18, -TRUE_UNIX_NS + 10**18)
moments = st.integers(0, 5 * NS)
trips = st.integers(0, NS)


@given(offs, moments, trips, trips)
def test_an_honest_server_is_always_right(
    off_ns: int, sent_ns: int, there_ns: int, back_ns: int
) -> None:
    """Whatever the clocks and however uneven the path, the certain interval holds the truth."""
    sample = HonestServer(off_ns).ask(sent_ns, there_ns, back_ns)

    assert sample.certain.low_ns < off_ns <= sample.certain.high_ns


@given(offs, moments, trips, trips, st.integers(0, NS))
def test_a_server_that_lags_no_more_than_it_may_is_right(
    off_ns: int, sent_ns: int, there_ns: int, back_ns: int, refreshed_ns: int
) -> None:
    """A Date made once a second, unaligned, is held by an interval that allows for it."""
    server = HonestServer(off_ns, refreshed_ns)

    sample = server.ask(sent_ns, there_ns, back_ns, date_lag_ns=refreshed_ns)

    assert sample.certain.low_ns < off_ns <= sample.certain.high_ns


@given(
    offs, st.lists(st.tuples(moments, trips, trips), min_size=2, max_size=6), st.integers(0, LAG_NS)
)
def test_narrowing_keeps_the_truth(
    off_ns: int, requests: list[tuple[int, int, int]], refreshed_ns: int
) -> None:
    """However often an honest server is asked, what all of its replies prove holds the truth; one
    that makes its Date late, but always equally late, is not called stale.
    """
    server = HonestServer(off_ns, refreshed_ns)
    lags = refreshed_ns > 0

    sample, *others = (server.ask(*request, date_lag_ns=refreshed_ns) for request in requests)
    for other in others:
        sample = proof.narrowed(sample, other, lags=lags)

    assert sample.certain.low_ns < off_ns <= sample.certain.high_ns
    assert sample.certain.contains(sample.likely)
    assert sample.rtt_ns == min(there + back for _, there, back in requests)


def requests_until_clear(
    server: HonestServer, start_ns: int, boundary_raw_ns: int, trips_ns: list[tuple[int, int, int]]
) -> int:
    """Ask as a conversation does; return how many requests it took, 0 if they were not enough.

    Each trip is how late the request is sent, how long there and how long back.
    """
    late_ns, there_ns, back_ns = trips_ns[0]
    sample = server.ask(start_ns, there_ns, back_ns)
    rtt_ns = there_ns + back_ns
    now_ns = start_ns + rtt_ns
    for number, (late_ns, there_ns, back_ns) in enumerate(trips_ns[1:], start=1):
        if not proof.straddles(sample.likely, boundary_raw_ns):
            return number
        moment_ns = proof.next_moment_raw_ns(now_ns, sample.likely, boundary_raw_ns, rtt_ns)
        if moment_ns is None:
            return 0
        moment_ns += late_ns
        sample = proof.narrowed(sample, server.ask(moment_ns, there_ns, back_ns), lags=False)
        rtt_ns = there_ns + back_ns
        now_ns = moment_ns + rtt_ns
    return 0 if proof.straddles(sample.likely, boundary_raw_ns) else len(trips_ns)


@st.composite
def paths(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Return five trips of up to 200 ms, the shortest five sixths of the longest at least, however
    uneven; each begun up to 2 ms late.
    """
    longest_ns = draw(st.integers(MS // 100, 200 * MS))
    found = []
    for _ in range(1 + 4):
        trip_ns = longest_ns - draw(st.integers(0, longest_ns // 6))
        there_ns = draw(st.integers(0, trip_ns))
        found.append((draw(st.integers(0, 2 * MS)), there_ns, trip_ns - there_ns))
    return found


@given(offs, moments, paths(), st.data())
def test_asking_again_tells_on_which_side_the_truth_is(
    off_ns: int, start_ns: int, trips_ns: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """One request at any time, one before the boundary's phase and one after it are enough, unless
    the truth is nearer to a boundary than two round trips and 20 ms.
    """
    near_ns = 2 * max(there_ns + back_ns for _, there_ns, back_ns in trips_ns) + 20 * MS
    from_boundary_ns = data.draw(st.integers(near_ns + 1, NS - near_ns - 1))

    needed = requests_until_clear(
        HonestServer(off_ns), start_ns, off_ns - from_boundary_ns, trips_ns
    )

    assert 1 <= needed <= 3


@given(offs, moments, paths())
def test_a_truth_on_the_boundary_stays_on_it(
    off_ns: int, start_ns: int, trips_ns: list[tuple[int, int, int]]
) -> None:
    """Where the truth is the boundary itself no honest reply decides for one of its sides."""
    assert requests_until_clear(HonestServer(off_ns), start_ns, off_ns, trips_ns) == 0


@given(st.integers(1, 5), st.integers(0, NS - 1))
def test_two_well_timed_replies_leave_a_round_trip_of_doubt(rtt_ms: int, phase_ns: int) -> None:
    """Asked just before and just after its second begins, a server is known to 20 ms and two trips;
    asked at any one moment, to a second.
    """
    rtt_ns = rtt_ms * MS
    server = HonestServer(-TRUE_UNIX_NS - phase_ns)
    boundary_raw_ns = server.off_ns

    sample = server.ask(0, rtt_ns // 2, rtt_ns - rtt_ns // 2)
    assert sample.likely.width_ns >= NS
    now_ns = rtt_ns
    for _ in range(2):
        moment_ns = proof.next_moment_raw_ns(now_ns, sample.likely, boundary_raw_ns, rtt_ns)
        if moment_ns is None:
            break
        now_ns = moment_ns
        again = server.ask(now_ns, rtt_ns // 2, rtt_ns - rtt_ns // 2)
        sample = proof.narrowed(sample, again, lags=False)
        now_ns += rtt_ns

    assert sample.likely.width_ns <= 20 * MS + 2 * rtt_ns
    assert math.isclose(sample.likely.low_ns, server.off_ns, abs_tol=20 * MS + 2 * rtt_ns)


@given(offs, moments, paths(), st.lists(st.integers(0, 600 * MS), min_size=5, max_size=5))
def test_an_honest_server_is_never_stale(
    off_ns: int, start_ns: int, trips_ns: list[tuple[int, int, int]], lags_ns: list[int]
) -> None:
    """However its Date lags from reply to reply, within what it may, it keeps its vote."""
    server = HonestServer(off_ns)
    now_ns = start_ns
    samples = []
    for (late_ns, there_ns, back_ns), lag_ns in zip(trips_ns, lags_ns, strict=True):
        lagging = HonestServer(off_ns + lag_ns)
        sent_ns = now_ns + late_ns
        said = lagging.ask(sent_ns, there_ns, back_ns, date_lag_ns=600 * MS)
        samples.append(said)
        now_ns = sent_ns + there_ns + back_ns
    sample = samples[0]
    for again in samples[1:]:
        sample = proof.narrowed(sample, again, lags=True)

    assert sample.certain == samples[0].certain
    assert sample.certain.low_ns <= server.off_ns <= sample.certain.high_ns
