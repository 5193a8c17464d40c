"""The Prometheus text format: of many targets, or of the one that an exporter was asked for. Pure.

Only what is proven of a node's own clock has a number: no drift and no interval of a node that
shows another clock. User agents are cut to name and major version, as they identify machines.
"""

from collections.abc import Iterator, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fleet.formats.words import software_label
from fleet.rounds import DECIDED, Result
from sources.clock import NS

_OWN = ("target", "module", "chain")


def render(results: Sequence[Result]) -> str:
    """Return the metrics of many targets, with the labels of their inventory."""
    return generate_latest(_Exposition(results, is_single=False)).decode()


def render_one(result: Result, elapsed_ns: int) -> str:
    """Return the metrics of one target, which Prometheus itself labels, and how long it took."""
    return generate_latest(_Exposition([result], is_single=True, elapsed_ns=elapsed_ns)).decode()


class _Exposition(Collector):
    """The metrics of results, as prometheus_client wants to be handed them."""

    def __init__(
        self, results: Sequence[Result], *, is_single: bool, elapsed_ns: int | None = None
    ) -> None:
        self._elapsed_ns = elapsed_ns
        self._results = results
        found = {name for result in results for name, _ in result.target.labels} - set(_OWN)
        self._labels = () if is_single else (*_OWN, *sorted(found))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families that have a sample."""
        families = [
            self._gauge(
                "seconds",
                "Node's clock minus true time, proven to the whole second; negative: it is behind.",
                [(result, result.drift_s) for result in self._results],
            ),
            self._gauge(
                "interval_low_seconds",
                "The low end of what the node's clock minus true time is proven to be.",
                [(result, self._end(result, 0)) for result in self._results],
            ),
            self._gauge(
                "interval_high_seconds",
                "The high end of what the node's clock minus true time is proven to be.",
                [(result, self._end(result, 1)) for result in self._results],
            ),
            self._gauge(
                "last_read_timestamp_seconds",
                "True time when the node was last read, by the observer's consensus.",
                [(result, _seconds(result.read_unix_ns)) for result in self._results],
            ),
            self._marks("verdict", "1 for what came of reading the node.", ("verdict",)),
            self._marks(
                "info",
                "The software that answered, name and major version, and whether it is proven.",
                ("software", "authenticated"),
            ),
        ]
        yield GaugeMetricFamily(
            "probe_success",
            "Whether every node's drift is proven to the whole second: 1 or 0.",
            value=int(all(result.verdict == DECIDED for result in self._results)),
        )
        if self._elapsed_ns is not None:
            yield GaugeMetricFamily(
                "probe_duration_seconds",
                "From the arrival of the request to its answer.",
                value=self._elapsed_ns / NS,
            )
        yield from (family for family in families if family.samples)

    def _gauge(
        self, name: str, help_text: str, values: Sequence[tuple[Result, float | None]]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"time_drift_node_{name}", help_text, labels=self._labels)
        for result, value in values:
            if value is not None:
                family.add_metric(self._values(result), value)
        return family

    def _marks(self, name: str, help_text: str, more: tuple[str, ...]) -> GaugeMetricFamily:
        labels = (*self._labels, *more)
        family = GaugeMetricFamily(f"time_drift_node_{name}", help_text, labels=labels)
        for result in self._results:
            found = {
                "verdict": result.verdict,
                "software": software_label(result.software),
                "authenticated": str(int(result.authenticated)),
            }
            if name == "verdict" or result.interval is not None:
                family.add_metric([*self._values(result), *(found[key] for key in more)], 1)
        return family

    def _values(self, result: Result) -> list[str]:
        target = result.target
        known = {
            **dict(target.labels),
            "target": target.text,
            "module": target.module,
            "chain": target.chain,
        }
        return [known.get(name, "") for name in self._labels]

    def _end(self, result: Result, end: int) -> float | None:
        if not result.is_read or result.interval is None:
            return None
        return _seconds(result.interval[end])


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / NS
