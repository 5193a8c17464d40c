"""What the keys of a [[sources.KIND]] table may hold. Pure.

A kind lists its keys as `KEYS: dict[str, Key]`; drift/config.py reads every table by them, so that
each kind gets the same checks and the same wording of errors.
"""

import os
from collections.abc import Callable, Iterable

from sources.clock import NS
from sources.net.addresses import is_address, plain
from sources.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REQUIRED = object()
"""The default of a key that must be given."""

_LONGEST_PATH = 2000
_LONGEST_TEXT = 253
"""The longest host name (RFC 1035 section 2.3.4), and enough for an operator's name."""


_JOINERS = {0x200C: None, 0x200D: None}
"""Letters of some scripts need them, also in names (RFC 5892 appendix A)."""


class Refused(ValueError):
    """A value is not allowed, and there is more to say of why."""


class Key(Record):
    """One key: what it may hold, in words and as a reader."""

    allowed: str
    read: "Callable[[object], Any]"
    """Return the value to use, or raise ValueError."""
    default: object = REQUIRED


class Table:
    """One [[sources.KIND]] table, every value read by its Key."""

    def __init__(self, values: "dict[str, Any]") -> None:
        """Hold a value for every key of the kind."""
        self._values = values

    def text(self, key: str) -> str:
        """Return a key that holds a string."""
        value: str = self._values[key]
        return value

    def whole(self, key: str) -> int:
        """Return a key that holds a whole number."""
        value: int = self._values[key]
        return value

    def seconds_ns(self, key: str) -> int:
        """Return a key that holds seconds, in nanoseconds."""
        value_s: float = self._values[key]
        return round(value_s * NS)

    def data(self, key: str) -> bytes:
        """Return a key that holds bytes."""
        value: bytes = self._values[key]
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a key that holds a string, None where it is not written."""
        value: str | None = self._values[key]
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a key that holds a list of strings."""
        value: tuple[str, ...] = self._values[key]
        return value

    def operator(self, host: str) -> str:
        """Return who runs the server; unless the table says so, the host's name stands for them."""
        return self.optional_text("operator") or host.removesuffix(".")

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses to ask when the host's name cannot be resolved."""
        return self.texts("addresses")


def shown(host: str, port: int, usual_port: int) -> str:
    """Return what people call a server: its host, and its port where that is not the usual one."""
    bracketed = f"[{host}]" if ":" in host else host
    return host if port == usual_port else f"{bracketed}:{port}"


def same(host: str) -> str:
    """Return what is equal for all ways to write a host: "A.example." and "a.example" are one."""
    return host.lower().removesuffix(".")


def read_text(value: object, longest: int = _LONGEST_TEXT) -> str:
    """Read a printable string that is not empty, surrounding blanks removed."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.translate(_JOINERS).isprintable() or len(text) > longest:
        raise ValueError(value)
    return text


def read_host(value: object) -> str:
    """Read a host name or address; a name in other scripts becomes what is asked of DNS."""
    text = read_text(value)
    if is_address(text):
        return plain(text)
    if not text.isascii():
        text = in_ascii(text)
    # One final dot is kept: it keeps the resolver from trying search domains.
    labels = text.removesuffix(".").split(".")
    if not all(0 < len(label) <= 63 and _is_label(label) for label in labels):  # noqa: PLR2004 - RFC 1035
        raise ValueError(value)
    if len(text) > _LONGEST_TEXT:
        raise ValueError(value)
    return text


def in_ascii(name: str) -> str:
    """Return a name by IDNA 2008 (RFC 5891), mapped before by UTS 46 without its transition."""
    import idna  # noqa: PLC0415 - hardly any configuration has such names

    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError as error:
        raise Refused(f"IDNA 2008 refuses the name: {error}") from error


def _is_label(label: str) -> bool:
    return all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in label)


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [None]


def _read_addresses(value: object) -> tuple[str, ...]:
    addresses = tuple(read_text(item) for item in _items(value))
    if not addresses or not all(is_address(address) for address in addresses):
        raise ValueError(value)
    return tuple(map(plain, addresses))


def whole(what: str, low: int, high: int, default: object = REQUIRED) -> Key:
    """Return a key for a whole number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(value)
        return value

    return Key(f"{what}, {low} to {high}", read, default)


def seconds(most: float, default: float) -> Key:
    """Return a key for seconds from 0 to `most`; true and false are not numbers."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(value)
        return float(value)

    return Key(f"seconds, 0 to {most:g}", read, default)


def some_of(what: str, allowed: Iterable[str]) -> Key:
    """Return a key for a list of some of the allowed words, in any case; read in lower case."""
    shown = tuple(allowed)

    def read(value: object) -> tuple[str, ...]:
        found = tuple(read_text(item).lower() for item in _items(value))
        if not set(found) <= {word.lower() for word in shown}:
            raise ValueError(value)
        return found

    return Key(f"a list of {what}: {', '.join(shown)}", read, ())


def one_of(default: str, *others: str) -> Key:
    """Return a key for one of a few words."""
    allowed = (default, *others)

    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(value)
        return str(value)

    return Key(" or ".join(f'"{word}"' for word in allowed), read, default)


def port(default: int) -> Key:
    """Return a key for a port number."""
    return whole("a port", 1, 65_535, default)


def _read_file(value: object) -> str:
    path = read_text(value, _LONGEST_PATH)
    if not os.path.isabs(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise ValueError(value)
    return path


CA_FILE = Key("the absolute path of a readable PEM file of CAs", _read_file, None)
HOST = Key('a host name or address ("ntp.example", "192.0.2.1", "2001:db8::1")', read_host)

COMMON = {
    "operator": Key("the name of who runs the server", read_text, None),
    "addresses": Key('a list of addresses (["192.0.2.1"])', _read_addresses, ()),
}
"""Keys that every kind has."""
