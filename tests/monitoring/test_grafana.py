"""The dashboard: its shape, and each of its expressions run against a real Prometheus."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab import behaviour
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT
from tests.support.servers.chrony import faked
from tests.support.servers.prometheus import (
    Database,
    Labels,
    Node,
    found,
    measure,
    node_exporter,
    prometheus,
    until,
)
from tools.recipes import dashboard, rules

FILE = ROOT / "monitoring" / "grafana" / "time-drift.json"
DASHBOARD = json.loads(FILE.read_text(encoding="utf-8"))
NETWORK = json.loads((FILE.parent / "time-drift-nodes.json").read_text(encoding="utf-8"))
"""Its queries are tried where there is a network (tests/monitoring/network)."""
EACH = pytest.mark.parametrize("made", [DASHBOARD, NETWORK], ids=["time-drift", "time-drift-nodes"])
PANELS: list[dict[str, Any]] = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
UNITS = {"s", "ppm", "percentunit", "none"}
"""Of Grafana's, those that are used."""
MALLORY = "Mallory"
FAST_PPM = 80


def targets() -> list[Any]:
    return [
        pytest.param(target, id=f"{panel['title']} {target['refId']}")
        for panel in PANELS
        for target in panel["targets"]
    ]


def panels_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in made["panels"] if each["type"] != "row"]


def panel(title: str) -> dict[str, Any]:
    (only,) = (each for each in PANELS if each["title"] == title)
    return only


def test_the_committed_dashboard_is_the_generated_one() -> None:
    """Who changes a panel runs `python -m tools.recipes`."""
    assert dashboard.text() == FILE.read_text(encoding="utf-8")


@EACH
def test_no_two_panels_overlap(made: dict[str, Any]) -> None:
    """Each panel and each row lies on the grid, and no other on it."""

    def cells(place: dict[str, int]) -> set[tuple[int, int]]:
        return {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }

    for each in made["panels"]:
        place = each["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, each["title"]
        assert place["h"] > 0
    for one, other in combinations(made["panels"], 2):
        assert not cells(one["gridPos"]) & cells(other["gridPos"]), (one["title"], other["title"])


@EACH
def test_every_panel_says_what_it_shows_and_in_what_unit(made: dict[str, Any]) -> None:
    """Titles and numbers are unique, and each panel has a description and a unit."""
    assert len({each["id"] for each in made["panels"]}) == len(made["panels"])
    assert len({each["title"] for each in panels_of(made)}) == len(panels_of(made))
    for each in panels_of(made):
        assert len(each["description"]) > 20, each["title"]
        assert each["fieldConfig"]["defaults"]["unit"] in UNITS, each["title"]
        assert len({target["refId"] for target in each["targets"]}) == len(each["targets"])


@EACH
def test_everything_asks_the_prometheus_that_was_chosen(made: dict[str, Any]) -> None:
    """No data source of anybody's own is written down."""
    source = {"type": "prometheus", "uid": "${datasource}"}

    assert made["templating"]["list"][0]["name"] == "datasource"
    assert all(each["datasource"] == source for each in made["templating"]["list"][1:])
    assert all(each["datasource"] == source for each in panels_of(made))
    assert all(
        target["datasource"] == source for each in panels_of(made) for target in each["targets"]
    )


@EACH
def test_what_is_overridden_is_there(made: dict[str, Any]) -> None:
    """Each override names a legend, a column or a query of its panel."""
    for each in panels_of(made):
        names = {target["legendFormat"] for target in each["targets"]}
        names |= {target["refId"] for target in each["targets"]}
        for change in each["transformations"]:
            names |= set(change["options"].get("renameByName", {}).values())
        for override in each["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in names, each["title"]


@pytest.fixture(scope="module")
def database(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Run a Prometheus that has seen a fleet in all its moods, and an hour of one of its clocks."""
    top = tmp_path_factory.mktemp("grafana")
    with ExitStack() as running:
        honest = [running.enter_context(NtpServer(f"N{n}")) for n in range(5)]
        asked = "".join(server.toml() for server in honest)
        # The honest ones are late, so that the liar is heard before the answer is certain.
        mixed = [NtpServer(f"L{n}", behaviour.late(0.2)) for n in range(3)]
        lies = running.enter_context(world(NtpServer(MALLORY, behaviour.shifted(3600)), *mixed))
        mute = [NtpServer(f"M{n}", behaviour.silent) for n in range(3)]
        silence = running.enter_context(world(*mute, settings="timeout = 0.3"))
        nodes = [
            _node(running, top / name, chain, toml, offset)
            for name, chain, toml, offset in (
                ("right", "ethereum", asked, "+0s"),
                ("off", "sui", asked, "-2s"),
                ("lied to", "ethereum", lies.toml, "+0s"),
                ("silent", "cardano", silence.toml, "+0s"),
                ("stale", "bitcoin", asked, "+0s"),
                ("gone", "", asked, "+0s"),
            )
        ]
        stuck = top / "stale" / "time-drift.prom"
        text = stuck.read_text(encoding="utf-8")
        stuck.write_text(re.sub(r"(last_success\w+) 1\S+", r"\1 1.7e+09", text), encoding="utf-8")
        (top / "prometheus").mkdir()
        _remember(top / "prometheus", 'job="node",instance="right",chain="ethereum"')
        running_rules = rules.text(at_once=True)
        database = running.enter_context(
            prometheus(found("prometheus"), top / "prometheus", running_rules, nodes)
        )
        until(
            lambda: len(database.values("time_drift_success")) == len(nodes),
            "every node is scraped",
        )
        (top / "gone" / "time-drift.prom").unlink()
        until(
            lambda: (
                "gone" not in database.values("time_drift_success")
                and len(database.series("time_drift:limit_seconds")) == 2 * len(nodes)
                and len(database.series("time_drift:rate_ppm")) == 1
            ),
            "the rules have seen it",
        )
        yield database


def _node(running: ExitStack, directory: Path, chain: str, toml: str, offset: str) -> Node:
    directory.mkdir()
    config = directory / "config.toml"
    config.write_text(toml, encoding="utf-8")
    done = measure(directory, str(config), faked(offset))
    assert done.returncode == (3 if directory.name == "silent" else 0), done.stderr
    exporter = node_exporter(found("prometheus-node-exporter"), directory)
    return Node(directory.name, chain, directory, running.enter_context(exporter))


def _remember(directory: Path, labels: str) -> None:
    """Put two hours of a clock that gains FAST_PPM into the database that will be there."""
    now_s = int(time.time())
    lines = ["# TYPE time_drift_estimate_seconds gauge"]
    lines += [
        f"time_drift_estimate_seconds{{{labels}}} {-ago_s * FAST_PPM / 1e6} {now_s - ago_s}"
        for ago_s in range(7200, 60, -60)
    ]
    history = directory / "history.txt"
    history.write_text("\n".join([*lines, "# EOF\n"]), encoding="utf-8")
    command = [found("promtool"), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run(
        [*command, str(history), str(directory / "data")], check=True, capture_output=True
    )


def asked(expression: str, chain: str = ".*", instance: str = ".*", node: str = "right") -> str:
    """Return an expression with Grafana's variables filled in."""
    for name, value in (("chain", chain), ("instance", instance), ("node", node)):
        expression = expression.replace(f"${name}", value)
    assert "$" not in expression
    return expression


def answers(database: Database, title: str, **chosen: str) -> list[list[tuple[Labels, float]]]:
    """Return what each query of a panel yields now."""
    return [database.series(asked(target["expr"], **chosen)) for target in panel(title)["targets"]]


@pytest.mark.interop
@pytest.mark.parametrize("target", targets())
def test_every_query_returns_series(database: Database, target: dict[str, Any]) -> None:
    """Each expression of each panel yields something, in the way that the panel asks."""
    expression = asked(target["expr"])
    if target["instant"]:
        series = database.get("query", query=expression)["result"]
    else:
        now_s = time.time()
        span = {"start": str(now_s - 60), "end": str(now_s), "step": "1"}
        series = database.get("query_range", query=expression, **span)["result"]

    assert target["instant"] != target["range"]
    assert series
    for word in re.findall(r"{{(\w+)}}", target["legendFormat"]):
        assert any(each["metric"].get(word) for each in series), word


@pytest.mark.interop
@pytest.mark.parametrize("variable", VARIABLES[1:], ids=lambda variable: str(variable["name"]))
def test_every_variable_has_values(database: Database, variable: dict[str, Any]) -> None:
    """The nodes and chains that there were can be chosen from."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", asked(variable["query"]["query"]))
    assert match is not None
    values = database.get(f"label/{match[2]}/values", **{"match[]": match[1]})

    chains = {"ethereum", "sui", "cardano", "bitcoin"}
    nodes = {"right", "off", "lied to", "silent", "stale", "gone"}
    assert set(values) == (chains if variable["name"] == "chain" else nodes)


@pytest.mark.interop
@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Nodes", 5),
        ("Critical", 1),
        ("Warning", 1),
        ("Without an answer", 1),
        ("Stale or gone", 2),
        ("Worst drift", 2),
    ],
)
def test_the_overview_counts_right(database: Database, title: str, shown: int) -> None:
    """Each number is that of the fleet."""
    assert [[value for _, value in series] for series in answers(database, title)] == [[shown]]


@pytest.mark.interop
def test_what_is_chosen_is_shown(database: Database) -> None:
    """A chain and an instance that were chosen leave the others out."""
    (one,) = answers(database, "Nodes", chain="ethereum")
    (two,) = answers(database, "Critical", instance="right|lied to")

    assert [value for _, value in one] == [2]
    assert [value for _, value in two] == [0]


@pytest.mark.interop
def test_the_worst_node_is_on_top(database: Database) -> None:
    """The columns of the table belong together, and the node that is off is the worst."""
    columns = answers(database, "Worst nodes")
    by_node = [{labels["instance"]: value for labels, value in column} for column in columns]
    of_threshold, drift, uncertainty, threshold = by_node
    rows = [sorted(tuple(sorted(labels.items())) for labels, _ in column) for column in columns]

    assert max(of_threshold, key=of_threshold.__getitem__) == "off"
    assert (of_threshold["off"], drift["off"], threshold["off"]) == (2, -2, 1)
    assert 0 < uncertainty["off"] < 0.2
    assert all(row == rows[0] for row in rows), "labels differ, and Grafana would merge no rows"


@pytest.mark.interop
def test_who_is_not_measured_is_listed_with_the_reason(database: Database) -> None:
    """Each node that nobody knows the clock of stands in the table once."""
    listed = [
        (labels["instance"], labels["state"])
        for series in answers(database, "Nodes without a measurement")
        for labels, _ in series
    ]

    assert listed == [("silent", "no answer"), ("stale", "stale"), ("gone", "gone")]


@pytest.mark.interop
def test_liars_are_named(database: Database) -> None:
    """The operator that one node saw lie is counted once."""
    assert answers(database, "Falsetickers by operator") == [[({"operator": MALLORY}, 1)]]


@pytest.mark.interop
def test_the_rate_is_in_ppm(database: Database) -> None:
    """A clock that gained 80 us a second for an hour is shown to have."""
    ((one,),) = answers(database, "Rate")

    assert one[0]["instance"] == "right"
    assert one[1] == pytest.approx(FAST_PPM, abs=3)


@pytest.mark.interop
def test_the_band_holds_the_estimate(database: Database) -> None:
    """Low, estimate and high of one node are in this order."""
    (low,), (high,), (estimate,) = answers(database, "$node: drift and its uncertainty", node="off")

    assert low[1] < estimate[1] < high[1]
    assert -2.2 < low[1] < high[1] < -1.8
