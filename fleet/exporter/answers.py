"""What each path of the exporter answers."""

import base64
import hashlib
import html
import math
from collections.abc import Callable
from http import HTTPStatus

from drift import __version__
from fleet import rounds, targets
from fleet.exporter.messages import METRICS, PAGE, TEXT, Request, Response
from fleet.exporter.rounds_kept import Busy, Rounds
from fleet.formats import prometheus
from fleet.observer import Observer
from fleet.settings import Settings
from sources.clock import NS, Clock

_TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
_USUAL_TIMEOUT_S = 10.0
_LONGEST_TIMEOUT_S = 120.0
_OFFSET_S = 0.5
"""How much earlier than Prometheus gives up there is an answer, as with other exporters."""

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1rem; }
code, input, select { font: inherit; font-family: ui-monospace, monospace; }
input { width: 100%; max-width: 24rem; }
"""


class Answers:
    """Answers requests, in any number of threads."""

    def __init__(self, settings: Settings, kept: Rounds, observer: Observer, clock: Clock) -> None:
        """Answer by these settings until `take_over`."""
        self._settings = settings
        self._kept = kept
        self._observer = observer
        self._clock = clock
        self._paths: dict[str, Callable[[Request, int], Response]] = {
            "/": self._landing,
            "/probe": self._probe,
            "/metrics": self._metrics,
            "/-/healthy": self._healthy,
        }

    def take_over(self, settings: Settings) -> None:
        """Answer by other settings from now on."""
        self._settings = settings

    def answer(self, request: Request, arrived_raw_ns: int) -> Response:
        """Return what a request gets that arrived then."""
        if request.method not in ("GET", "HEAD"):
            allow = (("Allow", "GET, HEAD"),)
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, TEXT, "GET or HEAD wanted\n", allow)
        found = self._paths.get(request.path)
        if found is None:
            return _refused(HTTPStatus.NOT_FOUND, f"allowed are {', '.join(self._paths)}")
        return found(request, arrived_raw_ns)

    def _probe(self, request: Request, arrived_raw_ns: int) -> Response:
        wrong = set(request.query) - {"target", "module"}
        if wrong or "target" not in request.query:
            return _refused(HTTPStatus.BAD_REQUEST, "wanted is ?target=TARGET&module=MODULE")
        modules = self._settings.modules
        named = request.query.get("module") or None
        if named is not None and named not in modules:
            allowed = ", ".join(modules)
            return _refused(
                HTTPStatus.BAD_REQUEST, f"no module is called so: allowed are {allowed}"
            )
        try:
            target = targets.parse(request.query["target"], modules, named)
        except ValueError as error:
            return _refused(HTTPStatus.BAD_REQUEST, f"target: {error}")
        try:
            result = self._kept.result(target, arrived_raw_ns + _timeout_ns(request))
        except Busy:
            return _refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "busy: [probe] rate was not enough for it in time"
            )
        if result.verdict == rounds.NOT_ALLOWED:
            return _refused(HTTPStatus.FORBIDDEN, result.note)
        elapsed_ns = self._clock.raw_ns() - arrived_raw_ns
        return Response(HTTPStatus.OK, METRICS, prometheus.render_one(result, elapsed_ns))

    def _metrics(self, _request: Request, _arrived_raw_ns: int) -> Response:
        return Response(HTTPStatus.OK, METRICS, self._observer.measured.exposition)

    def _healthy(self, _request: Request, _arrived_raw_ns: int) -> Response:
        return Response(HTTPStatus.OK, TEXT, "healthy\n")

    def _landing(self, _request: Request, _arrived_raw_ns: int) -> Response:
        digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        options = "".join(
            f"<option>{html.escape(name)}</option>" for name in ("", *self._settings.modules)
        )
        blind = self._observer.reference() is None
        why = html.escape(self._observer.why_not())
        state = (
            f"<strong>No consensus: nobody is read.</strong> {why}"
            if blind
            else "It has a consensus."
        )
        body = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>time-drift exporter</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>time-drift {html.escape(__version__)}</h1>
<p>The clocks of nodes, for Prometheus. {state}</p>
<ul>
<li><a href="/metrics">/metrics</a>: this machine's own clock</li>
<li><a href="/-/healthy">/-/healthy</a></li>
<li><code>/probe?target=TARGET&amp;module=MODULE</code>: one node, once in
{self._settings.min_interval_ns // NS} s</li>
</ul>
<form action="/probe">
<p><label>Target <input name="target" placeholder="bitcoin://node.example" required></label></p>
<p><label>Module <select name="module">{options}</select></label> <button>Read it</button></p>
</form>
</body>
</html>
"""
        headers = (("Content-Security-Policy", policy), ("Referrer-Policy", "no-referrer"))
        return Response(HTTPStatus.OK, PAGE, body, headers)


def _timeout_ns(request: Request) -> int:
    """Return how long a scrape may take, by Prometheus's header."""
    try:
        timeout_s = float(request.headers.get(_TIMEOUT_HEADER, _USUAL_TIMEOUT_S))
    except ValueError:
        timeout_s = _USUAL_TIMEOUT_S
    if not math.isfinite(timeout_s) or timeout_s <= 0:
        timeout_s = _USUAL_TIMEOUT_S
    offset_s = min(_OFFSET_S, timeout_s / 4)
    return round((min(timeout_s, _LONGEST_TIMEOUT_S) - offset_s) * NS)


def _refused(status: HTTPStatus, why: str) -> Response:
    return Response(status, TEXT, "".join(c if c.isprintable() else " " for c in why) + "\n")
