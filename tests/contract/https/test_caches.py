"""Dates that are not of this moment: from caches, standing still, older than their request."""

import os
import threading
from collections.abc import Iterable

import pytest

from lab import behaviour
from lab.behaviour import Honest, Reply
from lab.https import HttpsServer, dated, with_header
from sources.base import Malformed, Stale
from sources.clock import NS
from sources.https import wire_date as http_date
from tests.support.fakes import a_run
from tests.support.sources.https import HOUR_S, World, assert_holds_the_truth, sample_of, source_of


@pytest.mark.parametrize(
    ("name", "value"), [("Age", "0"), ("AGE", "17"), ("Via", "1.1 x"), ("X-Cache", "Hit from x")]
)
def test_a_cached_date_is_stale_unless_its_mark_is_ignored(name: str, value: str) -> None:
    """The mark of a cache voids the sample; where it is said to mean none, it does not."""
    with HttpsServer("Alpha", with_header(name, value)) as server:
        with pytest.raises(Stale, match=f"from a cache: {name.title()}: {value}"):
            sample_of(server)

        ignoring = source_of(server, ignored=(name.lower(),)).sample(a_run())

    assert_holds_the_truth(ignoring)


def test_ignoring_one_header_does_not_ignore_another() -> None:
    """Each header is ignored for itself."""
    with (
        HttpsServer("Alpha", with_header("Via", "1.1 x")) as server,
        pytest.raises(Stale, match="Via"),
    ):
        source_of(server, ignored=("age", "x-cache")).sample(a_run())


def test_a_server_that_contradicts_itself_is_stale(world: World) -> None:
    """A Date that is an hour later in the next reply was a cache's, or is one now."""
    contradictory = behaviour.in_turn(behaviour.honest, behaviour.shifted(HOUR_S))
    with world.server(contradictory) as server:
        conversation = source_of(server).conversation(a_run(60, clock=world.clock))
        next(conversation)
        with pytest.raises(Stale, match=r"two replies contradict each other by 3[56]\d\d\.\d{3} s"):
            conversation.send(world.truth_ns)


def test_a_date_that_stands_still_is_stale(world: World) -> None:
    """A cache that hides is found out by the seconds that its Date has not moved."""
    frozen = http_date.encode(world.time_unix_ns() // NS)
    with world.server(world.far_away(dated(frozen))) as server:
        conversation = source_of(server).conversation(a_run(60, clock=world.clock))
        boundary_raw_ns = next(conversation).likely.high_ns
        with pytest.raises(Stale, match="two replies contradict each other by 0"):  # noqa: PT012
            while True:
                conversation.send(boundary_raw_ns)


def test_two_responses_to_one_request_are_stale() -> None:
    """Nobody knows which one was the answer: neither counts when the server is asked again."""

    def twice(reply: Honest) -> Iterable[Reply]:
        return [Reply(reply(0) * 2)]

    with HttpsServer("A", twice) as server:
        conversation = source_of(server).conversation(a_run())
        sample = next(conversation)
        with pytest.raises(Stale, match="two responses to one request"):
            conversation.send((sample.likely.low_ns + sample.likely.high_ns) // 2)

    assert len(server.requests) == 1


def dawdling(count: int) -> bytes:
    """Return random bytes after a while, in which a server may say what it likes."""
    threading.Event().wait(0.05)
    return os.urandom(count)


def test_a_response_that_was_there_before_its_request_is_none() -> None:
    """What each connection begins with is no answer, however often one connects."""
    with (
        HttpsServer("A", behaviour.silent, greeting=behaviour.honest) as server,
        pytest.raises(Malformed, match="before its request"),
    ):
        source_of(server).sample(a_run(random_bytes=dawdling))

    assert server.requests == []
