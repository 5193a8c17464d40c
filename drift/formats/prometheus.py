"""The Prometheus text format, for node_exporter's textfile collector. Pure.

Without an answer no series holds a drift, so none goes stale. There are only `success` 0, the time
of the last answer, and the verdicts.
"""

import math
import re
from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from drift.consensus.rule import Answer
from drift.consensus.verdict import distinct_names
from drift.formats.base import OutputFormat
from drift.options import Options
from drift.run.result import Result
from sources.clock import NS

_LAST_SUCCESS = "time_drift_last_success_timestamp_seconds"
"""Read back from the file that is to be replaced."""
_LAST_SUCCESS_LINE = re.compile(rf"^{_LAST_SUCCESS} ([0-9.e+]{{1,40}})$", re.MULTILINE)

_WHO = ("source", "operator", "kind")


class Prometheus(OutputFormat):
    """Gauges, with HELP and TYPE."""

    summary = "gauges for node_exporter's textfile collector"
    integer_pattern = r"(?m)^time_drift_seconds (-?\d+)(?:\.0)?$"
    reads_previous = True

    def __init__(self, options: Options, previous: str = "") -> None:
        """Read from the previous exposition when there last was an answer."""
        super().__init__(options, previous)
        self._last_success_unix_s = _last_success_unix_s(previous)

    def render(self, result: Result) -> str:
        """Return the exposition of one run."""
        return generate_latest(_Exposition(result, self._last_success_unix_s)).decode()

    def render_failure(self, why: str, status: int) -> str:  # noqa: ARG002 - it is numbers only
        """Return the exposition of a run that found nothing at all."""
        return generate_latest(_Exposition(None, self._last_success_unix_s)).decode()


class _Exposition(Collector):
    """The metrics of one run, as prometheus_client wants to be handed them."""

    def __init__(self, result: Result | None, last_success_unix_s: float | None) -> None:
        self._result = result
        self._last_success_unix_s = last_success_unix_s

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families."""
        result = self._result
        answer = result.decision if result and isinstance(result.decision, Answer) else None
        last_unix_s = self._last_success_unix_s
        if result is not None and result.decided_unix_ns is not None:
            last_unix_s = result.decided_unix_ns / NS
        yield _gauge("success", "Whether there is a trustworthy answer: 1 or 0.", int(bool(answer)))
        if last_unix_s is not None:
            yield GaugeMetricFamily(
                _LAST_SUCCESS,
                "True time of the last trustworthy answer, by the consensus.",
                value=last_unix_s,
            )
        if result is not None and answer is not None:
            yield from _drift(answer, result.elapsed_ns)
            yield from _offsets(result)
        if result is not None:
            yield _verdicts(result)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"time_drift_{name}", help_text, value=value)


def _drift(answer: Answer, elapsed_ns: int) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "seconds",
        "Local clock minus true time, rounded to whole seconds; negative: this clock is behind.",
        answer.drift_s,
    )
    yield _gauge(
        "estimate_seconds",
        "Local clock minus true time, before rounding.",
        answer.estimate_ns / NS,
    )
    for end, ns in zip(("low", "high"), answer.hull, strict=True):
        help_text = f"The {end} end of the drifts that a majority of operators holds possible."
        yield _gauge(f"interval_{end}_seconds", help_text, ns / NS)
    yield _gauge(
        "agreeing_operators", "Operators that count toward the quorum.", len(answer.operators)
    )
    yield _gauge("agreeing_kinds", "Kinds of source that agree.", len(answer.kinds))
    yield _gauge(
        "run_duration_seconds", "From the first question to the decision.", elapsed_ns / NS
    )


def _offsets(result: Result) -> Iterator[GaugeMetricFamily]:
    offsets = GaugeMetricFamily(
        "time_drift_source_offset_seconds",
        "Local clock minus the time of this source; the sign is that of the drift.",
        labels=_WHO,
    )
    uncertainties = GaugeMetricFamily(
        "time_drift_source_uncertainty_seconds",
        "How far to either side of its offset a source's answer reaches.",
        labels=_WHO,
    )
    for name, verdict in zip(distinct_names(result.verdicts), result.verdicts, strict=True):
        if verdict.sample is not None:
            who = name, verdict.operator, verdict.kind
            offsets.add_metric(who, verdict.offset_ns / NS)
            uncertainties.add_metric(who, verdict.uncertainty_ns / NS)
    yield offsets
    yield uncertainties


def _verdicts(result: Result) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "time_drift_source_verdict",
        "1 for what became of this source in the last run.",
        labels=(*_WHO, "verdict"),
    )
    for name, verdict in zip(distinct_names(result.verdicts), result.verdicts, strict=True):
        family.add_metric((name, verdict.operator, verdict.kind, verdict.word), 1)
    return family


def _last_success_unix_s(exposition: str) -> float | None:
    """Return when there last was an answer, None if the exposition does not say so."""
    found = _LAST_SUCCESS_LINE.search(exposition)
    try:
        unix_s = float(found[1]) if found else math.nan
    except ValueError:
        return None
    return unix_s if math.isfinite(unix_s) else None


FORMAT = Prometheus
