"""What an exporter remembers of nodes, and when it asks them again."""

import threading

import pytest

from fleet.exporter.rounds_kept import Busy, Rounds
from fleet.observer import Measured
from nodes.base import Question, Stamp
from sources.base import Unreachable
from sources.clock import NS, Clock
from sources.net.steps import Steps
from tests.support.fleet.fakes import (
    FakeNode,
    a_target,
    a_world,
    certain,
    failing,
    showing,
    silent,
)

MS = NS // 1000


class Leaps(Clock):
    """The real clock, ahead by what the test wants; and a machine that may have slept."""

    def __init__(self) -> None:
        self.ahead_ns = 0
        self.slept_ns = 0

    def raw_ns(self) -> int:
        return super().raw_ns() + self.ahead_ns

    def suspended_ns(self) -> int:
        return self.slept_ns

    def boot_ns(self) -> int:
        return super().boot_ns() + self.ahead_ns + self.slept_ns


def fine(off_ns: int = 0) -> FakeNode:
    return FakeNode(showing(off_ns, grain_ns=1))


def soon(clock: Clock, seconds: float = 5) -> int:
    return clock.raw_ns() + round(seconds * NS)


def test_a_node_is_asked_once_in_the_interval() -> None:
    """And again when that is over."""
    clock, node = Leaps(), fine(4 * NS)
    kept = Rounds(a_world(node, clock))
    target = a_target("1.0.0.1")

    first = kept.result(target, soon(clock))
    clock.ahead_ns += 59 * NS
    second = kept.result(target, soon(clock))
    clock.ahead_ns += 2 * NS
    third = kept.result(target, soon(clock))

    assert first == second
    assert len(node.asked) == 2
    assert third.drift_s == first.drift_s == 4
    assert third.read_unix_ns is not None
    assert first.read_unix_ns is not None
    assert third.read_unix_ns > first.read_unix_ns


def test_a_failure_is_remembered_too() -> None:
    """Who cannot be reached is not tried more often than who can."""
    clock, node = Leaps(), FakeNode(failing(Unreachable("no route")))
    kept = Rounds(a_world(node, clock))

    found = [kept.result(a_target("1.0.0.1"), soon(clock)) for _ in range(3)]

    assert [result.verdict for result in found] == ["unreachable"] * 3
    assert len(node.asked) == 1


def test_two_names_of_one_node_are_one_node() -> None:
    """By address and port; the answer is of the target that was asked for."""
    clock, node = Leaps(), fine()
    kept = Rounds(a_world(node, clock))

    kept.result(a_target("127.0.0.1"), soon(clock))
    found = kept.result(a_target("localhost"), soon(clock))
    kept.result(a_target("127.0.0.1", port=8334), soon(clock))

    assert found.target.host == "localhost"
    assert len([address for address, _ in node.asked if address == "127.0.0.1"]) == 2


def test_what_was_proven_helps_to_decide() -> None:
    """After one connection of whole seconds each, two rounds are enough."""
    clock = Leaps()
    node = FakeNode(showing())
    kept = Rounds(a_world(node, clock, rate=1))
    target = a_target("1.0.0.1")

    # A second connection is not to be had in time: at most one a second.
    first = kept.result(target, soon(clock, 1.2))
    clock.ahead_ns += 61 * NS
    second = kept.result(target, soon(clock, 3))

    assert first.probes <= 2
    assert second.verdict == "decided"


def test_a_round_that_was_cut_goes_on_at_the_next_scrape() -> None:
    """Where the pace or the timeout left time for one connection, the second is not 10 min off."""
    clock = Leaps()
    node = FakeNode(showing())
    kept = Rounds(a_world(node, clock, rate=1))
    target = a_target("1.0.0.1")

    first = kept.result(target, soon(clock, 0.9))
    second = kept.result(target, soon(clock, 3))
    asked = len(node.asked)
    third = kept.result(target, soon(clock, 3))

    assert (first.verdict, first.probes) == ("undecided", 1)
    assert second.verdict == "decided"
    assert 2 <= second.probes == asked <= 4
    assert third == second
    assert len(node.asked) == asked


def test_who_was_given_no_time_to_answer_is_asked_at_the_next_scrape() -> None:
    """Within its own timeout a node that answers late is not silent; four times at the most."""
    clock = Clock()

    def late(question: Question) -> Steps[Stamp]:
        if question.deadline_raw_ns - clock.raw_ns() < NS // 2:
            return (yield from silent(question))
        return (yield from showing(rtt_ns=NS // 2, grain_ns=1)(question))

    dead = FakeNode(silent)
    kept = Rounds(a_world(FakeNode(late), clock, timeout_ns=NS))
    kept_dead = Rounds(a_world(dead, clock, timeout_ns=5 * NS))
    target = a_target("1.0.0.1")

    first = kept.result(target, soon(clock, 0.4))
    second = kept.result(target, soon(clock, 2.5))
    for _ in range(6):
        assert kept_dead.result(target, soon(clock, 0.1)).verdict == "silent"

    assert (first.verdict, second.verdict) == ("silent", "decided")
    assert 2 <= second.probes <= 4
    assert len(dead.asked) == 4


def test_a_round_that_is_cut_for_too_long_begins_anew() -> None:
    """Four connections in an interval stay the most, and no more than that are counted."""
    clock = Leaps()
    node = FakeNode(showing())
    world = a_world(node, clock, rate=1)
    kept = Rounds(world)
    target = a_target("1.0.0.1")

    first = kept.result(target, soon(clock, 0.9))
    clock.ahead_ns += 61 * NS
    world.observer.renew()
    second = kept.result(target, soon(clock, 0.9))

    assert (first.probes, second.probes) == (1, 1)


def test_a_suspend_forgets_what_was_proven() -> None:
    """Ages do not count across it; but how long ago a node was asked does."""
    clock, node = Leaps(), fine()
    world = a_world(node, clock)
    kept = Rounds(world)
    target = a_target("1.0.0.1")
    kept.result(target, soon(clock))

    clock.slept_ns += 3600 * NS
    node.answer = showing(100 * NS, grain_ns=1)
    clock.ahead_ns += 61 * NS
    world.observer.renew()
    found = kept.result(target, soon(clock))

    assert (found.verdict, found.drift_s) == ("decided", 100)


def test_a_clock_that_was_set_is_seen() -> None:
    """The next round contradicts the last one, and the one after that starts anew."""
    clock, node = Leaps(), fine()
    world = a_world(node, clock)
    kept = Rounds(world)
    target = a_target("1.0.0.1")
    found = [kept.result(target, soon(clock))]
    for off_s in (100, 100):
        node.answer = showing(off_s * NS, grain_ns=1)
        clock.ahead_ns += 61 * NS
        world.observer.renew()
        found.append(kept.result(target, soon(clock)))

    assert [result.verdict for result in found] == ["decided", "clock being set", "decided"]
    assert [result.drift_s for result in found] == [0, None, 100]


def test_without_a_consensus_there_is_nothing_to_remember() -> None:
    """Not asked; and what was known before is not shown as if it were of now."""
    clock, node = Leaps(), fine()
    said = [Measured(None, "no answer: no majority", 0), certain(clock)]
    world = a_world(node, clock, measure=said.pop)
    kept = Rounds(world)
    target = a_target("1.0.0.1")
    kept.result(target, soon(clock))

    world.observer.renew()
    clock.ahead_ns += 61 * NS
    found = kept.result(target, soon(clock))

    assert (found.verdict, found.drift_s) == ("not read", None)
    assert found.note == "no answer: no majority"
    assert len(node.asked) == 1


def test_what_is_not_allowed_is_not_asked() -> None:
    """By the address that a name leads to."""
    clock, node = Leaps(), fine()
    kept = Rounds(a_world(node, clock, allow=()))

    found = [kept.result(a_target(host), soon(clock)) for host in ("localhost", "10.0.0.1")]

    assert [result.verdict for result in found] == ["not allowed"] * 2
    assert node.asked == []


def test_busy() -> None:
    """Past the pace there is no waiting beyond the deadline."""
    clock, node = Leaps(), fine()
    kept = Rounds(a_world(node, clock, rate=1))
    kept.result(a_target("1.0.0.1"), soon(clock))

    with pytest.raises(Busy):
        kept.result(a_target("1.0.0.2"), soon(clock, 0.3))
    assert len(node.asked) == 1


def test_those_who_wait_for_the_pace_do_not_wake_at_every_connection() -> None:
    """Of a hundred at 50 a second one tries again, not all of them."""
    clock, node = Leaps(), fine()
    kept = Rounds(a_world(node, clock, rate=50))
    tries = 0
    take = kept._pace.take

    def counted(now_raw_ns: int) -> int | None:
        nonlocal tries
        tries += 1
        return take(now_raw_ns)

    kept._pace.take = counted  # type: ignore[method-assign]
    threads = [
        threading.Thread(target=kept.result, args=(a_target(f"1.0.0.{n}"), soon(clock, 9)))
        for n in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(node.asked) == 100
    assert tries < 1000
