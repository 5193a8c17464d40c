"""Names to addresses, in bounded time, the way the user's own system would find them.

The system's resolver is asked first: it knows the hosts file, nsswitch and search domains. But a
dead first name server costs it 5 s. So after 0.3 s, or at once when it reports a passing failure,
dnspython asks every name server of resolv.conf in parallel, A and AAAA, UDP then TCP; whoever has
addresses first serves. When a name is still unknown half-way to the deadline, or cannot be known,
the addresses configured beside it serve. dnspython is imported only then: it costs 100 ms.

One run has one Resolver; sources that share a name share the look-up.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from queue import Empty, SimpleQueue

from sources.base import TimedOut, Unreachable
from sources.clock import NS, Clock
from sources.keys import is_address
from sources.record import Record

_PATIENCE_NS = 300 * NS // 1000
"""How long the system's resolver is alone."""
_SIBLING_NS = 50 * NS // 1000
"""How long the other address family may lag behind (RFC 8305 section 3)."""
_FINAL = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
"""Answers of getaddrinfo that say "there is no such name", not "ask again"."""


class _Reply(Record):
    """What one resolver said."""

    addresses: tuple[str, ...]
    error: str
    final: bool
    """Whether the name is known not to exist."""


class Resolver:
    """The look-ups of one run."""

    def __init__(self, deadline_raw_ns: int, clock: Clock) -> None:
        """Bound every look-up by `deadline_raw_ns`."""
        self._began_raw_ns = clock.raw_ns()
        self._deadline_raw_ns = deadline_raw_ns
        self._clock = clock
        self._lock = threading.Lock()
        self._lookups: dict[str, _Lookup] = {}

    def addresses(self, host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        """Return the addresses of `host`, families in turn; `fallback` when it has none in time.

        Raises Unreachable when the name has no address, TimedOut when nobody said so in time.
        """
        if is_address(host):
            return (host,)
        with self._lock:
            lookup = self._lookups.get(host)
            if lookup is None:
                lookup = _Lookup(host, self._deadline_raw_ns, self._clock)
                self._lookups[host] = lookup
        half_way_ns = (self._began_raw_ns + self._deadline_raw_ns) // 2
        reply = lookup.wait_until(half_way_ns if fallback else self._deadline_raw_ns)
        if reply is not None and reply.addresses:
            return reply.addresses
        if fallback:
            return fallback
        if reply is None:
            raise TimedOut(f"{host} not resolved before the deadline")
        raise Unreachable(f"{host} cannot be resolved ({reply.error})")


class _Lookup:
    """One name being looked up, by as many resolvers as it takes."""

    def __init__(self, host: str, deadline_raw_ns: int, clock: Clock) -> None:
        self._host = host
        self._deadline_raw_ns = deadline_raw_ns
        self._clock = clock
        self._done = threading.Event()
        self._reply: _Reply | None = None
        self._replies: SimpleQueue[_Reply] = SimpleQueue()
        threading.Thread(target=self._look_up, daemon=True).start()

    def wait_until(self, until_raw_ns: int) -> _Reply | None:
        self._done.wait(max(0, until_raw_ns - self._clock.raw_ns()) / NS)
        return self._reply

    def _look_up(self) -> None:
        self._start(_ask_system, self._host)
        first = self._next(min(self._deadline_raw_ns, self._clock.raw_ns() + _PATIENCE_NS))
        if first is not None and (first.addresses or first.final):
            self._finish(first)
            return
        errors = [first.error] if first is not None else []
        outstanding = 0 if first is not None else 1
        try:
            questions = _name_server_questions(self._host, self._left_s)
        except OSError as error:
            questions = []
            errors.append(str(error))
        for question in questions:
            self._start(question)
        self._finish(self._best_of(outstanding + len(questions), errors))

    def _best_of(self, outstanding: int, errors: list[str]) -> _Reply:
        """Return the first addresses found, and what its siblings add within 50 ms."""
        found: list[tuple[str, ...]] = []
        until_ns = self._deadline_raw_ns
        while outstanding:
            reply = self._next(until_ns)
            if reply is None:
                break
            outstanding -= 1
            if reply.addresses and not found:
                until_ns = min(until_ns, self._clock.raw_ns() + _SIBLING_NS)
            if reply.addresses:
                found.append(reply.addresses)
            else:
                errors.append(reply.error)
        error = "; ".join(dict.fromkeys(errors)) or "no name server answered"
        return _Reply(_families_in_turn(chain.from_iterable(found)), error, final=False)

    def _finish(self, reply: _Reply) -> None:
        self._reply = reply
        self._done.set()

    def _start(self, question: Callable[..., _Reply], *args: str) -> None:
        def put() -> None:
            try:
                reply = question(*args)
            except Exception as bug:  # noqa: BLE001 - a thread that died silently would cost the run
                reply = _Reply((), f"{type(bug).__name__}: {bug}", final=False)
            self._replies.put(reply)

        threading.Thread(target=put, daemon=True).start()

    def _next(self, until_raw_ns: int) -> _Reply | None:
        try:
            return self._replies.get(timeout=max(0, until_raw_ns - self._clock.raw_ns()) / NS)
        except Empty:
            return None

    def _left_s(self) -> float:
        return max(0, self._deadline_raw_ns - self._clock.raw_ns()) / NS


def _ask_system(host: str) -> _Reply:
    """Ask getaddrinfo, which may hang for as long as it pleases."""
    try:
        # Bytes, because text would load the IDNA codec, which only a non-ASCII name needs.
        name = host.encode("ascii" if host.isascii() else "idna")
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        return _Reply((), error.strerror or str(error), error.errno in _FINAL)
    except (OSError, UnicodeError) as error:
        return _Reply((), str(error), final=False)
    return _Reply(_families_in_turn(str(entry[4][0]) for entry in found), "", final=False)


def _name_server_questions(host: str, left_s: Callable[[], float]) -> list[Callable[[], _Reply]]:
    """Return one question for each name server of resolv.conf and each address family."""
    import dns.exception  # noqa: PLC0415 - 100 ms, and nearly never needed
    import dns.flags  # noqa: PLC0415
    import dns.nameserver  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        configured = dns.resolver.Resolver()
    except dns.exception.DNSException as error:
        raise OSError(f"resolv.conf: {error}") from error

    def question(server: str | dns.nameserver.Nameserver, family: str) -> Callable[[], _Reply]:
        def ask() -> _Reply:
            resolver = dns.resolver.Resolver(configure=False)
            resolver.nameservers = [server]
            resolver.domain = configured.domain
            resolver.search = configured.search
            resolver.ndots = configured.ndots
            # A validating server whose own clock is wrong fails every signed name unless told
            # not to check (RFC 4035 section 3.2.2); what we ask time of proves itself otherwise.
            resolver.flags = dns.flags.RD | dns.flags.CD
            try:
                answer = resolver.resolve(host, family, lifetime=left_s(), search=True)
            except (dns.exception.DNSException, OSError) as error:
                return _Reply((), str(error), final=False)
            return _Reply(tuple(record.address for record in answer), "", final=False)

        return ask

    return [
        question(server, family) for server in configured.nameservers for family in ("AAAA", "A")
    ]


def _families_in_turn(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses without repeats, IPv6 and IPv4 alternating, each in its own order."""
    each = dict.fromkeys(addresses)
    first = [address for address in each if (":" in address) == (":" in next(iter(each)))]
    second = [address for address in each if address not in first]
    return tuple(a for pair in zip_longest(first, second) for a in pair if a is not None)
