"""One flat JSON object, for a master item of Zabbix and items that depend on it. Pure.

An agent mixes stderr into the value and ignores the exit status, so everything is in the object,
and a run that cannot even ask has one too. What holds a drift is absent without an answer.
"""

import json

from drift.consensus import Answer, NoAnswer
from drift.finding import Finding
from drift.report.form import Form
from drift.report.words import reason_of
from drift.verdict import FALSETICKER, UNDECIDED, Verdict, distinct_names


class Zabbix(Form):
    """The object on one line."""

    aloud = False

    def told(self, finding: Finding) -> str:
        """Return the object of one run."""
        answer = finding.decision
        if isinstance(answer, NoAnswer):
            found: dict[str, object] = {
                "success": 0,
                "reason": answer.lack.name.lower(),
                "refusal": finding.refusal,
            }
        else:
            found = {
                "success": 1,
                "drift_s": answer.drift_s,
                "drift_ns": answer.estimate_ns,
                "low_ns": answer.hull.low_ns,
                "high_ns": answer.hull.high_ns,
                "operators": len(answer.operators),
                "kinds": len(answer.kinds),
            }
        names = distinct_names(finding.verdicts)
        counts = {
            "falsetickers": finding.count(FALSETICKER),
            "undecided": finding.count(UNDECIDED),
            "answered": finding.answered,
            "sources": [
                _source(name, verdict, answered=isinstance(answer, Answer))
                for name, verdict in zip(names, finding.verdicts, strict=True)
            ],
        }
        return json.dumps(found | counts) + "\n"

    def untold(self, why: str, status: int) -> str:
        """Return the object of a run that found nothing at all."""
        nothing = {"falsetickers": 0, "undecided": 0, "answered": 0, "sources": []}
        said = {"success": 0, "reason": reason_of(status), "refusal": why}
        return json.dumps(said | nothing) + "\n"


def _source(name: str, verdict: Verdict, *, answered: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "source": name,
        "operator": verdict.operator,
        "kind": verdict.kind,
        "verdict": verdict.word,
    }
    if verdict.sample is not None and answered:
        found["offset_ns"] = verdict.offset_ns
        found["uncertainty_ns"] = verdict.uncertainty_ns
        found["rtt_ns"] = verdict.sample.rtt_ns
    return found
