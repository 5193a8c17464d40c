"""Everything, as a JSON array with an object a target, for programs. Pure.

Fields may be added; none is renamed, retyped or removed.
"""

import json
from collections.abc import Iterator, Sequence

from fleet.health import Health
from fleet.rounds import Result
from sources.base import Interval

_AT_ONCE = 1000


def render(results: Sequence[Result]) -> str:
    """Return the array on one line."""
    return "".join(pieces(results))


def pieces(results: Sequence[Result]) -> Iterator[str]:
    """Yield the array bit by bit: that of a hundred thousand nodes is 40 MB."""
    opening = "["
    for at in range(0, len(results), _AT_ONCE):
        yield opening + ", ".join(json.dumps(_of_result(r)) for r in results[at : at + _AT_ONCE])
        opening = ", "
    yield "]\n" if results else "[]\n"


def render_summary(healths: Sequence[Health]) -> str:
    """Return an array with an object a chain."""
    return json.dumps([_of_chain(health) for health in healths]) + "\n"


def _of_result(result: Result) -> dict[str, object]:
    target = result.target
    return {
        "target": target.text,
        "module": target.module,
        "chain": target.chain,
        "labels": dict(target.labels),
        "verdict": result.verdict,
        "drift_s": result.drift_s,
        "interval_ns": _pair(result.interval if result.is_read else None),
        "shown_ns": _pair(None if result.is_read else result.interval),
        "probes": result.probes,
        "software": result.software,
        "server": result.server,
        "authenticated": result.authenticated,
        "note": result.note,
        "read_unix_ns": result.read_unix_ns,
        "elapsed_ns": result.elapsed_ns,
    }


def _of_chain(health: Health) -> dict[str, object]:
    return {
        "chain": health.chain.name,
        "limit_ns": health.chain.limit_ns,
        "nodes": health.nodes,
        "answered": health.answered,
        "read": health.read,
        "decided": health.decided,
        "verdicts": dict(health.verdicts),
        "median_ns": _pair(health.median),
        "p95_ns": _pair(health.p95),
        "surely_beyond": health.surely,
        "possibly_beyond": health.possibly,
        "histogram": {bar.label: bar.nodes for bar in health.histogram},
    }


def _pair(interval: Interval | None) -> list[int] | None:
    return None if interval is None else list(interval)
