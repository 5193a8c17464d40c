"""Other rules, restated: their marks on small examples."""

import pytest

from sources.base import Interval, Sample
from tools.simulation.peers import chrony, marzullo, median, ntpd_rs

MS = 1_000_000


def _ntp(low_ms: int, high_ms: int, rtt_ms: int | None = None, kind: str = "ntp") -> Sample:
    certain = Interval(low_ms * MS, high_ms * MS)
    rtt_ns = certain.width_ns if rtt_ms is None else rtt_ms * MS
    return Sample("one", kind, False, certain, certain, rtt_ns, "192.0.2.1", "", None)


@pytest.mark.parametrize("peer", [median, marzullo, chrony, ntpd_rs])
def test_nothing_is_made_of_nothing(peer: object) -> None:
    """Without a sample no rule has a drift."""
    assert callable(peer)
    assert peer([]) is None


def test_the_median_is_of_middles() -> None:
    """Widths play no role."""
    assert median([_ntp(0, 10), _ntp(0, 1000), _ntp(-2, 2)]) == 5 * MS


def test_marzullo_takes_the_narrowest_of_the_deepest_places() -> None:
    """Two places of depth two: the narrow one, whatever the majority."""
    samples = [_ntp(0, 10), _ntp(5, 12), _ntp(100, 110), _ntp(109, 120), _ntp(500, 501)]

    assert marzullo(samples) == 109 * MS + MS // 2


def test_chrony_wants_more_than_half() -> None:
    """Two of four that meet are no majority; two of three are."""
    apart = [_ntp(100, 110), _ntp(200, 210)]

    assert chrony([_ntp(0, 10), _ntp(0, 10), *apart]) is None
    assert chrony([_ntp(0, 10), _ntp(0, 10), apart[0]]) == 5 * MS


def test_chrony_leaves_out_who_only_overlaps() -> None:
    """A source that neither holds the best place nor lies in it is a falseticker."""
    deep = [_ntp(0, 10), _ntp(0, 10), _ntp(0, 10)]

    # The best place is 8 to 10 ms. All hold it: the fourth counts.
    assert chrony([*deep, _ntp(8, 20)]) == pytest.approx(6.957 * MS, rel=1e-3)
    # With a fifth two places are equally deep, 0 to 4 and 8 to 10 ms; neither holds 0 to 10.
    assert chrony([*deep, _ntp(8, 20), _ntp(-6, 4)]) == 5 * MS


def test_chrony_combines_near_sources_only() -> None:
    """One whose root distance is more than three times the nearest's does not count."""
    assert chrony([_ntp(0, 10), _ntp(-100, 300)]) == 5 * MS


def test_ntpd_rs_wants_three() -> None:
    """Two that agree are too few by default."""
    assert ntpd_rs([_ntp(0, 10), _ntp(0, 10)]) is None
    assert ntpd_rs([_ntp(0, 10), _ntp(0, 10), _ntp(0, 10)]) == 5 * MS


def test_ntpd_rs_trusts_more_than_the_round_trip() -> None:
    """Its intervals are a third of the round trip to a side, so honest ones may not meet."""
    samples = [_ntp(-100, 0), _ntp(0, 100), _ntp(-50, 50)]

    assert ntpd_rs(samples) is None
    assert chrony(samples) is not None


def test_those_that_speak_ntp_see_nothing_else() -> None:
    """HTTPS samples change neither."""
    samples = [_ntp(0, 10), _ntp(0, 10), _ntp(0, 10)]
    coarse = [_ntp(500, 1500, kind="https")] * 4

    for peer in (chrony, ntpd_rs):
        assert peer([*samples, *coarse]) == peer(samples)
