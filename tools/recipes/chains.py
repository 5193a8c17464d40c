"""How far off a node's clock may be, chain by chain. Pure.

The limits are facts (fleet/chains.py): a constant in a chain's code, a default, or what its
developers wrote, with the place where that stands. The thresholds are our judgement:

- they are compared with the integer, in which 1 means half a second or more, and 2 one and a half
  or more: a limit of 500 ms is reached at 1;
- at `warning` somebody should look while nothing is lost yet, or, where that cannot be had (limits
  of half a second), as soon as something may be lost;
- at `critical` the node is failing at its task, or may at any time: its peers may be off as well,
  each by as much as is allowed.

Where a limit is wide (Bitcoin: two hours) the threshold is far below it: no healthy clock is a
minute off, and one that is will be further off soon.
"""

from fleet.chains import CHAINS as FACTS
from fleet.chains import UNKNOWN
from sources.clock import NS
from sources.record import Record


class Chain(Record):
    """A chain, and from how many whole seconds on its nodes' operators should know."""

    name: str
    """As in the label `chain`."""
    limit: str
    source: str
    limit_s: float
    """A node of somebody else that is off by more is beyond what its chain bears."""
    warning_s: int
    critical_s: int


DEFAULT = Chain(
    name="",
    limit="unknown",
    source="as for the strictest chains: a label that is misspelt must not quieten an alert",
    limit_s=UNKNOWN.limit_ns / NS,
    warning_s=1,
    critical_s=2,
)
"""For nodes whose label `chain` is missing, or is none of CHAINS."""

_THRESHOLDS_S = {
    "ethereum": (1, 2),
    "cosmos": (1, 2),
    "ibc": (3, 5),
    "sui": (1, 2),
    "iota": (1, 2),
    "cardano": (1, 2),
    "filecoin": (1, 2),
    "avalanche": (5, 10),
    "solana": (2, 10),
    "xrpl": (5, 20),
    "polkadot": (2, 15),
    "stellar": (5, 30),
    "kaspa": (30, 60),
    "chia": (30, 60),
    "monero": (30, 300),
    "bitcoin": (5, 60),
    "bch": (5, 60),
    "litecoin": (5, 60),
    "dogecoin": (5, 60),
    "zcash": (5, 60),
}
"""Of each chain: from where on to warn, and from where on it is critical."""

CHAINS = tuple(
    Chain(
        name=fact.name,
        limit=fact.why,
        source=fact.source,
        limit_s=fact.limit_ns / NS,
        warning_s=_THRESHOLDS_S[fact.name][0],
        critical_s=_THRESHOLDS_S[fact.name][1],
    )
    for fact in FACTS.values()
)
