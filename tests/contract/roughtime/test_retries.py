"""When a request is sent again, to which address, and what a late reply proves."""

import time
from collections.abc import Iterable

import pytest

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, late, silent
from lab.roughtime import Manner, RoughtimeServer, greased
from sources.base import TimedOut
from sources.clock import NS
from sources.roughtime.source import Endpoint, RoughtimeSource
from tests.support.fakes import Notebook, a_run
from tests.support.sources.roughtime import D7, D12, both, cut, forged, holds_the_truth, source_of


class Noting:
    """A behaviour that notes when it was asked, and then is another."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked_s: list[float] = []

    def __call__(self, reply: Honest) -> Iterable[Reply]:
        self.asked_s.append(time.monotonic())
        return self.behave(reply)


@pytest.mark.parametrize("bad", [forged, cut, behaviour.only(b""), behaviour.only(bytes(2000))])
def test_a_bad_reply_is_not_the_end(bad: Behaviour) -> None:
    """The good one after it is taken, at once."""
    with RoughtimeServer("Alpha", both(bad, behaviour.honest)) as server:
        sample = source_of(server).sample(a_run())

    assert holds_the_truth(sample)
    assert sample.rtt_ns < NS // 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("version", [1, D7, D12])
def test_the_retry_comes_after_a_second_with_the_same_bytes(version: int) -> None:
    """And its certain interval begins at the first sending: it may have been to that."""
    behave = Noting(behaviour.in_turn(forged, behaviour.honest))
    with RoughtimeServer("Alpha", behave, manner=Manner(versions=(version,))) as server:
        sample = source_of(server).sample(a_run(deadline_s=4))

    first, second = server.requests
    assert first == second
    assert 0.9 < behave.asked_s[1] - behave.asked_s[0] < 1.5
    assert 2.99 * NS < sample.certain.width_ns < 3.5 * NS
    assert sample.rtt_ns < NS / 2
    assert sample.likely.width_ns < 1.5 * NS
    assert holds_the_truth(sample)


def test_retries_become_rarer() -> None:
    """After 1 s, and 1.5 s more (RFC 10049 section 5): three requests in 2.8 s, all the same.

    That is, where the version is known.
    """
    behave = Noting(silent)
    with RoughtimeServer("Alpha", behave) as server, pytest.raises(TimedOut):
        source_of(server, "udp", offer=(1,)).sample(a_run(deadline_s=2.8))

    after_s = [asked_s - behave.asked_s[0] for asked_s in behave.asked_s]
    assert after_s == pytest.approx([0.0, 1.0, 2.5], abs=0.2)
    assert len(set(server.requests)) == 1


def test_a_late_first_reply_has_the_first_sendings_stamp() -> None:
    """It comes after the second request was sent, and would be unsound measured from that."""
    behave = behaviour.in_turn(late(1.3), silent)
    with RoughtimeServer("Alpha", behave, manner=Manner(versions=(D7,))) as server:
        sample = source_of(server).sample(a_run(deadline_s=4))

        assert len(server.requests) == 2
    assert 1.29 * NS < sample.rtt_ns < 1.6 * NS
    assert sample.certain.width_ns > 3.29 * NS
    assert holds_the_truth(sample)


@pytest.mark.parametrize("version", [1, D7])
def test_a_server_that_greases_every_third_reply(version: int) -> None:
    """Every question of a patient client is answered; each third one takes a second more."""
    with RoughtimeServer("Alpha", greased(3), manner=Manner(versions=(version,))) as server:
        source = source_of(server)
        samples = [source.sample(a_run(deadline_s=4)) for _ in range(4)]

        assert len(server.requests) == 5
    assert all(holds_the_truth(sample) for sample in samples)
    retried = [sample.certain.width_ns > 2.99 * NS for sample in samples]
    assert retried == [False, False, True, False]


@pytest.mark.parametrize("version", [1, D7])
def test_the_next_address_is_asked_when_one_is_silent(version: int) -> None:
    """The second request goes to the second address; its answer says which it is.

    It is the same one: an address that swallows packets says nothing about versions.
    """
    manner = Manner(versions=(version,))
    with (
        RoughtimeServer("Alpha", silent) as dead,
        RoughtimeServer("Alpha", address="127.0.0.2", port=dead.port, manner=manner) as server,
    ):
        endpoint = Endpoint("name.test", server.port, ("127.0.0.1", "127.0.0.2"))
        source = RoughtimeSource(endpoint, server.signer.public_key, "Alpha")
        run = a_run(deadline_s=3)
        run.memory = memory = Notebook()
        began = time.monotonic()
        sample = source.sample(run)

        assert 0.24 < time.monotonic() - began < 0.7
        assert dead.requests == server.requests
    assert sample.server == "127.0.0.2"
    assert holds_the_truth(sample)
    assert memory.changed["address", "name.test"] == {"answered": "127.0.0.2"}


def test_another_address_does_not_make_more_requests() -> None:
    """It is asked sooner than the same one would be; the third request is sent when it was due."""
    with (
        RoughtimeServer("Alpha", silent) as first,
        RoughtimeServer("Alpha", silent, address="127.0.0.2", port=first.port) as second,
    ):
        endpoint = Endpoint("name.test", first.port, ("127.0.0.1", "127.0.0.2"))
        source = RoughtimeSource(endpoint, first.signer.public_key, "Alpha", transport="udp")
        with pytest.raises(TimedOut):
            source.sample(a_run(deadline_s=2.3))
        in_time = len(first.requests), len(second.requests)
        with pytest.raises(TimedOut):
            source.sample(a_run(deadline_s=2.7))

        assert in_time == (1, 1)
        assert (len(first.requests), len(second.requests)) == (2, 3)
