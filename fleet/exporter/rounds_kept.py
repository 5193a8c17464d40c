"""Rounds with nodes, one at a time and not sooner than allowed; in between, what is remembered.

Prometheus asks when it pleases, from several servers perhaps. A node is asked once in
`min_interval`: whoever comes in between gets the last result, and whoever comes while it is being
asked waits for that. What the last rounds have proven is kept, and helps to decide the next one.
"""

import threading
from collections import OrderedDict

from fleet import rounds
from fleet.addresses import why_refused
from fleet.rounds import Result, Round
from fleet.settings import Module
from fleet.sweep.aim import MOST_PROBES, Window
from fleet.sweep.asking import World, ask
from fleet.sweep.pace import Pace
from fleet.targets import Target
from nodes.base import SILENT, NodeError, verdict_of
from sources.clock import NS

_MOST_KEPT = 200_000
_LAST_WORDS_NS = NS // 2
"""A connection is not begun so near to the deadline of a scrape, if there is more time than that.
With less, whoever had to wait for the pace would be silent for want of time to answer."""


class Busy(Exception):
    """It was not this node's turn before the deadline: more are asked for than the pace allows."""


class _Kept:
    """What is remembered of one node."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Held by who asks the node."""
        self.round: Round | None = None
        self.timeline = 0
        self.result: Result | None = None
        self.is_cut = False
        """Whether there was no time for all of the last round, so that the next scrape goes on."""
        self.asked_raw_ns: int | None = None


class Rounds:
    """Asks nodes for any number of threads."""

    def __init__(self, world: World) -> None:
        """Remember nothing."""
        self._world = world
        self._clock = world.clock
        self._pace = Pace(world.settings.rate)
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        """Of the one thread that waits for the pace; hundreds of them would wake at each moment."""
        self._kept: OrderedDict[tuple[str, str, int, str], _Kept] = OrderedDict()

    def take_over(self, world: World) -> None:
        """Go on by another configuration; what is remembered stays."""
        if world.settings.rate != self._world.settings.rate:
            self._pace = Pace(world.settings.rate)
        self._world = world

    def result(self, target: Target, deadline_raw_ns: int) -> Result:
        """Return what came of asking a node, now or a short while ago; raise Busy."""
        world = self._world
        module = world.settings.modules[target.module]
        try:
            found = world.names.addresses(target.host, deadline_raw_ns)
        except NodeError as error:
            failed = rounds.failed(Round(), verdict_of(error), str(error))
            return rounds.result(target, failed.replaced(probes=0), None, 0)
        refused = [why_refused(address, world.settings.allow) for address in found]
        if all(refused):
            return _unasked(target, rounds.NOT_ALLOWED, str(refused[0]))
        address = found[refused.index(None)]
        kept = self._of(_key(target, module, address))
        left_ns = deadline_raw_ns - self._clock.raw_ns()
        if not kept.lock.acquire(timeout=max(0, left_ns) / NS):
            raise Busy
        try:
            if kept.result is None or self._is_due(kept, world):
                self._ask(target, module, kept, deadline_raw_ns)
            if kept.result is None:
                return _unasked(target, rounds.NOT_READ, world.observer.why_not())
            return kept.result.replaced(target=target)
        finally:
            kept.lock.release()

    def _of(self, key: tuple[str, str, int, str]) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return kept

    def _is_due(self, kept: _Kept, world: World) -> bool:
        """Whether a node may be asked again."""
        return kept.is_cut or self._is_over(kept, world)

    def _is_over(self, kept: _Kept, world: World) -> bool:
        """Whether a new round with a node may begin."""
        if kept.asked_raw_ns is None:
            return True
        return self._clock.raw_ns() - kept.asked_raw_ns >= world.settings.min_interval_ns

    def _ask(self, target: Target, module: Module, kept: _Kept, deadline_raw_ns: int) -> None:
        """Hold a round with a node, as much of it as there is time for, and remember it."""
        world = self._world
        timeline = world.observer.timeline()
        began_raw_ns = self._clock.raw_ns()
        last = kept.round if kept.timeline == timeline else None
        current = rounds.begun(last)
        if kept.is_cut and last is not None and not self._is_over(kept, world):
            current, began_raw_ns = last.replaced(failure=""), kept.asked_raw_ns or began_raw_ns
        is_cut = False
        while (window := self._next_window(current)) is not None:
            if not self._wait_for(window, deadline_raw_ns, is_needed=current.stamp is None):
                is_cut = True
                break
            limit_ns = self._clock.raw_ns() + world.settings.timeout_ns
            current = ask(target, module, current, min(limit_ns, deadline_raw_ns), world)
            if current.failure == SILENT and deadline_raw_ns < limit_ns:
                is_cut = current.probes < MOST_PROBES  # it was Prometheus that had no more time
                break
        reference = world.observer.reference()
        if reference is None or not current.probes:
            kept.result, kept.round = None, None
            return
        read_unix_ns = None
        if current.stamp is not None:
            read_unix_ns = reference.true_unix_ns(current.stamp.received_raw_ns)
        elapsed_ns = self._clock.raw_ns() - began_raw_ns
        kept.round, kept.timeline, kept.asked_raw_ns = current, timeline, began_raw_ns
        kept.is_cut = is_cut
        kept.result = rounds.result(target, current, read_unix_ns, elapsed_ns)

    def _next_window(self, current: Round) -> Window | None:
        reference = self._world.observer.reference()
        return None if reference is None else rounds.next_window(current, reference.doubt_ns)

    def _wait_for(self, window: Window, deadline_raw_ns: int, *, is_needed: bool) -> bool:
        """Wait until it is time to connect; return False if that is not before the deadline.

        The first connection of a round is made even if its window opens too late: something is
        proven at any time. Raises Busy where not even that is possible, for the pace.
        """
        left_ns = deadline_raw_ns - self._clock.raw_ns()
        last_raw_ns = deadline_raw_ns - min(_LAST_WORDS_NS, left_ns // 2)
        while True:
            now_ns = self._clock.raw_ns()
            opens_ns = self._opens_raw_ns(window, now_ns, last_raw_ns, is_needed=is_needed)
            if opens_ns is None or opens_ns > last_raw_ns:
                return False
            if opens_ns > now_ns:
                threading.Event().wait((opens_ns - now_ns) / NS)
                continue
            if not self._turn.acquire(timeout=max(0, last_raw_ns - now_ns) / NS):
                if is_needed:
                    raise Busy
                return False
            try:
                taken = self._take(window, last_raw_ns, is_needed=is_needed)
            finally:
                self._turn.release()
            if taken is not None:
                return taken

    def _take(self, window: Window, last_raw_ns: int, *, is_needed: bool) -> bool | None:
        """Wait for the pace; return None if the window has closed before it was this one's turn."""
        while True:
            now_ns = self._clock.raw_ns()
            opens_ns = self._opens_raw_ns(window, now_ns, last_raw_ns, is_needed=is_needed)
            if opens_ns is None or opens_ns > now_ns:
                return False if opens_ns is None else None
            again_ns = self._pace.take(now_ns)
            if again_ns is None:
                return True
            if again_ns > last_raw_ns:
                if is_needed:
                    raise Busy
                return False
            threading.Event().wait((again_ns - now_ns) / NS)

    def _opens_raw_ns(
        self, window: Window, now_ns: int, last_raw_ns: int, *, is_needed: bool
    ) -> int | None:
        """Return when to begin to connect, None if that is not possible."""
        reference = self._world.observer.reference()
        if reference is None:
            return None
        opens_ns = window.opens_raw_ns(reference, now_ns)
        return now_ns if opens_ns > last_raw_ns and is_needed else opens_ns


def _key(target: Target, module: Module, address: str) -> tuple[str, str, int, str]:
    """Return what a node is remembered by: the machine, whatever names lead to it.

    Servers of HTTP are many behind one address, of which the name chooses one.
    """
    if module.has_path:
        return target.endpoint
    return target.module, address, target.port, ""


def _unasked(target: Target, verdict: str, note: str) -> Result:
    return rounds.result(target, rounds.unasked(Round(), verdict, note), None, 0)
