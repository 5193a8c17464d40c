"""The configuration of own time servers: a real chronyd reads it, and serves nodes by it.

Its upstream servers are chronyds of ours, which have the names that it asks for, in a network that
consists of loopback.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.authority import Authority
from sources.record import Record
from tests.conftest import ROOT
from tests.support.servers import ntpsec
from tests.support.servers.chrony import CONFIGURATION, command, faked, source
from tests.support.servers.systemd import why_not
from tests.support.servers.web import found, not_here

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

SHIPPED = ROOT / "packaging" / "chrony" / "chrony.conf"
NAME, ADDRESS = "time-a.example.org", "10.1.0.1"
"""Of the own server; nodes of a private network may ask it."""
NODE = "10.1.0.2"
SYNCHRONISED_WITHIN_S = 40
_ENTERED = """\
set -eu
mount --make-rprivate /
ip link set lo up
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/root.pem" /etc/ssl/certs/ca-certificates.crt
mount --bind "$1/etc" /etc/chrony
mount -t tmpfs none /var/lib/chrony
echo ready
exec cat
"""
_NODE = "ip link set lo up; echo ready; exec cat"
_LINKED = """\
set -eu
ip link add own type veth peer name node netns $1
ip address add $2/24 dev own
ip link set own up
nsenter -t $1 -n ip address add $3/24 dev node
nsenter -t $1 -n ip link set node up
"""


class Own(Record):
    """A running time server of one's own."""

    first: "subprocess.CompletedProcess[str]"
    """What the program says of it before it has heard its upstream."""
    ask: Callable[..., "subprocess.CompletedProcess[str]"]
    """Run the program beside it: tables of its configuration, and how far its clock is off."""
    ntp: str
    nts: str
    """The tables that ask the server, in either way."""


def settings() -> list[str]:
    """Return the lines that mean something."""
    lines = SHIPPED.read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def upstream() -> list[str]:
    """Return the names of the servers that it asks."""
    return re.findall(r"^server (\S+) iburst nts$", SHIPPED.read_text("utf-8"), re.MULTILINE)


def read(chronyd: str, path: Path) -> "subprocess.CompletedProcess[str]":
    """Have chronyd print what it reads."""
    return subprocess.run(
        [chronyd, "-p", "-f", str(path)], capture_output=True, text=True, check=False
    )


def test_chronyd_reads_every_line(needs: Callable[[str], str], tmp_path: Path) -> None:
    """It knows each directive and its options; one that is misspelt it refuses."""
    chronyd = needs("chronyd")
    misspelt = tmp_path / "chrony.conf"
    misspelt.write_text(SHIPPED.read_text("utf-8").replace("minsources", "minsource"))
    done = read(chronyd, SHIPPED)

    assert done.stdout.split("\n")[:-1] == settings(), done.stderr
    assert read(chronyd, misspelt).returncode != 0


def test_nobody_is_believed_alone() -> None:
    """Three of five upstream servers have to agree, authenticated; no clock vouches for itself."""
    asked = [line for line in settings() if line.split()[0] in ("server", "pool", "peer")]

    assert len(upstream()) == len(asked) == 5
    assert {"minsources 3", "authselectmode require"} <= set(settings())
    assert not any(line.startswith("local") for line in settings())


@contextmanager
def started(*line: str, **environ: str) -> Iterator[None]:
    """Run a server until the end of the block."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(line, stdout=quiet, stderr=quiet, env=os.environ | environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def held(enter: list[str]) -> Iterator[int]:
    """Keep namespaces until the end of the block; yield the process that does."""
    pipe = subprocess.PIPE
    with subprocess.Popen(enter, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        try:
            yield holder.pid
        finally:
            holder.stdin.close()


@pytest.fixture(scope="module")
def own(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """Run the shipped file as it stands, in a namespace where its upstream is ours."""
    if reason := why_not():
        not_here(reason)
    chronyd, place = found("chronyd"), tmp_path_factory.mktemp("own")
    found("faketime")
    authority = Authority(time.time_ns())
    addresses = {name: f"127.0.1.{number}" for number, name in enumerate(upstream(), 1)}
    lines = [f"{address} {name}" for name, address in (addresses | {NAME: ADDRESS}).items()]
    (place / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]), encoding="utf-8")
    (place / "root.pem").write_bytes(Path(authority.ca_file).read_bytes())
    (place / "etc/tls").mkdir(parents=True)
    for file, name in zip(authority.identity([NAME]), ("chain.pem", "key.pem"), strict=True):
        (place / "etc/tls" / name).write_bytes(Path(file).read_bytes())
    (place / "etc/chrony.conf").write_bytes(SHIPPED.read_bytes())
    (place / "own.conf").write_text(
        f"include /etc/chrony/chrony.conf\nbindaddress {ADDRESS}\nbindcmdaddress /\n"
        f"pidfile {place}/own.pid\n",
        encoding="utf-8",
    )
    enter = ["unshare", "-m", "-n", "sh", "-c", _ENTERED, "sh", str(place)]
    with ExitStack() as running:
        running.callback(authority.close)
        servers = running.enter_context(held(enter))
        inside = ["nsenter", "-t", str(servers), "-m", "-n"]
        node = running.enter_context(held([*inside, "unshare", "-n", "sh", "-euc", _NODE]))
        linked = ["sh", "-c", _LINKED, "sh", str(node), ADDRESS, NODE]
        subprocess.run([*inside, *linked], check=True)
        for name, address in addresses.items():
            (place / name).mkdir()
            chain, key = authority.identity([name])
            text = CONFIGURATION.format(port=123, address=address, directory=place / name)
            more = ntpsec.SETTINGS.format(key=key, chain=chain, key_port=4460)
            (place / name / "chrony.conf").write_text(text + more, encoding="utf-8")
            file = str(place / name / "chrony.conf")
            running.enter_context(started(*inside, *command(chronyd), "-f", file))
        await_servers(inside, len(addresses))
        running.enter_context(started(*inside, *command(chronyd), "-f", str(place / "own.conf")))
        await_servers(inside, len(addresses) + 1)

        def ask(tables: str, offset: str = "+0s") -> "subprocess.CompletedProcess[str]":
            (place / "my.toml").write_text(tables, encoding="utf-8")
            return subprocess.run(
                [
                    "nsenter",
                    "-t",
                    str(node),
                    "-m",
                    "-n",
                    script,
                    "--config",
                    str(place / "my.toml"),
                ],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | faked(offset) | {"STATE_DIRECTORY": str(place / "state")},
                timeout=30,
            )

        ntp = source(123, "own", ADDRESS)
        yield Own(ask(ntp), ask, ntp, ntpsec.source(None, "own", authority.ca_file, host=NAME))


def await_servers(inside: list[str], number: int) -> None:
    """Wait until so many servers exchange keys."""
    ends_s = time.monotonic() + 20
    while subprocess.check_output([*inside, "ss", "-Htln"], text=True).count(":4460 ") < number:
        assert time.monotonic() < ends_s, "chronyd does not listen"
        time.sleep(0.05)


def test_without_upstream_it_gives_no_time(own: Own) -> None:
    """A server that has heard too few says that it is not synchronised, and is left out."""
    assert (own.first.returncode, own.first.stdout) == (3, "")
    assert "unsynchronised" in own.first.stderr


def test_nodes_get_the_integer_from_it(own: Own) -> None:
    """By NTP and by NTS, of a clock that is 4 s behind, as soon as it has heard its upstream."""
    ends_s = time.monotonic() + SYNCHRONISED_WITHIN_S
    while own.ask(own.ntp).returncode:
        assert time.monotonic() < ends_s, own.ask(own.ntp).stderr
        time.sleep(0.5)

    for table in (own.ntp, own.nts):
        done = own.ask(table, "-4s")
        assert (done.stdout, done.stderr, done.returncode) == ("-4\n", "", 0)
