"""The output formats of a sweep: what each has, and what it must not have."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from drift.formats.nagios import read_threshold
from fleet.formats import influx, integer, nagios, page, prometheus, summary, text
from fleet.formats import json as json_format
from fleet.formats.words import interval_text, possible_text, software_label
from fleet.health import health
from fleet.rounds import Result
from sources.base import Interval
from sources.clock import NS
from tests.support.fleet.fakes import a_target

RIGHT = Result(
    a_target("1.0.0.1", chain="bitcoin", labels=(("dc", "fra, 1"), ("chain", "bitcoin"))),
    "decided",
    0,
    Interval(-314_159_265, 443_000_001),
    2,
    "/Satoshi:29.0.0(me)/",
    "1.0.0.1",
    read_unix_ns=1_800_000_000 * NS + 5,
)
BEHIND = Result(
    a_target("1.0.0.2", chain="xrpl"),
    "decided",
    -4,
    Interval(-4 * NS, -4 * NS),
    1,
    authenticated=True,
)
OPEN = Result(a_target("1.0.0.3"), "undecided", None, Interval(-7 * NS // 10, 4 * NS // 10), 4)
ADJUSTED = Result(
    a_target("1.0.0.4"),
    "adjusted",
    None,
    Interval(-1, 1),
    1,
    "/Satoshi:0.21/",
    note="mixes <peers>",
)
SILENT = Result(a_target("1.0.0.5"), "silent", probes=1, note="no answer\nevil 1")
ALL = [RIGHT, BEHIND, OPEN, ADJUSTED, SILENT]
"""Nodes of every sort."""


def test_lines() -> None:
    """The integer or ?, the interval or the verdict, the target as it was written, and the rest."""
    lines = text.render(ALL).splitlines()

    assert [line.split()[0] for line in lines] == ["0", "-4", "?", "?", "?"]
    assert lines[0].split("  ")[3:5] != []
    assert "-0.32 .. +0.45" in lines[0]
    assert "fake://1.0.0.1  2 asked  /Satoshi:29.0.0(me)/" in lines[0]
    assert "-4.00 .. -4.00" in lines[1]
    assert "authenticated" in lines[1]
    assert "undecided: -1 or 0" in lines[2]
    assert "?  adjusted " in lines[3]
    assert "shows -0.01 .. +0.01; mixes <peers>" in lines[3]
    assert "?  silent " in lines[4]
    assert "no answer" in lines[4]


def test_no_note_can_make_a_line() -> None:
    """Nodes and networks write notes; a line is a target."""
    assert len(text.render([SILENT]).splitlines()) == 1


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**10))
def test_printed_intervals_hold_the_real_ones(low_ns: int, width_ns: int) -> None:
    """Rounded outwards: what is printed is proven, too."""
    low, high = interval_text(Interval(low_ns, low_ns + width_ns)).split(" .. ")

    assert float(low) * NS <= low_ns + 1
    assert low_ns + width_ns - 1 <= float(high) * NS


def test_possible_integers() -> None:
    """In words."""
    assert possible_text(Interval(-NS, 0)) == "-1 or 0"
    assert possible_text(Interval(-NS, 2 * NS)) == "-1 to 2"


def test_the_integer_alone() -> None:
    """Or nothing, as in the contract of the plain run."""
    assert integer.render([BEHIND]) == "-4\n"
    assert integer.render([OPEN]) == ""
    assert integer.render([ADJUSTED]) == ""


def test_json() -> None:
    """An array in the order given; what a node shows of another clock is no interval of its own."""
    found = json.loads(json_format.render(ALL))

    assert [one["drift_s"] for one in found] == [0, -4, None, None, None]
    assert found[0]["interval_ns"] == [-314_159_265, 443_000_001]
    assert found[0]["labels"] == {"dc": "fra, 1", "chain": "bitcoin"}
    assert found[3]["interval_ns"] is None
    assert found[3]["shown_ns"] == [-1, 1]
    assert found[4]["verdict"] == "silent"


def test_json_summary() -> None:
    """An object a chain."""
    found = json.loads(json_format.render_summary(health([RIGHT, BEHIND])))

    assert {one["chain"] for one in found} == {"bitcoin", "xrpl"}
    assert found[0]["histogram"]["0"] == 1


def samples(exposition: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_prometheus_of_many() -> None:
    """Labels of the inventory are kept; only a node's own clock has numbers."""
    found = samples(prometheus.render(ALL))

    drifts = {labels["target"]: value for labels, value in found["time_drift_node_seconds"]}
    assert drifts == {"fake://1.0.0.1": 0, "fake://1.0.0.2": -4}
    lows = {labels["target"] for labels, _ in found["time_drift_node_interval_low_seconds"]}
    assert lows == {"fake://1.0.0.1", "fake://1.0.0.2", "fake://1.0.0.3"}
    verdicts = {labels["verdict"] for labels, _ in found["time_drift_node_verdict"]}
    assert verdicts == {"decided", "undecided", "adjusted", "silent"}
    assert found["time_drift_node_seconds"][0][0]["dc"] == "fra, 1"
    assert found["probe_success"] == [({}, 0.0)]
    software = [labels["software"] for labels, _ in found["time_drift_node_info"]]
    assert software == ["Satoshi 29", "", "", "Satoshi 0"]
    assert "(me)" not in prometheus.render(ALL)


def test_prometheus_of_one() -> None:
    """Prometheus knows which target it asked for."""
    found = samples(prometheus.render_one(RIGHT, NS // 2))

    assert found["time_drift_node_seconds"] == [({}, 0.0)]
    assert found["time_drift_node_verdict"] == [({"verdict": "decided"}, 1.0)]
    assert found["time_drift_node_last_read_timestamp_seconds"] == [({}, 1_800_000_000.0)]
    assert found["probe_success"] == [({}, 1.0)]
    assert found["probe_duration_seconds"] == [({}, 0.5)]


def test_prometheus_of_labels_with_marks() -> None:
    """An inventory may hold any text; what Prometheus reads is what was written there."""
    text = 'a "quoted" \\ back\\nslash\nand a line, {braces}=1 \u00e9'
    found = samples(
        prometheus.render([RIGHT.replaced(target=a_target("n", labels=(("x", text),)))])
    )

    assert {labels["x"] for labels, _ in found["time_drift_node_seconds"]} == {text}


def test_prometheus_of_a_node_that_is_not_read_has_no_drift() -> None:
    """Nothing to graph, nothing to go stale."""
    for result in (ADJUSTED, SILENT):
        found = samples(prometheus.render_one(result, 0))
        assert set(found) <= {
            "probe_success",
            "probe_duration_seconds",
            "time_drift_node_verdict",
            "time_drift_node_info",
        }
        assert found["probe_success"] == [({}, 0.0)]


def test_influx() -> None:
    """A point a target, with the true time of its reading if there is one."""
    lines = influx.render(ALL).splitlines()

    assert len(lines) == 5
    assert lines[0] == (
        r"time_drift_node,chain=bitcoin,dc=fra\,\ 1,module=fake,target=fake://1.0.0.1 "
        'success=1i,verdict="decided",probes=2i,drift_s=0i,low_ns=-314159265i,'
        "high_ns=443000001i 1800000000000000005"
    )
    assert "drift_s" not in lines[2]
    assert "low_ns" not in lines[3]


@pytest.mark.parametrize(
    ("results", "ranges", "state", "word"),
    [
        ([RIGHT], ("-0:0", "-1:1"), 0, "OK - 1 of 1"),
        ([RIGHT, BEHIND], (None, None), 0, "the worst is -4 s off"),
        ([RIGHT, BEHIND], ("-2:2", "-10:10"), 1, "WARNING - 2 of 2"),
        ([RIGHT, BEHIND], ("-1:1", "-2:2"), 2, "CRITICAL"),
        ([RIGHT, OPEN], ("-2:2", None), 3, "UNKNOWN - 1 of 2"),
        ([SILENT], (None, None), 3, "UNKNOWN - 0 of 1"),
        ([OPEN, BEHIND], (None, "-2:2"), 2, "CRITICAL"),
        ([ADJUSTED], ("-2:2", "-2:2"), 3, "UNKNOWN"),
        ([], (None, None), 3, "UNKNOWN"),
    ],
)
def test_nagios(
    results: Sequence[Result], ranges: tuple[str | None, str | None], state: int, word: str
) -> None:
    """The worst node's state; a node that is not decided is unknown, never OK."""
    warning, critical = (range_ and read_threshold(range_) for range_ in ranges)

    said, status = nagios.render(results, warning or None, critical or None)

    assert status == state
    assert word in said.splitlines()[0]
    assert said.splitlines()[0].count("|") == 1
    assert all("|" not in line for line in said.splitlines()[1:])


def test_summary() -> None:
    """What the figures rest on, surely and possibly, a picture."""
    said = summary.render(health([RIGHT, RIGHT, SILENT.replaced(target=RIGHT.target)]))

    assert said.startswith("bitcoin: 3 nodes, 2 answered: 2 decided, 1 silent\n")
    assert "|drift| median 0.00 .. 0.45 s, p95 0.00 .. 0.45 s, of 67% of the nodes" in said
    assert "beyond 60 s: 0 surely, 0 possibly" in said
    assert re.search(r" 0 s +2 #{50}\n", said)
    assert "the clock of no node was read" in summary.render(health([SILENT]))


@pytest.mark.parametrize(
    ("software", "label"),
    [
        ("/Satoshi:29.0.0(me@example.org)/", "Satoshi 29"),
        ("/Satoshi:0.21.2/Knots:20240801/", "Satoshi 0"),
        ("rippled-2.6.1", "rippled 2"),
        ("nginx/1.25.3", "nginx 1"),
        ("nginx", "nginx"),
        ("avalanchego 1.13.0", "avalanchego 1"),
        ("Bitcoin Cash Node:27.1.0(EB32.0)", "Bitcoin Cash Node 27"),
        ("", ""),
        ("\u202e{}", ""),
    ],
)
def test_software_in_labels(software: str, label: str) -> None:
    """Name and major version: a whole user agent tells machines apart."""
    assert software_label(software) == label


# --- The page -------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


def test_the_page_is_one_and_obeys_its_policy() -> None:
    """No script, nothing from elsewhere, no style but the one whose hash is in the policy."""
    written = page.render(ALL, 1_800_000_000)
    found = Page(written)

    policies = [a["content"] for tag, a in found.tags if "http-equiv" in a]
    [style] = re.findall(r"<style>(.*?)</style>", written, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert len(policies) == 1
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in str(policies[0])
    assert not found.open
    assert {tag for tag, _ in found.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "section", "dl", "div",
        "dt", "dd", "table", "tr", "th", "td", "svg", "rect", "footer", "time",
    }  # fmt: skip
    names = {name for _, attributes in found.tags for name in attributes}
    assert names <= {
        "lang", "charset", "http-equiv", "content", "name", "class", "viewbox", "width", "height",
        "preserveaspectratio", "role", "aria-label", "datetime",
    }  # fmt: skip
    assert "url(" not in style
    assert "@import" not in style
    assert "2027-01-15 08:00:00 UTC" in written


def test_the_page_says_what_it_is_of() -> None:
    """Health, histogram, limit and the worst nodes."""
    written = page.render(ALL, 1_800_000_000)

    assert "<title>Clocks of 5 nodes</title>" in written
    for word in ("surely beyond 20 s", "bitcoin", "xrpl", "Furthest off", "-4.00 .. -4.00"):
        assert word in written
    assert page.render([], 0).count("<section>") == 0
    assert "Furthest off" not in page.render([RIGHT, ADJUSTED], 0)


def test_nobody_can_write_into_the_page() -> None:
    """Targets, chains, software and notes are other people's."""
    target = a_target("1.0.0.1", text=EVIL, chain=EVIL)
    evil = Result(target, "decided", 9, Interval(9 * NS, 9 * NS), 1, EVIL, EVIL, note=EVIL)
    written = page.render([evil], 10**18)
    found = Page(written)

    assert not {"script", "img"} & {tag for tag, _ in found.tags}
    assert EVIL in found.texts
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)


@given(st.text(max_size=50), st.integers(-(10**20), 10**20))
def test_any_words_make_a_page(words: str, unix_s: int) -> None:
    """And whatever a node calls itself, tags stay balanced."""
    result = Result(
        a_target("1.0.0.1", text=words, chain=words), "decided", 9, Interval(9 * NS, 9 * NS),
        software=words, note=words,
    )  # fmt: skip

    assert not Page(page.render([result], unix_s)).open
