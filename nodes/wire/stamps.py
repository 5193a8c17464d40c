"""What a clock can say. Pure."""

from sources.base import Malformed
from sources.clock import NS

_EARLIEST_UNIX_NS = -2_208_988_800 * NS
"""1900: as far back as NTP goes."""
_LATEST_UNIX_NS = (1 << 63) - 1
"""2262: further no clock of nanoseconds in 64 bits goes."""


def plausible(unix_ns: int) -> int:
    """Return a stamp that a clock can have shown, from 1900 to 2262; raise Malformed for others."""
    if not _EARLIEST_UNIX_NS <= unix_ns <= _LATEST_UNIX_NS:
        raise Malformed("a stamp that no clock can show: from 1900 to 2262 wanted")
    return unix_ns
