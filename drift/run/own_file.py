"""Files that this user alone can have written: read whole, replaced whole.

What others own, may write, or have put a link in place of is refused: whoever plants keys in it can
forge the time.
"""

import os
import stat

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def data_of(path: str, longest: int) -> bytes | None:
    """Return a file's bytes, None if there is none.

    Raises ValueError for a file that others may have written or that is longer than `longest`
    bytes, and OSError where it cannot be read.
    """
    try:
        number = os.open(path, _READ | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise ValueError("not a file of this user's")
        if found.st_mode & _OTHERS_MAY_WRITE:
            raise ValueError("others may write it")
        data = os.read(number, longest + 1)
    finally:
        os.close(number)
    if len(data) > longest:
        raise ValueError(f"longer than {longest} bytes")
    return data


def is_safe(directory: str) -> bool:
    """Whether nobody but this user and root can put files there; raise OSError if none is there."""
    found = os.stat(directory)  # behind a link, as systemd makes one for its dynamic users
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & _OTHERS_MAY_WRITE


def replace(path: str, aside: str, data: bytes) -> None:
    """Write a file of this name aside and rename it; nobody else may use that name meanwhile."""
    unlink(aside)  # left by a run that was killed, or put there
    number = os.open(aside, _WRITE, 0o600)
    try:
        with open(number, "wb") as new:
            new.write(data)
        os.replace(aside, path)
    except OSError:
        unlink(aside)
        raise


def unlink(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
