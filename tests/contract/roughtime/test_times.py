"""What midpoint and radius prove, in every dialect."""

from collections.abc import Iterable

import pytest

from lab import behaviour
from lab.behaviour import Honest, Reply
from lab.roughtime import Manner, RoughtimeServer
from sources.base import Implausible, Interval, Sample, TooWide
from sources.clock import NS
from tests.support.fakes import TRUE_UNIX_NS, FakeClock, a_run
from tests.support.sources.roughtime import (
    D7,
    D8,
    D11,
    D12,
    D19,
    MS,
    NAMES,
    framing_for,
    offer_for,
    source_of,
)

SECONDS = (1, D8, D11, D12, D19)
MICROSECONDS = (D7, None)
AFTER_THE_SECOND_NS = 654_321_987
"""How far into a second the server's clock is, where it stands still."""


@pytest.mark.parametrize(
    ("version", "transport"),
    [(v, t) for v in NAMES for t in ("udp", "tcp") if (v, t) != (None, "tcp")],
)
def test_the_intervals_by_hand(version: int | None, transport: str) -> None:
    """Sent at raw 1000 s, answered 250 ms later: MIDP -/+ RADI, and MIDP to one unit more.

    True time is 1 800 000 000.654321987 s; dialects of whole seconds say 1 800 000 000, those of
    microseconds 1 800 000 000.654321.
    """
    clock = FakeClock(raw_ns=1000 * NS)

    def after_250_ms(reply: Honest) -> Iterable[Reply]:
        clock.raw += 250 * MS
        return [Reply(reply(0))]

    with RoughtimeServer(
        "Alpha",
        after_250_ms,
        time_unix_ns=lambda: TRUE_UNIX_NS + AFTER_THE_SECOND_NS,
        manner=Manner(versions=(version,), radius_ns=3 * NS),
    ) as server:
        sample = source_of(server, transport, framing_for(version), offer_for(version)).sample(
            a_run(clock=clock)
        )

    if version in SECONDS:
        assert sample.certain == Interval(-1_799_999_003_000_000_000, -1_799_998_996_750_000_000)
        assert sample.likely == Interval(-1_799_999_001_000_000_000, -1_799_998_999_750_000_000)
    else:
        assert version in MICROSECONDS
        assert sample.certain == Interval(-1_799_999_003_654_321_000, -1_799_998_997_404_321_000)
        assert sample.likely == Interval(-1_799_999_000_654_322_000, -1_799_999_000_404_321_000)
    assert sample.rtt_ns == 250 * MS


@pytest.mark.parametrize("version", NAMES)
def test_a_radius_of_more_than_10_s_is_too_wide(version: int | None) -> None:
    """10 s is the widest that may vote; one unit more is refused by name."""
    framing, unit_ns = framing_for(version), 1000 if version in MICROSECONDS else NS

    def asked(radius_ns: int) -> Sample:
        manner = Manner(versions=(version,), radius_ns=radius_ns)
        with RoughtimeServer("Alpha", manner=manner) as server:
            return source_of(server, framing=framing, offer=offer_for(version)).sample(a_run())

    assert asked(10 * NS).certain.width_ns >= 20 * NS
    with pytest.raises(TooWide, match=r"^radius of 1[01] s: at most 10 s wanted$"):
        asked(10 * NS + unit_ns)


def test_a_time_before_the_release_is_implausible() -> None:
    """Signed or not, it is no time that can be."""
    long_ago = behaviour.shifted(-400 * 86_400)
    with RoughtimeServer("Alpha", long_ago) as server, pytest.raises(Implausible):
        source_of(server).sample(a_run())
