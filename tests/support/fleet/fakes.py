"""Fakes that the tests of fleet/ share: nodes that say what the test wants, and their world.

True time is the raw clock's time plus a whole number of seconds, so that tests can run by the real
clock and know the truth.
"""

import threading
from collections.abc import Callable, Mapping
from typing import ClassVar

from fleet.observer import Measured, Observer
from fleet.readings import Reference
from fleet.settings import DEFAULT_AGENT, Module, Modules, Settings
from fleet.sweep.asking import World
from fleet.sweep.names import Names
from fleet.targets import Target
from nodes.base import Node, NodeTable, Question, Stamp
from sources.base import Interval, SourceError, TimedOut
from sources.clock import NS, Clock
from sources.net.steps import Steps, Wait
from sources.schema import Key, port

RAW_MINUS_TRUE_NS = -1_800_000_000 * NS
ANYWHERE = "0.0.0.0/0"

Answer = Callable[[Question], Steps[Stamp]]


class FakeNode(Node):
    """A node whose conversations are a function of the test's; many are held in one thread."""

    kind = "bitcoin"
    KEYS: ClassVar[Mapping[str, Key]] = {"port": port(8333)}
    is_light = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(NodeTable({"port": 8333}))
        self.answer = answer
        self.lock = threading.Lock()
        self.asked: list[tuple[str, int]] = []
        """The addresses that were connected to, and when."""

    def conversation(self, question: Question) -> Steps[Stamp]:
        with self.lock:
            self.asked.append((question.addresses[0], question.clock.raw_ns()))
        return (yield from self.answer(question))


class HeavyNode(FakeNode):
    """One whose conversations have a thread each."""

    is_light = False


def true_ns(raw_ns: int) -> int:
    return raw_ns - RAW_MINUS_TRUE_NS


def showing(off_ns: int = 0, rtt_ns: int = 0, grain_ns: int = NS, **changed: object) -> Answer:
    """Return a node whose clock is off by so much, and half a round trip away."""

    def answer(question: Question) -> Steps[Stamp]:
        sent_ns = question.clock.raw_ns()
        yield from waiting(sent_ns + rtt_ns // 2)
        now_ns = question.clock.raw_ns()
        clock_ns = true_ns(now_ns) + off_ns
        yield from waiting(now_ns + rtt_ns // 2)
        stamp = Stamp(
            stamp_unix_ns=clock_ns // grain_ns * grain_ns,
            grain_ns=grain_ns,
            lag_ns=0,
            sent_raw_ns=sent_ns,
            received_raw_ns=question.clock.raw_ns(),
            server=question.addresses[0],
            software="/Fake:1.0/",
            authenticated=False,
        )
        return stamp.replaced(**changed)

    return answer


def silent(question: Question) -> Steps[Stamp]:
    """Say nothing until the deadline."""
    yield from waiting(question.deadline_raw_ns)
    raise TimedOut("no answer before the deadline")


def failing(error: SourceError) -> Answer:
    """Return a node that cannot be read."""

    def answer(question: Question) -> Steps[Stamp]:
        yield from ()
        raise error

    return answer


def waiting(until_raw_ns: int) -> Steps[None]:
    yield Wait((), until_raw_ns)


def a_settings(node: Node, **changed: object) -> Settings:
    from fleet.addresses import networks

    settings = Settings(
        timeout_ns=NS,
        rate=500,
        min_interval_ns=60 * NS,
        agent=DEFAULT_AGENT,
        allow=networks([ANYWHERE]),
        modules=Modules({"fake": Module("fake", "bitcoin", node)}),
    )
    return settings.replaced(**changed)


def certain(clock: Clock) -> Measured:
    """Return a consensus that knows true time to a millisecond."""
    interval = Interval(RAW_MINUS_TRUE_NS, RAW_MINUS_TRUE_NS).widened(NS // 2000)
    return Measured(Reference(interval, clock.raw_ns()), "", clock.suspended_ns())


def a_world(
    node: Node,
    clock: Clock | None = None,
    measure: Callable[[], Measured] | None = None,
    **changed: object,
) -> World:
    """Return a world whose observer has measured itself."""
    clock = clock or Clock()
    observer = Observer(measure or (lambda: certain(clock)), clock)
    observer.renew()
    return World(a_settings(node, **changed), observer, Names(clock), clock)


def a_target(host: str, **changed: object) -> Target:
    return Target(f"fake://{host}", "fake", host, 8333).replaced(**changed)
