"""The Grafana dashboard, as the JSON that Grafana imports. Pure.

Plain dictionaries: what Grafana reads is what stands here, and needs no library. The schema is that
of Grafana 11.0; later ones carry an imported dashboard over to their own.
"""

import json
from typing import Any

from sources.record import Record
from tools.recipes import rules

Json = dict[str, Any]

SCHEMA_VERSION = 39
WIDTH = 24
"""Columns of Grafana's grid."""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WHERE = '{chain=~"$chain",instance=~"$instance"}'
_NODE = '{instance="$node"}'
_GREEN, _YELLOW, _RED = "green", "#EAB839", "red"
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


class Query(Record):
    """What a panel asks Prometheus, and what it calls the answer."""

    expression: str
    legend: str = ""


class Panel(Record):
    """A panel, but for its place."""

    kind: str
    title: str
    description: str
    width: int
    unit: str
    queries: tuple[Query, ...]
    steps: tuple[tuple[float | None, str], ...] = ((None, _GREEN),)
    """From each value on, this colour."""
    custom: Json = {}  # noqa: RUF012 - nobody changes it
    overrides: tuple[Json, ...] = ()
    options: Json = {}  # noqa: RUF012 - nobody changes it
    transformations: tuple[Json, ...] = ()
    nothing: str = ""
    """Shown where there are no data."""


def _stat(title: str, description: str, expression: str, colour: str, unit: str = "none") -> Panel:
    return Panel(
        kind="stat",
        title=title,
        description=description,
        width=4,
        unit=unit,
        queries=(Query(expression),),
        steps=((None, _GREEN), (1, colour)),
        options={
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value",
        },
    )


def _lines(
    title: str,
    description: str,
    width: int,
    unit: str,
    *queries: Query,
    steps: tuple[tuple[float | None, str], ...] = ((None, _GREEN),),
) -> Panel:
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        width=width,
        unit=unit,
        queries=queries,
        steps=steps,
        custom={
            "drawStyle": "line",
            "lineInterpolation": "stepAfter",
            "lineWidth": 1,
            "fillOpacity": 0,
            "showPoints": "never",
            # A gap is a gap: no line is drawn over what is not known.
            "spanNulls": False,
            "thresholdsStyle": {"mode": "dashed" if len(steps) > 1 else "off"},
        },
        options={
            "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def _override(field: str, **properties: object) -> Json:
    return _overridden("byName", field, properties)


def _overridden(by: str, field: str, properties: dict[str, object]) -> Json:
    return {
        "matcher": {"id": by, "options": field},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def _organised(hidden: tuple[str, ...], order: tuple[str, ...], names: dict[str, str]) -> Json:
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate(order)},
            "renameByName": names,
        },
    }


def _table(width: int, title: str, description: str, unit: str, *queries: Query) -> Panel:
    return Panel(
        kind="table",
        title=title,
        description=description,
        width=width,
        unit=unit,
        queries=queries,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        options={"showHeader": True, "cellHeight": "sm"},
        nothing="none",
    )


_OVERVIEW = (
    _stat("Nodes", "Nodes that report their clock.", f"count(time_drift_success{_WHERE})", _GREEN),
    _stat(
        "Critical",
        "Nodes that are off by their chain's critical threshold or more.",
        f"count(abs({_DRIFT}) >= ignoring (severity) {_CRITICAL}) or vector(0)",
        _RED,
    ),
    _stat(
        "Warning",
        "Nodes that are off by their chain's warning threshold or more, the critical ones too.",
        f"count(abs({_DRIFT}) >= ignoring (severity) {_WARNING}) or vector(0)",
        _YELLOW,
    ),
    _stat(
        "Without an answer",
        "Nodes whose time sources prove nothing: their clocks are unknown, not right.",
        f"count({rules.no_answer(_WHERE)}) or vector(0)",
        _RED,
    ),
    _stat(
        "Stale or gone",
        "Nodes that nobody measures: their file stands still, or had been there within a day.",
        f"count(({rules.stale(_WHERE)}) or ({rules.gone(_WHERE)})) or vector(0)",
        _RED,
    ),
    _stat(
        "Worst drift",
        "The largest drift of any node, to either side, in whole seconds.",
        f"max(abs({_DRIFT}))",
        _YELLOW,
        unit="s",
    ),
)

_NODES = (
    _table(
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
            _override(
                "Of the threshold",
                **{
                    "unit": "percentunit",
                    "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [
                            {"value": None, "color": "transparent"},
                            {"value": 1, "color": _RED},
                        ],
                    },
                },
            ),
        ),
        transformations=(
            {"id": "merge", "options": {}},
            _organised(
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
    _table(
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
            _organised(
                ("Time", "__name__", "Value", "Value #A", "Value #B", "Value #C"),
                ("instance", "chain", "state", "job"),
                {},
            ),
        ),
    ),
)

_OVER_TIME = (
    _lines(
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
            _overridden(
                "byFrameRefID",
                reference,
                {
                    "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
                    "color": {"mode": "fixed", "fixedColor": _RED},
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
        steps=((None, _YELLOW),),
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
        },
        nothing="none",
    ),
    _lines(
        "What became of the sources",
        "Sources by verdict, over all nodes. 'not needed': the answer was certain before theirs.",
        8,
        "none",
        Query(f"count by (verdict) (time_drift_source_verdict{_WHERE})", "{{verdict}}"),
    ),
    _lines(
        "Operators that disagree",
        "Of the operators that answered a node, the share that is outvoted or in no majority. At a"
        " half there is no answer.",
        8,
        "percentunit",
        Query(f"time_drift:disagreeing_operators:ratio{_WHERE}", "{{instance}}"),
        steps=((None, _GREEN), (rules.DISAGREEING, _RED)),
    ),
)

_HEALTH = (
    _lines(
        "Rate",
        "How fast each clock runs away, fitted over an hour: 11.6 ppm are a second a day; below"
        " zero"
        " it loses. A step of the clock within the hour tilts the line, too.",
        8,
        "ppm",
        Query(f"time_drift:rate_ppm{_WHERE}", "{{instance}}"),
        steps=((None, _RED), (-rules.RATE_PPM, _GREEN), (rules.RATE_PPM, _RED)),
    ),
    _lines(
        "Operators that agree",
        "Independent operators that carry the answer. With fewer than min_operators there is none.",
        8,
        "none",
        Query(f"time_drift_agreeing_operators{_WHERE}", "{{instance}}"),
    ),
    _lines(
        "Duration of a run",
        "From the first question to the decision. It ends by its timeout, 2.5 s unless configured.",
        8,
        "s",
        Query(f"time_drift_run_duration_seconds{_WHERE}", "{{instance}}"),
    ),
)

_ONE_NODE = (
    _lines(
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
            _override(
                "high",
                **{
                    "custom.fillBelowTo": "low",
                    "custom.fillOpacity": 25,
                    "custom.lineWidth": 0,
                    "color": {"mode": "fixed", "fixedColor": "blue"},
                },
            ),
            _override(
                "low",
                **{
                    "custom.lineWidth": 0,
                    "color": {"mode": "fixed", "fixedColor": "blue"},
                },
            ),
        )
    ),
    _lines(
        "$node: offset of each source",
        "Local clock minus the time of this source: the sign is that of the drift.",
        12,
        "s",
        Query(f"time_drift_source_offset_seconds{_NODE}", "{{operator}} {{source}}"),
    ),
)

_ITS_SOURCES = (
    _table(
        12,
        "$node: verdicts",
        "What became of each source in the last run; time-drift.sh --explain on the node says"
        " more.",
        "none",
        Query(f"time_drift_source_verdict{_NODE}"),
    ).replaced(
        transformations=(
            _organised(
                ("Time", "__name__", "Value", "instance", "job", "chain"),
                ("source", "operator", "kind", "verdict"),
                {},
            ),
        ),
    ),
    _lines(
        "$node: uncertainty of each source",
        "How far to either side of its offset a source's answer reaches.",
        12,
        "s",
        Query(f"time_drift_source_uncertainty_seconds{_NODE}", "{{operator}} {{source}}"),
    ),
)

_ROWS: tuple[tuple[int, tuple[Panel, ...] | str], ...] = (
    (4, _OVERVIEW),
    (8, _NODES),
    (10, _OVER_TIME),
    (8, _SOURCES),
    (8, _HEALTH),
    (1, "One node: $node"),
    (9, _ONE_NODE),
    (9, _ITS_SOURCES),
)
"""The height of each row, and its panels; or the title of a part."""


def _variable(name: str, label: str, asked: str, *, many: bool) -> Json:
    chosen = {"text": ["All"], "value": ["$__all"]} if many else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": asked, "refId": f"variable-{name}"},
        "definition": asked,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "multi": many,
        "includeAll": many,
        # Nodes without a chain, too.
        **({"allValue": ".*"} if many else {}),
        "current": chosen,
        "options": [],
        "skipUrlSync": False,
    }


def _variables() -> list[Json]:
    return [
        {
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
            "multi": False,
            "includeAll": False,
            "current": {},
            "options": [],
            "regex": "",
            "skipUrlSync": False,
        },
        _variable("chain", "Chain", "label_values(time_drift_success, chain)", many=True),
        _variable(
            "instance",
            "Instance",
            'label_values(time_drift_success{chain=~"$chain"}, instance)',
            many=True,
        ),
        _variable(
            "node", "One node", f"label_values(time_drift_success{_WHERE}, instance)", many=False
        ),
    ]


def _panel(panel: Panel, number: int, place: Json) -> Json:
    at_once = panel.kind in ("table", "bargauge", "stat")
    colours = "palette-classic" if panel.kind == "timeseries" else "thresholds"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "gridPos": place,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": "ABCDEFGH"[index],
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "editorMode": "code",
                "format": "table" if panel.kind == "table" else "time_series",
                "instant": at_once,
                "range": not at_once,
            }
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "color": {"mode": colours},
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
                },
                "mappings": [],
                "custom": panel.custom,
                **({"noValue": panel.nothing} if panel.nothing else {}),
            },
            "overrides": list(panel.overrides),
        },
        "options": panel.options,
        "transformations": list(panel.transformations),
    }


def _panels() -> list[Json]:
    found: list[Json] = []
    y = 0
    for height, row in _ROWS:
        x = 0
        if isinstance(row, str):
            place = {"x": 0, "y": y, "w": WIDTH, "h": height}
            found.append(
                {
                    "id": len(found) + 1,
                    "type": "row",
                    "title": row,
                    "collapsed": False,
                    "gridPos": place,
                    "panels": [],
                }
            )
        else:
            for panel in row:
                place = {"x": x, "y": y, "w": panel.width, "h": height}
                found.append(_panel(panel, len(found) + 1, place))
                x += panel.width
        y += height
    return found


def text() -> str:
    """Return the dashboard."""
    dashboard = {
        "uid": "time-drift",
        "title": "Time drift",
        "description": "Each node's clock against true time. Sign: local clock minus true time,"
        " below"
        " zero is behind. Made by `python -m tools.recipes`.",
        "tags": ["time", "ntp"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables()},
        "panels": _panels(),
    }
    return json.dumps(dashboard, indent=2) + "\n"
