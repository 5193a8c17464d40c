"""Names to addresses, in bounded time, the way the user's own system would find them.

The system's resolver is asked first: it knows the hosts file, nsswitch and search domains. But a
dead first name server costs it 5 s. So after 0.3 s, or at once when it reports a passing failure,
dnspython asks every name server of resolv.conf in parallel, A and AAAA, UDP then TCP; whoever has
addresses first serves. When a name is still unknown half-way to the deadline, or cannot be known,
the addresses configured beside it serve. dnspython is imported only then: it costs 100 ms.

What leads back to this machine is no source of time: sinkholes answer 0.0.0.0, and there this
machine's own time service may answer. Only literal addresses of the configuration may be our own.
Of a name at most 16 addresses are taken, of both families.

One run has one Resolver; sources that share a name share the look-up.
"""

import socket
import threading
from _queue import Empty, SimpleQueue
from _thread import start_new_thread
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from sources.addresses import is_address, leads_here, plain
from sources.base import TimedOut, Unavailable, Unreachable
from sources.clock import NS, Clock
from sources.keys import same
from sources.memory import Entry, Memory
from sources.record import Record
from sources.udp import shortage

if TYPE_CHECKING:
    from sources.name_servers import NameServers

_SHELF = "address"
_MOST_OF_A_FAMILY = 8
_HERE = "leads to this machine"
_PATIENCE_NS = 300 * NS // 1000
"""How long the system's resolver is alone."""
_LAST_WORDS_NS = 30 * NS // 1000
"""How much earlier a look-up ends than its run, so that what was said until then is known."""
_SIBLING_NS = 50 * NS // 1000
"""How long the other address family may lag behind (RFC 8305 section 3)."""
_FINAL = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
"""Answers of getaddrinfo that say "there is no such name", not "ask again"."""


class _Reply(Record):
    """What one resolver said, or all of them together."""

    addresses: tuple[str, ...]
    error: str
    final: bool
    """Whether waiting on could not change it."""
    local: bool = False
    """Whether it was this machine that lacked something."""


class Resolver:
    """The look-ups of one run."""

    def __init__(self, deadline_raw_ns: int, clock: Clock, memory: Memory | None = None) -> None:
        """Bound every look-up by `deadline_raw_ns`; what earlier runs found is a fallback."""
        self._memory = memory or Memory()
        self._began_raw_ns = clock.raw_ns()
        self._deadline_raw_ns = deadline_raw_ns
        self._clock = clock
        self._lock = threading.Lock()
        self._lookups: dict[str, _Lookup] = {}
        self._name_servers: NameServers | None = None
        self._given: dict[str, tuple[str, ...]] = {}
        """What was returned for each name."""

    def addresses(self, host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        """Return the addresses of `host`, families in turn; `fallback` when it has none in time.

        The one that answered the last time is first. Raises Unreachable when the name has no
        address, TimedOut when nobody said so in time.
        """
        if is_address(host):
            return (host,)
        lookup = self._lookup(host)
        known = self._known(host)
        fallback = fallback or known
        half_way_ns = (self._began_raw_ns + self._deadline_raw_ns) // 2
        reply = lookup.wait_until(half_way_ns if fallback else self._deadline_raw_ns)
        if reply is not None and reply.addresses:
            addresses = _put_first(reply.addresses, known[:1])
            if set(addresses) != set(known):
                self._keep(host, addresses)
            self._given[host] = addresses
            return addresses
        if fallback:
            self._given[host] = fallback if fallback == known else ()
            return fallback
        lack = reply.error if reply is not None and reply.local else shortage()
        if lack:
            raise Unavailable(f"name cannot be resolved: {lack}")
        if reply is not None and reply.final:
            is_here = reply.error.startswith(_HERE)
            raise Unreachable(reply.error if is_here else f"name cannot be resolved: {reply.error}")
        heard = f": {reply.error}" if reply is not None and reply.error else ""
        raise TimedOut(f"name not resolved before the deadline{heard}")

    def note_answer(self, host: str, address: str) -> None:
        """Remember for later runs which of a name's addresses has answered, if not the first.

        A family whose packets are swallowed then costs the first run time, and no other.
        """
        given = self._given.get(host, ())
        if address in given[1:]:
            self._keep(host, _put_first(given, (address,)))

    def _keep(self, host: str, addresses: tuple[str, ...]) -> None:
        entry: Entry = {"addresses": list(addresses)}
        self._memory.change(_SHELF, same(host), lambda _: entry)

    def _known(self, host: str) -> tuple[str, ...]:
        """Return the addresses of the last time that the name was resolved, best first."""
        kept = (self._memory.recall(_SHELF, same(host)) or {}).get("addresses")
        found = tuple(kept) if isinstance(kept, list) else ()
        if not all(is_address(address) for address in found):
            return ()
        return tuple(address for address in found if not leads_here(address))

    def ask_name_servers(self, host: str, tell: Callable[[tuple[str, ...], str], None]) -> int:
        """Ask every name server of resolv.conf; return how many replies `tell` is going to get."""
        with self._lock:
            if self._name_servers is None:
                from sources.name_servers import NameServers  # noqa: PLC0415 - 100 ms, nearly never

                self._name_servers = NameServers(self._left_s)
        return self._name_servers.ask(host, tell)

    def _lookup(self, host: str) -> "_Lookup":
        """Return the one look-up of this name, begun if it has not been."""
        with self._lock:
            lookup = self._lookups.get(host.casefold())
            if lookup is None:
                until_ns = self._deadline_raw_ns - _LAST_WORDS_NS
                lookup = _Lookup(host, until_ns, self._clock, self.ask_name_servers)
                self._lookups[host.casefold()] = lookup
                lookup.begin()
        return lookup

    def _left_s(self) -> float:
        return max(0, self._deadline_raw_ns - self._clock.raw_ns()) / NS


class _Lookup:
    """One name being looked up, by as many resolvers as it takes."""

    def __init__(
        self,
        host: str,
        deadline_raw_ns: int,
        clock: Clock,
        ask_name_servers: Callable[[str, Callable[[tuple[str, ...], str], None]], int],
    ) -> None:
        self._host = host
        self._deadline_raw_ns = deadline_raw_ns
        self._clock = clock
        self._ask_name_servers = ask_name_servers
        self._done = threading.Event()
        self._reply: _Reply | None = None
        self._replies: SimpleQueue[_Reply] = SimpleQueue()

    def begin(self) -> None:
        """Look up in threads of its own; where there are none to be had, that is the reply."""
        try:
            start_new_thread(self._ask_system, ())
            start_new_thread(self._look_up, ())
        except RuntimeError as error:
            self._finish(_Reply((), str(error), final=True, local=True))

    def wait_until(self, until_raw_ns: int) -> _Reply | None:
        """Return the reply, or None if there is none by then."""
        self._done.wait(max(0, until_raw_ns - self._clock.raw_ns()) / NS)
        return self._reply

    def _ask_system(self) -> None:
        self._replies.put(_ask_system(self._host))

    def _look_up(self) -> None:
        first = self._next(min(self._deadline_raw_ns, self._clock.raw_ns() + _PATIENCE_NS))
        if first is not None and (first.addresses or first.final):
            self._finish(first)
            return
        outstanding = 1
        errors: list[str] = []
        if first is not None:
            outstanding = 0
            errors.append(first.error)
        try:
            outstanding += self._ask_name_servers(self._host, self._hear)
        except Exception as error:  # noqa: BLE001 - a thread that died silently would cost the run
            errors.append(f"{type(error).__name__}: {error}")
        self._finish(self._best_of(outstanding, errors))

    def _hear(self, addresses: tuple[str, ...], error: str) -> None:
        """Take what one name server said of one family; another may know better."""
        reply = _usable(addresses) if addresses else _Reply((), error, final=False)
        self._replies.put(reply.replaced(final=False))

    def _best_of(self, outstanding: int, errors: list[str]) -> _Reply:
        """Return the first addresses found, and what their siblings add within 50 ms."""
        found: list[tuple[str, ...]] = []
        until_ns = self._deadline_raw_ns
        while outstanding:
            reply = self._next(until_ns)
            if reply is None:
                break
            outstanding -= 1
            if reply.addresses:
                found.append(reply.addresses)
                until_ns = min(until_ns, self._clock.raw_ns() + _SIBLING_NS)
                continue
            errors.append(reply.error)
            if reply.final and not found:
                outstanding = 0
        heard = "; ".join(dict.fromkeys(errors))
        return _Reply(_families_in_turn(chain.from_iterable(found)), heard, final=not outstanding)

    def _finish(self, reply: _Reply) -> None:
        self._reply = reply
        self._done.set()

    def _next(self, until_raw_ns: int) -> _Reply | None:
        try:
            return self._replies.get(timeout=max(0, until_raw_ns - self._clock.raw_ns()) / NS)
        except Empty:
            return None


def _ask_system(host: str) -> _Reply:
    """Ask getaddrinfo, which may hang for as long as it pleases."""
    try:
        # Bytes, because text would load Python's IDNA codec.
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        return _Reply((), error.strerror or str(error), error.errno in _FINAL)
    except (OSError, UnicodeError) as error:
        return _Reply((), str(error), final=False)
    return _usable(map(_with_zone, found))


def _with_zone(entry: tuple[object, object, object, object, tuple[Any, ...]]) -> str:
    """Return an address of getaddrinfo's, with the zone that a link-local one needs."""
    address, zone = str(entry[4][0]), entry[4][3] if len(entry[4]) > 3 else 0  # noqa: PLR2004
    return f"{address}%{zone}" if zone and "%" not in address else address


def _usable(addresses: Iterable[str]) -> _Reply:
    """Return what is to be asked of the addresses of a name; why nothing, if nothing is left."""
    found = _families_in_turn(map(plain, addresses))
    usable = tuple(address for address in found if not leads_here(address))
    if found and not usable:
        return _Reply((), f"{_HERE} ({', '.join(found)})", final=True)
    return _Reply(usable, "", final=False)


def _put_first(addresses: tuple[str, ...], first: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses with one of them before the others, if it is one of them."""
    if not first or first[0] not in addresses:
        return addresses
    return (*first, *(address for address in addresses if address != first[0]))


def _families_in_turn(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return addresses without repeats, IPv6 and IPv4 alternating, each in its own order.

    No name needs thousands: of each family only the first are taken.
    """
    each = dict.fromkeys(addresses)
    six = [address for address in each if ":" in address][:_MOST_OF_A_FAMILY]
    four = [address for address in each if ":" not in address][:_MOST_OF_A_FAMILY]
    first, second = (six, four) if ":" in next(iter(each), "") else (four, six)
    return tuple(a for pair in zip_longest(first, second) for a in pair if a is not None)
