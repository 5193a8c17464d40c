"""The whole result as one JSON object, for programs. Pure.

`time-drift-1.schema.json` beside this file describes it. Within schema 1 fields may be added;
none is renamed, retyped or removed.
"""

import json

from drift import __version__
from drift.consensus.rule import Answer, NoAnswer
from drift.consensus.verdict import Verdict
from drift.formats.base import OutputFormat
from drift.run.result import Result
from sources.base import Interval

SCHEMA = "time-drift/1"


class Json(OutputFormat):
    """The object on one line. Without an answer `drift_s` is null and `refusal` says why."""

    summary = "everything, as one JSON object"
    integer_pattern = r'"drift_s": (-?\d+)'

    def render(self, result: Result) -> str:
        """Return the object."""
        return _object(result) + "\n"

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - stderr has the words
        """Return nothing: there is no run to describe."""
        return ""


def _object(result: Result) -> str:
    decision, rule = result.decision, result.rule
    answer = decision if isinstance(decision, Answer) else None
    lack = decision.lack.name.lower() if isinstance(decision, NoAnswer) else None
    return json.dumps(
        {
            "schema": SCHEMA,
            "version": __version__,
            "drift_s": answer and answer.drift_s,
            "drift_ns": answer and answer.estimate_ns,
            "interval_ns": answer and list(answer.hull),
            "refusal": result.refusal and {"reason": lack, "text": result.refusal},
            "quorum": {
                "operators": list(answer.operators) if answer else [],
                "min_operators": rule.min_operators,
                "kinds": list(answer.kinds) if answer else [],
                "min_kinds": rule.min_kinds,
            },
            "elapsed_ns": result.elapsed_ns,
            "sources": [_source(verdict) for verdict in result.verdicts],
        },
        ensure_ascii=True,
    )


def _source(verdict: Verdict) -> dict[str, object]:
    return {
        "name": verdict.name,
        "operator": verdict.operator,
        "kind": verdict.kind,
        "verdict": verdict.word,
        "text": verdict.text,
        "server": verdict.sample and verdict.sample.server,
        "authenticated": verdict.sample and verdict.sample.authenticated,
        "certain_ns": _pair(verdict.certain),
        "likely_ns": _pair(verdict.likely),
        "rtt_ns": verdict.sample and verdict.sample.rtt_ns,
        "ahead_ns": verdict.ahead_ns,
    }


def _pair(interval: Interval | None) -> list[int] | None:
    return None if interval is None else list(interval)


FORMAT = Json
