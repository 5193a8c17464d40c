"""How the worlds of the cases are made; chance is passed in."""

from random import Random

from drift.consensus.rule import Rule
from sources.clock import NS
from tools.simulation import liars
from tools.simulation.model import World, drawn_truth, servers
from tools.simulation.network import BAD, MS, QUIET, Network, Server

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

LONG_TAIL = QUIET.replaced(unadmitted_ns=1_500_000)
"""A quiet network whose servers are off by a millisecond or two without admitting it."""
NEAR = Network(MS // 2, 6 * MS, 0.3, MS // 10, 0.0, (0.05, 1), 1_500_000)
"""Servers so near, and so sure of themselves, that what they do not admit shows."""
LOOSE = NEAR.replaced(unadmitted_ns=6_000_000)
"""The same, of servers that are worse."""
FEW = _mix(ntp=3, https=1)
NEAR_MIX = _mix(ntp=5, nts=4, roughtime=1, https=1)
_NEAR_LIARS = 3


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
    world, found = _world(rng, NEAR_MIX, NEAR)
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
