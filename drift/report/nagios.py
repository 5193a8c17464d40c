"""Plugin output for Nagios, Icinga and kin: one line with performance data, and a state. Pure.

By the Monitoring Plugins Development Guidelines. The ranges are nagiosplugin's, which reads and
writes them as the guidelines do. They are compared with the integer, which is what is proven.
"""

from nagiosplugin import Performance, Range

from drift.consensus import Answer
from drift.finding import Finding
from drift.report.form import Form
from drift.report.notes import notes
from drift.report.words import agreement, decimal_s, sentence
from drift.verdict import FALSETICKER

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)


class Nagios(Form):
    """State, sentence, performance data; a line a source if it is to be verbose."""

    aloud = False

    def __init__(self, warning: Range | None, critical: Range | None, *, verbose: bool) -> None:
        """Alert where the integer is outside these ranges; None never alerts."""
        self._warning = warning
        self._critical = critical
        self._verbose = verbose

    def told(self, finding: Finding) -> str:
        """Return the output of one run."""
        more = notes(finding.verdicts) if self._verbose else []
        return "\n".join([self._first(finding), *(_plain(line) for line in more), ""])

    def untold(self, why: str, status: int) -> str:  # noqa: ARG002 - the words have it
        """Return the output of a run that found nothing at all."""
        return f"TIME DRIFT UNKNOWN - {_plain(why)}\n"

    def status(self, status: int, finding: Finding | None = None) -> int:  # noqa: ARG002
        """Return 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN."""
        if finding is None or not isinstance(finding.decision, Answer):
            return _UNKNOWN
        drift_s = finding.decision.drift_s
        if self._critical is not None and drift_s not in self._critical:
            return _CRITICAL
        if self._warning is not None and drift_s not in self._warning:
            return _WARNING
        return _OK

    def _first(self, finding: Finding) -> str:
        state = _STATES[self.status(0, finding)]
        answer = finding.decision
        if not isinstance(answer, Answer):
            return f"TIME DRIFT {state} - {_plain(finding.refusal or '')}"
        said = f"{sentence(answer.drift_s)}; {agreement(answer)}"
        return f"TIME DRIFT {state} - {said} | {self._performance(answer, finding)}"

    def _performance(self, answer: Answer, finding: Finding) -> str:
        half_ns = -(-answer.hull.width_ns // 2)
        data = (
            Performance("drift", answer.drift_s, "s", self._warning, self._critical),
            Performance("estimate", decimal_s(answer.estimate_ns), "s"),
            Performance("uncertainty", decimal_s(half_ns), "s", min=0),
            Performance("operators", len(answer.operators), min=0),
            Performance("falsetickers", finding.count(FALSETICKER), min=0),
        )
        return " ".join(str(one) for one in data)


def read_range(text: str) -> Range:
    """Read a range of the guidelines: 10, 10:, ~:10, 10:20, @10:20; raise ValueError otherwise."""
    if not text.isascii() or text != text.strip() or not text.strip("@"):
        raise ValueError(text)
    return Range(text)


def _plain(line: str) -> str:
    """Return a line without the letter that begins performance data."""
    return line.replace("|", "/")
