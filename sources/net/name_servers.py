"""The name servers of resolv.conf, all asked at once (eight at most), by dnspython.

Imported only when the system's resolver is slow or failing: dnspython costs 100 ms. At most 16
questions are under way to one server, so that hundreds of names cannot starve the main thread, and
of an answer at most 4096 bytes are read: to parse thousands of addresses would starve it as well.
"""

import io
import socket
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.query
import dns.resolver

from sources.net.addresses import is_address

_RESOLV_CONF = "/etc/resolv.conf"
_DEFAULT_SERVER = "127.0.0.1"
"""What resolv.conf(5) says is asked where it names nobody."""
_MOST_SERVERS = 8
"""The system's own resolver asks the first three; a thousand would take thousands of threads."""
_AT_ONCE = 16
_RETRY_S = 0.7
"""How long one UDP question may be unanswered before it is asked again."""

_LONGEST_ANSWER = 4096
"""Bytes: 140 addresses of IPv6, and their signatures."""

_FAMILIES = ("AAAA", "A")

_Server = str | dns.nameserver.Nameserver

Answered = Callable[[tuple[str, ...], str], None]
"""Takes what one server said of one family: addresses, or none and why."""


class NameServers:
    """The servers and search rules of resolv.conf, read once."""

    def __init__(self, left_s: Callable[[], float]) -> None:
        """Read resolv.conf; `left_s` returns the seconds left until the deadline."""
        self._left_s = left_s
        self._configured = dns.resolver.Resolver(configure=False)
        self._configured.read_resolv_conf(io.StringIO(_resolv_conf()))
        self._queues = [_Queue(server) for server in self._configured.nameservers]

    def ask(self, host: str, answered: Answered) -> int:
        """Ask every server for both families; return how often `answered` will be called."""
        for family in _FAMILIES:
            for queue in self._queues:
                queue.put(partial(self._ask, queue.server, host, family, answered))
        return len(_FAMILIES) * len(self._queues)

    def _ask(self, server: _Server, host: str, family: str, answered: Answered) -> None:
        addresses: tuple[str, ...] = ()
        error = ""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [server]
        resolver.domain = self._configured.domain
        resolver.search = self._configured.search
        resolver.ndots = self._configured.ndots
        resolver.timeout = _RETRY_S
        # A validating server whose own clock is wrong fails every signed name unless asked not to
        # check (RFC 4035 section 3.2.2); what we ask time of proves itself otherwise.
        resolver.flags = dns.flags.RD | dns.flags.CD
        try:
            answer = resolver.resolve(host, family, lifetime=self._left_s(), search=True)
            addresses = tuple(record.address for record in answer)
        except Exception as refusal:  # noqa: BLE001 - whatever it is, only this question is lost
            error = f"{_shown(server)} {_said(refusal)}"
        answered(addresses, error)


class _BriefSocket(socket.socket):
    """A socket of dnspython's that reads no long answer."""

    def recv(self, count: int, flags: int = 0) -> bytes:
        """Read some of an answer by TCP, of which `count` bytes are still to come."""
        if count > _LONGEST_ANSWER:
            raise OSError(f"answers with {count} bytes: at most {_LONGEST_ANSWER} are read")
        return super().recv(count, flags)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        """Read a datagram, or its beginning."""
        return super().recvfrom(min(size, _LONGEST_ANSWER), flags)


dns.query.socket_factory = _BriefSocket


def _shown(server: _Server) -> str:
    return server.answer_nameserver() if isinstance(server, dns.nameserver.Nameserver) else server


def _said(refusal: Exception) -> str:
    """Say what came of a question, briefly and without its name: the line has other names too."""
    match refusal:
        case dns.resolver.NXDOMAIN():
            return "knows no such name"
        case dns.resolver.NoAnswer():
            return "knows no address"
        case dns.resolver.LifetimeTimeout():
            return "did not answer"
        case dns.resolver.NoNameservers():
            return _said_last(refusal.kwargs["errors"][-1][3])
    return f"cannot be asked: {refusal}"


def _said_last(error: str | Exception) -> str:
    """Say what came of the last try: the server's code, or what went wrong."""
    match error:
        case str():
            return f"answered {error}"
        case OSError() if error.errno is None:
            return str(error)
        case OSError():
            return f"cannot be asked: {error.strerror}"
    return f"sends no valid answer: {error}"


class _Queue:
    """The questions to one server, worked off by a few threads."""

    def __init__(self, server: _Server) -> None:
        self.server = server
        self._questions: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0

    def put(self, question: Callable[[], None]) -> None:
        """Have it asked; raise RuntimeError where the machine has not one thread to spare."""
        self._questions.put(question)
        with self._lock:
            if self._threads < _AT_ONCE:
                try:
                    threading.Thread(target=self._work, daemon=True).start()
                except RuntimeError:
                    if not self._threads:
                        raise
                else:
                    self._threads += 1

    def _work(self) -> None:
        while True:
            self._questions.get()()


def _resolv_conf() -> str:
    """Return resolv.conf without what glibc overlooks but dnspython gives up the whole file for."""
    lines = []
    try:
        with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            for line in file:
                match line.split():
                    case ["nameserver", address, *_] if is_address(address):
                        lines.append(f"nameserver {address}")
                    case ["search" | "domain" as key, *domains]:
                        lines.append(" ".join([key, *filter(_is_domain, domains)]))
                    case ["options", *_]:
                        lines.append(line.strip())
    except OSError:
        lines = []
    servers = [line for line in lines if line.startswith("nameserver")][:_MOST_SERVERS]
    others = [line for line in lines if not line.startswith("nameserver")]
    return "\n".join([*(servers or [f"nameserver {_DEFAULT_SERVER}"]), *others])


def _is_domain(text: str) -> bool:
    """Whether dnspython takes it for a name: not what is too long, or no text in any encoding."""
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError):
        return False
    return True
