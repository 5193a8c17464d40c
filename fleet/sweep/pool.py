"""One round with many nodes: one loop, one pace, each node asked when it decides most.

The calling thread holds all the state and decides who is asked when. It holds the conversations
too, but for those that take long steps (TLS, the look-up of a name): each of these has a thread.
Nobody is waited for longer than its own deadline: as many conversations may be open as can be at
the pace, however many of them hang, within what the system gives.

    fresh --(first window)--> in flight --> waiting for its next window --> in flight --> done
"""

import heapq
import resource
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import count

from fleet import rounds
from fleet.readings import Reference
from fleet.rounds import Result, Round
from fleet.sweep.aim import first
from fleet.sweep.asking import World, asking, is_light
from fleet.sweep.loop import Loop
from fleet.sweep.pace import Pace
from fleet.sweep.threads import Threads
from fleet.targets import Target
from nodes.base import SILENT
from sources.clock import NS

_FILES_KEPT = 100
"""Files of the process that are not connections to nodes."""
_MOST_OPEN = 4000
_GRACE_NS = 2 * NS
"""How long after its deadline a conversation that hangs against all rules is given up."""
_TURN_NS = NS // 4
"""How long nothing may happen before everything is looked at again."""


_UNASKED = Round()


class _Node:
    """One endpoint on its way through a round."""

    __slots__ = ("begun_raw_ns", "deadline_raw_ns", "indices", "read_unix_ns", "round", "target")

    def __init__(self, target: Target, index: int) -> None:
        self.target = target
        self.indices: tuple[int, ...] = (index,)
        """Where its result goes: the same node may stand in a list twice, and is asked once."""
        self.round = _UNASKED
        self.begun_raw_ns = 0
        self.deadline_raw_ns = 0
        self.read_unix_ns: int | None = None


def most_open(rate: int, timeout_ns: int) -> int:
    """Return how many conversations may be open at once; raises the limit of files if it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(rate * -(-timeout_ns // NS) + rate, _MOST_OPEN)
    if soft != resource.RLIM_INFINITY and soft < wanted + _FILES_KEPT:
        most = wanted + _FILES_KEPT
        raised = most if hard == resource.RLIM_INFINITY else min(hard, most)
        with suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - _FILES_KEPT))


def sweep(
    targets: Sequence[Target], world: World, on_result: Callable[[Result], None] | None = None
) -> list[Result]:
    """Ask every node in a round of its own and return the results, in the order of the targets.

    `on_result` is called as results come. The observer has to have measured itself already.
    """
    with closing(_Sweep(targets, world, on_result or (lambda _: None))) as running:
        return running.results()


class _Sweep:
    """The state of one sweep, all of it the calling thread's."""

    def __init__(
        self, targets: Sequence[Target], world: World, on_result: Callable[[Result], None]
    ) -> None:
        self._world = world
        self._clock = world.clock
        self._on_result = on_result
        self._results: list[Result | None] = [None] * len(targets)
        nodes: dict[tuple[str, str, int, str], _Node] = {}
        for index, target in enumerate(targets):
            node = nodes.setdefault(target.endpoint, _Node(target, index))
            if node.indices[0] != index:
                node.indices += (index,)
        self._targets = targets
        self._fresh = list(reversed(nodes.values()))
        self._left = len(nodes)
        self._waiting: list[tuple[int, int, int, _Node]] = []
        """When a window opens, a number of its own, when it closes, whose it is; a heap."""
        self._numbers = count()
        self._in_flight: dict[int, _Node] = {}
        settings = world.settings
        self._pace = Pace(settings.rate)
        self._most_open = most_open(settings.rate, settings.timeout_ns)
        self._most_admitted = self._most_open + 4 * settings.rate
        self._loop: Loop[Round] = Loop(world.clock)
        self._threads: Threads[Round] = Threads(self._loop.report, world.clock)
        self._renewing: threading.Thread | None = None

    def close(self) -> None:
        """Break off what is under way."""
        self._loop.close()

    def results(self) -> list[Result]:
        """Go on until every node has its result."""
        while self._left:
            self._renew()
            reference = self._world.observer.reference()
            if reference is None:
                self._give_up()
                break
            for number, outcome in self._loop.turn(self._go_on(reference)):
                self._hear(number, outcome)
        return [found for found in self._results if found is not None]

    def _renew(self) -> None:
        """Have the observer measure itself again when that is due, beside what goes on."""
        observer = self._world.observer
        if self._renewing is not None and self._renewing.is_alive():
            return
        if self._clock.raw_ns() >= observer.due_raw_ns:
            self._renewing = threading.Thread(target=observer.renew, daemon=True)
            self._renewing.start()

    def _go_on(self, reference: Reference) -> int:
        """Connect to whom it is time for; return when to look again, if nothing comes before."""
        while True:
            now_ns = self._clock.raw_ns()
            self._abandon(now_ns)
            if len(self._in_flight) >= self._most_open or self._threads.are_all_busy:
                return now_ns + _TURN_NS
            due_ns = self._due_raw_ns(reference, now_ns)
            if due_ns > now_ns:
                return min(due_ns, now_ns + _TURN_NS)
            again_ns = self._pace.take(now_ns)
            if again_ns is not None:
                return again_ns
            self._connect(self._next(), now_ns)

    def _due_raw_ns(self, reference: Reference, now_ns: int) -> int:
        """Return when the next node is to be asked; those that missed their window wait anew."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, _, closes_ns, node = self._waiting[0]
            if closes_ns > now_ns:
                return now_ns
            heapq.heappop(self._waiting)
            self._wait(node, reference, now_ns)
        due_ns = self._waiting[0][0] if self._waiting else now_ns + NS
        if self._fresh and len(self._waiting) + len(self._in_flight) < self._most_admitted:
            due_ns = min(due_ns, first(reference.doubt_ns).opens_raw_ns(reference, now_ns))
        return due_ns

    def _next(self) -> _Node:
        """Return the node to ask now: one that waits if its window is open, or a fresh one."""
        if self._waiting and self._waiting[0][0] <= self._clock.raw_ns():
            return heapq.heappop(self._waiting)[3]
        return self._fresh.pop()

    def _connect(self, node: _Node, now_ns: int) -> None:
        node.begun_raw_ns = node.begun_raw_ns or now_ns
        node.deadline_raw_ns = now_ns + self._world.settings.timeout_ns
        number = next(self._numbers)
        self._in_flight[number] = node
        module = self._world.settings.modules[node.target.module]
        steps = asking(node.target, module, node.round, node.deadline_raw_ns, self._world)
        holder = self._loop if is_light(node.target, module) else self._threads
        holder.begin(number, steps)

    def _hear(self, number: int, outcome: Round | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        self._threads.end(number)
        node = self._in_flight.pop(number, None)
        if node is None:
            return  # it was given up; its thread is back in the pool
        node.round = outcome
        reference = self._world.observer.reference()
        if outcome.stamp is not None and reference is not None:
            node.read_unix_ns = reference.true_unix_ns(outcome.stamp.received_raw_ns)
        if reference is None or rounds.next_window(outcome, reference.doubt_ns) is None:
            self._finish(node)
        else:
            self._wait(node, reference, self._clock.raw_ns())

    def _wait(self, node: _Node, reference: Reference, now_ns: int) -> None:
        window = rounds.next_window(node.round, reference.doubt_ns)
        assert window is not None  # noqa: S101 - whoever waits has one
        opens_ns, closes_ns = window.span_raw_ns(reference, now_ns)
        heapq.heappush(self._waiting, (opens_ns, next(self._numbers), closes_ns, node))

    def _abandon(self, now_ns: int) -> None:
        """Give up conversations that hang against all rules; the oldest are the first."""
        while self._in_flight:
            number, node = next(iter(self._in_flight.items()))
            if now_ns < node.deadline_raw_ns + _GRACE_NS:
                return
            del self._in_flight[number]
            self._threads.end(number, is_lost=True)
            node.round = rounds.failed(node.round, SILENT, "it did not end at its deadline")
            self._finish(node)

    def _give_up(self) -> None:
        """Say of everybody who has no result that the observer could not read them."""
        why = self._world.observer.why_not()
        left = [*reversed(self._fresh), *self._in_flight.values(), *(w[3] for w in self._waiting)]
        for node in left:
            node.round = rounds.unasked(node.round, rounds.NOT_READ, why)
            self._finish(node)

    def _finish(self, node: _Node) -> None:
        self._left -= 1
        elapsed_ns = self._clock.raw_ns() - node.begun_raw_ns if node.begun_raw_ns else 0
        for index in node.indices:
            target = self._targets[index]
            found = rounds.result(target, node.round, node.read_unix_ns, elapsed_ns)
            self._results[index] = found
            self._on_result(found)
