"""Memory for heavy libraries: one that runs short of it may end the process.

cryptography is written in Rust, which aborts where an allocation fails. So before it, or what is as
large, is imported or used, memory is asked for and given back; one thread does so at a time.
"""

import mmap
import sys
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager

from sources.base import Unavailable

_MB = 1 << 20
_TO_LOAD_BYTES = 40 * _MB
_TO_USE_BYTES = 6 * _MB
_PATIENCE_S = 0.5
"""How long to wait for another thread's import, which may hang."""

_loading = allocate_lock()


@contextmanager
def for_library(library: str) -> Iterator[None]:
    """Make sure that there is room to import a library, or to use it if it is imported."""
    if library in sys.modules:
        _probe(library, _TO_USE_BYTES)
        yield
        return
    is_mine = _loading.acquire(timeout=_PATIENCE_S)
    try:
        _probe(library, _TO_USE_BYTES if library in sys.modules else _TO_LOAD_BYTES)
        yield
    finally:
        if is_mine:
            _loading.release()


def _probe(library: str, count: int) -> None:
    """Raise Unavailable where so many bytes cannot be had now; none of them is touched."""
    try:
        mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        raise Unavailable(
            f"{library} cannot be loaded: not {count // _MB} MB of memory left"
        ) from error
