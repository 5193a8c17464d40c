"""The Prometheus text format: of many targets, or of the one that an exporter was asked for. Pure.

Only what is proven of a node's own clock has a number: no drift and no interval of a node that
shows another clock. User agents are cut to name and major version, as they identify machines.

Written by hand, for an exporter renders it hundreds of times a second: the library's way was two
thirds of what a scrape costs here.
"""

from collections.abc import Callable, Sequence

from fleet.formats.words import software_label
from fleet.rounds import DECIDED, Result
from fleet.targets import Labels
from sources.clock import NS
from sources.record import Record

_OWN = ("target", "module", "chain")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class _Gauge(Record):
    """A family of samples, at most one a result."""

    name: str
    help_text: str
    value: Callable[[Result], float | None]
    """None where a result has no sample."""
    labels: Callable[[Result], Labels] = lambda _: ()

    def exposition(self, results: Sequence[Result], whose: Callable[[Result], Labels]) -> str:
        """Return its lines, none without a sample; `whose` has the labels of all families."""
        lines = [
            f"{self.name}{_braces((*whose(result), *self.labels(result)))} {float(value)}\n"
            for result in results
            if (value := self.value(result)) is not None
        ]
        return _head(self.name, self.help_text) + "".join(lines) if lines else ""


def render(results: Sequence[Result]) -> str:
    """Return the metrics of many targets, with the labels of their inventory."""
    found = {name for result in results for name, _ in result.target.labels} - set(_OWN)
    names = (*_OWN, *sorted(found))

    def whose(result: Result) -> Labels:
        target = result.target
        own = {"target": target.text, "module": target.module, "chain": target.chain}
        known = dict(target.labels) | own
        return tuple((name, known.get(name, "")) for name in names)

    return _exposition(results, whose)


def render_one(result: Result, elapsed_ns: int) -> str:
    """Return the metrics of one target, which Prometheus itself labels, and how long it took."""
    head = _head("probe_duration_seconds", "From the arrival of the request to its answer.")
    took = f"{head}probe_duration_seconds {elapsed_ns / NS}\n"
    return took + _exposition([result], lambda _: ())


def _exposition(results: Sequence[Result], whose: Callable[[Result], Labels]) -> str:
    success = all(result.verdict == DECIDED for result in results)
    head = _head(
        "probe_success", "Whether every node's drift is proven to the whole second: 1 or 0."
    )
    families = "".join(gauge.exposition(results, whose) for gauge in _GAUGES)
    return f"{head}probe_success {float(success)}\n{families}"


def _head(name: str, help_text: str) -> str:
    return f"# HELP {name} {help_text}\n# TYPE {name} gauge\n"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels]
    return f"{{{','.join(pairs)}}}"


def _low_s(result: Result) -> float | None:
    return result.interval.low_ns / NS if result.is_read and result.interval else None


def _high_s(result: Result) -> float | None:
    return result.interval.high_ns / NS if result.is_read and result.interval else None


_GAUGES = (
    _Gauge(
        "time_drift_node_seconds",
        "Node's clock minus true time, proven to the whole second; negative: it is behind.",
        lambda result: result.drift_s,
    ),
    _Gauge(
        "time_drift_node_interval_low_seconds",
        "The low end of what the node's clock minus true time is proven to be.",
        _low_s,
    ),
    _Gauge(
        "time_drift_node_interval_high_seconds",
        "The high end of what the node's clock minus true time is proven to be.",
        _high_s,
    ),
    _Gauge(
        "time_drift_node_last_read_timestamp_seconds",
        "True time when the node was last read, by the observer's consensus.",
        lambda result: None if result.read_unix_ns is None else result.read_unix_ns / NS,
    ),
    _Gauge(
        "time_drift_node_verdict",
        "1 for what came of reading the node.",
        lambda _: 1,
        lambda result: (("verdict", result.verdict),),
    ),
    _Gauge(
        "time_drift_node_info",
        "The software that answered, name and major version, and whether it is proven.",
        lambda result: None if result.interval is None else 1,
        lambda result: (
            ("authenticated", str(int(result.authenticated))),
            ("software", software_label(result.software)),
        ),
    ),
)
