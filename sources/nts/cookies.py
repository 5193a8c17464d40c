"""Keys and cookies of NTS as an entry of a memory, and back. Pure.

A cookie is used once, so that nobody on the path can see that two requests come from one client
(RFC 8915 section 9.1): a run takes some and leaves the rest for the next.
"""

from sources.clock import NS
from sources.memory import Entry
from sources.net.addresses import is_address
from sources.net.validity import Validity
from sources.nts.proof import Established, Keys
from sources.nts.wire_ke import usable

SHELF = "nts"
MOST_AGE_NS = 86_400 * NS
MOST_KEPT = 8
"""As many as a key server gives."""
TAKEN = 2
"""Per run: the second one is for asking again."""


def entry_of(established: Established) -> Entry:
    """Return what to keep."""
    return {
        "client_to_server": established.keys.client_to_server.hex(),
        "server_to_client": established.keys.server_to_client.hex(),
        "host": established.host or "",
        "address": established.address,
        "port": established.port,
        "cookies": [cookie.hex() for cookie in established.cookies[-MOST_KEPT:]],
        "chain": [
            f"{one.not_before_unix_s} {one.not_after_unix_s} {one.subject}"
            for one in established.chain
        ],
    }


def established_in(entry: Entry | None) -> Established | None:
    """Return what was kept; None if it is of no use."""
    if entry is None:
        return None
    try:
        found = Established(
            Keys(_data(entry, "client_to_server"), _data(entry, "server_to_client")),
            tuple(filter(usable, map(bytes.fromhex, _texts(entry, "cookies")))),
            _text(entry, "host") or None,
            _address(entry),
            _port(entry),
            tuple(_validity(text) for text in _texts(entry, "chain")),
        )
    except (KeyError, ValueError):
        return None
    return found if found.cookies and found.chain else None


def rest_of(entry: Entry | None) -> Entry | None:
    """Return the entry without the cookies that are being taken; its age stays with it."""
    if entry is None or established_in(entry) is None:
        return None
    return entry | {"cookies": _texts(entry, "cookies")[TAKEN:]}


def without(entry: Entry | None, useless: Established) -> Entry | None:
    """Return the entry unless it has the very keys that turned out to be of no use."""
    return None if entry is not None and _is_of(entry, useless) else entry


def with_more(entry: Entry | None, used: Established, cookies: tuple[bytes, ...]) -> Entry | None:
    """Return the entry with cookies of the same keys added; other keys than are kept replace them.

    Keys whose entry has no cookies left are not new: they stay as old as they were.
    """
    if not cookies:
        return entry
    if entry is None or not _is_of(entry, used):
        return entry_of(used.replaced(cookies=cookies))
    both = _texts(entry, "cookies") + [cookie.hex() for cookie in cookies]
    return entry | {"cookies": both[-MOST_KEPT:]}


def _is_of(entry: Entry, established: Established) -> bool:
    kept = entry.get("client_to_server")
    return kept == established.keys.client_to_server.hex() and isinstance(
        entry.get("cookies"), list
    )


def _address(entry: Entry) -> str:
    address = _text(entry, "address")
    if not is_address(address):
        raise ValueError(address)
    return address


def _port(entry: Entry) -> int:
    port = entry["port"]
    if not isinstance(port, int) or not 0 < port < 1 << 16:
        raise ValueError(port)
    return port


def _text(entry: Entry, key: str) -> str:
    value = entry[key]
    if not isinstance(value, str):
        raise ValueError(key)  # noqa: TRY004 - it is the file that is wrong
    return value


def _texts(entry: Entry, key: str) -> list[str]:
    value = entry[key]
    if not isinstance(value, list):
        raise ValueError(key)  # noqa: TRY004 - it is the file that is wrong
    return value


def _data(entry: Entry, key: str) -> bytes:
    data = bytes.fromhex(_text(entry, key))
    if len(data) != 32:  # noqa: PLR2004 - RFC 8915 section 5.1, AEAD 15
        raise ValueError(key)
    return data


def _validity(text: str) -> Validity:
    begins, ends, subject = text.split(" ", 2)
    return Validity(subject, int(begins), int(ends))
