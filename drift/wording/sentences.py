"""Sentences and figures that more than one format prints. Pure."""

from drift.consensus.rule import Answer, NoAnswer, counted
from drift.consensus.verdict import Verdict
from drift.formats.base import NO_ANSWER, WRONG_USAGE
from sources.clock import NS


def sentence(drift_s: int) -> str:
    """Say what the integer means."""
    if drift_s == 0:
        return "this clock is right, to the second"
    return f"this clock is {abs(drift_s)} s {'behind' if drift_s < 0 else 'ahead'}"


def agreement(answer: Answer) -> str:
    """Say how many agree: "6 operators of 3 kinds agree"."""
    operators = counted(len(answer.operators), "operator")
    return f"{operators} of {counted(len(answer.kinds), 'kind')} agree"


def decimal_s(ns: int) -> str:
    """Write nanoseconds as seconds, exactly: "-4.000012345"."""
    whole_s, rest_ns = divmod(abs(ns), NS)
    return f"{'-' if ns < 0 else ''}{whole_s}.{rest_ns:09}"


def figures(decision: Answer | NoAnswer) -> dict[str, int | str]:
    """Return, by their names in all formats, the figures of an answer, or why there are none."""
    if isinstance(decision, NoAnswer):
        return {"success": 0, "reason": decision.lack.name.lower()}
    return {
        "success": 1,
        "drift_s": decision.drift_s,
        "drift_ns": decision.estimate_ns,
        "low_ns": decision.hull.low_ns,
        "high_ns": decision.hull.high_ns,
        "operators": len(decision.operators),
        "kinds": len(decision.kinds),
    }


def figures_of(verdict: Verdict, *, answered: bool) -> dict[str, int | str]:
    """Return a source's verdict and, if there is an answer, its figures."""
    found: dict[str, int | str] = {"verdict": verdict.word}
    if verdict.sample is not None and answered:
        found["offset_ns"] = verdict.offset_ns
        found["uncertainty_ns"] = verdict.uncertainty_ns
        found["rtt_ns"] = verdict.sample.rtt_ns
    return found


def reason_of(status: int) -> str:
    """Return in one word why a run has no result, by its exit status with the integer."""
    return {WRONG_USAGE: "configuration", NO_ANSWER: "unfinished"}.get(status, "bug")
