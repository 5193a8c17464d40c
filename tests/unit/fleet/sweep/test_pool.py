"""One round with many nodes, by the real clock, with nodes that are functions."""

import itertools
import os
import resource
import socket
import threading
import time
from collections import Counter

import pytest

from fleet.observer import Measured
from fleet.sweep.pool import most_open, sweep
from nodes.base import Question, Stamp
from sources.base import Malformed, Refused, Unreachable
from sources.clock import NS, Clock
from sources.net.steps import Steps
from tests.support.fakes import FakeClock
from tests.support.fleet.fakes import (
    Answer,
    FakeNode,
    HeavyNode,
    a_target,
    a_world,
    certain,
    failing,
    showing,
    silent,
)

MS = NS // 1000


NODES = pytest.mark.parametrize("kind", [FakeNode, HeavyNode])
"""Held in one loop, and in a thread each."""


def by_network(kind: type[FakeNode] = FakeNode, **answers: Answer) -> FakeNode:
    """Return nodes that behave by the first number of their address: n1 for 1.x.x.x."""

    def answer(question: Question) -> Steps[Stamp]:
        return answers[f"n{question.addresses[0].partition('.')[0]}"](question)

    return kind(answer)


@NODES
def test_two_connections_decide_a_node_that_is_right(kind: type[FakeNode]) -> None:
    """One in each half of a true second; the result says what was read, and from whom."""
    node = kind(showing(rtt_ns=40 * MS))
    world = a_world(node)

    [result] = sweep([a_target("1.1.1.1")], world)

    assert (result.verdict, result.drift_s, result.probes) == ("decided", 0, 2)
    assert result.interval is not None
    assert result.interval.low_ns <= 0 <= result.interval.high_ns
    assert result.software == "/Fake:1.0/"
    assert result.server == "1.1.1.1"
    assert result.read_unix_ns is not None


def test_drifts_are_decided() -> None:
    """Whole seconds and others; node's clock minus true time, so behind is negative."""
    offs_s = [-4, 0.3, -0.2, 3600, -86_400.1]
    answers = {f"n{n}": showing(round(s * NS), rtt_ns=20 * MS) for n, s in enumerate(offs_s, 1)}
    node = by_network(FakeNode, **answers)

    results = sweep([a_target(f"{n}.0.0.1") for n in range(1, 6)], a_world(node))

    assert [result.drift_s for result in results] == [-4, 0, 0, 3600, -86_400]
    assert all(result.probes <= 4 for result in results)


@NODES
def test_results_are_in_the_order_of_the_targets(kind: type[FakeNode]) -> None:
    """Whatever comes first; and a node that stands in the list twice is asked once."""
    node = by_network(
        kind,
        n1=showing(-4 * NS, grain_ns=1),
        n2=showing(rtt_ns=300 * MS, grain_ns=1),
        n3=failing(Refused("switched off")),
        n4=failing(Unreachable("no route")),
        n5=failing(Malformed("junk")),
        n6=showing(verdict="adjusted", note="Satoshi 0.21"),
        n7=silent,
    )
    hosts = [f"{n}.0.0.1" for n in (2, 1, 3, 4, 5, 6, 7, 1)]
    seen: list[str] = []

    results = sweep(
        [a_target(host) for host in hosts],
        a_world(node),
        lambda result: seen.append(result.target.host),
    )

    assert [result.target.host for result in results] == hosts
    assert [result.verdict for result in results] == [
        "decided",
        "decided",
        "refused",
        "unreachable",
        "malformed",
        "adjusted",
        "silent",
        "decided",
    ]
    assert [result.drift_s for result in results] == [0, -4, None, None, None, None, None, -4]
    assert sorted(seen) == sorted(hosts)
    assert Counter(address for address, _ in node.asked)["1.0.0.1"] == 1
    assert results[5].interval is not None
    assert results[5].note == "Satoshi 0.21"


def test_never_more_than_the_rate_in_any_second() -> None:
    """Sliding seconds, not those of the clock; in both halves of each."""
    node = FakeNode(showing())

    sweep([a_target(f"1.0.0.{n}") for n in range(25)], a_world(node, rate=20))

    times = sorted(raw_ns for _, raw_ns in node.asked)
    assert len(times) >= 50
    # The thread that connects may be late by a little, and the next one not.
    pairs = zip(times, times[20:], strict=False)
    assert all(later - first > NS - 50 * MS for first, later in pairs)


def test_bad_nodes_cost_their_own_verdict_only() -> None:
    """2,000 that say nothing among 100 good ones, none of which is late by more than a timeout."""
    node = by_network(n1=showing(rtt_ns=20 * MS), n9=silent)
    bad = iter([a_target(f"9.0.{n // 250}.{n % 250}") for n in range(2000)])
    mixed = [t for n in range(100) for t in (*itertools.islice(bad, 20), a_target(f"1.0.0.{n}"))]

    results = sweep(mixed, a_world(node, rate=2000))

    verdicts = Counter(result.verdict for result in results)
    assert verdicts["silent"] == 2000
    assert verdicts["decided"] >= 97
    good = [result for result in results if result.target.host.startswith("1.")]
    # Two halves of seconds take up to 2 s where nobody is in the way.
    two_probes = [result for result in good if result.probes <= 2]
    assert len(two_probes) >= 90
    assert max(result.elapsed_ns for result in two_probes) < 2 * NS + NS


def test_good_nodes_behind_bad_ones_wait_for_their_turn_only() -> None:
    """Behind 250 silent ones at 1,000 a second: a second or two of pace, not a timeout."""
    node = by_network(n1=showing(rtt_ns=20 * MS), n9=silent)
    bad = [a_target(f"9.0.{n // 250}.{n % 250}") for n in range(250)]
    good = [a_target(f"1.0.0.{n}") for n in range(20)]
    came: dict[str, float] = {}
    began = time.monotonic()

    sweep(
        [*bad, *good],
        a_world(node, timeout_ns=3 * NS, rate=1000),
        lambda result: came.update({result.target.host: time.monotonic() - began}),
    )

    assert max(came[target.host] for target in good) < 2.9


def test_a_node_that_breaks_its_deadline_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of a protocol's that hangs costs the verdict of that node, and its thread."""
    monkeypatch.setattr("fleet.sweep.pool._GRACE_NS", NS // 2)
    hang = threading.Event()

    def hanging(question: Question) -> Steps[Stamp]:
        yield from ()
        hang.wait(30)
        raise AssertionError

    node = by_network(HeavyNode, n1=showing(grain_ns=1), n2=hanging)
    began = time.monotonic()

    results = sweep([a_target("2.0.0.1"), a_target("1.0.0.1")], a_world(node, timeout_ns=NS // 2))
    hang.set()

    assert [result.verdict for result in results] == ["silent", "decided"]
    assert time.monotonic() - began < 5


@NODES
def test_a_bug_is_raised(kind: type[FakeNode]) -> None:
    """Not hidden behind a verdict."""

    def buggy(question: Question) -> Steps[Stamp]:
        yield from ()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sweep([a_target("1.0.0.1")], a_world(kind(buggy)))


def test_without_a_consensus_nobody_is_asked() -> None:
    """No reference, no drift: not one connection."""
    node = FakeNode(showing())
    world = a_world(node, measure=lambda: Measured(None, "no answer: no majority", 0))

    results = sweep([a_target("1.0.0.1"), a_target("2.0.0.1")], world)

    assert [result.verdict for result in results] == ["not read", "not read"]
    assert results[0].note == "no answer: no majority"
    assert node.asked == []


@pytest.fixture
def renewed_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The observer measures itself again after a second instead of a minute."""
    monkeypatch.setattr("fleet.observer.RENEWED_EVERY_NS", NS)


@pytest.mark.usefixtures("renewed_each_second")
def test_a_consensus_that_is_lost_ends_the_sweep() -> None:
    """What was not read by then is not read; what was stays."""
    lost = iter([certain(Clock())])
    nothing = Measured(None, "no answer: no majority", 0)
    node = FakeNode(showing(grain_ns=1))
    world = a_world(node, measure=lambda: next(lost, nothing), rate=10)

    results = sweep([a_target(f"1.0.0.{n}") for n in range(40)], world)

    verdicts = [result.verdict for result in results]
    assert verdicts == sorted(verdicts)
    assert set(verdicts) == {"decided", "not read"}


def test_addresses_that_are_not_allowed_are_not_asked() -> None:
    """Checked on the address that would be connected to, whatever it is called."""
    node = FakeNode(showing(grain_ns=1))
    targets = [a_target("127.0.0.1"), a_target("localhost"), a_target("::ffff:10.0.0.1")]

    results = sweep(targets, a_world(node, allow=()))

    assert [result.verdict for result in results] == ["not allowed"] * 3
    assert "loopback" in results[0].note
    assert "allow" in results[1].note
    assert node.asked == []
    assert [result.probes for result in results] == [0, 0, 0]


def test_a_name_that_leads_elsewhere_the_next_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each answer is judged by itself: what is connected to has been judged (DNS rebinding)."""
    answers = itertools.cycle(["1.1.1.1", "127.0.0.1", "169.254.169.254"])

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (next(answers), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    node = FakeNode(showing(grain_ns=1))

    verdicts = [
        sweep([a_target("rebound.example")], a_world(node, allow=()))[0].verdict for _ in range(6)
    ]

    assert verdicts == ["decided", "not allowed", "not allowed"] * 2
    assert {address for address, _ in node.asked} == {"1.1.1.1"}


@pytest.mark.usefixtures("renewed_each_second")
def test_the_observer_measures_itself_again_and_again() -> None:
    """Beside the sweep, without stopping it."""
    measured: list[Measured] = []

    def measure() -> Measured:
        measured.append(certain(Clock()))
        return measured[-1]

    node = FakeNode(showing(grain_ns=1))

    results = sweep(
        [a_target(f"1.0.0.{n}") for n in range(20)], a_world(node, None, measure, rate=20)
    )

    assert {result.verdict for result in results} == {"decided"}
    assert len(measured) >= 2


def test_a_suspend_voids_everything() -> None:
    """The raw clock stood still: what the observer knew of true time is wrong."""
    clock = Sleeper()
    node = FakeNode(clock.then_sleep)

    [result] = sweep([a_target("1.0.0.1")], a_world(node, clock))

    assert result.verdict == "not read"
    assert result.drift_s is None
    assert result.interval is None


class Sleeper(Clock):
    """A machine that sleeps while a node is being read."""

    def __init__(self) -> None:
        self.slept_ns = 0

    def suspended_ns(self) -> int:
        return self.slept_ns

    def boot_ns(self) -> int:
        return super().boot_ns() + self.slept_ns

    def then_sleep(self, question: Question) -> Steps[Stamp]:
        stamp = yield from showing(grain_ns=1)(question)
        self.slept_ns = 3600 * NS
        return stamp


def test_as_many_threads_as_can_be_open_at_the_pace() -> None:
    """And no more than files; the limit is raised as far as the system lets."""
    assert 1 <= most_open(1, NS) <= 3
    assert 500 <= most_open(100, 5 * NS) <= 700
    assert most_open(500, 60 * NS) <= 4000


def test_a_limit_of_files_that_may_not_be_raised_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may forbid the call: then there are fewer threads, and no bug."""

    def forbidden(_which: int, _limits: tuple[int, int]) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 100_000))
    monkeypatch.setattr(resource, "setrlimit", forbidden)

    assert most_open(500, 5 * NS) == 156


def test_no_targets() -> None:
    """Nothing to do is done."""
    assert sweep([], a_world(FakeNode(showing()), FakeClock())) == []


def test_threads_are_left_to_end_by_themselves() -> None:
    """A sweep leaves no file open."""
    before = len(os.listdir("/proc/self/fd"))
    sweep([a_target("1.0.0.1")], a_world(FakeNode(showing(grain_ns=1))))

    assert len(os.listdir("/proc/self/fd")) == before
