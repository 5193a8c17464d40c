"""What an XRP Ledger node's `/crawl` says of its clock. Pure; any bytes in, only Malformed out.

    {"overlay": {"active": [ ... ]}, "server": {"build_version": "2.4.0", ...,
     "time": "2020-Jan-09 02:55:55.288460 UTC", ...}, "unl": {...}, "version": 2}

XRPLF/rippled src/xrpld/overlay/detail/OverlayImpl.cpp: processCrawl, getServerInfo. Keys come
sorted, so the list of peers, which may be long, precedes the time. Nothing of it is kept.
"""

import re
from datetime import UTC, datetime, timedelta

from nodes.wire.stamps import plausible
from sources.base import Malformed
from sources.clock import NS
from sources.record import Record

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:,]|"', re.DOTALL)
"""A string, what JSON is built of, or the quote of a string that has not ended yet."""
_SKIPPED = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""What is between two brackets, where nothing of it matters."""
_LONGEST_STRING = 16 * 1024
_IN_SERVER = 2
_SERVER, _TIME, _BUILD = b'"server"', b'"time"', b'"build_version"'
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STAMP = re.compile(
    rf"(\d{{4}})-({'|'.join(_MONTHS)})-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))? UTC", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DIGITS = 9


class Time(Record):
    """A stamp, and how finely it was written."""

    unix_ns: int
    grain_ns: int


class Crawl:
    """Reads a body as it comes, and keeps what it says of the server itself."""

    def __init__(self) -> None:
        """Begin."""
        self.time: Time | None = None
        self.build = ""
        self.ended = False
        """Whether the document is complete, the time in it or not."""
        self._rest = b""
        self._depth = 0
        self._in_server = False
        self._key = self._before = b""

    def feed(self, data: bytes) -> Time | None:
        """Take the next bytes of the body; return the time once it is complete."""
        data = self._rest + data
        self._rest = b""
        if not self._depth and data.strip() and not data.lstrip().startswith(b"{"):
            raise Malformed(f"no JSON object: begins with {data.lstrip()[:16]!r}")
        at = 0
        while self.time is None and not self.ended:
            if self._depth > _IN_SERVER or (self._depth == _IN_SERVER and not self._in_server):
                at = _SKIPPED.match(data, at).end()  # type: ignore[union-attr] # it always matches
            match = _TOKEN.search(data, at)
            if match is None:
                return None
            if match[0] == b'"':
                self._rest = data[match.start() :]
                if len(self._rest) > _LONGEST_STRING:
                    raise Malformed(f"JSON: a string of more than {_LONGEST_STRING} bytes")
                return None
            self._take(match[0])
            at = match.end()
        return self.time

    def _take(self, token: bytes) -> None:
        if token in (b"{", b"["):
            self._depth += 1
            if self._depth == _IN_SERVER:
                self._in_server = self._key == _SERVER and self._before == b":"
        elif token in (b"}", b"]"):
            self._depth -= 1
            self.ended = self._depth <= 0
        elif token.startswith(b'"'):
            if self._before != b":":
                self._key = token
            elif self._in_server and self._depth == _IN_SERVER:
                self._value(token)
        self._before = token

    def _value(self, token: bytes) -> None:
        text = token[1:-1].decode(errors="replace")
        if self._key == _TIME:
            self.time = time_of(text)
        elif self._key == _BUILD:
            self.build = text


def time_of(text: str) -> Time:
    """Return the time that such a text says: of any number of decimals up to nine."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise Malformed(f"time {text[:60]!r}: like 2020-Jan-09 02:55:55.288460 UTC wanted")
    year, month, day, hour, minute, second = match.groups()[:6]
    try:
        date = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second),
            tzinfo=UTC,
        )  # fmt: skip
    except ValueError as error:
        raise Malformed(f"time {text!r}: {error}") from error
    decimals = match[7] or ""
    unix_ns = (date - _EPOCH) // _SECOND * NS + int(decimals.ljust(_DIGITS, "0"))
    return Time(plausible(unix_ns), 10 ** (_DIGITS - len(decimals)))


def encode(unix_ns: int) -> str:
    """Return a time the way the server writes it: to the microsecond, rounded down."""
    date = _EPOCH + unix_ns // NS * _SECOND
    return (
        f"{date.year:04}-{_MONTHS[date.month - 1]}-{date.day:02} {date:%H:%M:%S}."
        f"{unix_ns % NS // 1000:06} UTC"
    )
