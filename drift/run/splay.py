"""--splay: a wait before the run, so that machines that are started together do not ask together.

How long is the machine's own: it follows from its id, so that the times of one machine's runs stay
as far apart as they are started, and nothing has to be kept. The id is hashed with a name of ours
(machine-id(5) asks for that), and of the hash nothing but the moment of a query can be seen.
"""

import os
import select
from hashlib import sha256

from sources.clock import Clock

_MACHINE_ID = "/etc/machine-id"
_OURS = b"time-drift splay\0"
_LONGEST_ID = 256
_NO_ID = (b"", b"uninitialized")
"""What the file has where no id was made yet."""


def wait(span_ns: int, clock: Clock) -> int:
    """Wait for this machine's share of the span; return the raw time when that is over.

    Signals end it by their handlers, which leave.
    """
    until_raw_ns = clock.raw_ns() + own_share_ns(span_ns)
    nothing = select.poll()
    while (now_raw_ns := clock.raw_ns()) < until_raw_ns:
        nothing.poll(-(-(until_raw_ns - now_raw_ns) // 1_000_000))
    return now_raw_ns


def own_share_ns(span_ns: int) -> int:
    """Return this machine's share of the span."""
    return share_ns(machine(_MACHINE_ID), span_ns)


def share_ns(machine: bytes, span_ns: int) -> int:
    """Return a time from 0 up to, but not including, the span: always the same for a machine."""
    return int.from_bytes(sha256(_OURS + machine).digest()[:8]) * span_ns >> 64


def machine(path: str) -> bytes:
    """Return the id in the file, the name of the machine where there is none."""
    try:
        with open(path, "rb") as file:
            found = file.read(_LONGEST_ID).strip()
    except OSError:
        found = b""
    return os.fsencode(os.uname().nodename) if found in _NO_ID else found
