"""The file of --output: replaced whole, so that whoever reads it never sees half of it."""

import math
import os
import re
import stat
from contextlib import suppress

_LONGEST_READ = 1 << 20
_LAST_SUCCESS = re.compile(
    r"^time_drift_last_success_timestamp_seconds ([0-9.e+]{1,40})$", re.MULTILINE
)


def replace(path: str, text: str) -> None:
    """Put `text` where `path` points to; raise OSError, and leave what is there as it is.

    A link is followed, the mode of what is there is kept, and only a regular file is replaced.
    """
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    aside = os.path.join(directory, f".{name}.{os.getpid()}.new")  # not *.prom: nobody reads it
    mode = _mode_of(path)
    with suppress(FileNotFoundError):
        os.unlink(aside)  # left by a run of this number that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(aside, flags, 0o666), "w", encoding="utf-8") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(text)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise


def last_success_unix_s(path: str) -> float | None:
    """Return when there last was an answer, as a Prometheus exposition at `path` tells it."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            text = file.read(_LONGEST_READ).decode(errors="replace")
        found = _LAST_SUCCESS.search(text)
        unix_s = float(found[1]) if found else math.nan
    except (OSError, ValueError):
        return None
    return unix_s if math.isfinite(unix_s) else None


def _mode_of(path: str) -> int | None:
    """Return the mode of what is there, None if nothing is; raise OSError if it is no file."""
    try:
        told = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(told.st_mode):
        raise OSError("it is not a regular file")
    return stat.S_IMODE(told.st_mode)
