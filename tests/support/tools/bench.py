"""What the bench might have measured: figures by which every goal is met."""

import json
from typing import Any

from tools.bench.names import (
    ALL,
    ALONE,
    AWAY,
    BUSY,
    CHECK,
    CHECK_NTP_TIME,
    CHRONYD,
    COOKIES,
    EMPTY,
    FIVE,
    IMPORTING,
    KEPT,
    MIXED,
    NOBODY,
    NTPDIG,
    ONE,
    OURS,
    PAGE,
    PEERS,
    PLAIN,
    QUERY,
    QUIET,
    ROUGH,
    WEB,
)
from tools.bench.servers.lies import KINDS


def _cost(ms: float) -> dict[str, Any]:
    spread = [ms - 0.1, ms + 0.1]
    return {
        "cpu_ms": ms, "cpu_spread_ms": spread, "wall_ms": ms, "wall_spread_ms": spread,
        "memory_mb": 9.0, "runs": 25,
    }  # fmt: skip


def _error(us: float) -> dict[str, Any]:
    return {"median_us": us, "worst_us": 2 * us, "runs": 25, "held": 25, "width_us": 40_000}


def _part(figures: dict[str, Any]) -> dict[str, Any]:
    """A part whose goals are all met."""
    machine = {"cores": "2", "cpu": "CPU", "python": "3.11.2", "kernel": "6.1", "system": "Debian"}
    return {
        "figures": figures, "date": "28 November 2026", "seconds": 60.0, "load_before": 0.1,
        "load_after": 0.5, "others_percent": 1.0, "machine": machine,
        "versions": dict.fromkeys(PEERS, "1.0"),
    }  # fmt: skip


def measured() -> dict[str, Any]:
    """Return all parts, each time anew."""
    plain = {EMPTY: _cost(10), PLAIN: _cost(25), ONE: _cost(50), FIVE: _cost(52), CHECK: _cost(1)}
    kinds = {
        ONE: _cost(50),
        ROUGH: _cost(42),
        COOKIES: _cost(42),
        KEPT: _cost(42),
        WEB: _cost(84),
        ALL: _cost(94),
    }
    numbers = {kind: {str(count): [-4, -4] for count in range(1, 5)} for kind in KINDS}
    said = {NOBODY: {"0": [-4, -4]}} | numbers
    beside = {name: _error(3) for name in (OURS, NTPDIG, CHECK_NTP_TIME, CHRONYD)}
    node = {"wall_s": 48.0, "cpu_ms_each": 0.1, "memory_mb": 40, "verdicts": {"decided": 9_500}}
    parts = {
        "costs": _part(
            {
                "plain": plain, "kinds": kinds, "other": {PAGE: _cost(2), QUERY: _cost(90)},
                "chronyd": {CHRONYD: _cost(6000), PLAIN: _cost(30)},
                "watch": {"integer": _cost(4), "prometheus": _cost(6)},
                "many": {"10": _cost(40), "100": _cost(60), "200": _cost(80)},
            }
        ),
        "accuracy": _part(
            {QUIET: beside, BUSY: beside, AWAY: beside, IMPORTING: {OURS: _error(40)}}
        ),
        "liars": _part(dict.fromkeys((ALONE, MIXED, *PEERS), said)),
        "nodes": _part({"nodes": 10_000, **node}),
        "nodes-many": _part({"nodes": 100_000, **node}),
        "exporter": _part(
            {
                "nodes": 10_000, "interval_s": 30, "core_percent": 11.0, "memory_mb": 60.0,
                "prometheus_core_percent": 18.0, "prometheus_memory_mb": 900.0, "up": 10_000,
                "down": 0,
            }
        ),
    }  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(parts))
    return found
