"""One flat JSON object, for a master item of Zabbix and items that depend on it. Pure.

An agent mixes stderr into the value and ignores the exit status, so everything is in the object,
and a run that cannot even ask has one too. What holds a drift is absent without an answer.
"""

import json

from drift.consensus.rule import Answer
from drift.consensus.verdict import FALSETICKER, UNDECIDED, distinct_names
from drift.formats.base import OutputFormat
from drift.run.result import Result
from drift.wording.sentences import figures, figures_of, reason_of


class Zabbix(OutputFormat):
    """The object on one line."""

    summary = "one flat object for a master item of Zabbix"
    integer_pattern = r'"drift_s": (-?\d+)'
    on_stderr = False

    def render(self, result: Result) -> str:
        """Return the object of one run."""
        answered = isinstance(result.decision, Answer)
        found: dict[str, object] = {**figures(result.decision)}
        if result.refusal is not None:
            found["refusal"] = result.refusal
        found["falsetickers"] = result.count(FALSETICKER)
        found["undecided"] = result.count(UNDECIDED)
        found["answered"] = result.answered
        names = distinct_names(result.verdicts)
        found["sources"] = [
            {
                "source": name,
                "operator": verdict.operator,
                "kind": verdict.kind,
                **figures_of(verdict, answered=answered),
            }
            for name, verdict in zip(names, result.verdicts, strict=True)
        ]
        return json.dumps(found) + "\n"

    def render_failure(self, why: str, status: int) -> str:
        """Return the object of a run that found nothing at all."""
        nothing = {"falsetickers": 0, "undecided": 0, "answered": 0, "sources": []}
        said = {"success": 0, "reason": reason_of(status), "refusal": why}
        return json.dumps(said | nothing) + "\n"


FORMAT = Zabbix
