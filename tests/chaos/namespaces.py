"""A network and mounts of this process's own, which go when it does. Root only, and Linux."""

import ctypes
import fcntl
import os
import socket
import struct
from contextlib import suppress

_NEW_MOUNTS, _NEW_NETWORK = 0x0002_0000, 0x4000_0000
_RECURSIVE, _PRIVATE = 0x4000, 0x4_0000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


class Network:
    """A network that was just entered, and who is in it."""

    def __init__(self) -> None:
        # Kept open: the machine of the run may have no /proc.
        self._processes = os.open("/proc", os.O_RDONLY)
        self._name = self._of("self")

    def others(self) -> set[str]:
        """Return all processes in this network but this one, by number and command."""
        found = set()
        for pid in os.listdir(self._processes):
            if not pid.isdigit() or pid == str(os.getpid()):
                continue
            with suppress(OSError):  # it has ended meanwhile
                if self._of(pid) == self._name:
                    found.add(f"{pid} {self._command(pid)}")
        return found

    def _of(self, pid: str) -> str:
        return os.readlink(f"{pid}/ns/net", dir_fd=self._processes)

    def _command(self, pid: str) -> str:
        number = os.open(f"{pid}/cmdline", os.O_RDONLY, dir_fd=self._processes)
        with open(number, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\0", " ")[:80]


def enter() -> Network:
    """Leave the machine's network and mounts for new ones; loopback is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_NEW_MOUNTS | _NEW_NETWORK))
    _check(libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, bytes(14))
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", b"lo", flags | _UP, bytes(14)))
    return Network()


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
