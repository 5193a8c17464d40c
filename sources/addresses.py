"""Addresses: literal ones read and compared, and whether one leads back to this machine.

What only reads and compares is pure. `leads_here` and `socket_address` ask the system; neither
sends a packet.
"""

import socket

_LONGEST_ZONE = 15
"""Letters of an interface's name (IFNAMSIZ, with its final zero, is 16)."""
_V4_MAPPED = "::ffff:"
_DISCARD_PORT = 9


def is_address(text: str) -> bool:
    """Whether `text` is a literal IPv4 or IPv6 address, a zone (`%eth0`) allowed for the latter."""
    bare, percent, zone = text.partition("%")
    if percent and not (":" in bare and _is_zone(zone)):
        return False
    for family, candidate in ((socket.AF_INET, text), (socket.AF_INET6, bare)):
        try:
            socket.inet_pton(family, candidate)
        except (OSError, ValueError):
            continue
        return True
    return False


def plain(address: str) -> str:
    """Return the one usual way to write a literal address, so that twins are seen.

    An IPv4 address that is mapped into IPv6 (RFC 4291 section 2.5.5.2) is the IPv4 address.
    """
    if ":" not in address:
        return address
    bare, percent, zone = address.partition("%")
    usual = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, bare))
    tail = usual.removeprefix(_V4_MAPPED)
    if tail != usual and "." in tail:
        return tail
    return f"{usual}{percent}{zone}"


def socket_address(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return what `connect` wants of an address; raise OSError for a zone that is not there.

    A zone is the name of an interface, or its number (RFC 4007 section 11.2).
    """
    bare, _, zone = address.partition("%")
    if not zone:
        return address, port
    return bare, port, 0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)


def leads_here(address: str) -> bool:
    """Whether packets to an address come back to this machine: a clock compared with itself.

    Loopback, the unspecified address, and those of this machine's own interfaces. The kernel is
    asked which address it would send from; where it has no route, it leads nowhere.
    """
    if _is_loopback(plain(address)):
        return True
    try:
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as link:
            link.connect(socket_address(address, _DISCARD_PORT))
            own, peer = (str(name[0]) for name in (link.getsockname(), link.getpeername()))
    except OSError:
        return False
    return own == peer or _is_loopback(plain(peer))


def family_of(address: str) -> socket.AddressFamily:
    """Return the family that an address is of."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_zone(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ZONE and all(
        letter.isascii() and letter.isprintable() and letter not in " /%" for letter in text
    )


def _is_loopback(address: str) -> bool:
    """Whether a plain address is loopback's or unspecified (RFC 1122 section 3.2.1.3, RFC 4291)."""
    return address.startswith(("127.", "0.")) or address in ("::1", "::")
