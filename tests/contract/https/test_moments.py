"""A conversation: when it asks again, and how far that narrows the sample."""

from itertools import pairwise

from lab.https import HttpsServer, with_header
from sources.clock import NS
from sources.https.proof import MOST_REQUESTS
from tests.support.fakes import Elapsed, a_run
from tests.support.sources.https import CLOCK, MS, SLACK_S, World, source_of


def test_one_connection_carries_a_whole_conversation(world: World) -> None:
    """Where the truth is the very boundary and the server far away, nothing is ever clear: then six
    requests go out, the most there may be, and all of them by the connection of the first.
    """
    with world.server(world.far_away()) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == len(server.requests) == MOST_REQUESTS == 6
    assert server.connections == 1
    assert len({request.split(b" ")[1] for request in server.requests}) == 6
    for sample in samples:
        assert sample.certain.low_ns <= world.truth_ns <= sample.certain.high_ns
    assert samples[-1].likely.width_ns < NS // 2
    assert all(0 <= wait_s < 1 for wait_s in world.waits_s)


def test_the_limit_of_headers_is_each_responses_own(world: World) -> None:
    """Six responses of 20 kB by one connection are no more than one."""
    with world.server(world.far_away(with_header("X", "x" * 20_000))) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == 6
    assert server.connections == 1


def test_a_conversation_ends_when_the_side_is_clear(world: World) -> None:
    """With the boundaries half a second from the truth, three times a round trip, a few requests
    are enough, and no more are made.
    """
    with world.server(world.far_away()) as server:
        samples = world.conversation(source_of(server), world.truth_ns + NS // 2)

    assert 1 < len(samples) == len(server.requests) < MOST_REQUESTS
    last = samples[-1].certain
    assert world.truth_ns - NS // 2 < last.low_ns
    assert last.high_ns < world.truth_ns + NS // 2
    assert last.low_ns <= world.truth_ns <= last.high_ns


def test_each_sample_is_narrower_than_the_one_before(world: World) -> None:
    """Nothing that is known is forgotten."""
    with world.server() as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    for before, after in pairwise(samples):
        assert before.certain.contains(after.certain)
        assert before.likely.contains(after.likely)


def test_a_date_that_may_lag_narrows_the_estimate_only(world: World) -> None:
    """The certain interval stays that of the first reply."""
    with world.server() as server:
        samples = world.conversation(source_of(server, date_lag_ns=1), world.truth_ns)

    assert len(samples) > 1
    assert {sample.certain for sample in samples} == {samples[0].certain}
    assert samples[-1].likely.width_ns < NS // 10 + max(sample.rtt_ns for sample in samples)


def test_nothing_is_asked_that_could_not_be_answered_by_the_deadline(world: World) -> None:
    """Where the next moment that says more is later than the deadline, the conversation is over."""
    with world.server() as server:
        source = source_of(server)
        boundary_raw_ns = world.clock.raw_ns() + 600 * MS
        samples = world.conversation(source, boundary_raw_ns, deadline_s=0.4)

    assert len(samples) == len(server.requests) == 1
    assert world.waits_s == []


def test_the_waiting_is_real() -> None:
    """Without a test's clock the next request goes out when the boundary's phase has come."""
    with HttpsServer("Alpha") as server:
        conversation = source_of(server).conversation(a_run())
        next(conversation)
        with Elapsed() as elapsed:
            conversation.send(CLOCK.raw_ns() + 200 * MS)
        conversation.close()

    assert 0.15 < elapsed.s < 0.2 + SLACK_S
