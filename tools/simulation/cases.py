"""The cases that are simulated: a name, a rule, and how a run's world is made. Pure."""

from collections.abc import Callable
from functools import partial
from random import Random

from drift.consensus.rule import Rule
from sources.clock import NS
from sources.record import Record
from tools.simulation import liars
from tools.simulation.model import BAD, MS, QUIET, Network, Server, World, drawn_truth, servers

RULE = Rule(3, 2, 20 * MS)
"""As shipped."""
TOLERANCES_S = (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
MIN_OPERATORS = (3, 4, 5, 7)

Mix = tuple[tuple[str, str], ...]


def _mix(**counts: int) -> Mix:
    """Return (operator, kind) of so many sources of each kind, each of an operator of its own."""
    return tuple(
        (f"{kind} {number}", kind) for kind, count in counts.items() for number in range(count)
    )


SMALL = _mix(ntp=4, https=3)
NINE = _mix(ntp=3, nts=3, roughtime=2, https=1)
SHARED = (
    *_mix(ntp=5, https=3),
    *(("pool", "ntp"),) * 4,
    *((("ntp 0", "https"), ("https 0", "roughtime"), ("ntp 1", "nts"))),
)
"""Nine operators, some with several sources, one of them a pool."""
SHIPPED = (*_mix(ntp=4, nts=6, roughtime=3, https=4), ("nts 0", "roughtime"), ("nts 0", "https"))
"""The kinds and operators of the configuration that is shipped."""
FORGEABLE = _mix(ntp=6, nts=2, roughtime=1, https=2)
"""Plain NTP is more than half of who answers where NTS is blocked."""
COARSE = _mix(roughtime=3, https=4)
MIXES = {
    "4 NTP, 3 HTTPS": SMALL,
    "3 NTP, 3 NTS, 2 Roughtime, 1 HTTPS": NINE,
    "9 operators of 15 sources": SHARED,
    "as shipped": SHIPPED,
}

_LONG_TAIL = QUIET.replaced(unadmitted_ns=1_500_000)
"""A quiet network whose servers are off by a millisecond or two without admitting it."""
_NEAR = Network(MS // 2, 6 * MS, 0.3, MS // 10, 0.0, (0.05, 1), 1_500_000)
"""Servers so near, and so sure of themselves, that what they do not admit shows."""
_LOOSE = _NEAR.replaced(unadmitted_ns=6_000_000)
"""The same, of servers that are worse."""
_FEW = _mix(ntp=3, https=1)
_NEAR_MIX = _mix(ntp=5, nts=4, roughtime=1, https=1)
_NEAR_LIARS = 3


class Case(Record):
    """One row of a table."""

    name: str
    rule: Rule
    build: Callable[[Random], World]
    weight: int
    """Its share of all runs."""


def _world(rng: Random, mix: Mix | None, network: Network) -> tuple[World, list[Server]]:
    """Return a world without sources, and its servers; any mix where none is given."""
    world = World(rng, drawn_truth(rng))
    return world, servers(mix or rng.choice(list(MIXES.values())), network)


def _fill(world: World, found: list[Server]) -> World:
    for server in found:
        world.add(server)
    return world


def honest(rng: Random, mix: Mix | None, network: Network) -> World:
    """Nobody lies."""
    world, found = _world(rng, mix, network)
    return _fill(world, found)


def steps(rng: Random) -> World:
    """Nobody lies, and the wall clock is stepped during the run."""
    world = honest(rng, None, BAD)
    world.step_raw_ns = world.begin_raw_ns + rng.randrange(300 * MS)
    world.step_ns = rng.randrange(-3 * NS, 3 * NS)
    return world


def smear(rng: Random) -> World:
    """A minority smears a leap second, by up to half a second."""
    return _off_together(rng, rng.randrange(-NS // 2, NS // 2), QUIET)


def correlated(rng: Random) -> World:
    """A minority is one company under several names: off together, by 10 ms to days."""
    off_ns = rng.choice((-1, 1)) * round(NS * 10 ** rng.uniform(-2, 5))
    return _off_together(rng, off_ns, BAD)


def _off_together(rng: Random, off_ns: int, network: Network) -> World:
    world, found = _world(rng, None, network)
    world.liars = _some(rng, found)
    return _fill(
        world,
        [one.replaced(off_ns=off_ns) if one.operator in world.liars else one for one in found],
    )


def caches(rng: Random) -> World:
    """Every Date lags by up to 0.6 s; those of a minority by up to hours."""
    world, found = _world(rng, None, BAD)
    coarse = [one for one in found if one.kind == "https"]
    stale = {one.operator for one in coarse if rng.random() < 0.3}  # noqa: PLR2004 - some
    world.liars = stale if 2 * len(stale) < len({one.operator for one in found}) else set()
    lagging = []
    for one in found:
        lag_ns = 0
        if one.kind == "https":
            lag_ns = rng.randrange(600 * MS)
            if one.operator in world.liars:
                lag_ns = round(NS * 10 ** rng.uniform(0, 4))
        lagging.append(one.replaced(lag_ns=lag_ns))
    return _fill(world, lagging)


def intercepted(rng: Random, mix: Mix | None, nts_share: float) -> World:
    """One box answers for all plain NTP servers, with one lie; it may block NTS."""
    world, found = _world(rng, mix, QUIET)
    off_ns = rng.choice((-1, 1)) * round(NS * 10 ** rng.uniform(-1, 5))
    blocked = rng.random() >= nts_share
    kept = []
    for one in found:
        changed = one
        if one.kind == "ntp":
            world.liars.add(one.operator)
            changed = one.replaced(off_ns=off_ns)
        elif one.kind == "nts" and blocked:
            changed = one.replaced(network=one.network.replaced(loss=1.0))
        kept.append(changed)
    return _fill(world, kept)


def intercepted_knowingly(rng: Random, rule: Rule) -> World:
    """That box sees all other answers before it gives its own, and blocks NTS."""
    world = intercepted(rng, FORGEABLE, 0)
    order, side = rng.choice(liars.ORDERS), rng.choice((-1, 1))
    liars.lie(world, rng.choice(liars.STRATEGIES), order, side, rule.tolerance_ns)
    return world


def forged_dns(rng: Random) -> World:
    """Several names lead to one lying machine: any number of them."""
    world, found = _world(rng, None, QUIET)
    operators = sorted({one.operator for one in found})
    world.liars = set(rng.sample(operators, rng.randint(1, len(operators) - 1)))
    off_ns = rng.choice((-1, 1)) * round(NS * 10 ** rng.uniform(-1, 5))
    return _fill(
        world,
        [
            one.replaced(off_ns=off_ns, address="198.51.100.1")
            if one.operator in world.liars
            else one
            for one in found
        ],
    )


def lying(rng: Random, strategy: liars.Strategy, rule: Rule, network: Network) -> World:
    """A minority lies by a strategy, in any order of arrival."""
    world, found = _world(rng, None, network)
    world.liars = _some(rng, found)
    _fill(world, found)
    liars.lie(world, strategy, rng.choice(liars.ORDERS), rng.choice((-1, 1)), rule.tolerance_ns)
    return world


def lying_worst(rng: Random, rule: Rule) -> World:
    """A minority tries everything, and does the worst of it."""
    world, found = _world(rng, rng.choice((SMALL, NINE, SHARED)), rng.choice((QUIET, BAD)))
    world.liars = _some(rng, found)
    _fill(world, found)
    liars.lie_worst(world, rule)
    return world


def lying_within(rng: Random, rule: Rule) -> World:
    """A minority stays near servers that are near, and does the worst that it can there."""
    world, found = _world(rng, _NEAR_MIX, _NEAR)
    world.liars = {one.operator for one in found[:_NEAR_LIARS]}
    _fill(world, found)
    strategy = rng.choice((liars.at_the_edge, liars.from_the_edge))
    order, side = rng.choice(liars.ORDERS), rng.choice((-1, 1))
    liars.lie(world, strategy, order, side, rule.tolerance_ns)
    return world


def overrun(rng: Random, count: int, *, silenced: bool) -> World:
    """So many of nine operators tell one lie; the others are heard, or silenced."""
    world, found = _world(rng, NINE, QUIET)
    # Taken in an order in which two kinds are soon among them.
    order = [found[index].operator for index in (0, 3, 6, 1, 4, 8, 2, 5, 7)]
    world.liars = set(order[:count])
    _fill(world, found)
    for source in world.sources:
        if silenced and source.operator not in world.liars:
            source.answer = None
    liars.lie(world, liars.an_hour_off, rng.choice(liars.ORDERS), 1, 0)
    return world


def _some(rng: Random, found: list[Server]) -> set[str]:
    """Return a minority of the operators, often the largest, and often of precise kinds first."""
    kinds: dict[str, str] = {}
    for one in found:
        kinds.setdefault(one.operator, one.kind)
    order = list(kinds)
    rng.shuffle(order)
    if rng.random() < 0.5:  # noqa: PLR2004 - as often as not
        order.sort(key=lambda operator: kinds[operator] not in ("ntp", "nts"))
    most = (len(order) - 1) // 2
    return set(order[: most if rng.random() < 0.5 else rng.randint(1, most)])  # noqa: PLR2004


def cases() -> list[Case]:
    """Return every case, each by a name of its own."""
    return [*_majority(), *_settling(), *_broken(), *_tolerances()]


def _majority() -> list[Case]:
    anywhere = partial(honest, mix=None)
    half_blocked = partial(intercepted, mix=None, nts_share=0.5)
    found = [
        Case("quiet network", RULE, partial(anywhere, network=_LONG_TAIL), 60),
        Case("bad network: slow, lopsided, 8 % lost", RULE, partial(anywhere, network=BAD), 60),
        Case("the clock is stepped during the run", RULE, steps, 30),
        Case("a minority smears a leap second", RULE, smear, 50),
        Case("Dates lag, by up to 0.6 s; some by hours", RULE, caches, 60),
        Case("a minority under one roof is off together", RULE, correlated, 60),
        Case("UDP 123 is intercepted, NTS blocked or not", RULE, half_blocked, 50),
        Case("names forged to one address", RULE, forged_dns, 50),
    ]
    for strategy in liars.STRATEGIES:
        for label, network in (("quiet", QUIET), ("bad", BAD)):
            name = f"liars: {strategy.__name__.replace('_', ' ')}, {label} network"
            build = partial(lying, strategy=strategy, rule=RULE, network=network)
            found.append(Case(name, RULE, build, 24))
    worst = partial(lying_worst, rule=RULE)
    return [*found, Case("liars: the worst of all strategies and orders", RULE, worst, 5)]


def _settling() -> list[Case]:
    return [
        *(
            Case(f"mix: {name}", RULE, partial(honest, mix=mix, network=_LONG_TAIL), 10)
            for name, mix in MIXES.items()
        ),
        Case("mix: 3 Roughtime, 4 HTTPS", RULE, partial(honest, mix=COARSE, network=_LONG_TAIL), 6),
    ]


def _broken() -> list[Case]:
    found = []
    for least in MIN_OPERATORS:
        rule = RULE.replaced(min_operators=least)
        for count in range(2, 9):
            silenced = partial(overrun, count=count, silenced=True)
            found.append(
                Case(f"broken: {count} of 9 lie, others silenced; {least}", rule, silenced, 1)
            )
        for count in range(5, 9):
            heard = partial(overrun, count=count, silenced=False)
            found.append(Case(f"broken: {count} of 9 lie, others answer; {least}", rule, heard, 1))
        blind = partial(intercepted, mix=FORGEABLE, nts_share=0)
        knowing = partial(intercepted_knowingly, rule=rule)
        found += [
            Case(f"broken: UDP 123 forged, NTS blocked; {least}", rule, blind, 2),
            Case(f"broken: UDP 123 forged, NTS blocked, knowing all; {least}", rule, knowing, 2),
        ]
    return found


def _tolerances() -> list[Case]:
    found = []
    for tolerance_s in TOLERANCES_S:
        rule = RULE.replaced(tolerance_ns=round(tolerance_s * NS))
        few = partial(honest, mix=_FEW, network=_NEAR)
        loose = partial(honest, mix=_FEW, network=_LOOSE)
        found += [
            Case(f"tolerance {tolerance_s}: few", rule, few, 6),
            Case(f"tolerance {tolerance_s}: few, loose", rule, loose, 6),
            Case(f"tolerance {tolerance_s}: liars", rule, partial(lying_within, rule=rule), 6),
        ]
    return found
