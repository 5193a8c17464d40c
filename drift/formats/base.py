"""What every form of output has in common, exit statuses included, and the plain one. Pure."""

from typing import TYPE_CHECKING, ClassVar

from drift.consensus.rule import Answer

if TYPE_CHECKING:
    from drift.run.result import Result

OK, WRONG_USAGE, NO_ANSWER, BUG = 0, 2, 3, 70
"""Exit statuses of the plain form."""


class OutputFormat:
    """How the result of a run is told. This one tells the integer, or nothing."""

    on_stderr: ClassVar[bool] = True
    """Whether stderr says why there is no answer; where not, the text itself does."""

    def render(self, result: "Result") -> str:
        """Return what stdout gets, whole lines, of a run that came to an end."""
        decision = result.decision
        return f"{decision.drift_s}\n" if isinstance(decision, Answer) else ""

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - most forms say nothing then
        """Return what stdout gets where there is no result: wrong usage, a bug, all hangs."""
        return ""

    def status(self, status: int, result: "Result | None" = None) -> int:  # noqa: ARG002
        """Return the exit status in this form for what is `status` in the plain one."""
        return status


class Plugin(OutputFormat):
    """A plugin of Nagios as far as it tells failures: UNKNOWN, 3, and the text on stdout."""

    on_stderr = False

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - the words have it
        """Return the output of a run that found nothing at all."""
        return f"TIME DRIFT UNKNOWN - {one_line(why)}\n"

    def status(self, status: int, result: "Result | None" = None) -> int:  # noqa: ARG002
        """Return UNKNOWN, whatever it is."""
        return 3


def shown_path(path: str) -> str:
    """Return a path for people: without `/./` and `//`, which say nothing.

    `..` stays, since behind a link it leads elsewhere than to where the text says.
    """
    first = "/" if path.startswith("/") else ""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return first + "/".join(parts) or path


def one_line(text: str) -> str:
    """Return a line of plugin output: printable, without the letter that begins other data."""
    return "".join(letter if letter.isprintable() else " " for letter in text).replace("|", "/")
