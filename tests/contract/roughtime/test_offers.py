"""Which versions are offered, in which order, and what is remembered of it."""

from contextlib import suppress
from pathlib import Path

import pytest

from drift.run.state import State
from lab.behaviour import silent
from lab.roughtime import Manner, RoughtimeServer, roughenough_2_0
from sources.base import Malformed, Run, Sample, TimedOut
from sources.clock import NS
from sources.roughtime import wire
from sources.roughtime.versions import Offer
from tests.support.fakes import a_run
from tests.support.sources.roughtime import (
    CLOCK,
    D7,
    D8,
    D11,
    D12,
    D19,
    GATES,
    NAMES,
    REQUEST_BYTES,
    holds_the_truth,
    source_of,
)


def versions_asked(server: RoughtimeServer) -> list[Offer]:
    """Return what was offered in each request, in turn; each of them has 1024 bytes in all."""
    assert {len(request) for request in server.requests} <= {REQUEST_BYTES}
    messages = [wire.decode(wire.unframe(request)) for request in server.requests]
    return [tuple(message.uint32s(wire.VER)) for message in messages]


def nothing_at_all(request: bytes) -> bool:
    return False


def test_a_silent_server_is_made_another_offer_each_time() -> None:
    """As often as before, and with a nonce of its own each: some servers read one version only."""
    manner = Manner(gate=nothing_at_all)
    with RoughtimeServer("Alpha", manner=manner) as server, pytest.raises(TimedOut):
        source_of(server, "udp").sample(a_run(deadline_s=2.8))

    rest = (D8, D8 + 1, D8 + 2, *range(D12 + 1, D19 + 1))
    assert versions_asked(server) == [(1, D7, D11, D12), (D12,), rest]
    nonces = [wire.decode(wire.unframe(request)).value(wire.NONC) for request in server.requests]
    assert len(set(nonces)) == 3


@pytest.mark.parametrize("name", GATES)
def test_every_release_answers(name: str) -> None:
    """Each release's rules as a gate before the lab's server."""
    manner, asked = GATES[name]
    with RoughtimeServer("Alpha", manner=manner) as server:
        sample = source_of(server, "udp").sample(a_run(deadline_s=2.8))

        assert len(server.requests) == asked
    assert holds_the_truth(sample)
    assert sample.certain.width_ns < 2.5 * NS, "measured from the offer that was answered"


@pytest.mark.parametrize("name", GATES)
def test_what_answered_is_asked_alone_the_next_time(name: str, tmp_path: Path) -> None:
    """By a later run, too, which has nothing but the state: one request, and an answer."""
    manner, _ = GATES[name]
    with RoughtimeServer("Alpha", manner=manner) as server:
        source_of(server, "udp").sample(remembering(tmp_path, 2.8))
        server.requests.clear()
        sample = source_of(server, "udp").sample(remembering(tmp_path, 0.5))

        (offer,) = versions_asked(server)
    assert len(offer) == 1
    assert NAMES.get(offer[0], "draft 8-11") in sample.detail


@pytest.mark.parametrize("transport", ["auto", "udp", "tcp"])
def test_runs_that_are_too_short_go_on_with_the_next_offer(tmp_path: Path, transport: str) -> None:
    """With the usual timeout there is time for two: the third is made in the next run."""
    with RoughtimeServer("Alpha", manner=Manner(versions=(D8 + 2,))) as server:
        samples: list[Sample] = []
        while not samples and len(server.requests) < 8:
            with suppress(TimedOut, Malformed):
                samples.append(source_of(server, transport).sample(remembering(tmp_path, 0.3)))

    assert holds_the_truth(samples[0])


def test_a_version_that_is_no_longer_answered_is_forgotten(tmp_path: Path) -> None:
    """The server was replaced by one of another version: found again, and remembered again."""
    endpoint_of = {}
    with RoughtimeServer("Alpha", manner=Manner(versions=(D7,))) as old:
        source_of(old, "udp").sample(remembering(tmp_path, 0.5))
        endpoint_of["port"], signer = old.port, old.signer
    manner = Manner(versions=(D12,), gate=roughenough_2_0)
    with RoughtimeServer("Alpha", manner=manner, port=endpoint_of["port"]) as new:
        new.signer = signer
        runs = 0
        while runs < 8:
            runs += 1
            with suppress(TimedOut):
                source_of(new, "udp").sample(remembering(tmp_path, 0.3))
                break
        new.requests.clear()
        source_of(new, "udp").sample(remembering(tmp_path, 0.5))

        assert versions_asked(new) == [(D12,)]
    assert runs < 8


def test_a_version_that_is_configured_is_offered_alone() -> None:
    """Each time, whatever comes."""
    with RoughtimeServer("Alpha", silent) as server, pytest.raises(TimedOut):
        source_of(server, "udp", offer=(D11,)).sample(a_run(deadline_s=1.2))

    assert versions_asked(server) == [(D11,), (D11,)]


def remembering(directory: Path, deadline_s: float) -> Run:
    """Return a run with the state that is in a directory."""
    run = a_run(deadline_s)
    return Run(
        run.deadline_raw_ns, CLOCK, run.addresses, run.random_bytes, State(str(directory), CLOCK)
    )
