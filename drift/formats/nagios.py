"""Plugin output for Nagios, Icinga and kin: one line with performance data, and a state. Pure.

By the Monitoring Plugins Development Guidelines; ranges and performance data are nagiosplugin's.
Ranges are compared with the integer. A plain number bounds the size of the drift, as in
check_ntp_time: by the guidelines it would alert on every clock that is behind.
"""

import re
from typing import TYPE_CHECKING

from drift.consensus.rule import Answer
from drift.consensus.verdict import FALSETICKER
from drift.formats.base import OutputFormat
from drift.options import Options
from drift.run.result import Result
from drift.wording.notes import notes
from drift.wording.sentences import agreement, decimal_s, sentence
from sources.record import Record

if TYPE_CHECKING:
    from nagiosplugin import Range

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NUMBER = r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_RANGE = re.compile(rf"@?(?:~|{_NUMBER})?:(?:{_NUMBER})?|@{_NUMBER}")
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)


class Threshold(Record):
    """A range of the guidelines, and how performance data write it."""

    text: str
    range: "Range"

    def alerts(self, drift_s: int) -> bool:
        """Whether a drift is outside the range, or inside one that is inverted."""
        return drift_s not in self.range


class Nagios(OutputFormat):
    """State, sentence, performance data; a line a source if it is to be verbose."""

    summary = "a plugin's line; exit status 0, 1, 2 by -w and -c, or 3"
    integer_pattern = r"\| drift=(-?\d+)s"
    on_stderr = False
    is_plugin = True

    def __init__(self, options: Options, previous: str = "") -> None:
        """Alert by the thresholds of the options; without one never."""
        super().__init__(options, previous)
        self._warning = options.warning
        self._critical = options.critical
        self._verbose = options.verbose

    def render(self, result: Result) -> str:
        """Return the output of one run."""
        more = notes(result.verdicts) if self._verbose else []
        return "\n".join([self._first(result), *(one_line(line) for line in more), ""])

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - the words have it
        """Return the output of a run that has no result: UNKNOWN, and the text."""
        return f"TIME DRIFT UNKNOWN - {one_line(why)}\n"

    def exit_status(self, status: int, result: Result | None = None) -> int:  # noqa: ARG002
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
        state = _STATES[self.exit_status(0, result)]
        answer = result.decision
        if not isinstance(answer, Answer):
            return f"TIME DRIFT {state} - {one_line(result.refusal or '')}"
        said = f"{sentence(answer.drift_s)}; {agreement(answer)}"
        return f"TIME DRIFT {state} - {said} | {self._performance(answer, result)}"

    def _performance(self, answer: Answer, result: Result) -> str:
        from nagiosplugin import Performance  # noqa: PLC0415 - failures do without

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
    from nagiosplugin import Range  # noqa: PLC0415 - 13 ms

    if _SIZE.fullmatch(text):
        text = f"-{text}:{text}" if float(text) else "0:0"
    if not _RANGE.fullmatch(text):
        raise ValueError(text)
    return Threshold(text, Range(text))


def one_line(text: str) -> str:
    """Return a line of plugin output: printable, without the letter that begins other data."""
    return "".join(letter if letter.isprintable() else " " for letter in text).replace("|", "/")


FORMAT = Nagios
