"""Names, authorities, and lifetimes by the server's own clock."""

import pytest

from drift.config import parse
from lab import behaviour
from lab.authority import DAY_S
from lab.https import HttpsServer, Identity
from sources.base import Unverified
from tests.support.fakes import Elapsed, a_run
from tests.support.sources.https import (
    HOUR_S,
    SOON_S,
    World,
    assert_holds_the_truth,
    sample_of,
    source_of,
)


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (Identity(names=("127.0.0.2",)), "^certificate: IP address mismatch.*127.0.0.1"),
        (Identity(names=("time.lab.test",)), "^certificate: IP address mismatch.*127.0.0.1"),
        (Identity(known=False), "^certificate: unable to get local issuer certificate"),
        (
            Identity(lifetime=(-9 * DAY_S, -3 * DAY_S)),
            r"^certificate '127\.0\.0\.1' expired 3 days before the time the server claims$",
        ),
        (
            Identity(lifetime=(5 * DAY_S, 9 * DAY_S)),
            r"^certificate '127\.0\.0\.1' is not valid until \d days after the time the server cl",
        ),
        (
            Identity(intermediate=(-9 * DAY_S, -3 * DAY_S)),
            "^certificate 'Lab Intermediate' expired 3 days before the time the server claims$",
        ),
        (
            Identity(intermediate=(5 * DAY_S, 9 * DAY_S)),
            "^certificate 'Lab Intermediate' is not valid until",
        ),
    ],
)
def test_a_certificate_that_does_not_hold_is_reported(identity: Identity, says: str) -> None:
    """Wrong name, unknown authority, wrong dates anywhere in the chain: each in its own words."""
    with HttpsServer("Alpha", identity=identity) as server:
        (source,) = parse(server.toml(), "the test").sources
        with Elapsed() as elapsed, pytest.raises(Unverified, match=says):
            source.sample(a_run())

    assert elapsed.s < SOON_S


def test_the_name_that_was_configured_is_the_one_verified() -> None:
    """Of a host that is reached by its addresses the name counts, not where it led."""
    with HttpsServer("Alpha", identity=Identity(("time.lab.test",))) as server:
        assert source_of(server, host="time.lab.test").sample(a_run())
        assert source_of(server, host="TIME.lab.test.").sample(a_run())
        with pytest.raises(Unverified, match=r"Hostname mismatch.*'other\.lab\.test'"):
            source_of(server, host="other.lab.test").sample(a_run())


def test_expired_by_our_clock_is_valid_by_the_servers() -> None:
    """An hour after its end a certificate still proves the name of a server that says yesterday."""
    ended = Identity(lifetime=(-2 * DAY_S, -HOUR_S))
    with HttpsServer("Alpha", behaviour.shifted(-DAY_S), identity=ended) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample, -DAY_S)


def test_valid_by_our_clock_is_expired_by_the_servers() -> None:
    """A certificate that is good for an hour does not speak for a server that says tomorrow."""
    ending = Identity(lifetime=(-2 * DAY_S, HOUR_S))
    with (
        HttpsServer("Alpha", behaviour.shifted(DAY_S), identity=ending) as server,
        pytest.raises(Unverified, match=r"expired 8280[01] s before the time the server claims"),
    ):
        sample_of(server)


def test_every_response_is_held_against_the_certificate(world: World) -> None:
    """A server that jumps past the end of its certificate in mid-conversation is not believed."""
    jumping = behaviour.in_turn(behaviour.honest, behaviour.shifted(DAY_S))
    with (
        world.server(jumping, Identity(lifetime=(-DAY_S, HOUR_S))) as server,
        pytest.raises(Unverified, match=r"expired 8[0-9]{4} s before"),
    ):
        world.conversation(source_of(server), world.truth_ns)

    assert len(server.requests) == 2
