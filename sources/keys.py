"""What the keys of a [[sources.KIND]] table may hold. Pure.

A kind lists its keys as `KEYS: dict[str, Key]`; drift/config.py reads every table by them, so that
each kind gets the same checks and the same wording of errors.
"""

import math
import socket
from collections.abc import Callable
from typing import cast

from sources.record import Record

REQUIRED = object()
"""The default of a key that must be given."""

_LONGEST_TEXT = 253
"""The longest host name (RFC 1035 section 2.3.4), and enough for an operator's name."""


class Key(Record):
    """One key: what it may hold, in words and as a reader."""

    allowed: str
    read: Callable[[object], object]
    """Return the value to use, or raise ValueError."""
    default: object = REQUIRED


class Table:
    """One [[sources.KIND]] table, every value read by its Key."""

    def __init__(self, values: dict[str, object]) -> None:
        """Hold a value for every key of the kind."""
        self._values = values

    def text(self, key: str) -> str:
        """Return a key that holds a string."""
        return cast(str, self._values[key])

    def whole(self, key: str) -> int:
        """Return a key that holds a whole number."""
        return cast(int, self._values[key])

    def operator(self, host: str) -> str:
        """Return who runs the server; unless the table says so, the host's name stands for them."""
        return cast(str | None, self._values["operator"]) or host

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses to ask when the host's name cannot be resolved."""
        return cast(tuple[str, ...], self._values["addresses"])


def is_address(text: str) -> bool:
    """Whether `text` is a literal IPv4 or IPv6 address, a zone (`%eth0`) allowed for the latter."""
    bare, percent, zone = text.partition("%")
    if percent and not (zone.isascii() and zone.isalnum()):
        return False
    for family, candidate in ((socket.AF_INET, text), (socket.AF_INET6, bare)):
        try:
            socket.inet_pton(family, candidate)
        except (OSError, ValueError):
            continue
        return True
    return False


def _plain(address: str) -> str:
    """Return the one usual way to write an IPv6 address, so that twins are seen."""
    if ":" not in address or "%" in address:
        return address
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def read_text(value: object) -> str:
    """Read a printable string that is not empty, surrounding blanks removed."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise ValueError(value)
    return text


def read_seconds(value: object) -> float:
    """Read a finite number; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _read_host(value: object) -> str:
    text = read_text(value)
    if is_address(text):
        return _plain(text)
    # One final dot is kept: it tells the resolver not to try search domains.
    labels = text.removesuffix(".").split(".")
    if not all(0 < len(label) <= 63 and _is_label(label) for label in labels):  # noqa: PLR2004 - RFC 1035
        raise ValueError(value)
    return text


def _is_label(label: str) -> bool:
    return all(letter.isalnum() or letter in "-_" for letter in label)


def _read_addresses(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(value)
    addresses = tuple(read_text(item) for item in value)
    if not all(is_address(address) for address in addresses):
        raise ValueError(value)
    return addresses


def whole(what: str, low: int, high: int, default: object = REQUIRED) -> Key:
    """Return a key for a whole number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(value)
        return value

    return Key(f"{what}, {low} to {high}", read, default)


def port(default: int) -> Key:
    """Return a key for a port number."""
    return whole("a port", 1, 65_535, default)


HOST = Key('a host name or address ("ntp.example", "192.0.2.1", "2001:db8::1")', _read_host)

COMMON = {
    "operator": Key("the name of who runs the server", read_text, None),
    "addresses": Key('a list of addresses (["192.0.2.1"])', _read_addresses, ()),
}
"""Keys that every kind has."""
