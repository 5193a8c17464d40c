"""How far off a node's clock may be, chain by chain. Pure.

The limits are facts: a constant in a chain's code, a default, or what its developers wrote, with
the place where that stands. The thresholds are our judgement, and the limits are what they rest on:

- they are compared with the integer, in which 1 means half a second or more, and 2 one and a half
  or more: a limit of 500 ms is reached at 1;
- at `warning` somebody should look while nothing is lost yet, or, where that cannot be had (limits
  of half a second), as soon as something may be lost;
- at `critical` the node is failing at its task, or may at any time: its peers may be off as well,
  each by as much as is allowed.

Where a limit is wide (Bitcoin: two hours) the threshold is far below it: no healthy clock is a
minute off, and one that is will be further off soon.
"""

from sources.record import Record


class Chain(Record):
    """A chain, and from how many whole seconds on its nodes' operators should know."""

    name: str
    """As in the label `chain`."""
    limit: str
    source: str
    warning_s: int
    critical_s: int


DEFAULT = Chain(
    name="",
    limit="unknown",
    source="as for the strictest chains: a label that is misspelt must not quieten an alert",
    warning_s=1,
    critical_s=2,
)
"""For nodes whose label `chain` is missing, or is none of CHAINS."""

CHAINS = (
    Chain(
        name="ethereum",
        limit="messages more than 500 ms early are dropped; attestations of a clock that is off by "
        "more are not included",
        source="consensus-specs MAXIMUM_GOSSIP_CLOCK_DISPARITY; status-im/nimbus-eth2#3419",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="cosmos",
        limit="proposer-based timestamps: a block more than 505 ms ahead is voted nil",
        source="cometbft/cometbft#4249 (Precision); a chain can set its own",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="ibc",
        limit="Hermes: headers more than 5 s ahead are refused",
        source="informalsystems/hermes clock_drift, #3139; cosmos/gaia#1018",
        warning_s=3,
        critical_s=5,
    ),
    Chain(
        name="sui",
        limit="a block more than 500 ms ahead is rejected",
        source="MystenLabs/sui consensus max_forward_time_drift, #16252",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="iota",
        limit="a block more than 500 ms ahead is rejected",
        source="iotaledger/iota consensus max_forward_time_drift",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="cardano",
        limit="slots of 1 s; a header more than 5 s ahead makes its sender an adversary, 2 s are "
        "planned",
        source="IntersectMBO/ouroboros-consensus#1278 (defaultClockSkew), #1459",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="filecoin",
        limit="a block more than 1 s ahead is refused",
        source="filecoin-project/lotus AllowableClockDriftSecs, #925",
        warning_s=1,
        critical_s=2,
    ),
    Chain(
        name="avalanche",
        limit="a block more than 10 s ahead is refused, a peer more than 60 s off (once 10 s)",
        source="ava-labs/coreth allowedFutureBlockTime; ava-labs/avalanchego "
        "network-max-clock-difference, #260",
        warning_s=5,
        critical_s=10,
    ),
    Chain(
        name="solana",
        limit="gossip 15 s (pull) or 30 s (push) off is dropped; 3 s were tried and proved too"
        " tight",
        source="solana-labs/solana#29198; anza-xyz/agave#7398",
        warning_s=2,
        critical_s=10,
    ),
    Chain(
        name="polkadot",
        limit="slots of 6 s; a block more than 30 s ahead is refused",
        source="paritytech/polkadot-sdk frame/timestamp MAX_TIMESTAMP_DRIFT_MILLIS",
        warning_s=2,
        critical_s=15,
    ),
    Chain(
        name="stellar",
        limit="a close time more than 60 s ahead is invalid",
        source="stellar/stellar-core MAX_TIME_SLIP_SECONDS, #4101",
        warning_s=5,
        critical_s=30,
    ),
    Chain(
        name="chia",
        limit="a block more than 120 s ahead is refused",
        source="Chia-Network/chia-blockchain MAX_FUTURE_TIME2",
        warning_s=30,
        critical_s=60,
    ),
    Chain(
        name="monero",
        limit="a block more than 2 h ahead is refused",
        source="monero-project/monero CRYPTONOTE_BLOCK_FUTURE_TIME_LIMIT",
        warning_s=30,
        critical_s=300,
    ),
    Chain(
        name="bitcoin",
        limit="a block more than 2 h ahead is refused; 10 min off its peers, a node warns",
        source="bitcoin/bitcoin MAX_FUTURE_BLOCK_TIME, #28956, #29623",
        warning_s=5,
        critical_s=60,
    ),
)
