"""Names to addresses, in bounded time, the way the user's own system would find them.

The system's resolver is asked first: it knows the hosts file, nsswitch and search domains. But a
dead first name server costs it 5 s. So after 0.3 s, or at once when it reports a passing failure,
dnspython asks every name server of resolv.conf in parallel, A and AAAA, UDP then TCP; the first
addresses are taken. When a name is still unknown half-way to the deadline, or cannot be known,
the addresses configured beside it serve. dnspython is imported only then: it costs 100 ms.

What leads back to this machine is no source of time: sinkholes answer 0.0.0.0, and there this
machine's own time service may answer. Only literal addresses of the configuration may be our own.
Of a name at most 16 addresses are taken, of both families.

One run has one Resolver; sources that share a name share the look-up.
"""

import socket
from _queue import Empty, SimpleQueue
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest

from sources.base import Run, TimedOut, Unavailable, Unreachable
from sources.clock import NS, Clock
from sources.latch import Latch
from sources.memory import Entry, Memory
from sources.net.addresses import elsewhere, is_address, plain
from sources.net.udp import shortage
from sources.record import Record
from sources.schema import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sources.net.name_servers import NameServers

_SHELF = "address"
_MOST_ADDRESSES = 16
_RESOLV_CONF = "/etc/resolv.conf"
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
"""RFC 1035 section 2.3.4."""
_PATIENCE_NS = 300 * NS // 1000
"""How long only the system's resolver is asked."""
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
    """Whether waiting longer cannot change it."""
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
        self._lock = allocate_lock()
        self._lookups: dict[str, _Lookup] = {}
        self._name_servers: NameServers | None = None

    def addresses(self, host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        """Return the addresses of `host`, families in turn; `fallback` when it has none in time.

        The one that answered the last time is first, or else one of its family. Raises Unreachable
        when the name has no address, or only this machine's; TimedOut when that is open too long.
        """
        try:
            return self._addresses(host, fallback)
        except OSError as error:  # no socket to look at addresses with
            raise Unavailable(f"name cannot be resolved: {error.strerror or error}") from error

    def _addresses(self, host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        if is_address(host):
            return (host,)
        lookup = self._lookup(host)
        entry = self._memory.recall(_SHELF, same(host)) or {}
        known = elsewhere(_addresses_in(entry), fallback)
        last = str(entry.get("answered", ""))
        half_way_ns = (self._began_raw_ns + self._deadline_raw_ns) // 2
        is_patient = not fallback and not known
        reply = lookup.wait_until(self._deadline_raw_ns if is_patient else half_way_ns)
        if reply is not None and reply.addresses:
            found = elsewhere(reply.addresses, fallback)
            if found and set(found) != set(known):
                update: Entry = {"addresses": list(found)}
                self._memory.change(_SHELF, same(host), lambda entry: (entry or {}) | update)
            if found or fallback:
                return _best_first(found or fallback, last)
            raise Unreachable(f"leads to this machine ({', '.join(reply.addresses)})")
        if fallback or known:
            return _best_first(fallback or known, last)
        lack = reply.error if reply is not None and reply.local else shortage()
        if lack:
            raise Unavailable(f"name cannot be resolved: {lack}")
        if reply is not None and reply.final:
            raise Unreachable(f"name cannot be resolved: {reply.error}")
        heard = f": {reply.error}" if reply is not None and reply.error else ""
        raise TimedOut(f"name not resolved before the deadline{heard}")

    def ask_name_servers(self, host: str, answered: Callable[[tuple[str, ...], str], None]) -> int:
        """Ask every name server of resolv.conf; return how often `answered` will be called."""
        with self._lock:
            if self._name_servers is None:
                from sources.net.name_servers import NameServers  # noqa: PLC0415 - 100 ms, nearly never

                self._name_servers = NameServers(self._left_s)
        return self._name_servers.ask(host, answered)

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


def note_answer(host: str, asked: tuple[str, ...], server: str, run: Run) -> None:
    """Remember for later runs which of the addresses asked has answered, if not the first of them.

    So a family whose packets are dropped costs a quarter of a second in one run, not in each.
    """
    if server != asked[0]:
        update: Entry = {"answered": server}
        run.memory.change(_SHELF, same(host), lambda entry: (entry or {}) | update)


def _addresses_in(entry: Entry) -> tuple[str, ...]:
    """Return the addresses of the last time that a name was resolved."""
    kept = entry.get("addresses")
    found = tuple(kept) if isinstance(kept, list) else ()
    return found if all(is_address(address) for address in found) else ()


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
        self._done = Latch()
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
        self._replies.put(_Reply(addresses, error, final=False))

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
        heard = "; ".join(_merged(errors))
        return _Reply(_families_in_turn(chain.from_iterable(found)), heard, final=not outstanding)

    def _finish(self, reply: _Reply) -> None:
        self._reply = reply
        self._done.open()

    def _next(self, until_raw_ns: int) -> _Reply | None:
        try:
            return self._replies.get(timeout=max(0, until_raw_ns - self._clock.raw_ns()) / NS)
        except Empty:
            return None


def _merged(errors: Iterable[str]) -> list[str]:
    """Return each error once, those of name servers last: who says the same together, in order."""
    said_by: dict[str, list[str]] = {}
    others = []
    for error in dict.fromkeys(errors):
        server, _, said = error.partition(" ")
        if is_address(server):
            said_by.setdefault(said, []).append(server)
        else:
            others.append(error)
    return others + sorted(f"{', '.join(sorted(who))} {said}" for said, who in said_by.items())


def _ask_system(host: str) -> _Reply:
    """Ask getaddrinfo, which may hang for as long as it pleases."""
    if _has_impossible_domains():
        return _Reply((), f"{_RESOLV_CONF} has a search domain too long for a name", final=False)
    try:
        # Bytes, because text would load Python's IDNA codec.
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        return _Reply((), error.strerror or str(error), error.errno in _FINAL)
    except (OSError, UnicodeError) as error:
        return _Reply((), str(error), final=False)
    return _Reply(_families_in_turn(_with_zone(*entry[4]) for entry in found), "", final=False)


def _has_impossible_domains() -> bool:
    """Whether resolv.conf has search domains that are no names, by length.

    Of 64 letters to a label, glibc finds nothing more; of 256 in all, it ends the process.
    """
    try:
        with open(_RESOLV_CONF, "rb") as file:
            lines = [line.split() for line in file if line.startswith((b"search", b"domain"))]
    except OSError:
        return False
    return any(
        len(domain) > _LONGEST_NAME or max(map(len, domain.split(b"."))) > _LONGEST_LABEL
        for line in lines
        for domain in line
    )


def _with_zone(address: "Any", *others: "Any") -> str:
    """Return an address of getaddrinfo's, with the zone that it has beside it if it is of one."""
    zone = others[2] if len(others) > 2 else 0  # noqa: PLR2004 - flow and scope, in IPv6 alone
    if not zone or "%" in address:
        return str(address)
    try:
        return f"{address}%{socket.if_indextoname(zone)}"
    except OSError:
        return f"{address}%{zone}"


def _best_first(addresses: tuple[str, ...], last: str) -> tuple[str, ...]:
    """Return the addresses, families in turn, beginning with the last one that answered.

    Where a name has other addresses by now, one of the same family is the first.
    """
    alike = [each for each in addresses if last and (":" in each) == (":" in last)]
    first = [last] if last in addresses else alike[:1]
    return _families_in_turn((*first, *addresses))


def _families_in_turn(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return addresses without repeats, IPv6 and IPv4 alternating, each in its own order.

    A name may have thousands: as many are taken as can be asked, of both families.
    """
    found: dict[bool, dict[str, None]] = {}
    for address in map(plain, addresses):
        of_family = found.setdefault(":" in address, {})
        if len(of_family) < _MOST_ADDRESSES:
            of_family[address] = None
    in_turn = (a for pair in zip_longest(*found.values()) for a in pair if a is not None)
    return tuple(in_turn)[:_MOST_ADDRESSES]
