"""How a lab server behaves: the hook that turns an honest reply into what is really sent.

A Behaviour is called once a request with a maker of honest replies and returns any number of
Replies. The ones here suit every kind of server; kinds add their own (kiss-o'-death, cached Date).
"""

import itertools
from collections.abc import Callable, Iterable

from sources.clock import NS
from sources.record import Record


class Reply(Record):
    """One thing that a server sends back."""

    data: bytes
    delay_s: float = 0
    elsewhere: bool = False
    """Sent from another address than the one that was asked."""


Honest = Callable[[int], bytes]
"""Makes the honest reply of a server whose clock is off by so many nanoseconds."""

Behaviour = Callable[[Honest], Iterable[Reply]]


def honest(reply: Honest) -> Iterable[Reply]:
    """Answer truthfully."""
    return [Reply(reply(0))]


def shifted(seconds: float) -> Behaviour:
    """Answer from a clock that is off by so much."""
    return lambda reply: [Reply(reply(round(seconds * NS)))]


def silent(reply: Honest) -> Iterable[Reply]:  # noqa: ARG001 - that is the point
    """Answer nothing."""
    return []


def junk(data: bytes) -> Behaviour:
    """Answer with these bytes, then truthfully: junk must not abort a question."""
    return lambda reply: [Reply(data), Reply(reply(0))]


def only(data: bytes) -> Behaviour:
    """Answer with these bytes and nothing else."""
    return lambda reply: [Reply(data)]  # noqa: ARG005 - that is the point


def flooding(behave: Behaviour) -> Behaviour:
    """Answer without end, as fast as can be, with what this behaviour answered first."""

    def behave_on(reply: Honest) -> Iterable[Reply]:
        return itertools.cycle(list(behave(reply)))

    return behave_on


def twice(reply: Honest) -> Iterable[Reply]:
    """Answer truthfully, and once more with the same bytes."""
    return [Reply(reply(0)), Reply(reply(0))]


def late(seconds: float) -> Behaviour:
    """Answer truthfully, but only after so long on the way back."""
    return lambda reply: [Reply(reply(0), delay_s=seconds)]


def elsewhere(reply: Honest) -> Iterable[Reply]:
    """Answer truthfully, from another address."""
    return [Reply(reply(0), elsewhere=True)]


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave like the first at the first request, the second at the second; the last one stays."""
    left = list(behaviours)

    def behave(reply: Honest) -> Iterable[Reply]:
        behaviour = left.pop(0) if len(left) > 1 else left[0]
        return behaviour(reply)

    return behave
