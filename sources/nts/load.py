"""What a run asks of an NTS server: one datagram, and seldom new keys. Pure.

With state the keys of one exchange, and the cookies that each reply brings, last for a day. Without
it each run that asks begins with a key exchange, and so is not among the first.
"""

from sources.base import Source
from sources.clock import NS
from sources.load import Circumstances, Tier, sendings
from sources.net.udp import USUAL
from sources.nts.cookies import MOST_AGE_NS


def tiers(source: Source, given: Circumstances) -> tuple[Tier, ...]:
    """Return two: the time, and the keys."""
    keys = min(1, given.every_s * NS / MOST_AGE_NS) if given.keeps_state else 1
    worst = sendings(USUAL, given.timeout_ns)
    return (
        Tier(source.kind, given.keeps_state, 1, worst),
        Tier(f"{source.kind} keys", given.keeps_state, keys, 1, renews=given.keeps_state),
    )
