"""What every kind of node shares: the one interface, its outcome, the errors.

Rules of this file: no socket, no reading of a clock, nothing that only one kind needs.

Frames. `_raw_ns` is a reading of CLOCK_MONOTONIC_RAW, `_unix_ns` is a time since 1970. A Stamp
says: the node's clock was in [stamp, stamp + grain + lag) at some instant between sent and
received. What follows from that for its drift is the business of fleet/.

Errors are those of the time sources (sources/base.py): a node that cannot be read raises one of
TimedOut, Unreachable, Refused, Malformed, Unverified. `verdict_of` has the word for each.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Self, cast

from nodes import KINDS
from sources.base import Malformed, Reason, Run, SourceError
from sources.clock import NS, Clock
from sources.net.steps import Steps, held
from sources.record import Record
from sources.schema import REQUIRED, Key, Table

NodeError = SourceError
"""A node showed no stamp; the message says what was found and what was wanted."""

ADJUSTED = "adjusted"
"""The software mixes the clocks of its peers into what it shows: the node's own may be off."""
COARSE = "coarse"
"""The software rounds its clock on purpose, to minutes."""
PROXY = "proxy"
"""Another machine answered in the node's place, with its own clock."""
UNKNOWN_SOFTWARE = "unknown software"
"""Nobody has read whether this software shows its wall clock."""

SILENT = "silent"
"""It said nothing, or not all of it, before the deadline."""

_WORDS = {Reason.TIMEOUT: SILENT}

LONGEST_SOFTWARE = 80
"""Characters of what a node calls itself that are kept."""


class Stamp(Record):
    """What one node showed of its clock in one conversation."""

    stamp_unix_ns: int
    """The node's clock, rounded down to `grain_ns`."""
    grain_ns: int
    """Its resolution: the clock was less than this beyond the stamp."""
    lag_ns: int
    """How much older than the answer the stamp may be."""
    sent_raw_ns: int
    """t1: this machine's clock before the node can have read its own."""
    received_raw_ns: int
    """t4: this machine's clock when the stamp had come."""
    server: str
    """The address that answered."""
    software: str
    """What the node calls itself, made printable and short; empty if it does not say."""
    authenticated: bool
    """Whether the answer is proven to be of the host that was asked."""
    verdict: str = ""
    """Empty: the stamp is the node's wall clock. Else why it may not be: one of the words above."""
    note: str = ""
    """For people: what the verdict rests on."""

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Build it; raise Malformed when the answer had come before the question was sent."""
        made = super().__new__(cls, *values, **named)
        if made.received_raw_ns < made.sent_raw_ns:
            raise Malformed("the answer was there before the question")
        return made


class Question(Record):
    """One node to be read, and what reading it may use of the world."""

    host: str
    """The name or address as the target has it: certificates are held against it."""
    port: int
    addresses: tuple[str, ...]
    """Where to connect: resolved already, and allowed. Nothing else is ever connected to."""
    deadline_raw_ns: int
    """The conversation is over by then, whatever the node does."""
    clock: Clock
    true_unix_ns: Callable[[], int]
    """Returns true time now, by the observer's consensus: announced where a protocol wants ours,
    and certificates are judged by it."""
    random_bytes: Callable[[int], bytes]
    """Yields unpredictable bytes, for nonces."""
    agent: str
    """Who we are, as HTTP writes it: "time-drift/0.2 (+https://example.org/why)"."""
    path: str = "/"
    """What is asked of an HTTP server: path and query of the target."""

    def run(self) -> Run:
        """Return this as what the sockets of the time sources want to know."""
        return Run(self.deadline_raw_ns, self.clock, _given, self.random_bytes)


def _given(host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
    """Look nothing up."""
    return fallback or (host,)


class NodeTable(Table):
    """One [probe.modules.NAME] table, every value read by its Key."""

    def flag(self, key: str) -> bool:
        """Return a key that is true or false."""
        return cast(bool, self._values[key])

    def optional_seconds_ns(self, key: str) -> int | None:
        """Return a key that holds seconds, in nanoseconds; None where it is not written."""
        value = cast(float | None, self._values[key])
        return None if value is None else round(value * NS)


class Node(ABC):
    """How the nodes of one module are read. One object serves any number of threads."""

    kind: ClassVar[str]
    """Name of the module in nodes/ and scheme of a target."""
    KEYS: ClassVar[Mapping[str, Key]]
    """What a [probe.modules.NAME] table of this kind may hold beside `kind`; always a `port`."""
    has_path: ClassVar[bool] = False
    """Whether a target of this kind may have a path and a query."""
    is_light: ClassVar[bool] = False
    """Whether a step of a conversation takes microseconds, so that hundreds fit into one thread."""

    def __init__(self, table: NodeTable) -> None:
        """Configure it by a table that holds a value for each of KEYS."""
        self.port = table.whole("port")

    @abstractmethod
    def conversation(self, question: Question) -> Steps[Stamp]:
        """Hold one conversation, close it, and return what it showed; raise NodeError if nothing.

        Over by the deadline, bounded in bytes, and never more than a few KiB are kept.
        """

    def read(self, question: Question) -> Stamp:
        """Hold a conversation in this thread, which waits."""
        return held(self.conversation(question), question.clock)


def verdict_of(error: NodeError) -> str:
    """Return the verdict on a node that could not be read, in a word or two."""
    return _WORDS.get(error.reason, error.reason.value)


def node_class(kind: str) -> type[Node]:
    """Return the class of a kind, its module imported; raise KeyError if there is none."""
    if kind not in KINDS:
        raise KeyError(kind)
    found: type[Node] = import_module(f"nodes.{kind}").NODE
    return found


def make(kind: str, values: Mapping[str, object]) -> Node:
    """Return the node of a kind that a table of a configuration, `kind` left out, describes.

    Raises ValueError for a key that is unknown, missing or holds what it may not.
    """
    made = node_class(kind)
    if unknown := values.keys() - made.KEYS.keys():
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    read = {}
    for name, key in made.KEYS.items():
        if name not in values and key.default is REQUIRED:
            raise ValueError(f"{name} is missing")
        read[name] = key.read(values[name]) if name in values else key.default
    return made(NodeTable(read))


@lru_cache(1000)  # of thousands of nodes most say the same, which is kept once then
def printable(text: str) -> str:
    """Return a node's own words as one short printable line."""
    shown = text.strip()
    if not shown.isprintable():
        shown = "".join(letter if letter.isprintable() else "?" for letter in shown)
    return shown if len(shown) <= LONGEST_SOFTWARE else shown[: LONGEST_SOFTWARE - 3] + "..."


def flag(what: str, *, default: bool) -> Key:
    """Return a key that is true or false."""

    def read(value: object) -> bool:
        if value is not True and value is not False:
            raise ValueError(value)
        return value

    return Key(f"true or false: {what}", read, default)
