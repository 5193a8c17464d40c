"""Rules for the clocks of nodes of others, as the exporter's `/probe` has them. Pure.

Everything that a rule compares is a constant here, and the dashboard uses the same ones. What a
rule counts is what a summary of `time-drift probe` counts: nodes whose own clock was read, and of
those how many are beyond the chain's limit surely (the whole interval) and possibly (any of it).
"""

from tools.recipes.chains import CHAINS, DEFAULT, Chain
from tools.recipes.rule_file import Alert, alert, comment, record

JOB = "time-drift-nodes"
"""The job of the scrape configuration whose targets are nodes."""
FEW = 20
"""A share of fewer nodes says little: one of nineteen is more than a twentieth."""
BEYOND = 0.05
"""One node in twenty. One has a bad clock; that many have a cause in common."""
FAR_BEYOND = 0.2
"""A third of the votes stops a chain that votes, and not every node has as many."""
FALLEN = 0.8
"""Of the share that was read over the last day."""
QUANTILES = ((0.5, "0.5"), (0.95, "0.95"))

_LOW, _HIGH = "time_drift_node_interval_low_seconds", "time_drift_node_interval_high_seconds"
_LIMIT = "time_drift_node:limit_seconds"
_NETWORK = "{{ with $labels.chain }}{{ . }}{{ else }}nodes without a chain{{ end }}"

_SHARE = "{{ $value | humanizePercentage }}"

_LIMITS = "\n".join(
    [
        f"0 * {_LOW}",
        "  + on (chain) group_left () time_drift_network:limit_seconds",
        "or",
        f"(0 * {_LOW} unless on (chain) time_drift_network:limit_seconds)",
        '  + on () group_left () time_drift_network:limit_seconds{chain=""}',
    ]
)
_SURELY = f"({_LOW} > bool {_LIMIT})\n  + ({_HIGH} < bool -{_LIMIT})"
_POSSIBLY = f"1 - ({_LOW} >= bool -{_LIMIT})\n  * ({_HIGH} <= bool {_LIMIT})"
_LEAST = f"clamp_min(\n    ({_LOW} >= -{_HIGH})\n    or -{_HIGH}, 0)"
_MOST = f"({_HIGH} >= -{_LOW})\n  or -{_LOW}"
_TARGETS = f'count by (chain) (up{{job="{JOB}"}})'

_DERIVED: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("The same for each node whose own clock was read, by its chain.", _LIMIT, _LIMITS, {}),
    (
        "1: the whole of what is proven of a node is beyond the limit.",
        "time_drift_node:surely_beyond",
        _SURELY,
        {},
    ),
    ("1: any of it is.", "time_drift_node:possibly_beyond", _POSSIBLY, {}),
    ("Nodes of the inventories.", "time_drift_network:nodes", _TARGETS, {}),
    (
        "Those of them whose own clock was read: what all shares rest on.",
        "time_drift_network:read",
        f"count by (chain) ({_LOW})\nor 0 * time_drift_network:nodes",
        {},
    ),
    (
        "",
        "time_drift_network:read:ratio",
        "time_drift_network:read / time_drift_network:nodes",
        {},
    ),
    (
        "Of those that were read, the share beyond the limit.",
        "time_drift_network:beyond:ratio",
        "avg by (chain) (time_drift_node:surely_beyond)",
        {"certainty": "surely"},
    ),
    (
        "",
        "time_drift_network:beyond:ratio",
        "avg by (chain) (time_drift_node:possibly_beyond)",
        {"certainty": "possibly"},
    ),
    (
        "How many nodes came to what: who is not read has no drift, and is not healthy.",
        "time_drift_network:verdicts",
        "count by (chain, verdict) (time_drift_node_verdict)",
        {},
    ),
)

ALERTS = (
    Alert(
        name="TimeDriftNodeBeyond",
        severity="warning",
        wait="15m",
        why="For nodes that somebody answers for: their inventory has the label watched. More than"
        " a round's result, since the first one may be of a node that is being set.",
        expression=('time_drift_node:surely_beyond{watched="true"} == 1',),
        summary="{{ $labels.instance }}: its clock is beyond the limit of {{ $labels.chain }}",
        description="What this node shows of its clock is proven to be further off true time than"
        " its chain bears, whatever the paths did. time_drift_node_interval_low_seconds and"
        " _high_seconds have the bounds: node's clock minus true time, below zero is behind."
        " Whoever runs it should look at its time service.",
    ),
    Alert(
        name="TimeDriftNetworkBeyond",
        severity="warning",
        wait="30m",
        why=f"Of {FEW} nodes or more. Those that lie about their clocks count, silent ones do not.",
        expression=(
            f'time_drift_network:beyond:ratio{{certainty="surely"}} >= {BEYOND}',
            f"and on (chain) time_drift_network:read >= {FEW}",
        ),
        summary=f"{_NETWORK}: {_SHARE} of the clocks are beyond the limit",
        description=f"Of the nodes whose clock was read, {_SHARE} are surely"
        " beyond what the chain bears. A release, an operator or a time server that many of them"
        " share is the usual cause: time_drift_node_info has their software.",
    ),
    Alert(
        name="TimeDriftNetworkFarBeyond",
        severity="critical",
        wait="10m",
        why="Where votes are counted, a third that is late or unheard stops a chain.",
        expression=(
            f'time_drift_network:beyond:ratio{{certainty="surely"}} >= {FAR_BEYOND}',
            f"and on (chain) time_drift_network:read >= {FEW}",
        ),
        summary=f"{_NETWORK}: {_SHARE} of the clocks are beyond the limit",
        description="So many clocks are off at once that the chain itself is in danger. First look"
        " at the observer: time_drift_seconds of its own, and whether its consensus has a second"
        " kind of source. Then warn those who run nodes.",
    ),
    Alert(
        name="TimeDriftCoverageFalling",
        severity="warning",
        wait="30m",
        why="Shares of what is still read look as they did. A network that refuses us, an observer"
        " without a consensus, or an inventory that has grown old.",
        expression=(
            "time_drift_network:read:ratio",
            f"  < {FALLEN} * avg_over_time(time_drift_network:read:ratio[1d])",
        ),
        summary=f"{_NETWORK}: {_SHARE} of the nodes are still read",
        description="The share of nodes whose own clock is read has fallen by a fifth or more since"
        " yesterday. time_drift_network:verdicts has what became of the others: not read is this"
        " observer, silent or refused the nodes, adjusted new software; where even verdicts are"
        " missing, the exporter.",
    ),
)

HEAD = """\
# Made by `python -m tools.recipes` from tools/recipes/network_rules.py and fleet/chains.py: change
# those.
#
# Sign: node's clock minus true time; below zero it is BEHIND.
#
# The label `chain` comes from the inventory, see README.md. A node without it, or with a chain that
# is not below, is held to the strictest limit. Several Prometheus that share the nodes by hashmod
# each see a sample of the network: the shares hold for each of them, the counts add up.
groups:
  - name: time-drift-nodes
    rules:
"""


def limit(where: str = "") -> str:
    """Return the expression of each node's limit."""
    return f"{_LIMIT}{where}"


def _limit(chain: Chain) -> list[str]:
    lines = comment(f"{chain.name or 'any other node'}: {chain.limit}\n({chain.source})")
    labels = {"chain": chain.name or '""'}
    return lines + record("time_drift_network:limit_seconds", f"vector({chain.limit_s:g})", labels)


def _quantiles() -> list[str]:
    lines = comment(
        "Of |drift|, which is known to be between two bounds of each node: so is every quantile."
    )
    for quantile, label in QUANTILES:
        for bound, values in (("low", _LEAST), ("high", _MOST)):
            lines += record(
                "time_drift_network:drift_seconds",
                f"quantile by (chain) ({quantile},\n  {values}\n)",
                {"quantile": f'"{label}"', "bound": bound},
            )
    return lines


def text(*, at_once: bool = False) -> str:
    """Return the rules; `at_once` is for tests, which will not wait for any `for`."""
    lines = comment(
        "How far off a node may be: what its chain tolerates, and a minute where that is more,"
        " since no healthy clock is so far off."
    )
    for chain in (*CHAINS, DEFAULT):
        lines += _limit(chain)
    for why, name, expression, labels in _DERIVED:
        lines += ["", *comment(why)] if why else []
        lines += record(name, expression, labels)
    lines += ["", *_quantiles(), ""]
    for rule in ALERTS:
        lines += alert(rule, "0s" if at_once else rule.wait)
    return HEAD + "\n".join(lines).rstrip("\n") + "\n"
