"""The Date header's three formats (RFC 9110 section 5.6.7). Pure: no socket, no clock.

Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate, the one to send
Sunday, 06-Nov-94 08:49:37 GMT    obsolete, of RFC 850
Sun Nov  6 08:49:37 1994          obsolete, of ANSI C's asctime()
"""

from datetime import UTC, datetime, timedelta

from sources.base import EPOCH_FLOOR_UNIX_NS, Malformed
from sources.clock import NS

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_FUTURE_YEARS = 50
_FLOOR_YEAR = (_EPOCH + EPOCH_FLOOR_UNIX_NS // NS * _SECOND).year

_SHORT_DAY = f"(?P<weekday>{'|'.join(day[:3] for day in _DAYS)})"
_LONG_DAY = f"(?P<weekday>{'|'.join(_DAYS)})"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMATS = (
    f"{_SHORT_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    f"{_SHORT_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)
"""Not compiled before there is a Date: that takes a millisecond, and not every run gets one."""
_LEAP_SECOND = 60
_LONGEST_SHOWN = 60


def decode(text: str) -> int:
    """Return the time that a Date header says, in Unix seconds; raise Malformed with the reason."""
    import re  # noqa: PLC0415 - a configuration with HTTPS in it needs none

    shown = repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")
    match = next(filter(None, (re.fullmatch(format_, text) for format_ in _FORMATS)), None)
    if match is None:
        raise Malformed(f"Date {shown}: none of the three forms of RFC 9110")
    year, second = _whole_year(match["year"]), int(match["second"])
    # A leap second (RFC 5322 section 3.3) is to Unix time what follows it, and always ends a day.
    leap = second == _LEAP_SECOND
    if leap and (match["hour"], match["minute"]) != ("23", "59"):
        raise Malformed(f"Date {shown}: second 60 is there at 23:59:60 only")
    try:
        date = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second - leap,
            tzinfo=UTC,
        )
    except ValueError as error:
        raise Malformed(f"Date {shown}: {error}") from error
    if not _DAYS[date.weekday()].startswith(match["weekday"]):
        raise Malformed(f"Date {shown}: that day is a {_DAYS[date.weekday()]}")
    return (date - _EPOCH) // _SECOND + leap


def encode(unix_s: int) -> str:
    """Return a time of the years 1 to 9999 as IMF-fixdate."""
    date = _EPOCH + unix_s * _SECOND
    return (
        f"{_DAYS[date.weekday()][:3]}, {date.day:02} {_MONTHS[date.month - 1]} {date.year:04} "
        f"{date:%H:%M:%S} GMT"
    )


def _whole_year(digits: str) -> int:
    """Return the year; of two digits, the latest one not more than 50 years after the release.

    The RFC counts the 50 years from now, but the local clock may be decades off.
    """
    year = int(digits)
    if len(digits) == len("1994"):
        return year
    latest = _FLOOR_YEAR + _FUTURE_YEARS
    return latest - (latest - year) % 100
