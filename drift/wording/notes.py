"""One line a source, for `-v`. Pure."""

from collections.abc import Iterable

from drift.consensus.verdict import Verdict, span_text
from sources.clock import NS


def notes(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the lines: kind, name, operator, verdict, and what was measured."""
    return [_note(verdict) for verdict in verdicts]


def _note(verdict: Verdict) -> str:
    parts = [f"{verdict.kind} {verdict.name} ({verdict.operator}): {verdict.word}"]
    if verdict.sample is not None and verdict.likely is not None:
        middle_s = (verdict.likely.low_ns + verdict.likely.high_ns) / 2 / NS
        half = span_text(verdict.likely.width_ns // 2)
        parts.append(f"drift {middle_s:+.6f} s within {half}")
        parts.append(f"round trip {span_text(verdict.sample.rtt_ns)}")
    if verdict.text:
        parts.append(verdict.text)
    return ", ".join(parts)
