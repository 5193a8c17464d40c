"""The health of each chain, for people, with a picture of the distribution. Pure."""

from collections.abc import Sequence

from fleet.formats.words import bounds_text
from fleet.health import Health
from sources.clock import NS

_LONGEST_BAR = 50


def render(healths: Sequence[Health]) -> str:
    """Return a paragraph a chain."""
    return "\n".join(_paragraph(health) for health in healths)


def _paragraph(health: Health) -> str:
    lines = [f"{health.chain.name or 'no chain'}: {_counts(health)}", f"  {_drifts(health)}"]
    most = max((bar.nodes for bar in health.histogram), default=0)
    for bar in health.histogram:
        if bar.nodes:
            length = max(1, bar.nodes * _LONGEST_BAR // most)
            lines.append(f"  {bar.label + ' s':>18}  {bar.nodes:>6} {'#' * length}")
    return "\n".join(lines) + "\n"


def _counts(health: Health) -> str:
    words = ", ".join(f"{count} {word}" for word, count in health.verdicts)
    return f"{health.nodes} nodes, {health.answered} answered: {words}"


def _drifts(health: Health) -> str:
    if health.median is None or health.p95 is None:
        return "the clock of no node was read"
    return (
        f"|drift| median {bounds_text(health.median)}, p95 {bounds_text(health.p95)}, of "
        f"{health.read_share:.0%} of the nodes; beyond {health.chain.limit_ns / NS:g} s: "
        f"{health.surely} surely, {health.possibly} possibly"
    )
