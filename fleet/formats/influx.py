"""InfluxDB's line protocol: a point of `time_drift_node` a target. Pure.

A point carries the true time of the reading; one of a node that was not read carries none.
"""

from collections.abc import Mapping, Sequence

from fleet.rounds import DECIDED, Result

_TAG_SPECIALS = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": "/", "\n": " "})
_TEXT_SPECIALS = str.maketrans({'"': r"\"", "\\": r"\\", "\n": " "})


def render(results: Sequence[Result]) -> str:
    """Return the points."""
    return "".join(_point(result) for result in results)


def _point(result: Result) -> str:
    target = result.target
    tags = {
        **dict(target.labels),
        "target": target.text,
        "module": target.module,
        "chain": target.chain,
    }
    fields: dict[str, int | str] = {
        "success": int(result.verdict == DECIDED),
        "verdict": result.verdict,
        "probes": result.probes,
    }
    if result.drift_s is not None:
        fields["drift_s"] = result.drift_s
    if result.is_read and result.interval is not None:
        fields["low_ns"], fields["high_ns"] = result.interval
    return _line("time_drift_node", tags, fields, result.read_unix_ns)


def _line(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, int | str], unix_ns: int | None
) -> str:
    # A tag without a value cannot be written.
    head = "".join(
        f",{key.translate(_TAG_SPECIALS)}={value.translate(_TAG_SPECIALS)}"
        for key, value in sorted(tags.items())
        if value
    )
    body = ",".join(f"{key}={_field(value)}" for key, value in fields.items())
    stamp = "" if unix_ns is None else f" {unix_ns}"
    return f"{measurement}{head} {body}{stamp}\n"


def _field(value: int | str) -> str:
    return f"{value}i" if isinstance(value, int) else f'"{value.translate(_TEXT_SPECIALS)}"'
