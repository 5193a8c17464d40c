"""A check of the Datadog agent: what time-drift.sh says of this machine's clock.

Sign: local clock minus true time, -4 is 4 s behind; Datadog's own `ntp.offset` has the opposite.
Without an answer no drift is submitted, so that a monitor can tell it from a drift of 0.
"""

import json
from typing import Any

from datadog_checks.base import (  # type: ignore[import-not-found] # it is the agent that has it
    AgentCheck,
    ConfigurationError,
)
from datadog_checks.base.utils.subprocess_output import (  # type: ignore[import-not-found]
    get_subprocess_output,
)

_NS = 1_000_000_000
_ENDED = (124, 137)
"""What `timeout` exits with when it had to end the program; it may itself die of the signal."""
_LONGEST_MESSAGE = 500


class _NoResultError(Exception):
    """The program did not measure at all; the message says why."""


class TimeDriftCheck(AgentCheck):  # type: ignore[misc]
    """Runs the program once a collection, and submits what it found."""

    __NAMESPACE__ = "time_drift"

    def __init__(self, name: str, init_config: dict[str, Any], instances: list[Any]) -> None:
        """Read the instance's settings."""
        super().__init__(name, init_config, instances)
        self._tags = list(self.instance.get("tags", []))
        self._timeout_s = self._number("timeout", 8)
        self._warning_s = self._number("warning", 1)
        self._critical_s = self._number("critical", 2)
        program = self.instance.get("program", "/opt/time-drift/time-drift.sh")
        config = self.instance.get("config")
        # The agent's own way to run a program waits for ever; `timeout` does not.
        self._command = ["timeout", "--kill-after=2", str(self._timeout_s), program]
        self._command += ["--format", "json", *(["--config", config] if config else [])]

    def _number(self, key: str, default: float) -> float:
        value = self.instance.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigurationError(f"{key}: {value!r} is no number above 0")
        return float(value)

    def check(self, _: object) -> None:
        """Run the program, and submit."""
        try:
            found = self._measured()
        except _NoResultError as error:
            self._submit_nothing(AgentCheck.UNKNOWN, str(error))
            return
        self._submit_sources(found["sources"])
        if found["drift_s"] is None:
            self._submit_nothing(AgentCheck.CRITICAL, found["refusal"]["text"])
            return
        self._submit_drift(found)
        self._say("can_answer", AgentCheck.OK)
        self._judge(found["drift_s"])

    def _submit_nothing(self, status: Any, message: str) -> None:
        self.gauge("success", 0, tags=self._tags)
        self._say("can_answer", status, message)
        self._say("clock", AgentCheck.UNKNOWN, message)

    def _measured(self) -> dict[str, Any]:
        """Return the program's result, an answer or a refusal."""
        out, err, code = get_subprocess_output(self._command, self.log, raise_on_empty_output=False)
        if code in _ENDED or code < 0:
            raise _NoResultError(f"the program did not end within {self._timeout_s:g} s")
        try:
            found: dict[str, Any] = json.loads(out)
        except ValueError:
            said = err.strip() or out.strip() or "nothing"
            raise _NoResultError(f"the program exited with {code} and said: {said}") from None
        return found

    def _submit_drift(self, found: dict[str, Any]) -> None:
        low_ns, high_ns = found["interval_ns"]
        values = {
            "success": 1,
            "seconds": found["drift_s"],
            "estimate": found["drift_ns"] / _NS,
            "interval.low": low_ns / _NS,
            "interval.high": high_ns / _NS,
            "agreeing_operators": len(found["quorum"]["operators"]),
            "agreeing_kinds": len(found["quorum"]["kinds"]),
            "run_duration": found["elapsed_ns"] / _NS,
        }
        for name, value in values.items():
            self.gauge(name, value, tags=self._tags)

    def _submit_sources(self, sources: list[dict[str, Any]]) -> None:
        verdicts = [source["verdict"] for source in sources]
        for name, verdict in (("falsetickers", "falseticker"), ("undecided", "undecided")):
            self.gauge(name, verdicts.count(verdict), tags=self._tags)

    def _judge(self, drift_s: int) -> None:
        """Compare the integer's size with the thresholds."""
        off_s = abs(drift_s)
        direction = "ahead" if drift_s > 0 else "behind"
        message = f"this clock is {off_s} s {direction}"
        if off_s >= self._critical_s:
            self._say("clock", AgentCheck.CRITICAL, message)
        elif off_s >= self._warning_s:
            self._say("clock", AgentCheck.WARNING, message)
        else:
            self._say("clock", AgentCheck.OK)  # which may have no message

    def _say(self, name: str, status: Any, message: str = "") -> None:
        self.service_check(name, status, tags=self._tags, message=message[:_LONGEST_MESSAGE])
