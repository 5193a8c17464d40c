"""The targets, with all that they import instrumented for atheris."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO

import atheris

with (
    redirect_stderr(StringIO()),  # atheris names each module
    atheris.instrument_imports(include=["sources", "nodes", "drift", "fleet"]),
):
    from tests.fuzz.targets.registry import TARGETS

__all__ = ["TARGETS", "fuzz"]


def fuzz(name: str, arguments: Sequence[str]) -> None:
    """Give libFuzzer these arguments; it ends the process, be it by a crash."""
    # The first is what a merge starts again.
    sys.argv = [f"{sys.executable} -m tests.fuzz.one {name}", *arguments]
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()
