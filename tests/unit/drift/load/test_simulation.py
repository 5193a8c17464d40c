"""Nodes by the thousand, simulated: what servers count is what the load says, and no bursts."""

from collections import Counter

import pytest

from drift import config
from drift.load.count import loads
from tests.conftest import ROOT
from tests.support.drift.fleet_of_nodes import Fleet, kiss_of_rate, silence

EVERY_S = 60
NODES, MINUTES = 1_000, 60
CONFIG = config.load(str(ROOT / "packaging/config/own-servers.toml"))


def test_servers_count_what_the_load_says() -> None:
    """An hour, per source within 5 %: datagrams, exchanges of keys, HTTPS when keys are renewed."""
    fleet = Fleet(CONFIG, NODES, EVERY_S, MINUTES)
    fleet.measure(splay_s=EVERY_S)
    counted: Counter[tuple[str, str]] = Counter()
    for source in fleet.sources:
        counted[source.host, source.kind] += sum(source.queries)
        if source.kind == "nts":
            counted[source.host, "nts keys"] += source.keys
    said = {
        (each.host, each.what): each.usual * NODES * MINUTES * 60 / EVERY_S
        for each in loads(CONFIG, EVERY_S)
    }

    assert fleet.answers == fleet.runs == NODES * MINUTES
    assert counted.keys() == said.keys()
    for key, queries in said.items():
        assert queries > 0
        assert counted[key] == pytest.approx(queries, rel=0.05), key


def worst_against_mean(fleet: Fleet) -> float:
    """Return how many times the mean the worst second has, all sources together."""
    seconds = [sum(at) for at in zip(*(source.queries for source in fleet.sources), strict=True)]
    steady = seconds[120 : len(seconds) // 2 - 120]
    return float(max(steady) * len(steady) / sum(steady))


def test_no_second_has_a_burst() -> None:
    """--splay spreads 10,000 nodes that were started together over the whole minute, for good."""
    fleet = Fleet(CONFIG, 10 * NODES, EVERY_S, MINUTES // 10)
    fleet.measure(splay_s=EVERY_S)

    assert worst_against_mean(fleet) < 1.5


def test_without_splay_there_are_bursts() -> None:
    """That is what it is for: jitter alone keeps those that were started together together."""
    fleet = Fleet(CONFIG, NODES // 10, EVERY_S, MINUTES)
    fleet.measure(splay_s=0)

    assert worst_against_mean(fleet) > 5


def test_who_is_silent_or_says_rate_is_asked_less() -> None:
    """State holds the fleet back from a silent Roughtime server, and from one that sends RATE."""
    nodes = NODES // 10
    fleet = Fleet(CONFIG, nodes, EVERY_S, MINUTES)
    roughtime = next(source for source in fleet.sources if source.kind == "roughtime")
    own = next(source for source in fleet.sources if source.kind == "nts")
    roughtime.fault, own.fault = silence, kiss_of_rate
    fleet.measure(splay_s=EVERY_S)

    usual = nodes * MINUTES
    assert 0 < sum(roughtime.queries) < usual / 5
    assert 0 < sum(own.queries) < usual / 5
    assert fleet.answers == fleet.runs
