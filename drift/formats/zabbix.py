"""One flat JSON object, for a master item of Zabbix and items that depend on it. Pure.

An agent mixes stderr into the value and ignores the exit status, so everything is in the object,
and a run that cannot even ask has one too. What holds a drift is absent without an answer.
"""

import json

from drift.consensus.rule import Answer
from drift.consensus.verdict import FALSETICKER, UNDECIDED, distinct_names
from drift.formats.base import Form
from drift.run.result import Finding
from drift.wording.sentences import figures, figures_of, reason_of


class Zabbix(Form):
    """The object on one line."""

    aloud = False

    def told(self, finding: Finding) -> str:
        """Return the object of one run."""
        answered = isinstance(finding.decision, Answer)
        found: dict[str, object] = {**figures(finding.decision)}
        if finding.refusal is not None:
            found["refusal"] = finding.refusal
        found["falsetickers"] = finding.count(FALSETICKER)
        found["undecided"] = finding.count(UNDECIDED)
        found["answered"] = finding.answered
        names = distinct_names(finding.verdicts)
        found["sources"] = [
            {
                "source": name,
                "operator": verdict.operator,
                "kind": verdict.kind,
                **figures_of(verdict, answered=answered),
            }
            for name, verdict in zip(names, finding.verdicts, strict=True)
        ]
        return json.dumps(found) + "\n"

    def untold(self, why: str, status: int) -> str:
        """Return the object of a run that found nothing at all."""
        nothing = {"falsetickers": 0, "undecided": 0, "answered": 0, "sources": []}
        said = {"success": 0, "reason": reason_of(status), "refusal": why}
        return json.dumps(said | nothing) + "\n"
