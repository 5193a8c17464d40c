"""The dashboard of one's own nodes. Pure."""

from tools.recipes import rules
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
    overridden,
    override,
    render,
    stat,
    table,
    variable,
)

_WHERE = '{chain=~"$chain",instance=~"$instance"}'
_NODE = '{instance="$node"}'
_SHOWN = 20
"""Rows that a table shows at most."""


def _with(more: str, where: str = _WHERE) -> str:
    return where.replace("}", f",{more}}}")


_DRIFT = f"time_drift_seconds{_WHERE}"
_LIMIT = f"time_drift:limit_seconds{_WHERE}"
_WARNING = "time_drift:limit_seconds" + _with('severity="warning"')
_CRITICAL = "time_drift:limit_seconds" + _with('severity="critical"')
_OF_LIMIT = f"abs({_DRIFT}) / ignoring (severity) {_WARNING}"
_WORST = f"topk({_SHOWN}, {_OF_LIMIT})"


_OVERVIEW = (
    stat("Nodes", "Nodes that report their clock.", f"count(time_drift_success{_WHERE})", GREEN),
    stat(
        "Critical",
        "Nodes that are off by their chain's critical threshold or more.",
        f"count(abs({_DRIFT}) >= ignoring (severity) {_CRITICAL}) or vector(0)",
        RED,
    ),
    stat(
        "Warning",
        "Nodes that are off by their chain's warning threshold or more, the critical ones too.",
        f"count(abs({_DRIFT}) >= ignoring (severity) {_WARNING}) or vector(0)",
        YELLOW,
    ),
    stat(
        "Without an answer",
        "Nodes whose time sources prove nothing: their clocks are unknown, not right.",
        f"count({rules.no_answer(_WHERE)}) or vector(0)",
        RED,
    ),
    stat(
        "Stale or gone",
        "Nodes that nobody measures: their file stands still, or had been there within a day.",
        f"count(({rules.stale(_WHERE)}) or ({rules.gone(_WHERE)})) or vector(0)",
        RED,
    ),
    stat(
        "Worst drift",
        "The largest drift of any node, to either side, in whole seconds.",
        f"max(abs({_DRIFT}))",
        YELLOW,
        unit="s",
    ),
)

_NODES = (
    table(
        12,
        "Worst nodes",
        f"The {_SHOWN} nodes that are nearest to, or furthest over, their chain's warning"
        " threshold."
        " Drift: local clock minus true time, below zero is behind.",
        "s",
        Query(_WORST),
        # Without names, or "merge" would not take the rows of one node for one.
        Query(f"max without (severity) ({_DRIFT}) and {_WORST}"),
        Query(f"max without (severity) (time_drift:uncertainty_seconds{_WHERE}) and {_WORST}"),
        Query(f"max without (severity) ({_WARNING}) and {_WORST}"),
    ).replaced(
        overrides=(
            override(
                "Of the threshold",
                **{
                    "unit": "percentunit",
                    "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [
                            {"value": None, "color": "transparent"},
                            {"value": 1, "color": RED},
                        ],
                    },
                },
            ),
        ),
        transformations=(
            {"id": "merge", "options": {}},
            organised(
                ("Time", "__name__"),
                ("instance", "chain", "Value #B", "Value #C", "Value #D", "Value #A", "job"),
                {
                    "Value #A": "Of the threshold",
                    "Value #B": "Drift",
                    "Value #C": "Plus or minus",
                    "Value #D": "Threshold",
                },
            ),
        ),
        options={
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": "Of the threshold", "desc": True}],
        },
    ),
    table(
        12,
        "Nodes without a measurement",
        "No answer: the sources prove nothing. Stale: the file stands still. Gone: the metrics were"
        " there within a day. None of these clocks is known to be right.",
        "none",
        Query(f'label_replace({rules.no_answer(_WHERE)}, "state", "no answer", "", "")'),
        Query(f'label_replace({rules.stale(_WHERE)}, "state", "stale", "", "")'),
        Query(f'label_replace({rules.gone(_WHERE)}, "state", "gone", "", "")'),
    ).replaced(
        transformations=(
            {"id": "merge", "options": {}},
            organised(
                ("Time", "__name__", "Value", "Value #A", "Value #B", "Value #C"),
                ("instance", "chain", "state", "job"),
                {},
            ),
        ),
    ),
)

_OVER_TIME = (
    lines(
        "Drift",
        "Local clock minus true time, before rounding; below zero is behind. Dashed: the thresholds"
        " of the chains of the nodes that are shown. A gap: no answer.",
        24,
        "s",
        Query(f"time_drift_estimate_seconds{_WHERE}", "{{instance}}"),
        Query(f"max by (chain, severity) ({_LIMIT})", "{{chain}} {{severity}}"),
        Query(f"-max by (chain, severity) ({_LIMIT})", "{{chain}} {{severity}}, behind"),
    ).replaced(
        overrides=tuple(
            overridden(
                "byFrameRefID",
                reference,
                {
                    "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
                    "color": {"mode": "fixed", "fixedColor": RED},
                    "custom.hideFrom": {"legend": True, "tooltip": False, "viz": False},
                },
            )
            for reference in ("B", "C")
        )
    ),
)

_SOURCES = (
    Panel(
        kind="bargauge",
        title="Falsetickers by operator",
        description="How many nodes see this operator outside of what a majority proves. One"
        " operator"
        " on all nodes: it is wrong. Many operators on one node: look at that node's network.",
        width=8,
        unit="none",
        queries=(
            Query(
                "sort_desc(count by (operator) (group by (operator, job, instance) ("
                "time_drift_source_verdict" + _with('verdict="falseticker"') + ")))",
                "{{operator}}",
            ),
        ),
        steps=((None, YELLOW),),
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
        },
        nothing="none",
    ),
    lines(
        "What became of the sources",
        "Sources by verdict, over all nodes. 'not needed': the answer was certain before theirs.",
        8,
        "none",
        Query(f"count by (verdict) (time_drift_source_verdict{_WHERE})", "{{verdict}}"),
    ),
    lines(
        "Operators that disagree",
        "Of the operators that answered a node, the share that is outvoted or in no majority. At a"
        " half there is no answer.",
        8,
        "percentunit",
        Query(f"time_drift:disagreeing_operators:ratio{_WHERE}", "{{instance}}"),
        steps=((None, GREEN), (rules.DISAGREEING, RED)),
    ),
)

_HEALTH = (
    lines(
        "Rate",
        "How fast each clock runs away, fitted over an hour: 11.6 ppm are a second a day; below"
        " zero"
        " it loses. A step of the clock within the hour tilts the line, too.",
        8,
        "ppm",
        Query(f"time_drift:rate_ppm{_WHERE}", "{{instance}}"),
        steps=((None, RED), (-rules.RATE_PPM, GREEN), (rules.RATE_PPM, RED)),
    ),
    lines(
        "Operators that agree",
        "Independent operators that carry the answer. With fewer than min_operators there is none.",
        8,
        "none",
        Query(f"time_drift_agreeing_operators{_WHERE}", "{{instance}}"),
    ),
    lines(
        "Duration of a run",
        "From the first question to the decision. It ends by its timeout, 2.5 s unless configured.",
        8,
        "s",
        Query(f"time_drift_run_duration_seconds{_WHERE}", "{{instance}}"),
    ),
)

_ONE_NODE = (
    lines(
        "$node: drift and its uncertainty",
        "The band is what a majority of operators holds possible; the true drift lies in it"
        " unless a"
        " majority lies.",
        12,
        "s",
        Query(f"max by (instance) (time_drift_interval_low_seconds{_NODE})", "low"),
        Query(f"max by (instance) (time_drift_interval_high_seconds{_NODE})", "high"),
        Query(f"max by (instance) (time_drift_estimate_seconds{_NODE})", "estimate"),
    ).replaced(
        overrides=(
            override(
                "high",
                **{
                    "custom.fillBelowTo": "low",
                    "custom.fillOpacity": 25,
                    "custom.lineWidth": 0,
                    "color": {"mode": "fixed", "fixedColor": "blue"},
                },
            ),
            override(
                "low",
                **{
                    "custom.lineWidth": 0,
                    "color": {"mode": "fixed", "fixedColor": "blue"},
                },
            ),
        )
    ),
    lines(
        "$node: offset of each source",
        "Local clock minus the time of this source: the sign is that of the drift.",
        12,
        "s",
        Query(f"time_drift_source_offset_seconds{_NODE}", "{{operator}} {{source}}"),
    ),
)

_ITS_SOURCES = (
    table(
        12,
        "$node: verdicts",
        "What became of each source in the last run; time-drift.sh --explain on the node says"
        " more.",
        "none",
        Query(f"time_drift_source_verdict{_NODE}"),
    ).replaced(
        transformations=(
            organised(
                ("Time", "__name__", "Value", "instance", "job", "chain"),
                ("source", "operator", "kind", "verdict"),
                {},
            ),
        ),
    ),
    lines(
        "$node: uncertainty of each source",
        "How far to either side of its offset a source's answer reaches.",
        12,
        "s",
        Query(f"time_drift_source_uncertainty_seconds{_NODE}", "{{operator}} {{source}}"),
    ),
)

_ROWS: Rows = (
    (4, _OVERVIEW),
    (8, _NODES),
    (10, _OVER_TIME),
    (8, _SOURCES),
    (8, _HEALTH),
    (1, "One node: $node"),
    (9, _ONE_NODE),
    (9, _ITS_SOURCES),
)
_VARIABLES = (
    variable("chain", "Chain", "label_values(time_drift_success, chain)", many=True),
    variable(
        "instance",
        "Instance",
        'label_values(time_drift_success{chain=~"$chain"}, instance)',
        many=True,
    ),
    variable("node", "One node", f"label_values(time_drift_success{_WHERE}, instance)", many=False),
)


def text() -> str:
    """Return the dashboard."""
    return render(
        Dashboard(
            uid="time-drift",
            title="Time drift",
            description="Each node's clock against true time. Sign: local clock minus true time,"
            " below zero is behind.",
            variables=_VARIABLES,
            rows=_ROWS,
        )
    )
