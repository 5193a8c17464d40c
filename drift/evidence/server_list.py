"""A Roughtime server list as tables for config.toml. Pure: text in, text out.

Reads the format of RFC 10049 section 8.3, and the older ecosystem.json, whose versions are words. A
server that the configuration would refuse is left out; a comment in its place says why.
"""

import base64
import binascii
import json

from sources import schema
from sources.base import DriftError

_GOOGLE = (3_000_600_613, "Google-Roughtime")
"""How lists call Google's dialect."""
_KEY_BYTES = 32
_LONGEST_NAME = 250
_LAST_PORT = 65_535

_Place = tuple[str, int]


class Unreadable(DriftError):
    """A file is no server list: what was found and what is wanted."""


def tables(text: str) -> str:
    """Return one [[sources.roughtime]] table a server and address; raise Unreadable if no list."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    servers = tree.get("servers") if isinstance(tree, dict) else None
    if not isinstance(servers, list) or not servers:
        raise Unreadable('no list "servers" in it (RFC 10049 section 8.3)')
    seen: set[tuple[str, int, str]] = set()
    return "\n".join(_server(number, found, seen) for number, found in enumerate(servers, start=1))


def _server(number: int, server: object, seen: set[tuple[str, int, str]]) -> str:
    """Return the tables of one server, or a comment that says why there is none."""
    if not isinstance(server, dict):
        return f"# server {number} is left out: not an object\n"
    name = _printable(server.get("name"))
    google = server.get("version") in _GOOGLE
    try:
        key = _key(server)
        places = _places(server, ("udp",) if google else ("udp", "tcp"))
        new = {
            (host, port): protocols
            for (host, port), protocols in places.items()
            if (schema.same(host), port, key) not in seen
        }
        if not new:
            raise ValueError("it is listed already")
    except ValueError as error:
        return f"# server {_quoted(name) if name else f'number {number}'} is left out: {error}\n"
    seen |= {(schema.same(host), port, key) for host, port in new}
    return "\n".join(
        f"[[sources.roughtime]]\nhost = {_quoted(host)}\nport = {port}\n"
        + (f"operator = {_quoted(name)}\n" if name else "")
        + f"public_key = {_quoted(key)}\n"
        + ('dialect = "google"\n' if google else "")
        + (f'transport = "{min(protocols)}"\n' if len(protocols) == 1 else "")
        for (host, port), protocols in new.items()
    )


def _key(server: dict[str, object]) -> str:
    kind, key = server.get("publicKeyType"), server.get("publicKey")
    if kind != "ed25519":
        raise ValueError(f"publicKeyType {ascii(kind)[:60]}: ed25519 wanted")
    try:
        data = base64.b64decode(str(key), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _KEY_BYTES:
        raise ValueError("publicKey is not the base64 of 32 bytes")
    return base64.b64encode(data).decode()


def _places(server: dict[str, object], allowed: tuple[str, ...]) -> dict[_Place, set[str]]:
    """Return host and port of each address, and by which protocols it is spoken to."""
    addresses = server.get("addresses")
    places: dict[_Place, set[str]] = {}
    for address in addresses if isinstance(addresses, list) else []:
        if isinstance(address, dict) and address.get("protocol") in allowed:
            host, _, port = str(address.get("address")).rpartition(":")
            try:
                place = schema.read_host(host.removeprefix("[").removesuffix("]")), _port(port)
            except ValueError:
                continue
            places.setdefault(place, set()).add(str(address["protocol"]))
    if not places:
        raise ValueError(f"no {' or '.join(allowed)} address like host:port")
    return places


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PORT))):
        raise ValueError(text)
    if not 0 < int(text) <= _LAST_PORT:
        raise ValueError(text)
    return int(text)


def _printable(name: object) -> str:
    """Return what of a name can be shown, in one line; nothing if it is none."""
    text = name if isinstance(name, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:_LONGEST_NAME].strip()


def _quoted(text: str) -> str:
    """Return a printable string as TOML writes it, in ASCII, so that any locale can print it."""
    plain = (
        letter if letter.isascii() and letter not in '"\\' else f"\\U{ord(letter):08x}"
        for letter in text
    )
    return f'"{"".join(plain)}"'
