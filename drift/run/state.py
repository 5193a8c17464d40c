"""The state directory: what runs leave for later ones, one small file an entry.

Each file is replaced whole, so that no two runs mix their entries. A change holds the directory's
lock for a moment; a run that cannot have the lock at once changes nothing. Files that are broken,
of another user or writable by others are ignored: whoever plants keys here can forge the time.
"""

import fcntl
import os
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager

from drift.run import own_file
from sources.clock import Clock
from sources.latch import Latch
from sources.memory import Entry, Memory, Update

_FORMAT = 1
_LONGEST_FILE = 1 << 16
_KEY = frozenset("abcdefghijklmnopqrstuvwxyz_")
_DIGITS = frozenset("0123456789")
_HEX = _DIGITS | frozenset("abcdef")
_ESCAPE = "\\U"
_ESCAPED = 8
"""Hexadecimal digits after it."""
_MOST_DIGITS = 300
_LONGEST_NAME = 180
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SINCE = "kept_boot_ns"
"""When an entry was first kept; an entry made from an older one takes this over."""
_LOCK = "lock"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
_NEW = "new"
_NOT_OURS = "not an entry of ours"


def directory_of(configured: str | None) -> str | None:
    """Return where state is kept: as configured, where systemd says, or in the user's XDG folder.

    An empty configuration, or no home, means nowhere.
    """
    if configured is not None:
        return configured or None
    by_systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if os.path.isabs(by_systemd):
        return by_systemd
    base = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home) or not os.path.isdir(home):
            return None  # agents' users have none, and root would make one
        base = os.path.join(home, ".local", "state")
    return os.path.join(base, "time-drift")


class State(Memory):
    """Entries in a directory, which is made when the first one is kept."""

    def __init__(self, directory: str, clock: Clock) -> None:
        """Look into a directory; whatever is wrong with it becomes a note."""
        super().__init__()
        self._directory = directory
        self._clock = clock
        self._mine = allocate_lock()
        self._counting = allocate_lock()
        self._quiet = Latch()
        """Opened when the run is over and nothing is under way."""
        self._under_way = 0
        self._is_over = False
        self._boot = _boot_id()
        try:
            self._files = set(os.listdir(directory))
        except OSError:
            self._files = set()

    def recall(self, shelf: str, name: str, most_age_ns: int | None = None) -> Entry | None:
        """Return what is kept under a name."""
        file = _file_name(shelf, name)
        return self._read(file, name, most_age_ns) if file in self._files else None

    def change(self, shelf: str, name: str, update: Update, most_age_ns: int | None = None) -> bool:
        """Replace an entry by what the update makes of it."""
        file = _file_name(shelf, name)
        if not self._begin():
            return False
        try:
            return self._changed(file, name, update, most_age_ns)
        finally:
            self._end()

    def finish(self, within_s: float) -> None:
        """Let changes that are under way come to their end, for so long; no more can begin."""
        with self._counting:
            self._is_over = True
            if not self._under_way:
                self._quiet.open()
        self._quiet.wait(within_s)

    def _begin(self) -> bool:
        """Count a change as under way, unless the run is over."""
        with self._counting:
            self._under_way += not self._is_over
            return not self._is_over

    def _end(self) -> None:
        with self._counting:
            self._under_way -= 1
            if self._is_over and not self._under_way:
                self._quiet.open()

    def _changed(self, file: str, name: str, update: Update, most_age_ns: int | None) -> bool:
        try:
            with self._mine, self._alone() as alone:
                if not alone:
                    return False
                entry = update(self._read(file, name, most_age_ns))
                if entry is None:
                    self._remove(file)
                else:
                    self._write(file, name, entry)
        except OSError as error:
            self._note(f"{self._directory} cannot be written: {error.strerror or error}")
            return False
        except ValueError as error:  # what was kept does not hold what its reader expects
            self._note(f"{self._path(file)} is ignored: {error}")
            return False
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the directory's lock, and say whether it could be had at once."""
        os.makedirs(self._directory, 0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self._path(_LOCK), flags, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(lock)

    def _read(self, file: str, name: str, most_age_ns: int | None) -> Entry | None:
        try:
            data = own_file.data_of(self._path(file), _LONGEST_FILE)
            if data is None:
                return None
            entry = _parsed(data.decode("ascii"))
            if entry.pop("format", None) != _FORMAT or entry.pop("name", None) != name:
                raise ValueError(_NOT_OURS)
        except (OSError, ValueError) as error:
            self._note(f"{self._path(file)} is ignored: {error}")
            return None
        boot = entry.pop("boot", "")
        is_fresh = most_age_ns is None or (boot and self._is_fresh(boot, entry, most_age_ns))
        return entry if is_fresh else None

    def _is_fresh(self, boot: object, entry: Entry, most_age_ns: int) -> bool:
        kept_boot_ns = entry.get(_SINCE)
        if boot != self._boot or not isinstance(kept_boot_ns, int):
            return False
        return 0 <= self._clock.boot_ns() - kept_boot_ns <= most_age_ns

    def _write(self, file: str, name: str, entry: Entry) -> None:
        """Write an entry to a file aside and rename it; under the lock, so it is ours alone."""
        head: Entry = {"format": _FORMAT, "name": name, "boot": self._boot}
        head[_SINCE] = self._clock.boot_ns()
        lines = [f"{key} = {_toml(value)}\n" for key, value in (head | entry).items()]
        data = "".join(lines).encode("ascii")
        own_file.replace(self._path(file), self._path(_NEW), data)
        self._files.add(file)

    def _remove(self, file: str) -> None:
        self._files.discard(file)
        own_file.unlink(self._path(file))

    def _path(self, file: str) -> str:
        return os.path.join(self._directory, file)

    def _note(self, text: str) -> None:
        note = f"state: {text}"
        if note not in self.notes:
            self.notes.append(note)


def _boot_id() -> str:
    try:
        # As bytes: a text file would load a codec, 0.2 ms of each run.
        with open(_BOOT_ID, "rb") as file:
            return file.read().decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def _parsed(text: str) -> Entry:
    """Read what `_toml` writes, and nothing else: TOML at large is slow to refuse."""
    entry: Entry = {}
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        if not key or not _KEY.issuperset(key):
            raise ValueError(_NOT_OURS)
        entry[key] = _value(value)
    return entry


def _value(text: str) -> int | str | list[str]:
    """Read a whole number, a string, or a list of strings."""
    if text.startswith('["') and text.endswith('"]'):
        return [_unescaped(item) for item in text[2:-2].split('", "')]
    if text == "[]":
        return []
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return _unescaped(text[1:-1])
    digits = text.removeprefix("-")
    if not 0 < len(digits) <= _MOST_DIGITS or not _DIGITS.issuperset(digits):
        raise ValueError(_NOT_OURS)
    return int(text)


def _unescaped(text: str) -> str:
    plain, *escaped = text.split(_ESCAPE)
    if '"' in text or text.count("\\") != len(escaped):
        raise ValueError(_NOT_OURS)
    for part in escaped:
        digits = part[:_ESCAPED]
        if len(digits) < _ESCAPED or not _HEX.issuperset(digits):
            raise ValueError(_NOT_OURS)
        plain += chr(int(digits, 16)) + part[_ESCAPED:]
    return plain


def _toml(value: int | str | list[str]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'  # nearly always, and keys are long
    escaped = (
        letter
        if letter.isascii() and letter.isprintable() and letter not in '"\\'
        else f"\\U{ord(letter):08x}"
        for letter in value
    )
    return f'"{"".join(escaped)}"'


def _file_name(shelf: str, name: str) -> str:
    """Return a name that no other entry has, whatever stands in it."""
    plain = "".join(letter if letter in _PLAIN else f"_{ord(letter):x}_" for letter in name)
    if len(plain) > _LONGEST_NAME:
        from hashlib import sha256  # noqa: PLC0415 - nearly never

        # No escape ends so: a name that is all escaped has an even number of underscores.
        digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
        plain = f"{plain[: _LONGEST_NAME - 70].replace('_', '-')}_{digest}"
    return f"{shelf}-{plain}.toml"
