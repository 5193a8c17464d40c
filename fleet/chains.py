"""How far off a chain's node may be before it matters. Pure.

A limit is a constant of the chain's code, a default, or what its developers wrote, with the place
where that stands. Where the code tolerates more than a minute the limit here is a minute: no
healthy clock is so far off, and what makes it so does not stop there.
"""

from sources.clock import NS
from sources.record import Record


class Chain(Record):
    """A chain, and the limit that its nodes are held to."""

    name: str
    """As in the label `chain` of a target."""
    limit_ns: int
    """A node that is more than this off true time, to either side, is beyond its limit."""
    why: str
    source: str


_MINUTE_NS = 60 * NS

UNKNOWN = Chain(
    "",
    NS // 2,
    "the limit of the strictest chains: a label that is misspelt must not quieten anything",
    "as for ethereum",
)
"""For targets whose chain is not known."""

CHAINS = {
    chain.name: chain
    for chain in (
        Chain(
            "ethereum",
            NS // 2,
            "messages more than 500 ms early are dropped; attestations of a clock that is "
            "off by more are not included",
            "ethereum/consensus-specs MAXIMUM_GOSSIP_CLOCK_DISPARITY; status-im/nimbus-eth2#3419",
        ),
        Chain(
            "cosmos",
            505 * NS // 1000,
            "proposer-based timestamps: a block more than 505 ms ahead is voted nil",
            "cometbft/cometbft#4249 (Precision); a chain can set its own",
        ),
        Chain(
            "ibc",
            5 * NS,
            "Hermes: headers more than 5 s ahead are refused",
            "informalsystems/hermes clock_drift, #3139; cosmos/gaia#1018",
        ),
        Chain(
            "sui",
            NS // 2,
            "a block more than 500 ms ahead is rejected",
            "MystenLabs/sui consensus max_forward_time_drift, #16252",
        ),
        Chain(
            "iota",
            NS // 2,
            "a block more than 500 ms ahead is rejected",
            "iotaledger/iota consensus max_forward_time_drift",
        ),
        Chain(
            "cardano",
            2 * NS,
            "slots of 1 s; a header more than 5 s ahead makes its sender an adversary, 2 s "
            "are planned",
            "IntersectMBO/ouroboros-consensus#1278 (defaultClockSkew), #1459",
        ),
        Chain(
            "filecoin",
            NS,
            "a block more than 1 s ahead is refused",
            "filecoin-project/lotus AllowableClockDriftSecs, #925",
        ),
        Chain(
            "avalanche",
            10 * NS,
            "a block more than 10 s ahead is refused, a peer more than 60 s off (once 10 s)",
            "ava-labs/coreth allowedFutureBlockTime; ava-labs/avalanchego "
            "network-max-clock-difference, #260",
        ),
        Chain(
            "solana",
            15 * NS,
            "gossip 15 s (pull) or 30 s (push) off is dropped; 3 s were tried and proved too tight",
            "solana-labs/solana#29198; anza-xyz/agave#7398",
        ),
        Chain(
            "xrpl",
            20 * NS,
            "peers more than 20 s apart refuse each other",
            "XRPLF/rippled overlay/detail/Handshake.cpp verifyHandshake (tolerance)",
        ),
        Chain(
            "polkadot",
            30 * NS,
            "slots of 6 s; a block more than 30 s ahead is refused",
            "paritytech/polkadot-sdk frame/timestamp MAX_TIMESTAMP_DRIFT_MILLIS",
        ),
        Chain(
            "stellar",
            _MINUTE_NS,
            "a close time more than 60 s ahead is invalid",
            "stellar/stellar-core MAX_TIME_SLIP_SECONDS, #4101",
        ),
        Chain(
            "kaspa",
            _MINUTE_NS,
            "a block more than 132 s ahead is refused",
            "kaspanet/rusty-kaspa NEW_TIMESTAMP_DEVIATION_TOLERANCE",
        ),
        Chain(
            "chia",
            _MINUTE_NS,
            "a block more than 120 s ahead is refused",
            "Chia-Network/chia-blockchain MAX_FUTURE_TIME2",
        ),
        Chain(
            "monero",
            _MINUTE_NS,
            "a block more than 2 h ahead is refused",
            "monero-project/monero CRYPTONOTE_BLOCK_FUTURE_TIME_LIMIT",
        ),
        Chain(
            "bitcoin",
            _MINUTE_NS,
            "a block more than 2 h ahead is refused; 10 min off its peers, a node warns",
            "bitcoin/bitcoin MAX_FUTURE_BLOCK_TIME, #28956, #29623",
        ),
        Chain(
            "bch",
            _MINUTE_NS,
            "a block more than 2 h ahead is refused",
            "Bitcoin-ABC/bitcoin-abc chain.h MAX_FUTURE_BLOCK_TIME",
        ),
        Chain(
            "litecoin",
            _MINUTE_NS,
            "a block more than 2 h ahead is refused",
            "litecoin-project/litecoin chain.h MAX_FUTURE_BLOCK_TIME",
        ),
        Chain(
            "dogecoin",
            _MINUTE_NS,
            "a block more than 2 h ahead is refused",
            "dogecoin/dogecoin validation.cpp, as Bitcoin Core 0.14 (time-too-new)",
        ),
        Chain(
            "zcash",
            _MINUTE_NS,
            "10 min off most of its peers, a node warns",
            "zcash/zcash timedata.h TIMEDATA_WARNING_THRESHOLD",
        ),
    )
}


def chain_of(name: str) -> Chain:
    """Return the chain of this name; the strictest limit where it is not known."""
    return CHAINS.get(name, UNKNOWN.replaced(name=name))
