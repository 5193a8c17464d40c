"""Addresses: literal ones read and compared, and whether one leads back to this machine.

What only reads and compares is pure. `leads_here`, `elsewhere` and `socket_address` ask the system;
none sends a packet.
"""

import errno
import socket
from collections.abc import Collection, Iterable

_LONGEST_ZONE = 15
"""Letters of an interface's name (IFNAMSIZ, with its final zero, is 16)."""
_V4_MAPPED = "::ffff:"
_LAST_INTERFACE = (1 << 32) - 1
_DISCARD_PORT = 9
_BINDS_FOREIGN = "/proc/sys/net/ipv{}/ip_nonlocal_bind"
"""Whether this machine binds sockets to addresses that are not its own."""


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
    try:
        return bare, port, 0, socket.if_nametoindex(zone)
    except OSError:
        if zone.isdecimal() and int(zone) <= _LAST_INTERFACE:
            return bare, port, 0, int(zone)
        raise OSError(errno.ENODEV, f"this machine has no interface {zone}") from None


def leads_here(address: str) -> bool:
    """Whether packets to an address come back to this machine: a clock compared with itself.

    Loopback, the unspecified address, and those of this machine's own interfaces: a socket can be
    bound to these alone. Where sockets may be bound to foreign addresses too (as keepalived sets
    it), an address is this machine's if packets to it would leave from that same address; the
    second address of an interface is not recognised then. Raises OSError without a socket to try.
    """
    address = plain(address)
    if _is_loopback(address):
        return True
    try:
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as link:
            link.bind(socket_address(address, 0))
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as link:
            link.connect(socket_address(address, _DISCARD_PORT))  # broadcast is refused
            is_own = link.getsockname()[0] == address.partition("%")[0]
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise
        return False
    return is_own or not (_is_multicast(address) or _binds_foreign(address))


def elsewhere(addresses: Iterable[str], literals: Collection[str] = ()) -> tuple[str, ...]:
    """Return the addresses that do not lead to this machine, or stand in the configuration."""
    return tuple(each for each in addresses if each in literals or not leads_here(each))


def family_of(address: str) -> socket.AddressFamily:
    """Return the family that an address is of."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_zone(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ZONE and all(
        letter.isascii() and letter.isprintable() and letter not in " /%" for letter in text
    )


def _is_loopback(address: str) -> bool:
    """Whether a plain address is loopback's or unspecified (RFC 1122 section 3.2.1.3, RFC 4291)."""
    return address.startswith(("127.", "0.")) or address.partition("%")[0] in ("::1", "::")


def _is_multicast(address: str) -> bool:
    if ":" in address:
        return address.startswith("ff")
    return 224 <= int(address.partition(".")[0]) < 240  # noqa: PLR2004 - RFC 1112 section 4


def _binds_foreign(address: str) -> bool:
    try:
        with open(_BINDS_FOREIGN.format(6 if ":" in address else 4), encoding="ascii") as file:
            return file.read().strip() != "0"
    except OSError:
        return True
