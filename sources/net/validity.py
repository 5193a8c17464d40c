"""Whether a certificate chain is valid at the time that its own server claims. Pure.

The local clock has no say: it is what is in doubt. Whoever holds the key of an expired
certificate may claim a time at which it was valid, and is then one liar, to be outvoted.
"""

from collections.abc import Iterable

from sources.base import Unverified
from sources.clock import NS
from sources.record import Record

_DAY_NS = 86_400 * NS


class Validity(Record):
    """From when until when one certificate of a verified chain is valid."""

    subject: str
    not_before_unix_s: int
    not_after_unix_s: int


def judge(chain: Iterable[Validity], earliest_unix_ns: int, latest_unix_ns: int) -> None:
    """Raise Unverified unless the whole chain is valid at some instant of [earliest, latest]."""
    from_ns, until_ns = earliest_unix_ns, latest_unix_ns
    for certificate in chain:
        begins_ns, ends_ns = certificate.not_before_unix_s * NS, certificate.not_after_unix_s * NS
        from_ns, until_ns = max(from_ns, begins_ns), min(until_ns, ends_ns)
        if from_ns <= until_ns:
            continue
        if ends_ns < earliest_unix_ns:
            found = f"expired {_span(earliest_unix_ns - ends_ns)} before"
        elif begins_ns > latest_unix_ns:
            found = f"is not valid until {_span(begins_ns - latest_unix_ns)} after"
        else:
            found = "is not valid together with the rest of its chain at"
        raise Unverified(f"certificate {certificate.subject!r} {found} the time the server claims")


def _span(ns: int) -> str:
    """Return a span in the unit that suits certificates."""
    return f"{ns // _DAY_NS} days" if ns >= 2 * _DAY_NS else f"{ns // NS} s"
