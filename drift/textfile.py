"""The file of --output: replaced whole, so that whoever reads it never sees half of it."""

import os
import stat
from contextlib import suppress

_LONGEST_READ = 1 << 20
_NEW_MODE = 0o644


def replace(path: str, text: str, mode: int | None = None) -> None:
    """Put `text` where `path` says; raise OSError, and leave what is there as it is.

    Only a regular file is replaced, no link: whoever may write the directory could make root
    replace any file with one. Its permissions become `mode`; without one those of a file of ours
    are kept, and a new file may be read by everybody, whatever the umask: its reader is another
    user's program (node_exporter), and root's cron often has 077.
    """
    found = _mode_of(path)
    if mode is None:
        mode = _NEW_MODE if found is None else found
    # Not *.prom, so that nobody reads it; and nobody can know the name and be there before.
    aside = os.path.join(os.path.dirname(path), f".time-drift-{os.urandom(8).hex()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    number = os.open(aside, flags, 0o600)
    try:
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(number, mode)
            file.write(text)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise


def previous_text(path: str) -> str:
    """Return what the file holds that is going to be replaced; nothing where it cannot be read."""
    try:
        _mode_of(path)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(path, flags), "rb") as file:
            return (file.read(_LONGEST_READ) or b"").decode(errors="replace")
    except OSError:
        return ""


def _mode_of(path: str) -> int | None:
    """Return the permissions of what is there; None if nothing is, or it is somebody else's.

    Raises OSError if it is anything but a regular file.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise OSError(f"it is {kind}; a regular file, or none, is allowed")
    return found.st_mode & 0o777 if found.st_uid == os.geteuid() else None
