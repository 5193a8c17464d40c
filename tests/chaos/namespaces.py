"""A network and mounts of this process's own, which go when it does. Root only, and Linux."""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_NEW_MOUNTS, _NEW_NETWORK = 0x0002_0000, 0x4000_0000
_RECURSIVE, _PRIVATE = 0x4000, 0x4_0000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


def enter() -> None:
    """Leave the machine's network and mounts for new ones; loopback is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_NEW_MOUNTS | _NEW_NETWORK))
    _check(libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, bytes(14))
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", b"lo", flags | _UP, bytes(14)))


def others() -> tuple[str, ...]:
    """Return the commands of all processes in this network but this one."""
    mine = os.readlink("/proc/self/ns/net")
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or place.name == str(os.getpid()):
            continue
        try:
            if os.readlink(place / "ns/net") == mine:
                found.append((place / "cmdline").read_text().replace("\0", " ")[:80])
        except OSError:
            continue  # it has ended meanwhile
    return tuple(found)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
