"""Outcomes in few words, and what the consensus rule makes of them.

Times are written in milliseconds, `ms(0, 200)`; with a wall clock that equals the raw one, a
sample's interval of raw - true is drift itself.
"""

from drift.consensus.rule import Answer, Lack, NoAnswer, Rule, settle
from sources.base import Failure, Interval, Outcome, Pending, Reason, Sample


def ms(low: float, high: float) -> Interval:
    """Return an interval given in milliseconds."""
    return Interval(round(low * 1_000_000), round(high * 1_000_000))


def said(
    operator: str, certain: Interval, likely: Interval | None = None, kind: str = "ntp"
) -> Sample:
    """Return a sample; as of NTP, all that is certain is likely unless it says otherwise."""
    return Sample(operator, kind, False, certain, likely or certain, 0, "192.0.2.1", "")


def out(operator: str, kind: str = "ntp") -> Pending:
    """Return a source that has not answered yet."""
    return Pending(operator, kind)


def failed(operator: str, kind: str = "ntp") -> Failure:
    """Return a source that has failed."""
    return Failure(operator, kind, Reason.TIMEOUT, "")


def settled(
    *outcomes: Outcome, operators: int = 1, kinds: int = 1, tolerance_ms: int = 0, wall_ns: int = 0
) -> Answer | NoAnswer:
    """Settle under a rule of which each test names only what it is about."""
    rule = Rule(min_operators=operators, min_kinds=kinds, tolerance_ns=tolerance_ms * 1_000_000)
    return settle(outcomes, rule, wall_ns)


def answer(*outcomes: Outcome, **rule: int) -> Answer:
    """Settle, and have an answer."""
    found = settled(*outcomes, **rule)
    assert isinstance(found, Answer), found
    return found


def lack(*outcomes: Outcome, **rule: int) -> Lack:
    """Settle, and have none; return what is missing."""
    found = settled(*outcomes, **rule)
    assert isinstance(found, NoAnswer), found
    return found.lack
