"""The table of docs/fleet.md: what each tier of a large fleet asks, per minute. Pure."""

import re
from collections.abc import Sequence

from drift.config import Config, parse
from drift.load.count import Load, loads
from drift.wording.load import number_text

NODES = (10, 400, 10_000)
OWN_SERVERS = 4
EVERY_S = 60

_TABLE = re.compile(r"(?<=<!-- load -->\n).*?(?=<!-- /load -->)", re.DOTALL)


def text(page: str, shipped: str, own: str) -> str:
    """Return the page with the table between its two comments as it has to be."""
    usual, fleets = parse(shipped, "config.toml"), parse(own, "own-servers.toml")
    few = (OWN_SERVERS,) * len(NODES)
    head = ["who asks, and with what", "whom", *(f"{nodes:,} nodes" for nodes in NODES)]
    rows = [
        head,
        ["---"] * len(head),
        *_rows("nodes, `config.toml`", usual, NODES),
        *_rows("nodes, `own-servers.toml`", fleets, NODES),
        *_rows(f"{OWN_SERVERS} own servers, `config.toml`", usual, few),
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _TABLE.sub(lambda _: table, page)


def _rows(who: str, config: Config, nodes: Sequence[int]) -> list[list[str]]:
    """Return a row for each way in which servers are asked, and one for all of it."""
    by_tier: dict[str, list[Load]] = {}
    for each in loads(config, EVERY_S):
        by_tier.setdefault(each.what, []).append(each)
    rows = []
    for what, found in by_tier.items():
        ((usual, worst),) = {(each.usual, each.worst) for each in found}
        count = f"each of {len(found)}" if len(found) > 1 else "one"
        rows.append([f"{count}: `{what}`", *(_cell(usual, worst, n) for n in nodes)])
    everything = [each for found in by_tier.values() for each in found]
    usual = sum(each.usual for each in everything)
    worst = sum(each.worst for each in everything)
    rows.append(["all together", *(_cell(usual, worst, n) for n in nodes)])
    return [["" if number else who, *row] for number, row in enumerate(rows)]


def _cell(usual: float, worst: float, nodes: int) -> str:
    a_minute = nodes * 60 / EVERY_S
    return f"{number_text(usual * a_minute)} ({number_text(worst * a_minute)})"
