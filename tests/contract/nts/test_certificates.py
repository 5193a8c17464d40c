"""Names, authorities, and lifetimes by the authenticated time."""

import os
import time

import pytest

from lab.authority import DAY_S
from lab.https import EXPIRED, Identity
from lab.nts import NtsServer
from sources.base import Unverified
from sources.clock import NS
from sources.nts.source import NtsSource
from tests.support.fakes import a_run
from tests.support.sources.nts import asked, holds_the_truth, source_of

YEAR_S = 365 * DAY_S


CERTIFICATES: dict[str, tuple[Identity, str]] = {
    "expired": (
        EXPIRED,
        r"^certificate '127\.0\.0\.1' expired 8640\d s before the time the server claims$",
    ),
    "not yet valid": (
        Identity(lifetime=(DAY_S, 2 * DAY_S)),
        r"^certificate '127\.0\.0\.1' is not valid until 86(400|39\d) s after the time",
    ),
    "intermediate expired": (
        Identity(intermediate=(-9 * DAY_S, -3 * DAY_S)),
        r"^certificate 'Lab Intermediate' expired 3 days before the time the server claims$",
    ),
    "another address": (Identity(names=("127.0.0.9",)), r"^certificate: IP address mismatch"),
    "a name": (Identity(names=("time.test",)), r"^certificate: IP address mismatch"),
    "unknown CA": (Identity(known=False), r"^certificate: unable to get local issuer certificate$"),
}
"""Certificates that do not hold, and what is said of them."""


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_does_not_hold(name: str) -> None:
    """Is unverified, by name."""
    identity, says = CERTIFICATES[name]
    with NtsServer("Alpha", identity=identity) as server:
        with pytest.raises(Unverified, match=says):
            asked(server)

        assert server.connections == 1


@pytest.mark.parametrize("name", ["another address", "a name", "unknown CA"])
def test_who_shows_no_right_certificate_is_not_asked_for_the_time(name: str) -> None:
    """Neither keys nor time are taken from somebody else."""
    identity, _ = CERTIFICATES[name]
    with NtsServer("Alpha", identity=identity) as server:
        with pytest.raises(Unverified):
            asked(server)

        assert server.requests == []


def test_another_name_is_unverified_by_name() -> None:
    """A certificate for time.test does not do for tide.test."""
    with NtsServer("Alpha", identity=Identity(names=("time.test",))) as server:
        assert holds_the_truth(source_of(server, "time.test").sample(a_run()))
        assert holds_the_truth(source_of(server, "TIME.test.").sample(a_run()))
        with pytest.raises(Unverified, match=r"^certificate: Hostname mismatch.*'tide\.test'"):
            source_of(server, "tide.test").sample(a_run())


@pytest.mark.parametrize("ahead_s", [10 * YEAR_S, 40 * YEAR_S, -20 * DAY_S])
def test_certificates_are_judged_by_the_authenticated_time(ahead_s: int) -> None:
    """Valid for a few days around the server's time, which is years from the local clock's."""
    identity = Identity(lifetime=(-2 * DAY_S, 2 * DAY_S), intermediate=(-3 * DAY_S, 3 * DAY_S))
    with NtsServer(
        "Alpha", time_unix_ns=lambda: time.time_ns() + ahead_s * NS, identity=identity
    ) as server:
        sample = asked(server)

    assert holds_the_truth(sample, ahead_s)


@pytest.mark.parametrize(
    ("ahead_s", "lifetime", "says"),
    [
        (10 * YEAR_S, (-11 * YEAR_S, -5 * DAY_S), "expired 5 days before"),
        (-20 * DAY_S, (5 * DAY_S, 60 * DAY_S), "is not valid until [45] days after"),
    ],
)
def test_the_local_clock_makes_no_certificate_valid(
    ahead_s: int, lifetime: tuple[int, int], says: str
) -> None:
    """By the local clock it is, by the authenticated time it is not."""
    with (
        NtsServer(
            "Alpha",
            time_unix_ns=lambda: time.time_ns() + ahead_s * NS,
            identity=Identity(lifetime=lifetime),
        ) as server,
        pytest.raises(Unverified, match=says),
    ):
        asked(server)


def test_a_ca_file_without_a_certificate_is_unverified(tmp_path: os.PathLike[str]) -> None:
    """When it is used, not before; nothing is connected in vain."""
    empty = os.path.join(tmp_path, "empty.pem")
    with open(empty, "wb"):
        pass
    with NtsServer("Alpha") as server:
        source = NtsSource("127.0.0.1", server.port, "Alpha", (), empty)
        with pytest.raises(Unverified, match="no CA certificates to verify with"):
            source.sample(a_run())
