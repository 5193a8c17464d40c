"""What a row of the matrix is: one fault, and what the program's contract expects under it. Pure.

Each fault is met twice: `beside` three honest servers, which answer late enough that the fault has
its time, and `alone`, three times over. Every lab clock is 4 s ahead, so the truth is -4.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from lab.behaviour import silent
from lab.nodes.base import LabNode
from lab.ntp import NtpServer
from lab.world import Server
from sources.record import Record

TIMEOUT_S = 1.2


class Expected(Enum):
    """What has to come of a run, in the output format that it was asked for."""

    ANSWER = "the truth, 0"
    REFUSAL = "a refusal, 3"
    EITHER = "truth or refusal"
    UNWRITTEN = "unwritten, 70"
    ENDED = "ended by the signal"
    USAGE = "wrong usage, 2"


class Names(Record):
    """Name servers of the fault's own, and what they know."""

    servers: Mapping[str, str]
    """The behaviour of the one at each address; "dead" for a closed port."""
    zone: Mapping[str, Sequence[str]] = {}
    """More than a.lab.test, b.lab.test and c.lab.test, which lead to clocks; or other addresses."""
    resolv_conf: str | None = None
    """Not given, it names the servers."""


class Machine(Record):
    """What is wrong with the machine that the program runs on."""

    early: str = ""
    """Commands of a shell, run before any server: see `prepare`."""
    prepare: str = ""
    """Commands of a shell, run as root in a network and mounts of the run's own; $FOLDER is its."""
    wrap: Sequence[str] = ()
    """What goes before the program's own command."""
    environ: Mapping[str, str] = {}
    options: Sequence[str] = ()
    """Of the program; $FOLDER is replaced."""
    during: Callable[[int, str], None] | None = None
    """What happens meanwhile, in a thread: by the process id and the folder."""


PLAIN = Machine()
Make = Callable[[str], Server]
"""Makes a server that is at fault; its operator is A, B or C."""


def mute(name: str) -> Server:
    """Make a server that says nothing: what is alone with a fault of the machine."""
    return NtpServer(name, silent)


class Fault(Record):
    """One row."""

    name: str
    does: str
    server: Make = mute
    machine: Machine = PLAIN
    names: Names | None = None
    nodes: Callable[[], Sequence[LabNode]] = tuple
    """Nodes at fault, for `probe` and `serve`."""
    run: str = "integer"
    """An output format, or a command: watch, probe, serve, many."""
    beside: Expected = Expected.ANSWER
    alone: Expected = Expected.REFUSAL
    answer: int = -4
    says: str = ""
    """A word of the one line on stderr, alone."""
    timeout_s: float = TIMEOUT_S
    honest: str = "ntp"
    """Who is honest beside it: "ntp", "all" kinds, or "ipv6"."""
    min_kinds: int = 1
    needs_quiet: bool = False
    """Whether no other run may be beside it, as its attacker takes a core."""
    is_always_run: bool = False
    """Whether the short form has it: what once failed."""
    ends_late: bool = False
    """Whether it is kept from ending in time by what is done to it."""

    @property
    def subject(self) -> str:
        """Return what the row is about: the first word of its name."""
        return self.name.partition(":")[0]
