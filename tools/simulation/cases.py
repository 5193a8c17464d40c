"""The cases that are simulated: a name, a rule, how a run's world is made, a share."""

from collections.abc import Callable
from functools import partial
from random import Random

from drift.consensus.rule import Rule
from sources.clock import NS
from sources.record import Record
from tools.simulation import liars, worlds
from tools.simulation.model import World
from tools.simulation.network import BAD, MS, QUIET
from tools.simulation.worlds import COARSE, FEW, FORGEABLE, LONG_TAIL, LOOSE, MIXES, NEAR

RULE = Rule(3, 2, 20 * MS)
"""As shipped."""
TOLERANCES_S = (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
MIN_OPERATORS = (3, 4, 5, 7)


class Case(Record):
    """One row of a table."""

    name: str
    rule: Rule
    build: Callable[[Random], World]
    weight: int
    """Its share of all runs."""


def cases() -> list[Case]:
    """Return every case, each by a name of its own."""
    return [*_majority(), *_settling(), *_broken(), *_tolerances()]


def _majority() -> list[Case]:
    anywhere = partial(worlds.honest, mix=None)
    half_blocked = partial(worlds.intercepted, mix=None, nts_share=0.5)
    found = [
        Case("quiet network", RULE, partial(anywhere, network=LONG_TAIL), 60),
        Case("bad network: slow, lopsided, 8 % lost", RULE, partial(anywhere, network=BAD), 60),
        Case("the clock is stepped during the run", RULE, worlds.steps, 30),
        Case("a minority smears a leap second", RULE, worlds.smear, 50),
        Case("Dates lag, by up to 0.6 s; some by hours", RULE, worlds.caches, 60),
        Case("a minority under one roof is off together", RULE, worlds.correlated, 60),
        Case("UDP 123 is intercepted, NTS blocked or not", RULE, half_blocked, 50),
        Case("names forged to one address", RULE, worlds.forged_dns, 50),
    ]
    for strategy in liars.STRATEGIES:
        for label, network in (("quiet", QUIET), ("bad", BAD)):
            name = f"liars: {strategy.__name__.replace('_', ' ')}, {label} network"
            build = partial(worlds.lying, strategy=strategy, rule=RULE, network=network)
            found.append(Case(name, RULE, build, 24))
    worst = partial(worlds.lying_worst, rule=RULE)
    return [*found, Case("liars: the worst of all strategies and orders", RULE, worst, 5)]


def _settling() -> list[Case]:
    return [
        *(
            Case(f"mix: {name}", RULE, partial(worlds.honest, mix=mix, network=LONG_TAIL), 10)
            for name, mix in MIXES.items()
        ),
        Case(
            "mix: 3 Roughtime, 4 HTTPS",
            RULE,
            partial(worlds.honest, mix=COARSE, network=LONG_TAIL),
            6,
        ),
    ]


def _broken() -> list[Case]:
    found = []
    for least in MIN_OPERATORS:
        rule = RULE.replaced(min_operators=least)
        for count in range(2, 9):
            silenced = partial(worlds.overrun, count=count, silenced=True)
            found.append(
                Case(f"broken: {count} of 9 lie, others silenced; {least}", rule, silenced, 1)
            )
        for count in range(5, 9):
            heard = partial(worlds.overrun, count=count, silenced=False)
            found.append(Case(f"broken: {count} of 9 lie, others answer; {least}", rule, heard, 1))
        blind = partial(worlds.intercepted, mix=FORGEABLE, nts_share=0)
        knowing = partial(worlds.intercepted_knowingly, rule=rule)
        found += [
            Case(f"broken: UDP 123 forged, NTS blocked; {least}", rule, blind, 2),
            Case(f"broken: UDP 123 forged, NTS blocked, knowing all; {least}", rule, knowing, 2),
        ]
    return found


def _tolerances() -> list[Case]:
    found = []
    for tolerance_s in TOLERANCES_S:
        rule = RULE.replaced(tolerance_ns=round(tolerance_s * NS))
        few = partial(worlds.honest, mix=FEW, network=NEAR)
        loose = partial(worlds.honest, mix=FEW, network=LOOSE)
        found += [
            Case(f"tolerance {tolerance_s}: few", rule, few, 6),
            Case(f"tolerance {tolerance_s}: few, loose", rule, loose, 6),
            Case(
                f"tolerance {tolerance_s}: liars", rule, partial(worlds.lying_within, rule=rule), 6
            ),
        ]
    return found
