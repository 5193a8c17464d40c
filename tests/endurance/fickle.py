"""Servers and nodes that fail at random, by a seed."""

import random
import time
from collections.abc import Iterable

from lab.behaviour import Behaviour, Honest, Reply, elsewhere, honest, late, only, silent, twice
from lab.nodes.behaviour import begun, cut
from lab.ntp import NtpServer, kiss
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server
from sources.clock import NS

AHEAD_NS = 4 * NS
"""So much true time is ahead of this machine's clock: the right answer is -4."""

_HONEST_SHARE = 40
"""For each fault that a server has it is honest so many times."""


def true_unix_ns() -> int:
    """Return the time of the honest."""
    return time.time_ns() + AHEAD_NS


def servers(seed: int) -> list[Server]:
    """Return servers of three kinds, each with faults of its own, and lies like nobody else's."""
    dice = random.Random(seed)  # noqa: S311 - a test's

    def lying(reply: Honest) -> Iterable[Reply]:
        return [Reply(reply(round(dice.uniform(-1e5, 1e5) * NS)))]

    faults = (lying, silent, only(b"junk"), twice, late(0.02), elsewhere)
    return [
        *(
            NtpServer(name, _fickle(dice, kiss("RATE"), *faults), time_unix_ns=true_unix_ns)
            for name in ("Alpha", "Bravo", "Charlie", "Delta")
        ),
        RoughtimeServer("Echo", _fickle(dice, *faults), time_unix_ns=true_unix_ns),
        NtsServer("Foxtrot", _fickle(dice, *faults), time_unix_ns=true_unix_ns),
    ]


def node(seed: int) -> Behaviour:
    """Return how a node behaves that is seldom silent, as silence takes real time."""
    faults = [cut(0), cut(9), only(b"junk" * 9)]
    dice = random.Random(seed)  # noqa: S311 - a test's
    return _fickle(dice, *faults * 4, begun(9), silent)


def _fickle(dice: random.Random, *faults: Behaviour) -> Behaviour:
    """Behave well for the most part, else like one of these."""
    choices = [*[honest] * (_HONEST_SHARE * len(faults)), *faults]

    def behave(reply: Honest) -> Iterable[Reply]:
        return dice.choice(choices)(reply)

    return behave
