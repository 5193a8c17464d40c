"""Shells at terminals of their own, into which a test types."""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sources.record import Record
from tests.conftest import ROOT

COMPLETIONS = ROOT / "docs" / "completions"
ALL = "\x14"
"""The key, ^T, for which a shell types whatever it could complete."""

_WITHIN_S = 20
_PROMPT = "@ready@"
_END = "<@end@>"
_WORD = re.compile("<([^<>]*)>")
_SHOWS_ITS_WORDS = "#!/bin/sh\nprintf '<%s>' \"$@\" '@end@'\necho\n"


class Start(Record):
    """How a shell is started, and what is typed into it first."""

    command: tuple[str, ...]
    lines: tuple[str, ...]
    """The last one sets the prompt, and does not hold it whole."""


def _zsh(*lines: str) -> Start:
    """Return a zsh that finds the completion by these lines."""
    further = (
        "zle -C all complete-word _generic; bindkey '^T' all",
        "zstyle ':completion:all:*' completer _all_matches _complete",
        "zstyle ':completion:*' insert true",
        "PS1='@rea''dy@'",
    )
    return Start(("zsh", "-f", "-i"), (*lines, *further))


STARTS = {
    "bash": Start(
        ("bash", "--norc", "--noprofile", "-i"),
        (
            f"source '{COMPLETIONS}/time-drift.bash'",
            "bind '\"\\C-t\": insert-completions'",
            "PS1='@rea''dy@'",
        ),
    ),
    "zsh": _zsh(f"fpath=('{COMPLETIONS}' $fpath)", "autoload -Uz compinit; compinit -D -u"),
    "zsh, sourced": _zsh(
        "autoload -Uz compinit; compinit -D -u", f"source '{COMPLETIONS}/_time-drift'"
    ),
    "fish": Start(
        ("fish", "--no-config", "--interactive"),
        (
            f"source '{COMPLETIONS}/time-drift.fish'",
            "function all; string join -- ' ' (complete -C | string split -f 1 \\t); end",
            "bind \\ct 'commandline -t -- (all)'",
            "function fish_prompt; printf '@%s@' ready; end",
        ),
    ),
}


class Shell:
    """A shell that waits for what is typed."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._shown = ""

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def words_after(self, keys: str) -> list[str]:
        """Press keys, then Enter; return the words that the program got."""
        self.type(f"{keys}\n")
        shown = self.until(_END)
        self.until(_PROMPT)
        return _WORD.findall(shown)

    def until(self, wanted: str) -> str:
        """Return what is shown before that."""
        end = time.monotonic() + _WITHIN_S
        while wanted not in self._shown:
            ready, _, _ = select.select([self._terminal], [], [], max(0, end - time.monotonic()))
            assert ready, self._shown
            self._shown += os.read(self._terminal, 65_536).decode(errors="replace")
        before, _, self._shown = self._shown.partition(wanted)
        return before


@contextmanager
def started(name: str, place: Path) -> Iterator[Shell]:
    """Start a shell where `time-drift` and `time-drift.sh` show the words that they get."""
    for program in ("time-drift", "time-drift.sh"):
        (place / program).write_text(_SHOWS_ITS_WORDS, encoding="utf-8")
        (place / program).chmod(0o755)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *STARTS[name].command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=place,
        env={"PATH": f"{place}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(place)},
    )
    os.close(theirs)
    try:
        shell = Shell(ours)
        shell.type("\n".join(STARTS[name].lines) + "\n")
        shell.until(_PROMPT)
        yield shell
    finally:
        process.kill()
        process.wait()
        os.close(ours)
