"""Real NTS servers: chronyd on loopback, ntpsec's ntpd in a network namespace of its own.

ntpd has fixed ports, and its package excludes chrony's: `make build/ntpsec` unpacks it beside us.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.nts import NtsServer
from tests.conftest import ROOT
from tests.support.servers import chrony
from tests.support.servers.chrony import chronyd, command
from tests.support.servers.web import LOOPBACK, Identity, found, not_here

SETTINGS = """\
ntsserverkey {key}
ntsservercert {chain}
ntsport {key_port}
"""
NTPD = """\
interface ignore wildcard
interface listen 127.0.0.1
refclock local stratum 1 minpoll 0 maxpoll 0 prefer
statsdir {directory}/
nts enable
nts key {key}
nts cert {chain}
nts cookie {directory}/cookie
"""
"""The shorter its polls, the sooner the dispersion is small that it begins with: 8 s."""
NO_NAME_SERVER = "127.0.0.9"
_PATIENCE_S = 20


@contextmanager
def nts_chronyd(
    directory: Path,
    key_port: int,
    identity: Identity,
    more: str = "",
    *,
    clock: tuple[str, int] | None = None,
    offset: str | None = None,
) -> Iterator[None]:
    """Run a chronyd that establishes keys on this port, until the end of the block.

    `clock` is the address and the port of its time: not given, loopback and any. It keeps its own
    keys nowhere unless `more` says where, so another one in its place does not know its cookies.
    """
    address, port = clock or (LOOPBACK, chrony.free_port())
    settings = SETTINGS.format(key=identity.key, chain=identity.chain, key_port=key_port) + more
    with chronyd(found("chronyd"), directory, port, address, offset, settings):
        yield


def shared_keys(directory: Path, identity: Identity, key_port: int) -> str:
    """Return the settings of chronyds that know each other's cookies."""
    kept = directory / "keys"
    kept.mkdir()
    dumped = f"ntsdumpdir {kept}\n"
    with nts_chronyd(directory / "first", key_port, identity, dumped):
        pass
    assert (kept / "ntskeys").exists(), "chronyd writes its keys when it ends"
    return f"{dumped}ntsrotate 0\n"


def source(
    key_port: int | None, operator: str, ca_file: str, more: str = "", host: str = LOOPBACK
) -> str:
    """Return the table that asks such a server."""
    port = f"port = {key_port}\n" if key_port else ""
    names = f'host = "{host}"\n{port}operator = "{operator}"\nca_file = "{ca_file}"\n'
    return f"[[sources.nts]]\n{names}{more}\n"


@contextmanager
def running(arguments: Sequence[str], output: Path, begun: Callable[[int], bool]) -> Iterator[int]:
    """Run a process from when `begun` says so of its id until the end of the block; yield the id.

    `output` is where it writes.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        until_s = time.monotonic() + _PATIENCE_S
        while not begun(process.pid):
            if process.poll() is not None or time.monotonic() > until_s:
                raise AssertionError(f"{arguments[0]} does not serve: {output.read_text()}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def accepting(port: int) -> Callable[[int], bool]:
    """Return whether somebody accepts connections on a port of loopback, as `running` wants it."""

    def begun(_: int) -> bool:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            return False
        return True

    return begun


def s_server(port: int, identity: Identity, *options: str) -> list[str]:
    """Return the command of openssl's TLS server: by itself, it negotiates no protocol."""
    own = ["-accept", f"{LOOPBACK}:{port}", "-key", identity.key, "-cert", identity.chain]
    return [found("openssl"), "s_server", *own, "-cert_chain", identity.chain, "-www", *options]


def measured(
    directory: Path, servers: Mapping[str, NtsServer], patience_s: int
) -> dict[str, float | None]:
    """Ask servers of the lab by chronyd; return how far ahead of us it finds each.

    None is for one that it does not believe, which takes all of its patience; a believed one takes
    two seconds. All are asked at once.
    """
    clients = {}
    for number, (name, server) in enumerate(servers.items()):
        own = directory / f"client-{number}"
        own.mkdir()
        asked = f"server {server.address} nts ntsport {server.port} iburst maxsamples 1"
        settings = [asked, f"ntstrustedcerts {server.ca_file}", f"pidfile {own}/pid", "cmdport 0"]
        once = [*command(found("chronyd")), "-Q", "-t", str(patience_s)]
        clients[name] = subprocess.Popen(
            [*once, *settings, "bindcmdaddress /"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    found_s: dict[str, float | None] = {}
    for name, client in clients.items():
        _, said = client.communicate(timeout=patience_s + 20)
        offset = re.search(r"System clock wrong by (\S+) seconds", said)
        assert bool(offset) != ("Timeout reached" in said), said
        found_s[name] = float(offset[1]) if offset else None
    return found_s


def ntpd_program() -> str:
    """Return the path of ntpsec's ntpd; skip without it, fail in CI."""
    path = shutil.which(ROOT / "build" / "ntpsec" / "usr" / "sbin" / "ntpd")
    if path is None:
        not_here("ntpsec is not unpacked (make build/ntpsec)")
    return path


@contextmanager
def ntpd(
    offline: Sequence[str], directory: Path, identity: Identity
) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Run ntpsec's ntpd, unable to set the clock, in a namespace that `offline` makes.

    Yields what runs a command in there, and where ntpd writes. It begins without knowing the time.
    """
    program = ntpd_program()
    settings = directory / "ntp.conf"
    text = NTPD.format(directory=directory, key=identity.key, chain=identity.chain)
    settings.write_text(text, encoding="utf-8")
    powerless = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time"]
    begin = [*offline, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *powerless]
    output = directory / "output"
    with running([*begin, program, "-n", "-g", "-c", str(settings)], output, _apart) as pid:
        user = ("-U", "--preserve-credentials") if "-r" in offline else ()
        yield ("nsenter", "-t", str(pid), *user, "-n"), output


def _apart(pid: int) -> bool:
    """Whether a process has a network namespace of its own already."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    except OSError:
        return False


def with_hosts(unshare: Sequence[str], directory: Path, hosts: str) -> tuple[str, ...]:
    """Return what runs a command where no names but these are known, and nobody can be asked.

    `unshare` may make a network namespace as well; left out here, for the servers are outside.
    """
    files = {
        "hosts": hosts,
        "resolv.conf": f"nameserver {NO_NAME_SERVER}\n",
        "nsswitch.conf": "hosts: files dns\n",
    }
    steps = []
    for name, text in files.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        if Path("/etc", name).exists():
            steps.append(f"mount --bind '{path}' /etc/{name}")
    within = [part for part in unshare if part != "-n"]
    return (*within, "sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh")
