"""The page and the plot of `make bench`: every goal has its row, whatever was not measured."""

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.tools.bench import measured
from tools.bench.names import (
    ALL,
    ALONE,
    CHRONYD,
    COST_OF,
    EMPTY,
    HTPDATE,
    IMPORTING,
    KEPT,
    MIXED,
    NTPDIG,
    OURS,
    PEERS,
    PLAIN,
    QUIET,
)
from tools.bench.page import markdown, plot
from tools.bench.page.rows import rows
from tools.bench.servers.lies import KINDS

LIES = {kind: words for kind, (words, _) in KINDS.items()}


def without(peer: str) -> dict[str, Any]:
    """Return what is measured where a peer is not installed."""
    parts = measured()
    for group in ("plain", "kinds", "other", "chronyd"):
        found = parts["costs"]["figures"][group]
        for name in (*COST_OF.get(peer, ()), peer):
            found.pop(name, None)
    for condition in parts["accuracy"]["figures"].values():
        condition.pop(peer, None)
    parts["liars"]["figures"].pop(peer)
    parts["costs"]["versions"].pop(peer)
    return parts


def test_every_goal_is_met_where_it_is() -> None:
    """Figures within their limits make rows that say yes, each with a figure."""
    found = rows(measured())

    assert [row.what for row in found if row.met is not True] == []
    assert all(row.figure for row in found)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("costs", "plain", PLAIN, "cpu_ms"), 26.0),
        (("costs", "plain", EMPTY, "wall_ms"), 7.0),
        (("costs", "chronyd", CHRONYD, "wall_ms"), 4400.0),
        (("costs", "kinds", KEPT, "cpu_ms"), 43.0),
        (("costs", "kinds", ALL, "cpu_ms"), 96.0),
        (("costs", "watch", "integer", "cpu_ms"), 5.1),
        (("costs", "many", "200", "wall_ms"), 101.0),
        (("accuracy", QUIET, OURS, "median_us"), 10.0),
        (("accuracy", IMPORTING, OURS, "median_us"), 101.0),
        (("liars", MIXED, "near", "4"), [-4, -5]),
        (("nodes", "cpu_ms_each"), 0.21),
        (("nodes-many", "memory_mb"), 121),
        (("exporter", "core_percent"), 15.5),
    ],
    ids=str,
)
def test_a_goal_that_is_missed_says_so(place: tuple[str, ...], value: Any) -> None:
    """Each limit is held alone: just beyond it one row says no, and no other."""
    parts = measured()
    name, *between, last = place
    tree = parts[name]["figures"]
    for each in between:
        tree = tree[each]
    tree[last] = value

    assert [row.met for row in rows(parts)].count(False) == 1


def test_a_refusal_among_liars_is_no_wrong_integer() -> None:
    """To say nothing is allowed; the page shows it as such."""
    parts = measured()
    parts["liars"]["figures"][ALONE]["silent"]["4"] = [-4, None]

    assert False not in [row.met for row in rows(parts)]
    assert "✓✓✓·" in markdown.page(parts, LIES)


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_that_is_absent_is_named(peer: str) -> None:
    """It has rows that say that it is not installed; none is left out."""
    whole, less = (markdown.page(parts, LIES) for parts in (measured(), without(peer)))

    assert f"{peer} is not installed" in less
    assert "is not installed" not in whole
    assert len(rows(without(peer))) == len(rows(measured()))
    for section in ("Goals", "What a run costs", "How far each program is off"):
        assert len(table(less, section)) == len(table(whole, section)), section
    assert plot.picture(without(peer)).startswith("<svg")


def table(page: str, section: str) -> list[str]:
    after = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [line for line in after.splitlines() if line.startswith("|")]


def test_without_prometheus_its_row_says_so() -> None:
    """Nor does the page break."""
    parts = measured()
    parts["exporter"] = {"not_installed": "prometheus"}

    assert rows(parts)[-1].figure == "prometheus is not installed"
    assert "prometheus is not installed" in markdown.page(parts, LIES)


def test_what_takes_eight_minutes_more_is_named() -> None:
    """100,000 nodes are measured by a command of their own."""
    parts = measured() | {"nodes-many": {}}

    assert "make bench-nodes" in markdown.page(parts, LIES)


def test_wrong_integers_stand_out() -> None:
    """A liar's number that a program believed is a cross, and bold where numbers are."""
    parts = measured()
    parts["liars"]["figures"][NTPDIG]["far"]["1"] = [-4.0, -3604.0]
    page = markdown.page(parts, LIES)

    assert "✗✓✓✓" in page
    assert "**-3604**" in page


def test_htpdate_has_no_error_to_claim() -> None:
    """A lie that a protocol cannot tell does not apply to it."""
    parts = measured()
    del parts["liars"]["figures"][HTPDATE]["wide"]

    assert "does not apply" in markdown.page(parts, LIES)


def test_the_plot_is_plain() -> None:
    """Well-formed, without script, style and font, wide bars within the picture."""
    root = ElementTree.fromstring(plot.picture(measured()))  # noqa: S314 - our own
    width = float(root.attrib["width"])
    tags = {element.tag.partition("}")[2] for element in root.iter()}

    assert tags == {"svg", "title", "rect", "g", "text"}
    for element in root.iter("{http://www.w3.org/2000/svg}rect"):
        right = float(element.get("x", 0)) + float(element.get("width", 0))
        assert 0 <= float(element.get("width", 0)) <= width
        assert right <= width
