"""Servers that send what no honest one does: no wrong integer, no memory, no core kept busy.

What a run takes is the kernel's own figure, and compared with an honest run of the same
configuration.
"""

import json
import os
import ssl
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, flooding, late, only, silent
from lab.ntp import NtpServer, altered
from lab.nts import COOKIE, Manner, NtsServer, Records, flipped
from lab.roughtime import Manner as RoughManner
from lab.roughtime import RoughtimeServer
from lab.world import Server, world
from sources.clock import NS
from sources.nts import wire_ke as nts_ke
from sources.record import Record
from sources.roughtime import wire
from tests.conftest import Program

MOST_MORE_KB = 32 * 1024
MEASURED = """
import json, os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump([usage.ru_maxrss, usage.ru_utime + usage.ru_stime], file)
os._exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: the highest residence of who starts a process counts as its own."""


class Taken(Record):
    """What one run of the program took."""

    memory_kb: int
    cpu_s: float
    status: int
    stdout: str
    stderr: str


def taken(program: Program, directory: Path, *servers: Server, settings: str = "") -> Taken:
    """Run the program against servers, and stop these; nothing is kept from run to run."""
    config, figures = directory / "config.toml", directory / "figures.json"
    with world(*servers, settings=f'state = ""\n{settings}') as lab:
        config.write_text(lab.toml, encoding="utf-8")
        wrap = (sys.executable, "-I", "-S", "-c", MEASURED, str(figures))
        done = program("--config", str(config), wrap=wrap)
    memory_kb, cpu_s = json.loads(figures.read_text())
    return Taken(memory_kb, cpu_s, done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "stamps", [{"receive": 0, "transmit": 0}, {"receive": 0}, {"transmit": 0}], ids=str
)
def test_stamps_of_zero_are_no_time(
    program: Program, tmp_path: Path, stamps: dict[str, int]
) -> None:
    """0 means unknown (RFC 5905 section 6), not 2036: nobody is left, and nothing is printed."""
    servers = [NtpServer(name, altered(**stamps)) for name in "ABC"]
    done = taken(program, tmp_path, *servers)

    assert (done.stdout, done.status) == ("", 3)
    assert "malformed" in done.stderr


def forged(reply: Honest) -> Iterable[Reply]:
    """Answer to our nonce, but with a signature that does not hold."""
    packet = reply(3600 * NS)
    signature = wire.decode(wire.unframe(packet)).value(wire.SIG)
    return [Reply(packet.replace(signature, bytes(len(signature))))]


def sending(record: bytes) -> Manner:
    """Answer requests for keys with one TLS record again and again."""

    def send(link: ssl.SSLSocket, data: bytes) -> None:
        while True:
            link.sendall(record)

    return Manner(send=send)


def bytewise(link: ssl.SSLSocket, data: bytes) -> None:
    """Send one byte a TLS record, of a response that never ends."""
    for byte in data[:-4] + nts_ke.encode([(COOKIE, bytes(60_000), False)]):
        link.sendall(bytes([byte]))


def many_cookies(records: Records) -> bytes:
    """Answer with as many cookies, each as long as can be, as a response holds."""
    cookies = [(COOKIE, bytes(1024), False)] * 60
    return nts_ke.encode([*records[:-1], *cookies, records[-1]])


def ntp(behave: Behaviour) -> list[Server]:
    return [NtpServer(name, behave) for name in "ABCDE"]


def nts(behave: Behaviour = behaviour.honest, manner: Manner | None = None) -> list[Server]:
    servers = [NtsServer(name, behave) for name in "ABCDE"]
    for server in servers:
        server.manner = manner or Manner()
    return list(servers)


def with_a_megabyte_of_certificates() -> list[Server]:
    servers = [NtsServer(name) for name in "ABCDE"]
    for server in servers:
        chain, _ = server._files
        root = Path(server.ca_file).read_bytes()
        with open(chain, "ab") as file:
            file.write(root * (1_400_000 // len(root)))
    return list(servers)


def rough(behave: Behaviour, *, udp: bool = True) -> list[Server]:
    manner = RoughManner(udp=udp, tcp=not udp)
    return [RoughtimeServer(name, behave, manner=manner) for name in "ABCDE"]


JUNK = b"\x24" + bytes(47)
LEGAL = wire.MAGIC + (1000).to_bytes(4, "little") + os.urandom(1000)
HONEST: dict[str, Callable[[], list[Server]]] = {
    "ntp": lambda: ntp(behaviour.honest),
    "nts": nts,
    "roughtime": lambda: rough(behaviour.honest),
    "roughtime by TCP": lambda: rough(behaviour.honest, udp=False),
}
"""Five of each kind."""
HOSTILE: dict[str, Callable[[], list[Server]]] = {
    "ntp: junk": lambda: ntp(flooding(only(JUNK))),
    "ntp: long junk": lambda: ntp(flooding(only(bytes(4096)))),
    "nts: junk": lambda: nts(flooding(only(JUNK + bytes(180)))),
    "nts: forged": lambda: nts(flooding(flipped(223))),
    "nts: endless small records": (
        lambda: nts(manner=sending(nts_ke.encode([(1024, b"", False)])))
    ),
    "nts: endless large records": (
        lambda: nts(manner=sending(nts_ke.encode([(1024, bytes(65_535), False)])))
    ),
    "nts: a byte a record": lambda: nts(manner=Manner(send=bytewise)),
    "nts: many cookies": lambda: nts(silent, Manner(bend=many_cookies)),
    "nts: certificates": with_a_megabyte_of_certificates,
    "roughtime: junk": lambda: rough(flooding(only(LEGAL))),
    "roughtime: forged": lambda: rough(flooding(forged)),
    "roughtime by TCP: junk": lambda: rough(flooding(only(LEGAL)), udp=False),
    "roughtime by TCP: forged": lambda: rough(flooding(forged), udp=False),
}
"""Five servers that send too much."""


@pytest.fixture(scope="module")
def usual_kb() -> dict[str, int]:
    """Kilobytes of an honest run, of each kind that has been measured."""
    return {}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_server_makes_a_run_take_memory(
    program: Program, tmp_path: Path, usual_kb: dict[str, int], name: str
) -> None:
    """At most 32 MB more than an honest run, whatever five of them send, and an end by contract."""
    kind = name.partition(":")[0]
    if kind not in usual_kb:
        usual = taken(program, tmp_path, *HONEST[kind]())
        assert usual.status == 0
        usual_kb[kind] = usual.memory_kb
    done = taken(program, tmp_path, *HOSTILE[name](), settings="timeout = 1.5\n")

    assert (done.stdout, done.status) == ("", 3), done.stderr
    assert done.memory_kb - usual_kb[kind] < MOST_MORE_KB, (done.memory_kb, usual_kb[kind])


FLOODS: dict[str, Callable[[str], Server]] = {
    "ntp": lambda name: NtpServer(name, flooding(only(JUNK))),
    "nts": lambda name: NtsServer(name, flooding(flipped(223))),
    "roughtime, junk": lambda name: RoughtimeServer(name, flooding(only(LEGAL))),
    "roughtime, forged": lambda name: RoughtimeServer(name, flooding(forged)),
}


USUAL: dict[str, Callable[[str], Server]] = {
    "ntp": NtpServer,
    "nts": NtsServer,
    "roughtime, junk": RoughtimeServer,
    "roughtime, forged": RoughtimeServer,
}
MOST_TIMES_THE_CPU = 20


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_does_not_starve_the_others(program: Program, tmp_path: Path, kind: str) -> None:
    """Three honest servers that take 0.6 s to answer, and two that flood: the integer, and soon."""
    honest = [NtpServer(name, late(0.6)) for name in "ABC"]
    floods = (FLOODS[kind]("Y"), FLOODS[kind]("Z"))
    settings = "[consensus]\nmin_kinds = 1\n"
    done = taken(program, tmp_path, *honest, *floods, settings=settings)

    assert (done.stdout, done.stderr, done.status) == ("0\n", "", 0)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_keeps_no_core_busy(program: Program, tmp_path: Path, kind: str) -> None:
    """Two servers that flood for all of a run cost a few times what two honest ones cost."""
    usual = taken(program, tmp_path, USUAL[kind]("Y"), USUAL[kind]("Z"))
    done = taken(program, tmp_path, FLOODS[kind]("Y"), FLOODS[kind]("Z"))

    assert (usual.status, done.status) == (0, 3)
    assert done.cpu_s < MOST_TIMES_THE_CPU * usual.cpu_s, (done.cpu_s, usual.cpu_s)


def test_keys_that_come_byte_by_byte_keep_no_core_busy(program: Program, tmp_path: Path) -> None:
    """Each byte is looked at once: five such servers take little more than five honest ones."""
    usual = taken(program, tmp_path, *nts())
    done = taken(program, tmp_path, *nts(manner=Manner(send=bytewise)))

    assert (usual.status, done.status) == (0, 3)
    assert done.cpu_s < 4 * usual.cpu_s, (done.cpu_s, usual.cpu_s)


def test_keys_without_a_time_are_said_where_the_run_ends(program: Program, tmp_path: Path) -> None:
    """As on networks that drop NTP packets of more than 48 bytes: how large ours were."""
    done = taken(program, tmp_path, *nts(silent))

    assert (done.stdout, done.status) == ("", 3)
    assert "keys exchanged, but no reply to NTP requests of 224 bytes" in done.stderr
    assert len(done.stderr) < 512


WITHOUT_ED25519 = """
openssl_conf = all
[all]
alg_section = algorithms
[algorithms]
default_properties = fips=yes
"""
"""What a machine in FIPS mode has, or rather has not, without a provider for it."""


def test_a_machine_without_ed25519_blames_no_server(program: Program, tmp_path: Path) -> None:
    """Three honest Roughtime servers are unavailable to it; NTP beside them answers."""
    config, openssl = tmp_path / "config.toml", tmp_path / "openssl.cnf"
    openssl.write_text(WITHOUT_ED25519, encoding="ascii")
    environ = {"OPENSSL_CONF": str(openssl)}
    rough = [RoughtimeServer(name) for name in "ABC"]
    with world(*rough, settings='state = ""\n') as lab:
        config.write_text(lab.toml, encoding="utf-8")
        alone = program("--config", str(config), environ=environ)
    servers: list[Server] = [*(NtpServer(name) for name in "DEF"), RoughtimeServer("A")]
    with world(*servers, settings="[consensus]\nmin_kinds = 1\n") as lab:
        config.write_text(lab.toml, encoding="utf-8")
        beside = program("--config", str(config), environ=environ)

    assert (alone.stdout, alone.returncode) == ("", 3)
    assert "roughtime unavailable" in alone.stderr
    assert "Ed25519 cannot be had" in alone.stderr
    assert "not made with" not in alone.stderr
    assert (beside.stdout, beside.stderr, beside.returncode) == ("0\n", "", 0)
