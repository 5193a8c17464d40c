"""A Roughtime server list as tables for config.toml. Pure: text in, text out.

Reads the format of RFC 10049 section 8.3, and the ecosystem.json of before, in which versions are
words. What cannot be used is left out, and why stands in its place as a comment.
"""

import base64
import binascii
import json

from sources.base import DriftError

_GOOGLE = (3_000_600_613, "Google-Roughtime")
"""How lists call Google's dialect."""
_KEY_BYTES = 32


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
    return "\n".join(_server(number, server) for number, server in enumerate(servers, start=1))


def _server(number: int, server: object) -> str:
    """Return the tables of one server, or a comment that says why there is none."""
    if not isinstance(server, dict):
        return f"# server {number} is left out: not an object\n"
    name = server.get("name")
    shown = _quoted(name) if isinstance(name, str) and name.strip() else f"number {number}"
    try:
        key, places = _key(server), _places(server)
    except ValueError as error:
        return f"# server {shown} is left out: {error}\n"
    operator = f"operator = {shown}\n" if shown.startswith('"') else ""
    google = server.get("version") in _GOOGLE
    return "\n".join(
        "[[sources.roughtime]]\n"
        f"host = {_quoted(host)}\nport = {port}\n{operator}public_key = {_quoted(key)}\n"
        + ('dialect = "google"\n' if google else "")
        + (f'transport = "{protocols.pop()}"\n' if len(protocols) == 1 else "")
        for (host, port), protocols in places.items()
    )


def _key(server: dict[str, object]) -> str:
    kind, key = server.get("publicKeyType"), server.get("publicKey")
    if kind != "ed25519":
        raise ValueError(f"publicKeyType {kind!r}: ed25519 wanted")
    try:
        length = len(base64.b64decode(str(key), validate=True))
    except binascii.Error:
        length = 0
    if length != _KEY_BYTES:
        raise ValueError("publicKey is not the base64 of 32 bytes")
    return str(key)


def _places(server: dict[str, object]) -> dict[tuple[str, int], set[str]]:
    """Return host and port of each address, and by which protocols it is spoken to."""
    addresses = server.get("addresses")
    places: dict[tuple[str, int], set[str]] = {}
    for address in addresses if isinstance(addresses, list) else []:
        if not isinstance(address, dict) or address.get("protocol") not in ("udp", "tcp"):
            continue
        host, _, port = str(address.get("address")).rpartition(":")
        if host and port.isascii() and port.isdigit() and 0 < int(port) <= 65_535:  # noqa: PLR2004 - the last port
            where = host.removeprefix("[").removesuffix("]"), int(port)
            places.setdefault(where, set()).add(str(address["protocol"]))
    if not places:
        raise ValueError("no udp or tcp address of the form host:port")
    return places


def _quoted(text: str) -> str:
    """Return a string as TOML writes it; what JSON writes is that too."""
    return json.dumps("".join(letter for letter in text if letter.isprintable()))
