"""What one run with a configuration asks, of whom: usually, and at worst. Pure.

Usually means: runs keep state, and those that are asked at once answer within their head start. The
others are asked if these cannot decide without them. Whether they can is asked of the rule itself,
with and without those that are among the first only while something kept lasts (keys of NTS): that
is got by a run that needs it, which asks everybody, and where no run needs it, never.
"""

from collections.abc import Sequence
from enum import Enum

from drift.config import Config
from drift.consensus.rule import Answer, Rule, settle
from sources.base import Interval, Outcome, Pending, Sample, Source
from sources.clock import NS
from sources.load import Circumstances, Tier, tiers
from sources.record import Record

_PRECISE = Interval(-NS // 100, NS // 100)
"""Of raw - true: what a server shows that is some milliseconds away."""
_COARSE = Interval(-NS // 2, NS // 2)


class _Turn(Enum):
    """When a source is asked."""

    ALWAYS = "at once"
    WHILE_KEPT = "at once, while what an earlier run left lasts"
    LATE = "if those before cannot decide"


class Load(Record):
    """What runs ask of one host in one way."""

    operator: str
    host: str
    what: str
    usual: float
    """Queries a run."""
    worst: float
    """The same where nothing is kept, nobody answers in time, or the integer stays open."""


def loads(config: Config, every_s: float) -> list[Load]:
    """Return what one run asks, in the order of the configuration; the shares of a pool as one."""
    given = Circumstances(every_s, config.timeout_ns, config.state != "")
    asked = [(source, tiers(source, given)) for source in config.sources]
    share = _shares_of_runs(config, [of_it for _, of_it in asked])
    found: dict[tuple[str, str, str], Load] = {}
    for source, of_it in asked:
        for tier in of_it:
            key = (source.operator, source.host, tier.name)
            before = found.get(key, Load(*key, 0, 0))
            usual = before.usual + tier.usual * share[_turn(source, tier)]
            found[key] = Load(*key, usual, before.worst + tier.worst)
    return list(found.values())


def _shares_of_runs(config: Config, asked: Sequence[tuple[Tier, ...]]) -> dict[_Turn, float]:
    """Return the share of runs in which each turn comes."""
    always = [source.cheap for source in config.sources]
    at_once = [any(tier.is_first for tier in of_it) for of_it in asked]
    if decides(config.sources, always, config.rule):
        return {_Turn.ALWAYS: 1, _Turn.WHILE_KEPT: 0, _Turn.LATE: 0}
    late = 1.0
    if decides(config.sources, at_once, config.rule):
        late = max(tier.usual for of_it in asked for tier in of_it if tier.renews)
    return {_Turn.ALWAYS: 1, _Turn.WHILE_KEPT: 1, _Turn.LATE: late}


def _turn(source: Source, tier: Tier) -> _Turn:
    if source.cheap:
        return _Turn.ALWAYS
    return _Turn.WHILE_KEPT if tier.is_first else _Turn.LATE


def decides(sources: Sequence[Source], first: Sequence[bool], rule: Rule) -> bool:
    """Whether those that are asked first settle it alone when all of them answer and agree."""
    outcomes: list[Outcome] = [
        _answer(source) if is_first else Pending(source.operator, source.kind)
        for source, is_first in zip(sources, first, strict=True)
    ]
    return isinstance(settle(outcomes, rule, 0), Answer)


def _answer(source: Source) -> Sample:
    interval = _PRECISE if source.precise else _COARSE
    return Sample(source.operator, source.kind, True, interval, interval, 0, "", "")
