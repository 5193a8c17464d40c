"""Honest servers of any phase, lag and distance: proof, and conversation, never miss the truth."""

import math

from hypothesis import given
from hypothesis import strategies as st

from sources.base import Sample
from sources.clock import NS
from sources.https import proof
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.https_proof import LAG_NS, MS, headers_of


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
def test_asking_again_says_on_which_side_the_truth_is(
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
