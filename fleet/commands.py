"""The commands of this half: `probe` and `serve`."""

import gc
import sys
from collections.abc import Sequence

from fleet.arguments import help_of, wants_help
from fleet.probe import PrintLine, Write, probe
from sources.clock import Clock

_SWITCH_S = 0.001
"""How long a thread may compute before others may interrupt it: waiting widens intervals."""
_ALLOCATIONS = 20_000
"""Objects between two collections. The usual 700 cost a twentieth of a sweep, and find nothing."""


def run(arguments: Sequence[str], clock: Clock, write: Write, print_line: PrintLine) -> int:
    """Run the command that the arguments begin with, and return the exit status."""
    if wants_help(arguments):
        return write(help_of(arguments[0]))
    sys.setswitchinterval(_SWITCH_S)
    gc.enable()
    gc.set_threshold(_ALLOCATIONS)
    if arguments[0] == "serve":
        from fleet.exporter.serve import serve  # noqa: PLC0415 - one command a run

        return serve(arguments[1:], clock, print_line)
    return probe(arguments[1:], clock, write, print_line)
