"""What only NTP sources do: nonces, kisses, retries, network errors, pools, receive stamps."""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack

import pytest

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply
from lab.ntp import NtpServer, altered, kiss
from sources.base import (
    Malformed,
    Refused,
    Sample,
    SourceError,
    TimedOut,
    Unreachable,
    Unsynchronised,
)
from sources.clock import NS, Clock
from sources.net import udp
from sources.ntp import wire
from sources.ntp.source import NtpSource
from tests.support.fakes import Notebook, a_run, a_sample

CLOCK = Clock()
SAMPLE = a_sample(-1, 1)


def source_of(server: NtpServer, **options: int) -> NtpSource:
    return NtpSource(server.address, server.port, "Alpha", (), **options)


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        (kiss("RATE"), Refused, "kiss-o'-death RATE"),
        (kiss("DENY"), Refused, "kiss-o'-death DENY"),
        (altered(stratum=16), Unsynchronised, "stratum 16"),
        (altered(leap=3), Unsynchronised, "leap indicator 3"),
        (altered(mode=3), Malformed, "mode 3"),
        (altered(receive=0, transmit=0), Malformed, "receive timestamp 0"),
        (altered(receive=0), Malformed, "receive timestamp 0"),
        (altered(transmit=0), Malformed, "transmit timestamp 0"),
    ],
)
def test_a_matched_reply_that_proves_nothing_ends_the_question_at_once(
    behave: Behaviour, error: type[SourceError], says: str
) -> None:
    """A reply with our nonce is the server's word: no use in asking on."""
    began = time.monotonic()

    with NtpServer("Alpha", behave) as server, pytest.raises(error, match=says):
        source_of(server).sample(a_run())

    assert time.monotonic() - began < 0.5


def test_a_kiss_without_our_nonce_is_ignored() -> None:
    """A forged kiss-o'-death from who cannot see our packets does not silence the server."""

    def forged_then_honest(reply: Honest) -> Iterable[Reply]:
        forged = wire.decode(reply(0)).replaced(stratum=0, reference_id=b"DENY", origin=12345)
        return [Reply(wire.encode(forged)), Reply(reply(0))]

    with NtpServer("Alpha", forged_then_honest) as server:
        assert source_of(server).sample(a_run()).rtt_ns < NS


@pytest.mark.parametrize("bit", range(64))
def test_one_wrong_bit_in_the_origin_is_no_reply(bit: int) -> None:
    """The origin has to match to the bit."""

    def flipped(reply: Honest) -> Iterable[Reply]:
        packet = wire.decode(reply(0))
        return [Reply(wire.encode(packet.replaced(origin=packet.origin ^ (1 << bit))))]

    with NtpServer("Alpha", flipped) as server, pytest.raises(TimedOut):
        source_of(server).sample(a_run(deadline_s=0.03))


def origin(stamp: int) -> Behaviour:
    """Answer twice to somebody else."""
    return lambda reply: [
        Reply(wire.encode(wire.decode(reply(0)).replaced(origin=stamp))) for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("behave", "says"),
    [
        (behaviour.silent, "no usable reply before the deadline"),
        (
            origin(0),
            "no usable reply before the deadline: "
            "2 replies came, none to our request (origin timestamp 0)",
        ),
        (
            origin(12345),
            "no usable reply before the deadline: "
            "2 replies came, none to our request (origin timestamp of another request)",
        ),
        (
            behaviour.only(b"who are you?"),
            "no usable reply before the deadline: "
            "1 reply came, none to our request (too short for an origin timestamp)",
        ),
    ],
)
def test_replies_that_match_nothing_are_counted(behave: Behaviour, says: str) -> None:
    """A server that does not copy the origin is another trouble than one that is not there."""
    with NtpServer("Alpha", behave) as server, pytest.raises(TimedOut) as caught:
        source_of(server).sample(a_run(deadline_s=0.2))

    assert str(caught.value) == says


def test_requests_are_random_and_never_repeated() -> None:
    """Two questions of the same source carry different nonces and are otherwise the same bytes."""
    with NtpServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        source.sample(a_run())

        first, second = server.requests
        assert first[:40] == second[:40]
        assert first[40:] != second[40:]


def test_a_lost_packet_is_asked_for_once_more_after_a_second() -> None:
    """When the first request brought nothing for 1 s a second follows, with a stamp of its own."""
    lossy = behaviour.in_turn(behaviour.silent, behaviour.honest)
    with NtpServer("Alpha", lossy) as server:
        began = time.monotonic()
        sample = source_of(server).sample(a_run(deadline_s=2.4))

        assert 0.95 < time.monotonic() - began < 1.5
        assert sample.rtt_ns < NS // 5, "measured from the second request, not the first"
        assert len(server.requests) == len(set(server.requests)) == 2


def test_a_silent_server_is_asked_twice_and_no_more() -> None:
    """Silence until the deadline costs the server two packets."""
    with NtpServer("Alpha", behaviour.silent) as server:
        with pytest.raises(TimedOut):
            source_of(server).sample(a_run(deadline_s=2.4))

        assert len(server.requests) == 2


def test_a_late_reply_is_measured_from_its_own_request() -> None:
    """The reply to the first request, come after the second was sent, keeps the first's stamp."""
    slow = behaviour.in_turn(behaviour.late(1.3), behaviour.silent)
    with NtpServer("Alpha", slow) as server:
        sample = source_of(server).sample(a_run(deadline_s=2.4))

        assert len(server.requests) == 2
        assert sample.rtt_ns > 1.25 * NS
        assert sample.certain.low_ns <= -CLOCK.wall_minus_raw_ns() <= sample.certain.high_ns


def test_refused_once_is_asked_again_from_a_fresh_socket() -> None:
    """A port that refuses and opens 50 ms later is no failure: a network error is not the end."""
    closed = NtpServer("Alpha")
    closed.close()
    opened: list[NtpServer] = []

    def open_later() -> None:
        time.sleep(0.05)
        opened.append(NtpServer("Alpha", port=closed.port))

    threading.Thread(target=open_later).start()
    sample = source_of(closed).sample(a_run())
    opened[0].close()

    assert sample.rtt_ns < NS // 20


def test_refused_twice_is_unreachable_and_says_where() -> None:
    """Refused on the fresh socket too, the source fails after 0.1 s and names address and port."""
    closed = NtpServer("Alpha")
    closed.close()
    began = time.monotonic()

    with pytest.raises(Unreachable, match=f"127.0.0.1 port {closed.port}: Connection refused"):
        source_of(closed).sample(a_run())

    assert 0.09 < time.monotonic() - began < 0.5


def test_the_next_address_is_asked_when_one_refuses() -> None:
    """Of several addresses a closed one costs 0.1 s, not the answer."""
    with NtpServer("Alpha", address="127.0.0.2") as server:
        source = NtpSource("name.test", server.port, "Alpha", ("127.0.0.1", "127.0.0.2"))
        sample = source.sample(a_run())

    assert sample.server == "127.0.0.2"


def test_the_next_address_is_asked_when_one_is_silent() -> None:
    """Of several addresses a silent one costs 0.25 s, and the other gets the second request."""
    with (
        NtpServer("Alpha", behaviour.silent) as dead,
        NtpServer("Alpha", address="127.0.0.2", port=dead.port) as server,
    ):
        source = NtpSource("name.test", dead.port, "Alpha", ("127.0.0.1", "127.0.0.2"))
        began = time.monotonic()
        sample = source.sample(a_run(deadline_s=2.4))

        assert 0.24 < time.monotonic() - began < 0.6
        assert sample.server == "127.0.0.2"
        assert sample.rtt_ns < NS // 5, "measured from the second request, not the first"
        assert len(dead.requests) == len(server.requests) == 1


@pytest.mark.parametrize("addresses", [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
def test_a_family_that_swallows_packets_costs_a_quarter_of_a_second(
    addresses: tuple[str, str],
) -> None:
    """Either family: the other one's address answers, and is what is to be asked first."""
    with (
        NtpServer("Alpha", behaviour.silent, address=addresses[0]) as dead,
        NtpServer("Alpha", address=addresses[1], port=dead.port),
    ):
        source = NtpSource("name.test", dead.port, "Alpha", addresses)
        run = a_run(deadline_s=2.4)
        run.memory = memory = Notebook()
        began = time.monotonic()

        assert source.sample(run).server == addresses[1]
        assert 0.24 < time.monotonic() - began < 0.6
        assert memory.changed == {("address", "name.test"): {"answered": addresses[1]}}


def test_an_answer_of_the_first_address_is_not_noted() -> None:
    """The usual run writes nothing."""
    with NtpServer("Alpha") as server:
        source = NtpSource("name.test", server.port, "Alpha", (server.address, "127.0.0.2"))
        run = a_run()
        run.memory = memory = Notebook()
        source.sample(run)

    assert memory.changed == {}


def test_silent_addresses_are_asked_twice_in_all_and_no_more() -> None:
    """However many there are: the pace is another, the number of requests is not."""
    addresses = tuple(f"127.0.0.{n}" for n in range(1, 5))
    with ExitStack() as servers:
        first = servers.enter_context(NtpServer("Alpha", behaviour.silent))
        dead = [first] + [
            servers.enter_context(
                NtpServer("Alpha", behaviour.silent, address=address, port=first.port)
            )
            for address in addresses[1:]
        ]
        with pytest.raises(TimedOut):
            NtpSource("name.test", first.port, "Alpha", addresses).sample(a_run(deadline_s=2.4))

        assert [len(server.requests) for server in dead] == [1, 1, 0, 0]


def test_the_same_address_is_not_asked_sooner_because_the_other_cannot_be() -> None:
    """An address that cannot be sent to leaves the first one its second of silence."""
    lossy = behaviour.in_turn(behaviour.silent, behaviour.honest)
    with NtpServer("Alpha", lossy) as server:
        addresses = (server.address, "fe80::1%nowhere")
        source = NtpSource("name.test", server.port, "Alpha", addresses)
        began = time.monotonic()
        source.sample(a_run(deadline_s=2.4))

        assert 0.95 < time.monotonic() - began < 1.5
        assert len(server.requests) == 2


def test_a_late_first_address_still_counts() -> None:
    """Both listen: whoever answers first."""
    with (
        NtpServer("Alpha", behaviour.late(0.4)) as slow,
        NtpServer("Alpha", behaviour.late(1.5), address="127.0.0.2", port=slow.port) as server,
    ):
        source = NtpSource("name.test", slow.port, "Alpha", ("127.0.0.1", "127.0.0.2"))
        sample = source.sample(a_run(deadline_s=2.4))

        assert sample.server == "127.0.0.1"
        assert 0.38 * NS < sample.rtt_ns < 0.6 * NS
        assert len(server.requests) == 1


def test_pool_shares_ask_different_addresses() -> None:
    """Each share of a pool takes its own part of the addresses; one too many is unreachable."""
    with NtpServer("Alpha") as one, NtpServer("Alpha", address="127.0.0.2", port=one.port) as two:
        shares = [
            NtpSource("pool.test", one.port, "Pool", ("127.0.0.1", "127.0.0.2"), share, 3)
            for share in range(3)
        ]
        assert shares[0].sample(a_run()).server == one.address
        assert shares[1].sample(a_run()).server == two.address
        with pytest.raises(Unreachable, match="addresses, 2, are all asked"):
            shares[2].sample(a_run())


@pytest.mark.parametrize("first", ["::1", "127.0.0.1"])
def test_each_share_of_a_pool_has_both_families(first: str) -> None:
    """The one that answered last is first in all of them; the other is there if that is silent."""
    fours = tuple(f"127.0.0.{n}" for n in range(1, 5))
    sixes = tuple(f"2001:db8::{n}" for n in range(1, 5))
    others = (sixes, fours) if ":" in first else (fours, sixes)
    asked = []

    def take(mine: tuple[str, ...], *_: object) -> Sample:
        asked.append(mine)
        return SAMPLE

    for share in range(4):
        source = NtpSource("pool.test", 9, "Pool", (), share, 4)
        run = a_run(deadline_s=0.02)
        in_turn = tuple(address for pair in zip(*others, strict=True) for address in pair)
        run.addresses = lambda _, __, found=in_turn: found  # type: ignore[misc]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(udp, "ask", take)
            source.sample(run)

    assert asked == list(zip(*others, strict=True))


class _SteppedClock(Clock):
    """A wall clock that is stepped by 50 ms after its first reading."""

    def __init__(self) -> None:
        self._readings = 0

    def wall_ns(self) -> int:
        self._readings += 1
        return super().wall_ns() + (NS // 20 if self._readings > 1 else 0)


def test_a_step_of_the_clock_does_not_bend_the_receive_stamp() -> None:
    """When the wall clock was stepped since sending, the kernel's stamp is not used."""
    with NtpServer("Alpha", behaviour.late(0.1)) as server:
        sample = source_of(server).sample(a_run(clock=_SteppedClock()))

    assert 0.1 * NS <= sample.rtt_ns < 0.14 * NS
    assert sample.certain.low_ns <= -CLOCK.wall_minus_raw_ns() <= sample.certain.high_ns


class _SluggishClock(Clock):
    """A clock that makes its reader late: each raw reading costs 20 ms once the request is out."""

    def __init__(self) -> None:
        self._readings = 0

    def raw_ns(self) -> int:
        self._readings += 1
        if self._readings > 3:
            time.sleep(0.02)
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)

    def wall_minus_raw_ns(self) -> int:
        return CLOCK.wall_minus_raw_ns()


def test_the_kernel_stamps_the_arrival_though_we_look_late() -> None:
    """A process that is kept from looking (an import, a busy machine) still measures right."""
    with NtpServer("Alpha") as server:
        run = a_run(clock=_SluggishClock())
        began = time.monotonic()
        sample = source_of(server).sample(run)

    assert time.monotonic() - began > 0.03, "the reader was not late: the test shows nothing"
    assert sample.rtt_ns < NS // 100


def test_no_route_fails_at_once_and_moves_on() -> None:
    """An address that the system itself refuses to send to costs no time."""
    with NtpServer("Alpha") as server:
        unusable = "fe80::1%nowhere"
        source = NtpSource("name.test", server.port, "Alpha", (unusable, "127.0.0.1"))
        began = time.monotonic()

        assert source.sample(a_run()).server == "127.0.0.1"
        assert time.monotonic() - began < 0.2


def test_sockets_are_not_leaked() -> None:
    """A hundred questions leave no open socket behind."""
    with NtpServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(100):
            source.sample(a_run())
        after = len(os.listdir("/proc/self/fd"))

    assert after <= before
