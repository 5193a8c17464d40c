"""What every kind of source shares: the one interface, its outcomes, the errors.

Rules of this file: no socket, no reading of a clock, nothing that only one kind needs.
How a kind is added, and what its adapter has to keep to, is in docs/extending.md.

Frames. `_raw_ns` is a reading of CLOCK_MONOTONIC_RAW, `_unix_ns` is true time since 1970. An
interval of `raw - true` becomes an interval of drift, local - true, once wall - raw is added to
both ends (`Interval.shifted`); that happens at the moment of decision and nowhere else, so a step
of the local clock in the middle of a run cannot make two samples incomparable.

Errors, all of them:

    DriftError
      ConfigError        wrong usage or configuration, exit 2
      SourceError        one source yielded no sample; each class has one Reason
        TimedOut  Unreachable  Refused  Malformed  Unverified
        Unsynchronised  Stale  TooWide  Implausible  Unavailable
"""

import errno
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from enum import Enum

from sources.clock import NS, Clock
from sources.memory import Memory
from sources.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Self

RELEASED_UNIX_S = 1_795_824_000
"""Release day of this version, 2026-11-28, as Unix seconds; a test holds it to the CHANGELOG."""

EPOCH_FLOOR_UNIX_NS = (RELEASED_UNIX_S - 30 * 86_400) * NS
"""No honest source claims a time before this; NTP eras are pivoted on it too."""

WIDEST_LIKELY_NS = 2 * NS
"""A likely interval wider than this says too little to estimate from: `too wide`."""


LONGEST_MESSAGE = 450
"""Characters of why a source failed."""


class Reason(Enum):
    """Why a source yielded no sample; the value is the word a person reads."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    MALFORMED = "malformed"
    UNVERIFIED = "unverified"
    UNSYNCHRONISED = "unsynchronised"
    STALE = "stale"
    TOO_WIDE = "too wide"
    IMPLAUSIBLE = "implausible"
    DUPLICATE = "duplicate"
    """Another operator's source has answered from the same address: together they have one vote."""
    UNAVAILABLE = "unavailable"


class DriftError(Exception):
    """Base of every error this program raises on purpose."""


class ConfigError(DriftError):
    """Wrong usage or configuration: what was found, where, and what is allowed."""


class SourceError(DriftError):
    """A source yielded no sample. The message says what was found and what was wanted.

    Servers' own words may be in it, so it is cut to a line's worth and made printable.
    """

    reason: "ClassVar[Reason]"

    def __init__(self, message: str) -> None:
        """Hold what people read."""
        cut = message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."
        super().__init__("".join(letter if letter.isprintable() else "?" for letter in cut))


class TimedOut(SourceError):
    """No usable reply before the deadline."""

    reason = Reason.TIMEOUT


class Unreachable(SourceError):
    """No address, no route, or every attempt was refused by the network."""

    reason = Reason.UNREACHABLE


class Refused(SourceError):
    """The server answered that it will not serve us (kiss-o'-death)."""

    reason = Reason.REFUSED

    def __init__(self, message: str, code: str = "") -> None:
        """Hold what people read, and the kiss code if it is one that asks for rest."""
        super().__init__(message)
        self.code = code


class Malformed(SourceError):
    """The server's bytes break the protocol."""

    reason = Reason.MALFORMED


class Unverified(SourceError):
    """A signature, a certificate or a proof of origin does not hold."""

    reason = Reason.UNVERIFIED


class Unsynchronised(SourceError):
    """The server says that its own clock is not set."""

    reason = Reason.UNSYNCHRONISED


class Stale(SourceError):
    """The time is a cache's, or contradicts an earlier reply of the same server."""

    reason = Reason.STALE


class TooWide(SourceError):
    """The claim is so vague that it would agree with everything."""

    reason = Reason.TOO_WIDE


class Implausible(SourceError):
    """The server claims a time before this program was released."""

    reason = Reason.IMPLAUSIBLE


class Unavailable(SourceError):
    """This machine lacks what asking takes; no fault of the server's."""

    reason = Reason.UNAVAILABLE


_LOCAL_ERRNOS = frozenset(
    (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EACCES,
        errno.EPERM,
        errno.ENOSPC,
        errno.ENOSYS,
    )
)
"""What the system answers where this machine lacks something, or forbids it."""


def is_local(error: OSError) -> bool:
    """Whether a failure of the network's or a file's is this machine's own, whoever was asked."""
    return error.errno in _LOCAL_ERRNOS


def lack_in(error: BaseException) -> str:
    """Return what this machine lacked, by an exception that nobody expected; empty for a bug.

    Adapters name what servers and networks do to them. So what the system, OpenSSL or the import of
    a library raises beyond that is local. Of cryptography some exceptions are no Exceptions.
    """
    words = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError):
        file = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or words}{file}"
    if isinstance(error, RuntimeError) and "thread" in words:
        return words
    if isinstance(error, AttributeError) and (name := _half_loaded(error.obj)):
        return f"{name} could not be loaded"
    of_a_library = type(error).__module__.partition(".")[0] in ("cryptography", "pyo3_runtime")
    if of_a_library or isinstance(error, ImportError | SyntaxError):
        return f"{type(error).__name__}: {words}"
    return ""


def _half_loaded(module: object) -> str:
    """Name a module as a thread gets it that waited for another's import of it, which failed."""
    name = module.__name__ if isinstance(module, type(sys)) else ""
    return "" if sys.modules.get(name) is module else name


@contextmanager
def loading(library: str) -> Iterator[None]:
    """Import a library, or raise Unavailable whatever comes of that: a library may raise anything.

    One that is short of memory may end the process, so without room for it none is imported.
    """
    try:
        from sources import room  # noqa: PLC0415 - heavy libraries only

        with room.for_library(library):
            yield
    except SourceError:
        raise
    except BaseException as error:
        words = lack_in(error) or f"{type(error).__name__}: {error}"
        raise Unavailable(f"{library} cannot be loaded: {words}") from error


class Interval(Record):
    """A closed interval of nanoseconds; one that ends before it begins cannot be built."""

    low_ns: int
    high_ns: int

    def __new__(cls, low_ns: int, high_ns: int) -> "Self":
        """Build it, or raise ValueError when `low_ns` exceeds `high_ns`."""
        if low_ns > high_ns:
            raise ValueError(f"interval ends before it begins: {low_ns} > {high_ns}")
        return tuple.__new__(cls, (low_ns, high_ns))

    @property
    def width_ns(self) -> int:
        """Length of the interval; zero is legal."""
        return self.high_ns - self.low_ns

    def shifted(self, by_ns: int) -> "Interval":
        """Return the interval with `by_ns` added to both ends."""
        return Interval(self.low_ns + by_ns, self.high_ns + by_ns)

    def widened(self, by_ns: int) -> "Interval":
        """Return the interval with `by_ns` more on both sides."""
        return Interval(self.low_ns - by_ns, self.high_ns + by_ns)

    def contains(self, other: "Interval") -> bool:
        """Whether every point of `other` is in this interval."""
        return self.low_ns <= other.low_ns and other.high_ns <= self.high_ns

    def meets(self, other: "Interval") -> bool:
        """Whether the two share a point; touching ends do."""
        return self.low_ns <= other.high_ns and other.low_ns <= self.high_ns


class Sample(Record):
    """What one source proved about `raw - true` in one run."""

    operator: str
    kind: str
    authenticated: bool
    certain: Interval
    """Of raw - true: holds it if the source is honest. Votes, after widening by the tolerance."""
    likely: Interval
    """Of raw - true, inside `certain`: where the truth usually is. Estimates."""
    rtt_ns: int
    """Round trip less the server's own processing time."""
    server: str
    """The address that answered."""
    detail: str
    """For people: stratum, root distance and the like."""
    transcript: tuple[bytes, bytes] | None = None
    """Request and response to the byte, where the response is signed and so proves something."""


class Failure(Record):
    """Why one source yielded no sample in one run."""

    operator: str
    kind: str
    reason: Reason
    message: str


class Pending(Record):
    """A source whose answer is outstanding."""

    operator: str
    kind: str


Outcome = Sample | Failure | Pending


class Run:
    """What an adapter may use of the world in one run; tests hand in their own."""

    def __init__(
        self,
        deadline_raw_ns: int,
        clock: Clock,
        addresses: Callable[[str, tuple[str, ...]], tuple[str, ...]],
        random_bytes: Callable[[int], bytes],
        memory: Memory | None = None,
        sent: Callable[[], None] = lambda: None,
    ) -> None:
        """Bound it by `deadline_raw_ns`: a source that has nothing by then has failed.

        `addresses` resolves (host, fallback addresses) to addresses worth trying, or raises
        Unreachable or TimedOut. `random_bytes` yields unpredictable bytes, for nonces. `memory`
        holds what earlier runs left; not given, none did. `sent` is called when a datagram is out.
        """
        self.deadline_raw_ns = deadline_raw_ns
        self.clock = clock
        self.addresses = addresses
        self.random_bytes = random_bytes
        self.memory = memory or Memory()
        self.sent = sent

    def until(self, deadline_raw_ns: int) -> "Run":
        """Return the same run with another deadline."""
        common = (self.clock, self.addresses, self.random_bytes, self.memory)
        return Run(deadline_raw_ns, *common, self.sent)

    def noting(self, sent: Callable[[], None]) -> "Run":
        """Return the same run, which notes when a datagram is out."""
        common = (self.clock, self.addresses, self.random_bytes, self.memory)
        return Run(self.deadline_raw_ns, *common, sent)


class Source(ABC):
    """One configured time source. `sample` is the only thing anybody asks of it."""

    kind: "ClassVar[str]"
    """Name of the module and of the table in config.toml."""
    cheap: "ClassVar[bool]"
    """One datagram and no heavy import: such sources are asked first."""
    loads_first: "ClassVar[bool]" = False
    """Cannot send anything without its libraries; others load them while replies are on their way.
    """
    backs_off: "ClassVar[bool]" = False
    """To be asked ever more rarely as long as it does not answer, from run to run."""
    libraries: "ClassVar[tuple[str, ...]]" = ()
    """Modules that are imported when the first request needs them: who stays may do it before."""
    precise: bool
    """Carries fractions of a second, so that it may decide the estimate."""

    def __init__(
        self,
        name: str,
        operator: str,
        endpoint: str,
        host: str = "",
        literals: tuple[str, ...] = (),
    ) -> None:
        """Name it for verdicts, its operator for votes, its endpoint so that it has no twin.

        `host` is the name or address that is asked, `literals` are the addresses that the
        configuration has beside a name.
        """
        self.name = name
        self.operator = operator
        self.endpoint = endpoint
        self.host = host
        self.literals = literals

    def is_cheap(self, memory: Memory) -> bool:  # noqa: ARG002 - most kinds need none
        """Whether one datagram will do, by what earlier runs left."""
        return self.cheap

    @abstractmethod
    def sample(self, run: Run) -> Sample:
        """Ask once and return what the reply proves; raise SourceError when it proves nothing."""


class RefinableSource(Source):
    """A source whose sample is coarse at first, and narrower when it is asked again."""

    @abstractmethod
    def conversation(self, run: Run) -> Generator[Sample, int, str]:
        """Yield the sample; each time a boundary is sent in, ask again and yield it narrowed.

        A boundary is a value of raw - true, in nanoseconds: what has to be found out is on which
        side of it, and of the points whole seconds away from it, the truth is. The conversation
        ends when that is clear, or the server has been asked often enough, and returns "" then;
        where it has to end before, it returns why, or raises SourceError as `sample` does.
        """

    def sample(self, run: Run) -> Sample:
        """Ask once."""
        conversation = self.conversation(run)
        try:
            return next(conversation)
        finally:
            conversation.close()


def admit(sample: Sample, latest_unix_ns: int) -> Sample:
    """Return the sample if it may vote: not `too wide`, not `implausible`.

    `latest_unix_ns` is the latest true time that the server's claim allows. Raises ValueError for a
    bug of the adapter's: the guarantee of the consensus rests on likely lying inside certain.
    """
    if not sample.certain.contains(sample.likely):
        raise ValueError(f"likely {sample.likely} is not inside certain {sample.certain}")
    if sample.likely.width_ns > WIDEST_LIKELY_NS:
        raise TooWide(f"likely interval of {sample.likely.width_ns / NS:.3f} s: at most 2 s wanted")
    if latest_unix_ns < EPOCH_FLOOR_UNIX_NS:
        raise Implausible(
            f"claims a time {(EPOCH_FLOOR_UNIX_NS - latest_unix_ns) / NS:.0f} s before "
            "the earliest possible one (30 days before this program's release)"
        )
    return sample
