"""What is asked, what a sample carries, and which cookie and stamp each request has."""

import os
from collections.abc import Iterable

from lab import behaviour
from lab.behaviour import Honest, Reply, in_turn, silent
from lab.nts import Manner, NtsServer
from sources.clock import NS
from sources.nts import wire as nts
from tests.support.fakes import a_run
from tests.support.sources.nts import asked, holds_the_truth, source_of


def test_what_a_sample_says() -> None:
    """By one connection and one datagram: the truth, authenticated, and who said it."""
    with NtsServer("Alpha") as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)
    assert sample.certain == sample.likely
    assert (sample.kind, sample.operator, sample.authenticated) == ("nts", "Alpha", True)
    assert sample.server == "127.0.0.1"
    assert sample.detail.startswith("stratum 1, root distance ")


def test_the_request_says_nothing() -> None:
    """Version 4, mode client, zeros, 8 random bytes; identifier, cookie, authenticator; no time."""
    dice: list[bytes] = []

    def thrown(count: int) -> bytes:
        dice.append(os.urandom(count))
        return dice[-1]

    with NtsServer("Alpha") as server:
        source_of(server).sample(a_run(random_bytes=thrown))
        (request,) = server.requests

    stamp, identifier, nonce = dice
    assert request[:48] == b"\x23" + bytes(39) + stamp
    assert request[48:84] == b"\1\4\0\x24" + identifier
    assert request[84:88] == b"\2\4\0\x64"
    assert request[184:192] == b"\4\4\0\x28\0\x10\0\x10"
    assert request[192:208] == nonce
    assert (len(identifier), len(nonce), len(request)) == (32, 16, 224)


def test_nothing_of_a_request_is_repeated() -> None:
    """Two questions of one source share the fixed part of the header and the fields' headers."""
    with NtsServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        source.sample(a_run())
        first, second = server.requests

    for part in (slice(40, 48), slice(52, 84), slice(88, 184), slice(192, 208), slice(208, 224)):
        assert first[part] != second[part]


def test_cookies_are_not_reused_while_others_are_left() -> None:
    """The request after a second of silence has another cookie, stamp and identifier."""
    with NtsServer("Alpha", in_turn(silent, behaviour.honest)) as server:
        sample = asked(server)
        first, second = server.requests

        assert server.connections == 1
        assert server.keys_in(nts.cookie_of(first)) == server.keys_in(nts.cookie_of(second))
    assert nts.cookie_of(first) != nts.cookie_of(second)
    assert nts.identifier_of(first) != nts.identifier_of(second)
    assert first[40:48] != second[40:48]
    assert sample.rtt_ns < NS // 2


def test_the_only_cookie_is_used_again() -> None:
    """A server that gives one cookie is asked a second time with it."""
    with NtsServer("Alpha", in_turn(silent, behaviour.honest)) as server:
        server.manner = Manner(cookies=1)
        sample = asked(server)
        first, second = server.requests

    assert nts.cookie_of(first) == nts.cookie_of(second)
    assert first[40:84] != second[40:84]
    assert holds_the_truth(sample)


def test_a_late_first_reply_has_the_first_sendings_stamp() -> None:
    """It comes after the second request was sent, and is measured from its own."""
    with NtsServer("Alpha", in_turn(behaviour.late(1.2), silent)) as server:
        sample = asked(server, 3)

        assert len(server.requests) == 2
    assert 1.19 * NS < sample.rtt_ns < 1.5 * NS
    assert holds_the_truth(sample)


def test_a_reply_that_was_held_back_has_its_own_requests_stamp() -> None:
    """Who is on the way can hand it out to the second request's socket."""
    held: list[bytes] = []

    def hold(reply: Honest) -> Iterable[Reply]:
        held.append(reply(0))
        return []

    with NtsServer("Alpha", in_turn(hold, lambda _: [Reply(held[0])])) as server:
        sample = asked(server, 3)

    assert 0.99 * NS < sample.rtt_ns < 1.5 * NS
    assert holds_the_truth(sample)
