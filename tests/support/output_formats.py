"""Output formats as their registry finds them: where each one's words go, and how it ends."""

import subprocess

from drift.formats.registry import format_class, names
from drift.options import Options

NAMES = names()
SILENT_ON_STDERR = tuple(name for name in NAMES if not format_class(name).on_stderr)
PLUGINS = tuple(name for name in NAMES if format_class(name).is_plugin)


def words_of(done: "subprocess.CompletedProcess[str]", name: str) -> str:
    """Return what a run printed where this format's readers look for words."""
    return done.stdout if name in SILENT_ON_STDERR else done.stderr


def status_of(name: str, status: int) -> int:
    """Return this format's exit status for what is `status` with the integer."""
    return status and format_class(name)(Options()).exit_status(status)
