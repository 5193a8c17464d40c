"""InfluxDB's line protocol. Pure.

Points carry the true time of the decision, not the local clock's, which is in doubt. Without an
answer the true time is not known: such points carry no timestamp, and the database stamps them.
"""

from collections.abc import Mapping

from drift.consensus.rule import Answer
from drift.consensus.verdict import distinct_names
from drift.formats.base import OutputFormat
from drift.run.result import Result
from drift.wording.sentences import figures, figures_of, reason_of

_TAG_SPECIALS = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": "/"})
r"""A backslash that ends a tag, or stands before a special letter, cannot be written."""
_TEXT_SPECIALS = str.maketrans({'"': r"\"", "\\": r"\\"})


class Influx(OutputFormat):
    """One point of `time_drift`, and one of `time_drift_source` a source."""

    summary = "points in InfluxDB's line protocol, stamped with true time"
    integer_pattern = r"drift_s=(-?\d+)i"

    def render(self, result: Result) -> str:
        """Return the points of one run."""
        lines = [_line("time_drift", {}, _fields(result), result.decided_unix_ns)]
        for name, verdict in zip(distinct_names(result.verdicts), result.verdicts, strict=True):
            tags = {"kind": verdict.kind, "operator": verdict.operator, "source": name}
            fields = figures_of(verdict, answered=isinstance(result.decision, Answer))
            lines.append(_line("time_drift_source", tags, fields, result.decided_unix_ns))
        return "".join(lines)

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - stderr has the words
        """Return the point of a run that found nothing at all."""
        return _line("time_drift", {}, {"success": 0, "reason": reason_of(status)}, None)


def _fields(result: Result) -> dict[str, int | str]:
    found = figures(result.decision)
    return found | {"elapsed_ns": result.elapsed_ns} if found["success"] else found


def _line(
    measurement: str,
    tags: Mapping[str, str],
    fields: Mapping[str, int | str],
    unix_ns: int | None,
) -> str:
    head = "".join(f",{key}={value.translate(_TAG_SPECIALS)}" for key, value in tags.items())
    body = ",".join(f"{key}={_field(value)}" for key, value in fields.items())
    stamp = "" if unix_ns is None else f" {unix_ns}"
    return f"{measurement}{head} {body}{stamp}\n"


def _field(value: int | str) -> str:
    return f"{value}i" if isinstance(value, int) else f'"{value.translate(_TEXT_SPECIALS)}"'


FORMAT = Influx
