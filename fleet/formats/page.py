"""The health of each chain as one page for browsers: no script, nothing from elsewhere. Pure.

Everything that anybody else has written - targets, labels, user agents, notes - is escaped. The
page's own policy (CSP) allows its one style sheet, by its hash, and nothing more; so no attribute
holds style, and the bars of the histograms are SVG, sized by their own attributes.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from fleet.formats.words import bounds_text, explanation, interval_text
from fleet.health import Bar, Health, health, worst
from fleet.rounds import Result
from sources.clock import NS

_WORST = 20
_LONGEST_BAR = 100
_LAST_YEAR_S = 253_370_764_800
"""The year 9999, the last one that datetime knows."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #2a78c8; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
dl { display: grid; gap: .5rem; margin: 0; }
dl { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
dl div { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .6rem; }
dt { font-size: .85rem; opacity: .75; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
td.number { text-align: right; white-space: nowrap; } th.number { text-align: right; }
td.name { overflow-wrap: anywhere; min-width: 10rem; }
td.bar { width: 50%; min-width: 6rem; } svg { display: block; width: 100%; height: 1rem; }
rect { fill: var(--bar); }
footer { margin-top: 3rem; font-size: .85rem; opacity: .75; }
"""


def render(results: Sequence[Result], read_unix_s: int) -> str:
    """Return the page. `read_unix_s` is true time when the nodes were read."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    found = health(results)
    nodes = sum(one.nodes for one in found)
    decided = sum(one.decided for one in found)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Clocks of {nodes} nodes</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Clocks of {nodes} nodes</h1>
<p>Read {_moment(read_unix_s)}. {decided} are decided to the whole second. Drift is a node's clock
minus true time: negative is behind.</p>
{"".join(_section(one) for one in found)}{_worst(results)}<footer>
<p>Figures rest on nodes whose own clock was read; the others are counted by what came of them. A
range holds the value for certain. A node may lie about its clock, and so may whoever is on the path
to it.</p>
</footer>
</body>
</html>
"""


def _section(one: Health) -> str:
    limit = f"{one.chain.limit_ns / NS:g} s"
    figures = [
        ("nodes", str(one.nodes)),
        ("answered", str(one.answered)),
        ("decided", str(one.decided)),
        ("own clock read", f"{one.read_share:.0%}"),
        ("median |drift|", "none" if one.median is None else bounds_text(one.median)),
        ("p95 |drift|", "none" if one.p95 is None else bounds_text(one.p95)),
        (f"surely beyond {limit}", str(one.surely)),
        (f"possibly beyond {limit}", str(one.possibly)),
    ]
    boxes = "".join(f"<div><dt>{_(name)}</dt><dd>{_(value)}</dd></div>" for name, value in figures)
    verdicts = _table(
        ("verdict", "nodes"),
        ((("", word), ("number", str(count))) for word, count in one.verdicts),
    )
    title = _(one.chain.name or "no chain named")
    return (
        f"<section>\n<h2>{title}</h2>\n<dl>{boxes}</dl>\n{_histogram(one)}{verdicts}"
        f"<p>Limit: {_(one.chain.why)} ({_(one.chain.source)}).</p>\n</section>\n"
    )


def _histogram(one: Health) -> str:
    if not one.decided:
        return ""
    most = max(bar.nodes for bar in one.histogram)
    rows = "".join(_bar(bar, most) for bar in _inner(one.histogram))
    head = '<tr><th class="number">drift, s</th><th class="number">nodes</th><th></th></tr>'
    return f'<div class="wide"><table>{head}{rows}</table></div>\n'


def _inner(bars: Sequence[Bar]) -> Sequence[Bar]:
    """Return the bars without the empty ones at both ends; zero is always among them."""
    zero = len(bars) // 2
    filled = [number for number, bar in enumerate(bars) if bar.nodes]
    return bars[min([zero, *filled]) : max([zero, *filled]) + 1]


def _bar(bar: Bar, most: int) -> str:
    width = bar.nodes * _LONGEST_BAR / most
    drawn = f'<rect width="{max(width, 0.5):.1f}" height="10"/>' if bar.nodes else ""
    label = f"{bar.label} s: {bar.nodes} nodes"
    picture = (
        f'<svg viewBox="0 0 {_LONGEST_BAR} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{_(label)}">{drawn}</svg>'
    )
    numbers = f'<td class="number">{_(bar.label)}</td><td class="number">{bar.nodes}</td>'
    return f'<tr>{numbers}<td class="bar">{picture}</td></tr>'


def _worst(results: Iterable[Result]) -> str:
    found = worst(results, _WORST)
    if not found:
        return ""
    rows = (
        (
            ("name", result.target.text),
            ("", result.target.chain),
            ("number", "?" if result.drift_s is None else str(result.drift_s)),
            ("number", interval_text(result.interval) if result.interval else ""),
            ("name", "; ".join(part for part in (result.software, explanation(result)) if part)),
        )
        for result in found
    )
    table = _table(("node", "chain", "drift, s", "for certain, s", "software"), rows)
    return f"<section>\n<h2>Furthest off</h2>\n{table}</section>\n"


def _table(names: Sequence[str], rows: Iterable[Iterable[tuple[str, str]]]) -> str:
    head = "".join(f"<th>{_(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(_cell(kind, value) for kind, value in row)}</tr>\n" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>\n'


def _cell(kind: str, value: str) -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<td{attribute}>{_(value)}</td>"


def _moment(unix_s: int) -> str:
    moment = datetime.fromtimestamp(min(max(unix_s, 0), _LAST_YEAR_S), UTC)
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M:%S} UTC</time>'


def _(text: str) -> str:
    return html.escape(text, quote=True)
