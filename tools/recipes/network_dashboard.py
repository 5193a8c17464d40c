"""The dashboard of a network's clocks, which belong to nodes of others. Pure."""

from tools.recipes import network_rules as rules
from tools.recipes.grafana import (
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Rows,
    lines,
    organised,
    override,
    render,
    stat,
    table,
    variable,
)

_WHERE = '{chain=~"$chain"}'
_SHOWN = 20
"""As many nodes as a table is read of."""
_EDGES_S = (1, 2, 5, 10, 60, 3600)
"""Where the bars of the histogram begin, to either side: those of a summary and of a report."""


_LAST_READ = f"time_drift_node_last_read_timestamp_seconds{_WHERE}"


def _share(certainty: str) -> str:
    return f'time_drift_network:beyond:ratio{{chain=~"$chain",certainty="{certainty}"}}'


def _quantile(label: str, bound: str) -> str:
    chosen = f'chain=~"$chain",quantile="{label}",bound="{bound}"'
    return f"time_drift_network:drift_seconds{{{chosen}}}"


def _bars() -> tuple[Query, ...]:
    """Return a query a bar, from behind to ahead."""
    drift = f"time_drift_node_seconds{_WHERE}"
    behind, ahead = [], []
    for low_s, high_s in zip(_EDGES_S, (*_EDGES_S[1:], None), strict=True):
        name = f"{low_s}" if high_s == low_s + 1 else f"{low_s} .. {(high_s or 0) - 1}"
        name = name if high_s else f"{low_s} and more"
        upper = f" < {high_s}" if high_s else ""
        ahead.append(Query(f"count({drift} >= {low_s}{upper}) or vector(0)", f"+ {name} s"))
        lower = f" > -{high_s}" if high_s else ""
        behind.append(Query(f"count({drift} <= -{low_s}{lower}) or vector(0)", f"- {name} s"))
    zero = Query(f"count({drift} == 0) or vector(0)", "0 s")
    return (*reversed(behind), zero, *ahead)


_OVERVIEW = (
    stat(
        "Nodes",
        "Nodes of the inventories that Prometheus asks about.",
        f"sum(time_drift_network:nodes{_WHERE})",
        GREEN,
    ),
    stat(
        "Own clock read",
        "The share of them whose own clock was read. All other figures rest on these.",
        f"sum(time_drift_network:read{_WHERE}) / sum(time_drift_network:nodes{_WHERE})",
        GREEN,
        unit="percentunit",
    ),
    stat(
        "Decided",
        "Nodes whose drift is proven to the whole second.",
        f"count(time_drift_node_seconds{_WHERE}) or vector(0)",
        GREEN,
    ),
    stat(
        "Surely beyond",
        "Nodes that are proven to be further off than their chain bears.",
        f"sum(time_drift_node:surely_beyond{_WHERE}) or vector(0)",
        RED,
    ),
    stat(
        "Possibly beyond",
        "Nodes that may be, those included that are for certain.",
        f"sum(time_drift_node:possibly_beyond{_WHERE}) or vector(0)",
        YELLOW,
    ),
    stat(
        "Observers without a consensus",
        "Exporters that have no trustworthy time of their own: they read nobody.",
        'count(time_drift_success{job="time-drift-observer"} == 0) or vector(0)',
        RED,
    ),
)

_SHARES = (
    lines(
        "Beyond the limit, surely",
        "Of the nodes that were read, the share that is proven to be further off than its chain"
        " bears. Dashed: where alerts begin.",
        12,
        "percentunit",
        Query(_share("surely"), "{{chain}}"),
        steps=((None, GREEN), (rules.BEYOND, YELLOW), (rules.FAR_BEYOND, RED)),
    ),
    lines(
        "Beyond the limit, possibly",
        "The share that may be. What is between this and the share that is for certain, nobody can"
        " know from outside.",
        12,
        "percentunit",
        Query(_share("possibly"), "{{chain}}"),
    ),
)

_COVERAGE = (
    lines(
        "Share of nodes whose own clock is read",
        "Where it falls, the other figures rest on fewer nodes than they did.",
        8,
        "percentunit",
        Query(f"time_drift_network:read:ratio{_WHERE}", "{{chain}}"),
    ),
    lines(
        "Verdicts",
        "How many nodes came to what. Adjusted, coarse and proxy nodes show another clock than"
        " their own, and count as nothing.",
        8,
        "none",
        Query(f"sum by (verdict) (time_drift_network:verdicts{_WHERE})", "{{verdict}}"),
    ),
    lines(
        "Age of the readings",
        "How long ago the median node was read, by true time. At most [probe] min_interval and the"
        " interval of a scrape.",
        8,
        "s",
        Query(
            f"quantile by (chain) (0.5, time() - {_LAST_READ})",
            "{{chain}}",
        ),
    ),
)

_DISTRIBUTION = (
    Panel(
        kind="bargauge",
        title="Drift of the nodes that are decided",
        description="How many nodes have an integer in each range, from behind to ahead; node's"
        " clock minus true time.",
        width=8,
        unit="none",
        queries=_bars(),
        steps=((None, GREEN),),
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "valueMode": "color",
        },
    ),
    lines(
        "Size of the drift, median and 95th percentile",
        "Each node's is known to be between two bounds, and so is that of the median node: the true"
        " figure is between the two lines.",
        16,
        "s",
        *(
            Query(_quantile(label, bound), f"{{{{chain}}}} {label}, {bound} bound")
            for _, label in rules.QUANTILES
            for bound in ("low", "high")
        ),
    ),
)

_WORST = f"topk({_SHOWN}, abs(time_drift_node_seconds{_WHERE}) > 0)"
_NODES = (
    table(
        14,
        "Furthest off",
        f"The {_SHOWN} nodes whose proven drift is largest, to either side. Below zero is behind.",
        "s",
        Query(_WORST),
        Query(f"sum without () (time_drift_node_seconds{_WHERE}) and {_WORST}"),
        Query(f"sum without () ({rules.limit(_WHERE)}) and {_WORST}"),
    ).replaced(
        transformations=(
            {"id": "merge", "options": {}},
            organised(
                ("Time", "__name__", "Value #A", "job"),
                ("instance", "chain", "Value #B", "Value #C"),
                {"Value #B": "Drift", "Value #C": "Limit"},
            ),
        ),
        overrides=(
            override(
                "Drift",
                **{"custom.cellOptions": {"type": "color-text"}, "color": {"mode": "thresholds"}},
            ),
        ),
    ),
    table(
        10,
        "Software",
        "The software that answered, by name and major version, and how many nodes have it.",
        "none",
        Query(f"count by (chain, software) (time_drift_node_info{_WHERE})"),
    ).replaced(
        transformations=(organised(("Time",), ("chain", "software", "Value"), {"Value": "Nodes"}),),
    ),
)

_ROWS: Rows = (
    (4, _OVERVIEW),
    (9, _SHARES),
    (9, _COVERAGE),
    (12, _DISTRIBUTION),
    (10, _NODES),
)


def text() -> str:
    """Return the dashboard."""
    return render(
        Dashboard(
            uid="time-drift-nodes",
            title="The network's clocks",
            description="What nodes of others show of their clocks, against true time by the"
            " observer. Sign: node's clock minus true time, below zero is behind.",
            variables=(
                variable(
                    "chain", "Chain", "label_values(time_drift_node_verdict, chain)", many=True
                ),
            ),
            rows=_ROWS,
        )
    )
