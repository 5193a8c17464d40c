"""What an authentic reply refuses: kisses, clocks that are not set, NTSN."""

import time
from collections.abc import Iterable

import pytest

from lab import behaviour
from lab.authority import DAY_S, FOR_LIFE
from lab.behaviour import Behaviour, Honest, Reply, in_turn
from lab.https import Identity
from lab.nts import END, ERROR, Manner, NtsServer, Records, altered, kiss, nak
from sources.base import Malformed, Refused, SourceError, TooWide, Unsynchronised, Unverified
from sources.nts import wire_ke as nts_ke
from tests.support.sources.nts import asked, both, holds_the_truth

NTSN = r"^NTS: the server does not know the cookie that it has just given \(NTSN\)$"


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        (kiss("RATE"), Refused, "kiss-o'-death RATE"),
        (kiss("DENY"), Refused, "kiss-o'-death DENY"),
        (altered(stratum=16), Unsynchronised, "stratum 16: 1 to 15 wanted"),
        (altered(leap=3), Unsynchronised, "leap indicator 3: the server's clock is not set"),
        (altered(mode=3), Malformed, "mode 3: 4 (server) wanted"),
        (altered(receive=0, transmit=0), Malformed, "receive timestamp 0: the server does not"),
        (altered(receive=0), Malformed, "receive timestamp 0: the server does not know"),
        (altered(transmit=0), Malformed, "transmit timestamp 0: the server does not know"),
        (altered(root_dispersion=2 << 16), TooWide, "root distance of 2.000 s: at most 1 s wanted"),
        (
            behaviour.shifted(-400 * DAY_S),
            Unverified,
            "certificate '127.0.0.1' expired ",  # no era has a time before the release
        ),
    ],
)
def test_what_is_authentic_is_judged_as_in_plain_ntp(
    behave: Behaviour, error: type[SourceError], says: str
) -> None:
    """At once: nobody else can have said it."""
    with NtsServer("Alpha", behave, identity=Identity(lifetime=FOR_LIFE)) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server)

        assert time.monotonic() - began < 1
        assert server.connections == 1
    assert str(caught.value).startswith(says)


def test_ntsn_has_keys_exchanged_once_more() -> None:
    """The second cookie is known: a sample."""
    with NtsServer("Alpha", in_turn(nak, behaviour.honest)) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (2, 2)
    assert holds_the_truth(sample)


def test_a_server_that_forgets_between_cookie_and_request() -> None:
    """Its NTSN is honest, and the second exchange of keys heals it."""
    forgotten: list[bool] = []

    def bend(records: Records) -> bytes:
        if not forgotten:
            server.forget()
            forgotten.append(True)
        return nts_ke.encode(records)

    with NtsServer("Alpha") as server:
        server.manner = Manner(bend=bend)
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (2, 2)
    assert holds_the_truth(sample)


def test_a_server_that_knows_no_cookie_is_asked_twice_and_no_more() -> None:
    """NTSN again: the failure is named, at once."""
    with NtsServer("Alpha", nak) as server:
        began = time.monotonic()
        with pytest.raises(Unverified, match=NTSN):
            asked(server)

        assert time.monotonic() - began < 1
        assert (server.connections, len(server.requests)) == (2, 2)


def test_ntsn_of_somebody_who_did_not_see_the_request_is_ignored() -> None:
    """Without the identifier, or with another one, it costs nothing."""

    def blind(reply: Honest) -> Iterable[Reply]:
        (refusal,) = nak(reply)
        foreign = refusal.data[:52] + bytes(32)
        return [Reply(refusal.data[:48]), Reply(foreign), Reply(reply(0))]

    with NtsServer("Alpha", blind) as server:
        sample = asked(server)

        assert server.connections == 1
    assert holds_the_truth(sample)


def test_ntsn_that_the_truth_follows_costs_nothing() -> None:
    """Anybody on the path can forge it, and faster than the server answers."""
    with NtsServer("Alpha", both(nak, behaviour.honest)) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)


def test_the_second_exchange_of_keys_may_fail() -> None:
    """Then that is the failure."""
    with NtsServer("Alpha", nak) as server:

        def bend(records: Records) -> bytes:
            refusal = [(ERROR, b"\0\2", True), (END, b"", True)]
            return nts_ke.encode(records if server.connections == 1 else refusal)

        server.manner = Manner(bend=bend)
        with pytest.raises(Refused, match="NTS-KE error 2"):
            asked(server)
