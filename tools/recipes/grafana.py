"""What every dashboard of Grafana is made of, as the JSON that Grafana imports. Pure.

Plain dictionaries: what Grafana reads is what stands here, and needs no library. The schema is that
of Grafana 11.0; later ones carry an imported dashboard over to their own.
"""

import json
from string import ascii_uppercase
from typing import Any

from sources.record import Record

Json = dict[str, Any]

SCHEMA_VERSION = 39
WIDTH = 24
"""Columns of Grafana's grid."""
GREEN, YELLOW, RED = "green", "#EAB839", "red"

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


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
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    """From each value on, this colour."""
    custom: Json = {}  # noqa: RUF012 - nobody changes it
    overrides: tuple[Json, ...] = ()
    options: Json = {}  # noqa: RUF012 - nobody changes it
    transformations: tuple[Json, ...] = ()
    nothing: str = ""
    """Shown where there are no data."""


def stat(title: str, description: str, expression: str, colour: str, unit: str = "none") -> Panel:
    """Return a panel of one number; from 1 on it has a colour."""
    return Panel(
        kind="stat",
        title=title,
        description=description,
        width=4,
        unit=unit,
        queries=(Query(expression),),
        steps=((None, GREEN), (1, colour)),
        options={
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value",
        },
    )


def lines(
    title: str,
    description: str,
    width: int,
    unit: str,
    *queries: Query,
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),),
) -> Panel:
    """Return a panel of lines over time; a gap is a gap."""
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


def override(field: str, **properties: object) -> Json:
    """Return other properties for the field of this name."""
    return overridden("byName", field, properties)


def overridden(by: str, field: str, properties: dict[str, object]) -> Json:
    """Return other properties for a field that is matched in this way."""
    return {
        "matcher": {"id": by, "options": field},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def organised(hidden: tuple[str, ...], order: tuple[str, ...], names: dict[str, str]) -> Json:
    """Return a transformation that hides, orders and names columns."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate(order)},
            "renameByName": names,
        },
    }


def table(width: int, title: str, description: str, unit: str, *queries: Query) -> Panel:
    """Return a panel that is a table."""
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


Rows = tuple[tuple[int, tuple[Panel, ...] | str], ...]
"""The height of each row, and its panels; or the title of a part."""

DATA_SOURCE: Json = {
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
}
"""The variable that chooses the Prometheus; always the first."""


def variable(name: str, label: str, asked: str, *, many: bool) -> Json:
    """Return a variable that is chosen from what a query yields."""
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
                "refId": ascii_uppercase[index],
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


def _panels(rows: Rows) -> list[Json]:
    found: list[Json] = []
    y = 0
    for height, row in rows:
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


class Dashboard(Record):
    """A dashboard, before it is JSON."""

    uid: str
    title: str
    description: str
    variables: tuple[Json, ...]
    rows: Rows


def render(dashboard: Dashboard) -> str:
    """Return the text of the file that Grafana imports."""
    made = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": f"{dashboard.description} Made by `python -m tools.recipes`.",
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
        "templating": {"list": [DATA_SOURCE, *dashboard.variables]},
        "panels": _panels(dashboard.rows),
    }
    return json.dumps(made, indent=2) + "\n"
