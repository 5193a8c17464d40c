"""Headers, times and samples for what a Date proves."""

from sources.clock import NS
from sources.https import proof
from sources.https import wire_date as http_date
from tests.support.fakes import TRUE_UNIX_NS

MS = NS // 1000
DATE_UNIX_S = TRUE_UNIX_NS // NS
SENT_RAW_NS = 5000 * NS
RECEIVED_RAW_NS = SENT_RAW_NS + 40 * MS
LAG_NS = 600 * MS

Headers = list[tuple[str, str]]


def headers_of(*more: tuple[str, str], date_unix_s: int = DATE_UNIX_S) -> Headers:
    """Return the headers of an honest response, and these."""
    return [("server", "lab"), ("date", http_date.encode(date_unix_s)), *more]


def prove(headers: Headers, date_lag_ns: int = 0, ignored: tuple[str, ...] = ()) -> proof.Proof:
    return proof.prove(headers, SENT_RAW_NS, RECEIVED_RAW_NS, date_lag_ns, ignored)
