"""A name server that one can make lie, and a network namespace of its own to be asked in.

`DnsServer` answers from a zone over UDP and TCP; its one hook, a Behaviour, turns a Query into
what is really sent. Run as a module it is what happens inside `unshare -m -n`: it reads a Scenario
as JSON from stdin, starts its name servers and clocks, puts its resolv.conf and hosts in place,
runs its command, and writes to stdout what became of it. Nothing asked in there can leave.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.behaviour import Reply
from lab.ntp import NtpServer
from lab.udp import UdpServer
from sources.clock import NS
from sources.net.addresses import socket_address
from sources.record import Record

PORT = 53
AHEAD_S = 4
"""How far the clocks of a scenario are ahead of this machine's, so -4 is the right answer."""

Zone = Mapping[str, Iterable[str]]
"""The addresses of each name; every other name does not exist."""


class Query(Record):
    """One question of a client, and the maker of the honest response to it."""

    message: dns.message.Message
    tcp: bool
    response: Callable[[], dns.message.Message]


Behaviour = Callable[[Query], Iterable[Reply]]


def answer(query: Query) -> Iterable[Reply]:
    """Answer truthfully."""
    return [Reply(query.response().to_wire())]


def hang(query: Query) -> Iterable[Reply]:
    """Answer nothing; a connection stays open."""
    return []


def truncate(query: Query) -> Iterable[Reply]:
    """Send over UDP only that the answer is too long for it, and the answer over TCP."""
    if query.tcp:
        return answer(query)
    response = dns.message.make_response(query.message, recursion_available=True)
    response.flags |= dns.flags.TC
    return [Reply(response.to_wire())]


def thousands(query: Query) -> Iterable[Reply]:
    """Answer truthfully; but names that begin with "many" have 4,000 addresses each, over TCP."""
    if not _asked(query.message)[0].startswith("many"):
        return answer(query)
    if not query.tcp or query.message.question[0].rdtype != dns.rdatatype.A:
        return truncate(query)
    head = dns.message.make_response(query.message, recursion_available=True).to_wire()
    record = bytes.fromhex("c00c 0001 0001 0000003c 0004")  # name, type, class, TTL, length
    records = (record + bytes((203, 0, n // 250, n % 250 + 1)) for n in range(4000))
    counted = head[:6] + (4000).to_bytes(2) + head[8:]
    return [Reply(counted + b"".join(records))]


def truncate_and_hang(query: Query) -> Iterable[Reply]:
    """Send over UDP that the answer is too long for it, and nothing over TCP."""
    return [] if query.tcp else truncate(query)


def wrong_id(query: Query) -> Iterable[Reply]:
    """Send a forged address under another id than the question's."""
    response = _forged(query)
    response.id = query.message.id ^ 1
    return [Reply(response.to_wire())]


def wrong_question(query: Query) -> Iterable[Reply]:
    """Send a forged address as the response to a question that was not asked."""
    response = _forged(query)
    asked = query.message.question[0]
    other = dns.name.from_text("other.lab.test.")
    response.question = [dns.rrset.RRset(other, asked.rdclass, asked.rdtype)]
    return [Reply(response.to_wire())]


def wrong_port(query: Query) -> Iterable[Reply]:
    """Send a forged address from a port that was not asked."""
    return [Reply(_forged(query).to_wire(), elsewhere=True)]


def junk(query: Query) -> Iterable[Reply]:
    """Send bytes that are no DNS message, then the question itself."""
    return [Reply(b"\x00"), Reply(query.message.to_wire()), Reply(os.urandom(64))]


def rcode(code: dns.rcode.Rcode) -> Behaviour:
    """Answer with this response code and no address."""

    def behave(query: Query) -> Iterable[Reply]:
        response = dns.message.make_response(query.message, recursion_available=True)
        response.set_rcode(code)
        return [Reply(response.to_wire())]

    return behave


def late(seconds: float) -> Behaviour:
    """Answer truthfully, but only after so long."""
    return lambda query: [Reply(query.response().to_wire(), delay_s=seconds)]


def validate(query: Query) -> Iterable[Reply]:
    """Fail like a validating server with a wrong clock, unless asked not to check (RFC 4035)."""
    unchecked = query.message.flags & dns.flags.CD
    return answer(query) if unchecked else rcode(dns.rcode.SERVFAIL)(query)


def lose_first(losses: int) -> Behaviour:
    """Answer truthfully, except that so many questions are lost first."""
    left = [losses]

    def behave(query: Query) -> Iterable[Reply]:
        left[0] -= 1
        return [] if left[0] >= 0 else answer(query)

    return behave


def then_truth(behaviour: Behaviour) -> Behaviour:
    """Behave so, and answer truthfully right after."""
    return lambda query: [*behaviour(query), *answer(query)]


BEHAVIOURS: dict[str, Callable[[], Behaviour]] = {
    "answer": lambda: answer,
    "hang": lambda: hang,
    "truncate": lambda: truncate,
    "truncate and hang": lambda: truncate_and_hang,
    "thousands": lambda: thousands,
    "wrong id": lambda: wrong_id,
    "wrong id, then truth": lambda: then_truth(wrong_id),
    "wrong question": lambda: wrong_question,
    "wrong question, then truth": lambda: then_truth(wrong_question),
    "wrong port": lambda: wrong_port,
    "wrong port, then truth": lambda: then_truth(wrong_port),
    "junk": lambda: junk,
    "NXDOMAIN": lambda: rcode(dns.rcode.NXDOMAIN),
    "SERVFAIL": lambda: rcode(dns.rcode.SERVFAIL),
    "REFUSED": lambda: rcode(dns.rcode.REFUSED),
    "late": lambda: late(0.6),
    "validate": lambda: validate,
    "lose two": lambda: lose_first(2),
}
"""What a Scenario can name; each call makes a fresh one."""


def _forged(query: Query) -> dns.message.Message:
    """Return a response that would send the client where nobody has the time."""
    return _respond(query.message, {_asked(query.message)[0]: ("127.6.6.6", "::6:6:6")})


def _asked(message: dns.message.Message) -> tuple[str, str]:
    """Return the name and the type that a question is about."""
    question = message.question[0]
    name = question.name.to_text(omit_final_dot=True).casefold()
    return name, dns.rdatatype.to_text(question.rdtype)


def _respond(message: dns.message.Message, zone: Zone) -> dns.message.Message:
    # A server that offers no recursion and has no answer counts as lame: RA says that it tried.
    response = dns.message.make_response(message, recursion_available=True)
    name, kind = _asked(message)
    if name not in zone:
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response
    addresses = [a for a in zone[name] if kind == ("AAAA" if ":" in a else "A")]
    if addresses:
        owner = message.question[0].name
        response.answer = [dns.rrset.from_text(owner, 60, "IN", kind, *addresses)]
    return response


class DnsServer:
    """Listens over UDP and TCP on one address from construction on; stops when closed."""

    def __init__(
        self, zone: Zone, behaviour: Behaviour = answer, *, address: str = "127.0.0.1", port: int
    ) -> None:
        """Serve `zone`, bent by `behaviour`. Port 0 means a free one, the same for both."""
        self.asked: list[tuple[str, str, str]] = []
        """The name, the type and "udp" or "tcp" of every question so far."""
        self.messages: list[dns.message.Message] = []
        self._zone = zone
        self._behaviour = behaviour
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(socket_address(address, port))
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self._udp = UdpServer(lambda data: self._replies(data, tcp=False), address, self.port)
        self._listener.listen(100)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._udp.close()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._listener.close()

    def _replies(self, data: bytes, *, tcp: bool) -> Iterable[Reply]:
        message = dns.message.from_wire(data)
        self.asked.append((*_asked(message), "tcp" if tcp else "udp"))
        self.messages.append(message)
        return self._behaviour(Query(message, tcp, lambda: _respond(message, self._zone)))

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, link.makefile("rb") as stream, suppress(OSError):
            while len(length := stream.read(2)) == 2:
                for reply in self._replies(stream.read(int.from_bytes(length)), tcp=True):
                    if reply.delay_s:
                        threading.Event().wait(reply.delay_s)
                    link.sendall(len(reply.data).to_bytes(2) + reply.data)


class Scenario(Record):
    """What there is in the namespace, and what is run in it."""

    command: list[str]
    name_servers: dict[str, str]
    """The behaviour of the name server at each address; "dead" for one whose port is closed."""
    zone: dict[str, list[str]]
    clocks: list[tuple[str, int]]
    """Address and port of each NTP server."""
    resolv_conf: str
    hosts: str
    prepare: str = ""
    """Commands of a shell that prepare the network; not given, names lead outside (`outside`)."""
    runs: int = 1
    """How often the command is run; the last one is reported, and how long each took."""


class Ran(Record):
    """What became of the command."""

    code: int
    stdout: str
    stderr: str
    wall_s: float
    asked: dict[str, list[tuple[str, str, str]]]
    """What each name server was asked: name, type, "udp" or "tcp"."""
    walls_s: list[float]
    """How long each run took."""

    def names(self, server: str) -> set[str]:
        """Return every name that this server was asked for."""
        return {name for name, _, _ in self.asked[server]}


def run_in_namespace(unshare: list[str], scenario: Scenario) -> Ran:
    """Run the scenario where no name can be asked of anybody outside it."""
    done = subprocess.run(
        [*unshare, sys.executable, "-m", "tests.support.servers.dns_server"],
        input=json.dumps(scenario),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=str(Path(__file__).resolve().parents[3]),
    )
    if done.returncode:
        raise AssertionError(f"the scenario could not be run: {done.stderr}")
    code, stdout, stderr, wall_s, asked, walls_s = json.loads(done.stdout)
    reported = {server: [tuple(question) for question in all_] for server, all_ in asked.items()}
    return Ran(code, stdout, stderr, wall_s, reported, walls_s)


def _main() -> None:
    scenario = Scenario(*json.load(sys.stdin))
    if scenario.prepare:
        subprocess.run(["sh", "-ec", scenario.prepare], check=True, stdout=sys.stderr)
    else:
        zone, hosts = outside(scenario.zone, scenario.hosts)
        scenario = scenario.replaced(zone=zone, hosts=hosts)
    _mount(scenario)
    with ExitStack() as running:
        servers = {}
        for address, name in scenario.name_servers.items():
            if name != "dead":
                server = DnsServer(scenario.zone, BEHAVIOURS[name](), address=address, port=PORT)
                servers[address] = running.enter_context(server)
        for address, port in scenario.clocks:
            running.enter_context(
                NtpServer("", time_unix_ns=_lab_time_unix_ns, address=address, port=port)
            )
        walls_s = []

        def run() -> "subprocess.CompletedProcess[str]":
            began_s = time.monotonic()
            done = subprocess.run(
                scenario.command,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=20,
                check=False,
            )
            walls_s.append(time.monotonic() - began_s)
            return done

        *_, done = [run() for _ in range(scenario.runs)]
        asked = {address: server.asked for address, server in servers.items()}
        ran = Ran(done.returncode, done.stdout, done.stderr, walls_s[-1], asked, walls_s)
        json.dump(ran, sys.stdout)
        sys.stdout.flush()
        os._exit(0)


NETWORK = """
ip link set lo up
ip link add lab0 type veth peer name lab1
ip addr add 198.18.255.254/15 dev lab0
ip -6 addr add 2001:db8:51:ffff::1/48 dev lab0 nodad
ip link set lab0 up
ip link set lab1 up
"""
"""The commands that give a namespace a wire of two ends, and an address on it of either family."""

_NAT = """
table ip lab {{
  chain out {{
    type nat hook output priority -100; policy accept;
    dnat to ip daddr map {{ {elements} }}
  }}
}}
table ip6 lab {{
  chain out {{
    type nat hook output priority -100; policy accept;
    ip6 daddr 2001:db8:51::/48 dnat to ::1
  }}
}}
"""


def outside(zone: dict[str, list[str]], hosts: str = "") -> tuple[dict[str, list[str]], str]:
    """Make a network on which names lead elsewhere, and from there to servers on loopback.

    An address of this machine is no source of time, and one address is one server: so the loopback
    addresses of each name get others, which are the name's own. Returns the zone and the hosts file
    that say so. For a namespace of the test's own.
    """
    seen_as: dict[str, str] = {}

    def seen(index: int, address: str) -> str:
        if address == "::1":
            return f"2001:db8:51:{index:x}::1"
        if not address.startswith("127."):
            return address
        other = f"198.18.{index}.{address.rpartition('.')[2]}"
        seen_as[other] = address
        return other

    found = {}
    for index, (name, addresses) in enumerate(zone.items()):
        found[name] = [seen(index, address) for address in addresses]
        hosts = hosts.replace(f"127.0.0.1 {name}\n", f"{seen(index, '127.0.0.1')} {name}\n")
    for line in NETWORK.strip().splitlines():
        subprocess.run(line.split(), check=True)
    seen_as.setdefault("198.18.255.253", "127.0.0.1")
    elements = ", ".join(f"{other} : {address}" for other, address in seen_as.items())
    subprocess.run(["nft", "-f", "-"], input=_NAT.format(elements=elements), text=True, check=True)
    return found, hosts


def _lab_time_unix_ns() -> int:
    return time.time_ns() + AHEAD_S * NS


def _mount(scenario: Scenario) -> None:
    """Put the scenario's files over the machine's, and caches that live outside out of reach."""
    files = {
        "/etc/resolv.conf": scenario.resolv_conf,
        "/etc/hosts": scenario.hosts,
        "/etc/nsswitch.conf": "hosts: files dns\n",
    }
    # What is mounted stays when the folder goes.
    with tempfile.TemporaryDirectory() as folder:
        for target, text in files.items():
            source = os.path.join(folder, os.path.basename(target))
            with open(source, "w", encoding="latin-1") as file:
                file.write(text)
            if os.path.exists(target):
                subprocess.run(["mount", "--bind", source, target], check=True)
    for cache in ("/run/nscd", "/var/run/nscd"):
        if os.path.isdir(cache):
            subprocess.run(["mount", "-t", "tmpfs", "none", cache], check=True)


if __name__ == "__main__":
    _main()
