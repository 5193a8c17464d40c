"""Which hosts and addresses may be asked: public ones, and those that the configuration allows.

Pure. Whoever can name a target to an exporter would otherwise have it connect to whatever this
machine can reach and others cannot: its own services, a cloud's metadata (169.254.169.254), a
neighbour. So names are judged by what they resolve to, and the address that was judged is the one
that is connected to: a name that resolves to something else the next time gains nothing.

The blocks are those of the IANA registries of special-purpose addresses (RFC 6890). They are listed
here because Python's own flags differ between its versions.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from sources.schema import in_ascii

Network = IPv4Network | IPv6Network

_SPECIAL = [
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "of this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "behind carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "for IETF protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "of 6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("2001::/23", "for IETF protocols"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""Blocks with an IPv4 address inside, and by how many bits it is shifted."""
_HIDDEN = ("onion", "i2p")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks and single addresses; raise ValueError for anything that is not exactly one."""
    found = []
    for text in texts:
        if "%" in text:
            raise ValueError(f"{text!r} is no network: it has a zone")
        try:
            found.append(ip_network(text))
        except ValueError as error:
            raise ValueError(f"{text!r} is no network: {error}") from error
    return tuple(found)


@lru_cache(1 << 14)  # a node is judged at each of its connections, and at each scrape
def why_refused(address: str, allow: tuple[Network, ...]) -> str | None:
    """Return why a literal address may not be connected to, None if it may."""
    if "%" in address:
        return f"{address} is with a zone, so not public"
    try:
        parsed = ip_address(address)
    except ValueError:
        return f"{address!r} is not an address"
    what = _special(parsed, allow)
    return None if what is None else f"{address} is {what}; [probe] allow does not have it"


def _special(address: IPv4Address | IPv6Address, allow: tuple[Network, ...]) -> str | None:
    """Return what keeps an address from being public, None if nothing does or it is allowed."""
    if any(address in network for network in allow):
        return None
    if isinstance(address, IPv6Address):
        for embedding, shift in _EMBEDDING:
            if address in embedding:
                embedded = IPv4Address((int(address) >> shift) & 0xFFFF_FFFF)
                return _special(embedded, allow)
    for block, what in _SPECIAL:
        if address in block:
            return what
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "not global unicast"
    return None


def read_host(text: str) -> str:
    """Return a host as it is compared and connected to; raise ValueError for what is refused.

    A literal address, or a name. Numbers that a system's resolver would take for an address
    (`127.1`, `0x7f.1`, `2130706433`) are neither, and hidden services are not looked for.
    """
    try:
        return str(_literal(text))
    except ValueError:
        pass
    try:
        name = (text if text.isascii() else in_ascii(text)).lower()
    except ValueError as error:
        raise ValueError(f"{text[:60]!r} is no host: {error}") from error
    labels = name.removesuffix(".").split(".")
    if len(name) > _LONGEST_NAME or not all(_is_label(label) for label in labels):
        raise ValueError(f"{text[:60]!r} is no host: a name or an address wanted")
    if _is_number(labels[-1]):
        raise ValueError(f"{text[:60]!r} is no host: addresses are written as 192.0.2.1")
    if labels[-1] in _HIDDEN:
        raise ValueError(f"{text[:60]!r} is a hidden host, which is not asked")
    return name


def _literal(text: str) -> IPv4Address | IPv6Address:
    if "%" in text:
        raise ValueError("zones are of this machine only")
    return ip_address(text)


def _is_label(label: str) -> bool:
    return 0 < len(label) <= _LONGEST_LABEL and all(
        letter.isalnum() or letter == "_" or (letter == "-" and label != "-") for letter in label
    )


def _is_number(label: str) -> bool:
    """Whether inet_aton would take it for a part of an address, as browsers judge it too."""
    if label.startswith("0x"):
        return all(letter in "0123456789abcdef" for letter in label[2:])
    return label.isdigit()
