"""Plugin output for Nagios, Icinga and kin: one line with performance data, and a state. Pure.

By the Monitoring Plugins Development Guidelines; ranges and performance data are nagiosplugin's.
Ranges are compared with the integer, which is what is proven. A plain number bounds the size of the
drift, as in check_ntp_time: by the guidelines it would alert on every clock that is behind.
"""

import re

from nagiosplugin import Performance, Range

from drift.consensus.rule import Answer
from drift.consensus.verdict import FALSETICKER
from drift.formats.base import Plugin, one_line
from drift.run.result import Result
from drift.wording.notes import notes
from drift.wording.sentences import agreement, decimal_s, sentence
from sources.record import Record

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NUMBER = r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_RANGE = re.compile(rf"@?(?:~|{_NUMBER})?:(?:{_NUMBER})?|@{_NUMBER}")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)


class Threshold(Record):
    """A range of the guidelines, and how performance data write it."""

    text: str
    range: Range

    def alerts(self, drift_s: int) -> bool:
        """Whether a drift is outside the range, or inside one that is inverted."""
        return drift_s not in self.range


class Nagios(Plugin):
    """State, sentence, performance data; a line a source if it is to be verbose."""

    def __init__(
        self, warning: Threshold | None, critical: Threshold | None, *, verbose: bool
    ) -> None:
        """Alert by these thresholds; None never alerts."""
        self._warning = warning
        self._critical = critical
        self._verbose = verbose

    def render(self, result: Result) -> str:
        """Return the output of one run."""
        more = notes(result.verdicts) if self._verbose else []
        return "\n".join([self._first(result), *(one_line(line) for line in more), ""])

    def status(self, status: int, result: Result | None = None) -> int:  # noqa: ARG002
        """Return 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN."""
        if result is None or not isinstance(result.decision, Answer):
            return _UNKNOWN
        drift_s = result.decision.drift_s
        if self._critical is not None and self._critical.alerts(drift_s):
            return _CRITICAL
        if self._warning is not None and self._warning.alerts(drift_s):
            return _WARNING
        return _OK

    def _first(self, result: Result) -> str:
        state = _STATES[self.status(0, result)]
        answer = result.decision
        if not isinstance(answer, Answer):
            return f"TIME DRIFT {state} - {one_line(result.refusal or '')}"
        said = f"{sentence(answer.drift_s)}; {agreement(answer)}"
        return f"TIME DRIFT {state} - {said} | {self._performance(answer, result)}"

    def _performance(self, answer: Answer, result: Result) -> str:
        half_ns = -(-answer.hull.width_ns // 2)
        ranges = (one and one.text for one in (self._warning, self._critical))
        data = (
            Performance("drift", answer.drift_s, "s", *ranges),
            Performance("estimate", decimal_s(answer.estimate_ns), "s"),
            Performance("uncertainty", decimal_s(half_ns), "s", min=0),
            Performance("operators", len(answer.operators), min=0),
            Performance("falsetickers", result.count(FALSETICKER), min=0),
        )
        return " ".join(str(one) for one in data)


def read_threshold(text: str) -> Threshold:
    """Read what alerts: N outside -N to N; 10:, ~:10, 10:20, @10:20, @10 as the guidelines say.

    Raises ValueError for anything else.
    """
    if _SIZE.fullmatch(text):
        text = f"-{text}:{text}" if float(text) else "0:0"
    if not _RANGE.fullmatch(text):
        raise ValueError(text)
    return Threshold(text, Range(text))
