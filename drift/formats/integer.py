"""The integer, or nothing. Pure."""

from drift.consensus.rule import Answer
from drift.formats.base import OutputFormat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drift.run.result import Result


class Integer(OutputFormat):
    """What a run prints unless another format is asked for."""

    summary = "the integer"
    integer_pattern = r"^(.*)\n$"

    def render(self, result: "Result") -> str:
        """Return the integer, or nothing without an answer."""
        decision = result.decision
        return f"{decision.drift_s}\n" if isinstance(decision, Answer) else ""

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - stderr has the words
        """Return nothing."""
        return ""


FORMAT = Integer
