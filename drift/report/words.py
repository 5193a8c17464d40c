"""Sentences that more than one report says. Pure."""

from drift.consensus import Answer, counted
from drift.status import NO_ANSWER, WRONG_USAGE
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


def reason_of(status: int) -> str:
    """Return in one word why a run has no finding, by its exit status in the plain form."""
    return {WRONG_USAGE: "configuration", NO_ANSWER: "unfinished"}.get(status, "bug")
