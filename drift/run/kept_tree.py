"""The tree of a configuration, as an earlier run has parsed it: tomllib is a fifth of a run.

It is kept in the state directory beside the very bytes that it was parsed from, and serves these
and no others, so it cannot be stale. marshal reads it back, and trusts what it reads as Python
trusts its byte-code. So the file and its directory have to be such that nobody but this user can
have put it there; and it has to be whole, and of this Python and this version of the program.
Anything else is ignored, and replaced where that is possible.
"""

import _imp  # has what importlib.util.source_hash is, which costs a millisecond to import
import marshal
import os
import sys

from drift import __version__
from drift.run import own_file
from drift.run.state import directory_of

Tree = dict[str, object]

_MADE_BY = f"time-drift {__version__} {sys.implementation.name} {sys.version}\n".encode()
_DIGEST_BYTES = 8
_HEAD_BYTES = len(_MADE_BY) + _DIGEST_BYTES
_LENGTH_BYTES = 4
_LONGEST_FILE = 1 << 22
_MOST_FILES = 8
"""As many configurations are kept in one directory at most: the next one replaces another."""


class KeptTree:
    """What is kept of one configuration."""

    def __init__(self, path: str, data: bytes) -> None:
        """Look for what was parsed from these bytes, which are all that the file at `path` has."""
        self._text = len(data).to_bytes(_LENGTH_BYTES) + data
        self._directory = directory_of(_state_in(data))
        slot = _digest(path.encode("utf-8", "surrogateescape"))[0] % _MOST_FILES
        self._file = os.path.join(self._directory or "", f"configuration-{slot}")

    def recall(self) -> Tree | None:
        """Return the tree, None if it has to be parsed."""
        try:
            if not self._directory or not own_file.is_safe(self._directory):
                return None
            found = own_file.data_of(self._file, _LONGEST_FILE) or b""
            whole = found[_HEAD_BYTES:]
            if not whole.startswith(self._text) or found != _headed(whole):
                return None
            tree: Tree = marshal.loads(whole[len(self._text) :])  # noqa: S302 - written by us alone
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return tree

    def keep(self, tree: Tree, state: str | None) -> None:
        """Leave the tree for later runs where it will be looked for; nothing of this can fail.

        `state` is where the configuration keeps state, by `directory_of`.
        """
        if not self._directory or self._directory != directory_of(state):
            return
        try:
            whole = self._text + marshal.dumps(tree)
            os.makedirs(self._directory, 0o700, exist_ok=True)
            if own_file.is_safe(self._directory):
                aside = f"{self._file}.{os.getpid()}"
                own_file.replace(self._file, aside, _headed(whole))
        except (OSError, ValueError):  # marshal has no dates, for which no key has a use either
            return


def _headed(whole: bytes) -> bytes:
    """Return what a file has to be that holds this much."""
    return _MADE_BY + _digest(whole) + whole


def _digest(data: bytes) -> bytes:
    """Return 8 bytes that betray damage. Whoever means harm cannot write the file."""
    return _imp.source_hash(0, data)


def _state_in(data: bytes) -> str | None:
    """Return what `state` seems to be in a configuration that has not been parsed.

    Where that is a mistake nothing is kept, and so nothing is found.
    """
    for line in data.partition(b"\n[")[0].splitlines():
        key, _, value = line.partition(b"=")
        if key.strip() == b"state":
            quoted = value.strip()
            return quoted[1:].partition(quoted[:1] or b'"')[0].decode("utf-8", "replace")
    return None
