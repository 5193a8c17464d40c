"""One connection to one node: the name looked up, its addresses judged, a stamp or a verdict.

The addresses that are judged here are the ones that the node's protocol connects to: it looks up
nothing itself.
"""

import os

from fleet import rounds
from fleet.addresses import why_refused
from fleet.observer import Observer
from fleet.rounds import Round
from fleet.settings import Module, Settings
from fleet.sweep.names import Names
from fleet.targets import Target
from nodes.base import NodeError, Question, verdict_of
from sources.clock import Clock
from sources.net.addresses import is_address
from sources.net.steps import Steps, held
from sources.record import Record

_MOST_ADDRESSES = 2
"""Of a name with many: a connection is one node, or the next one if the first leads nowhere."""


class World(Record):
    """What asking a node takes."""

    settings: Settings
    observer: Observer
    names: Names
    clock: Clock


def ask(target: Target, module: Module, past: Round, deadline_raw_ns: int, world: World) -> Round:
    """Connect once and return the round as it is then; whatever the node does is a verdict."""
    return held(asking(target, module, past, deadline_raw_ns, world), world.clock)


def is_light(target: Target, module: Module) -> bool:
    """Whether no step of asking takes long: no name is looked up, and nothing is enciphered."""
    return module.node.is_light and is_address(target.host)


def asking(
    target: Target, module: Module, past: Round, deadline_raw_ns: int, world: World
) -> Steps[Round]:
    """Do what `ask` does, in steps."""
    timeline = world.observer.timeline()
    try:
        found = world.names.addresses(target.host, deadline_raw_ns)
    except NodeError as error:
        return rounds.failed(past, verdict_of(error), str(error))
    refused = [why_refused(address, world.settings.allow) for address in found]
    allowed = [a for a, why in zip(found, refused, strict=True) if why is None]
    if not allowed:
        return rounds.unasked(past, rounds.NOT_ALLOWED, next(why for why in refused if why))
    reference = world.observer.reference()
    if reference is None:
        return rounds.unasked(past, rounds.NOT_READ, world.observer.why_not())
    begun_raw_ns = world.clock.raw_ns()
    question = Question(
        host=target.host,
        port=target.port,
        addresses=tuple(allowed[:_MOST_ADDRESSES]),
        deadline_raw_ns=deadline_raw_ns,
        clock=world.clock,
        true_unix_ns=lambda: reference.true_unix_ns(world.clock.raw_ns()),
        random_bytes=os.urandom,
        agent=world.settings.agent,
        path=target.path,
    )
    try:
        stamp = yield from module.node.conversation(question)
    except NodeError as error:
        return rounds.failed(past, verdict_of(error), str(error))
    if world.observer.timeline() != timeline:
        return rounds.unasked(past, rounds.NOT_READ, "this machine slept meanwhile")
    return rounds.heard(past, stamp, reference, begun_raw_ns)
