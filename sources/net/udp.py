"""One question to one server over UDP: sockets in, stamped datagrams out, politely and patiently.

`ask` is the only verb. It knows nothing of what the datagrams mean; the adapter's `accept` judges
each one and says whether it is the answer. It sends

- one request to the first address; a local error (no route, no such family) moves on at once;
- when that address is silent, one more request: to the next address, which is of the other family
  where there is one, after 0.25 s (RFC 8305's pace); to the same address after 1 s. And so on, if
  the adapter's patience lists further silences;
- when a network error comes back (ICMP), one more from a fresh socket after 0.1 s, the first one
  still listening: anybody who guesses a port can forge an ICMP error, and must not silence a
  source with it. Refused on the fresh socket too, the next address is asked.

What a server sends is judged as it comes, and not kept. After some hundred datagrams a socket is
read at intervals only (decision D-62), so that a flood takes no core from the others.
"""

import os
import select
import socket
import struct
from collections.abc import Callable, Iterator

from sources.base import Run, TimedOut, Unavailable, Unreachable, is_local
from sources.clock import NS
from sources.net.addresses import family_of, socket_address
from sources.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Answer = TypeVar("Answer")

_SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_TIMESPEC = struct.Struct("qq")
_LONGEST_DATAGRAM = 4096
_WALL_MOVED_NS = NS // 1000
SILENCE = "no usable reply before the deadline"
"""What TimedOut says first."""
_UNPACED = 128
"""Datagrams of one socket that are judged as fast as they come; its queue holds about as many."""
_PACE_NS = 4 * NS // 1000
"""How long a socket is left alone after each of those beyond."""
_NEXT_ADDRESS_NS = NS // 4
"""How long an address may be silent before the next one is asked (RFC 8305 section 5)."""


def shortage() -> str:
    """Return why no file can be opened now, empty where one can: libraries do not always say."""
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""


class Datagram:
    """One datagram from the address that was asked, on the socket that asked it."""

    def __init__(
        self,
        data: bytes,
        attempt: "_Attempt",
        received_raw_ns: int,
        sent_raw_ns: dict[bytes, int],
        listen_for_ns: Callable[[int], None],
    ) -> None:
        """Hold the bytes that came on the socket of an attempt.

        `received_raw_ns` is the raw time of its arrival, by the kernel's stamp where that can be
        trusted. `sent_raw_ns` has every request sent so far, and when it was FIRST sent.
        `listen_for_ns` ends the question that much later, if nothing better has come by then.
        """
        self.data = data
        self.server = attempt.address
        self.received_raw_ns = received_raw_ns
        self.sent_raw_ns = sent_raw_ns
        self.listen_for_ns = listen_for_ns
        self.asked_raw_ns = attempt.sent_raw_ns
        """When this very socket sent its request, which may have been sent before by others."""


class _Attempt:
    """One connected socket that has sent one request."""

    def __init__(self, link: socket.socket, address: str) -> None:
        self.link = link
        self.address = address
        self.errored = False
        self.sent_raw_ns = 0
        self.wall_minus_raw_ns = 0
        """At the sending, roughly: a later step of the wall clock shows against it."""
        self.received = 0
        """Datagrams and network errors so far."""
        self.rests_until_raw_ns = 0
        """From when on the next datagram is looked at."""

    def count(self, now_raw_ns: int) -> None:
        """Note that something was received; beyond some of it, leave the socket alone a while."""
        self.received += 1
        if self.received > _UNPACED:
            self.rests_until_raw_ns = now_raw_ns + _PACE_NS


class Patience(Record):
    """When to ask again."""

    silences_ns: tuple[int, ...]
    """How long to listen after each request before the next one is sent."""
    after_error_ns: int
    """How long after a network error."""


USUAL = Patience((NS,), NS // 10)
"""Once more: after a second, at the next address sooner, and soon after an ICMP error."""


def ask(
    addresses: tuple[str, ...],
    port: int,
    request: Callable[[], bytes],
    accept: "Callable[[Datagram], Answer | None]",
    run: Run,
    patience: Patience = USUAL,
) -> "Answer":
    """Send `request()` to the addresses in turn; return the first answer that `accept` finds.

    `accept` returns None to go on listening and raises a SourceError to end the question. Raises
    Unreachable when no address is left to ask, TimedOut at the deadline.
    """
    question = _Question(addresses, port, request, run, patience)
    try:
        question.begin()
        run.sent()
        while True:
            question.send_what_is_due()
            for datagram in question.arrivals():
                answer = accept(datagram)
                if answer is not None:
                    return answer
                question.ignored += 1
    finally:
        question.close()


class _Question:
    """The state of one `ask`: what was sent, who listens, and when to send again."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        port: int,
        request: Callable[[], bytes],
        run: Run,
        patience: Patience,
    ) -> None:
        self._untried = list(addresses)
        self._port = port
        self._request = request
        self._clock = run.clock
        self._deadline_raw_ns = run.deadline_raw_ns
        self._sent_raw_ns: dict[bytes, int] = {}
        self._attempts: dict[int, _Attempt] = {}
        self._retries_due_ns: dict[str, int] = {}
        self._retried: set[str] = set()
        self._errors: dict[str, None] = {}
        self._are_local = False
        """Whether all of them are this machine's own."""
        self._silences_ns = iter(patience.silences_ns)
        self._after_error_ns = patience.after_error_ns
        self._silence_ends_ns: int | None = None
        self._cut_ns = 0
        """How much of the silence is left out because there is another address to ask."""
        self.ignored = 0
        """Datagrams that were not the answer."""

    def begin(self) -> None:
        """Send the first request; raise Unreachable when no address takes one."""
        self._ask_next()
        self._listen()

    def close(self) -> None:
        """Close every socket."""
        for attempt in self._attempts.values():
            attempt.link.close()

    def send_what_is_due(self) -> None:
        """Send again where silence or a network error has lasted; raise when all is over."""
        now_ns = self._clock.raw_ns()
        if now_ns >= self._deadline_raw_ns:
            raise TimedOut(self._with_errors(f"{SILENCE}{self._ignored()}"))
        for address in [a for a, due_ns in self._retries_due_ns.items() if now_ns >= due_ns]:
            del self._retries_due_ns[address]
            if not self._send(address):
                self._ask_next()
        if self._silence_ends_ns is not None and now_ns >= self._silence_ends_ns:
            self._ask_more(now_ns)

    def arrivals(self) -> Iterator[Datagram]:
        """Wait until something arrives or falls due; yield the datagrams that have arrived."""
        poll = select.poll()
        moments_ns = [self._deadline_raw_ns, *self._retries_due_ns.values()]
        now_ns = self._clock.raw_ns()
        for number, attempt in self._attempts.items():
            if now_ns < attempt.rests_until_raw_ns:
                moments_ns.append(attempt.rests_until_raw_ns)
            else:
                poll.register(number, select.POLLIN)
        if self._silence_ends_ns is not None:
            moments_ns.append(self._silence_ends_ns)
        wait_ns = max(0, min(moments_ns) - now_ns)
        for number, _ in poll.poll(-(-wait_ns // 1_000_000)):
            attempt = self._attempts[number]
            try:
                data, ancillary, _, _ = attempt.link.recvmsg(
                    _LONGEST_DATAGRAM, 64, socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                continue
            except OSError as error:
                attempt.count(self._clock.raw_ns())
                self._take_network_error(attempt, error)
                continue
            received_raw_ns = self._arrival_raw_ns(attempt, ancillary)
            attempt.count(self._clock.raw_ns())
            yield Datagram(data, attempt, received_raw_ns, self._sent_raw_ns, self._hurry)

    def _hurry(self, span_ns: int) -> None:
        self._deadline_raw_ns = min(self._deadline_raw_ns, self._clock.raw_ns() + span_ns)

    def _ask_more(self, now_ns: int) -> None:
        """Send one more request at the end of a silence."""
        if not self._send_to_untried():
            if self._cut_ns:  # for the same address again it has not lasted long enough
                self._silence_ends_ns, self._cut_ns = now_ns + self._cut_ns, 0
                return
            for address in [a.address for a in self._hopeful()][-1:]:
                self._send(address)
        self._listen()

    def _listen(self) -> None:
        """Begin to wait for the next silence; after the last one nothing is sent.

        Where there is another address to ask, the first is shorter and the second longer by as
        much, so that the number of requests stays the same.
        """
        silence_ns = next(self._silences_ns, None)
        if silence_ns is None:
            self._silence_ends_ns = None
            return
        silence_ns += self._cut_ns
        is_first = self._silence_ends_ns is None
        self._cut_ns = max(0, silence_ns - _NEXT_ADDRESS_NS) if is_first and self._untried else 0
        self._silence_ends_ns = self._clock.raw_ns() + silence_ns - self._cut_ns

    def _hopeful(self) -> list[_Attempt]:
        return [attempt for attempt in self._attempts.values() if not attempt.errored]

    def _ask_next(self) -> None:
        """Ask the next address; raise Unreachable when nothing more can be hoped for."""
        if not self._send_to_untried() and not self._hopeful() and not self._retries_due_ns:
            kind = Unavailable if self._are_local else Unreachable
            raise kind(self._with_errors("no address can be reached"))

    def _send_to_untried(self) -> bool:
        while self._untried:
            if self._send(self._untried.pop(0)):
                return True
        return False

    def _send(self, address: str) -> bool:
        """Send a request from a new socket; False, the reason noted, if the system refuses."""
        try:
            link = socket.socket(family_of(address), socket.SOCK_DGRAM)
        except OSError as error:
            self._note(address, error)
            return False
        attempt = _Attempt(link, address)
        try:
            _stamp_arrivals(link)
            link.connect(socket_address(address, self._port))
            data = self._request()
            wall_ns = self._clock.wall_ns()
            attempt.sent_raw_ns = self._clock.raw_ns()
            link.send(data)
        except OSError as error:
            link.close()
            self._note(address, error)
            return False
        except BaseException:  # a library that cannot be loaded, no memory
            link.close()
            raise
        attempt.wall_minus_raw_ns = wall_ns - attempt.sent_raw_ns
        self._sent_raw_ns.setdefault(data, attempt.sent_raw_ns)
        self._attempts[link.fileno()] = attempt
        return True

    def _take_network_error(self, attempt: _Attempt, error: OSError) -> None:
        self._note(attempt.address, error)
        if attempt.errored:
            return
        attempt.errored = True
        if attempt.address in self._retried:
            self._ask_next()
        else:
            self._retried.add(attempt.address)
            self._retries_due_ns[attempt.address] = self._clock.raw_ns() + self._after_error_ns

    def _arrival_raw_ns(self, attempt: _Attempt, ancillary: list[tuple[int, int, bytes]]) -> int:
        """Return when the kernel took the datagram in, or now where its stamp cannot be used.

        The stamp is wall time. It is used only if the wall clock has not been stepped since the
        request (nor is being faked) and the stamp falls between the sending and now.
        """
        now_ns = self._clock.raw_ns()
        wall_minus_raw_ns = self._clock.wall_minus_raw_ns()
        if abs(wall_minus_raw_ns - attempt.wall_minus_raw_ns) >= _WALL_MOVED_NS:
            return now_ns
        for level, kind, data in ancillary:
            if (level, kind, len(data)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _TIMESPEC.size):
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                stamp_ns: int = seconds * NS + nanoseconds - wall_minus_raw_ns
                if attempt.sent_raw_ns <= stamp_ns <= now_ns:
                    return stamp_ns
        return now_ns

    def _note(self, address: str, error: OSError) -> None:
        self._are_local = is_local(error) and (self._are_local or not self._errors)
        self._errors[f"{address} port {self._port}: {error.strerror or error}"] = None

    def _ignored(self) -> str:
        if not self.ignored:
            return ""
        replies = "1 reply" if self.ignored == 1 else f"{self.ignored} replies"
        return f": {replies} came, none to our request"

    def _with_errors(self, what: str) -> str:
        return f"{what} ({'; '.join(self._errors)})" if self._errors else what


def _stamp_arrivals(link: socket.socket) -> None:
    """Have the kernel stamp arrivals; without that, the moment of reading is taken."""
    try:
        link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return
