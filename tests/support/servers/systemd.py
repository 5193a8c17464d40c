"""A systemd of our own, in namespaces with a lab, that runs the units as they are.

Run as a module it becomes that systemd: on overlays of this machine's files, in a network that
consists of loopback, without the right to set a clock. The checkout lies in /opt/time-drift there.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server
from sources.clock import NS
from tests.conftest import ROOT
from tests.support.servers.dns_server import DnsServer, answer, hang, outside

NAMED = ("a.lab.test", "b.lab.test")
NAME = "node-23"
"""The machine's, of which cron's line makes a wait of 0 s."""
SILENT, ANSWERING = "127.0.0.9", "127.0.0.10"
"""Two name servers; resolv.conf names the second one."""
TEXTFILE = "/var/cache/time-drift/time-drift.prom"
CONFIGURATION = "/opt/config.toml"
"""Also what the program finds by itself, beside its script."""

_SYSTEMD = "/lib/systemd/systemd"
_NAMESPACES = ["-m", "-p", "-n", "-u", "-i", "-C", "-f", "--kill-child", "--mount-proc"]
_WITHOUT = "-sys_time,-sys_boot,-sys_module"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/time-drift"
_LONGEST_S = 15
_NOTHING = "[Unit]\nDescription=Nothing but what a test starts\nDefaultDependencies=no\n"
_FOR_TESTS = f"""\
[Service]
Environment=TIME_DRIFT_CONFIG={CONFIGURATION}
StandardOutput=truncate:/opt/stdout
StandardError=truncate:/opt/stderr
"""


class Machine:
    """A running systemd, seen from outside its namespaces."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._root = Path(f"/proc/{pid}/root")

    def path(self, name: str) -> Path:
        """Return where a file of the machine is for us."""
        return self._root / name.lstrip("/")

    def read(self, name: str) -> str:
        path = self.path(name)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def call(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the machine."""
        return subprocess.run(
            ["nsenter", "-t", str(self._pid), "-m", "-p", "-n", "-u", "-C", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def spawn(self, *command: str, cwd: Path = Path("/")) -> "subprocess.Popen[bytes]":
        """Start a process in the machine's network, on its files."""
        here = ["-m", "-n", f"--wdns={cwd}"]
        return subprocess.Popen(["nsenter", "-t", str(self._pid), *here, *command])

    def shell(self, text: str, user: str = "root") -> "subprocess.CompletedProcess[str]":
        """Run what a page shows people to type, in the checkout; the first failure ends it.

        Under the umask of somebody who keeps his files to himself.
        """
        words = ["runuser", "-u", user, "--"] if user != "root" else []
        command = ["sh", "-euc", f"umask 077\ncd /opt/time-drift\n{text}"]
        clean = ["env", "-i", f"PATH={_PATH}"]
        return self.call(*clean, "HOME=/root", *words, *command)

    def systemctl(self, *arguments: str) -> str:
        """Return what systemctl says, or how it failed."""
        done = self.call("systemctl", *arguments)
        return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stdout.strip()}"

    @contextmanager
    def changed(self, unit: str, text: str) -> Iterator[None]:
        """Change settings of a unit by a file beside it, until the end of the block."""
        name = f"/etc/systemd/system/{unit}.d/changed.conf"
        self.write(name, text)
        self.systemctl("daemon-reload")
        try:
            yield
        finally:
            self.path(name).unlink()
            self.systemctl("stop", unit)
            self.systemctl("reset-failed", unit)
            self.systemctl("daemon-reload")


def why_not() -> str:
    """Return why no systemd can be run here; nothing if one can."""
    if os.geteuid():
        return "this takes root"
    for program in (_SYSTEMD, "nsenter", "ip", "nft", "setpriv"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    done = subprocess.run(
        ["unshare", *_NAMESPACES, "true"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else "" if cgroups() else "no cgroup2 is mounted"


def cgroups() -> Path | None:
    """Return where the unified hierarchy is mounted."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").split("\n"):
        if line.split()[2:3] == ["cgroup2"]:
            return Path(line.split()[1])
    return None


@contextmanager
def machine(units: Path, directory: Path) -> Iterator[Machine]:
    """Run a systemd that knows the units of a directory, until the end of the block."""
    mounted = cgroups()
    assert mounted
    group = mounted / f"time-drift-test-{os.getpid()}-{os.urandom(4).hex()}"
    group.mkdir()
    inside = [sys.executable, "-m", "tests.support.servers.systemd", str(units), str(directory)]
    with (directory / "console").open("w") as console:
        outer = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs"),
             "unshare", *_NAMESPACES, *inside],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )  # fmt: skip
    try:
        yield _booted(outer.pid, directory / "console")
    finally:
        outer.kill()  # and its child, as it was reported
        outer.wait(timeout=_LONGEST_S)
        remove(group)


def _booted(outer: int, console: Path) -> Machine:
    """Wait until systemd has started what it starts by itself."""
    ends_s = time.monotonic() + _LONGEST_S
    while time.monotonic() < ends_s:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
            running = Machine(int(children[0]))
            if running.systemctl("is-system-running") == "running":
                return running
        time.sleep(0.05)
    raise AssertionError(f"systemd does not run: {console.read_text()}")


def remove(group: Path) -> None:
    """Remove a control group and what systemd made in it, as its processes go."""
    ends_s = time.monotonic() + _LONGEST_S
    for inner in sorted([group, *(path for path in group.rglob("*") if path.is_dir())])[::-1]:
        while True:
            try:
                inner.rmdir()
                break
            except OSError:
                assert time.monotonic() < ends_s, inner
                time.sleep(0.02)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _overlay(lower: str, scratch: Path, place: str) -> None:
    """Mount at `place` what is in `lower`, to be changed without changing that."""
    upper, work = (scratch / f"{lower.replace('/', '-')}{n}" for n in (1, 2))
    upper.mkdir()
    work.mkdir()
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    _run("mount", "-t", "overlay", "-o", layers, "overlay", place)


def _file_systems(directory: Path) -> None:
    _run("mount", "--make-rprivate", "/")
    scratch = directory / "scratch"
    scratch.mkdir()
    _run("mount", "-t", "tmpfs", "none", str(scratch))
    for place in ("/etc", "/usr/lib/systemd/system", "/usr/local", "/var"):
        _overlay(place, scratch, place)
    (scratch / "checkout").mkdir()
    _overlay(str(ROOT), scratch, str(scratch / "checkout"))
    checkout = os.open(scratch / "checkout", os.O_PATH)
    for place in ("/opt", "/run"):
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "none", place)
    Path("/opt/time-drift").mkdir()
    _run("mount", "--bind", f"/proc/{os.getpid()}/fd/{checkout}", "/opt/time-drift")
    os.close(checkout)
    _run("umount", "-R", "/sys/fs/cgroup")
    _run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    _run("mount", "--bind", "/proc/sys", "/proc/sys")
    _run("mount", "-o", "remount,bind,ro", "/proc/sys")


def _files(units: Path) -> None:
    for wants in [
        *Path("/usr/lib/systemd/system").glob("*.wants"),
        *Path("/etc/systemd/system").glob("*.wants"),
    ]:
        shutil.rmtree(wants)  # what a whole system starts
    for path in units.glob("*.*"):
        if path.suffix in (".service", ".timer"):
            shutil.copy(path, "/etc/systemd/system")
        if path.suffix == ".service":
            extra = Path(f"/etc/systemd/system/{path.name}.d")
            extra.mkdir()
            (extra / "tests.conf").write_text(_FOR_TESTS, encoding="utf-8")
    editor = Path("/usr/local/bin/editor")
    editor.write_text("#!/bin/sh\n", encoding="utf-8")  # who types nothing and leaves it
    editor.chmod(0o755)
    Path("/etc/systemd/system/nothing.target").write_text(_NOTHING, encoding="utf-8")
    for name, text in (
        ("resolv.conf", f"nameserver {ANSWERING}\n"),
        ("hosts", "127.0.0.1 localhost\n"),
        ("hostname", f"{NAME}\n"),
        ("nsswitch.conf", "passwd: files systemd\ngroup: files systemd\nhosts: files dns\n"),
    ):
        path = Path("/etc", name)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")


def _ahead_unix_ns() -> int:
    return time.time_ns() + 4 * NS


def _serve() -> None:
    """Run a lab of all kinds, 4 s ahead of this clock, and the configuration that asks it."""
    zone, _ = outside({host: ["127.0.0.1"] for host in NAMED})
    _kept = [
        DnsServer(zone, hang, address=SILENT, port=53),
        DnsServer(zone, answer, address=ANSWERING, port=53),
    ]
    servers: list[Server] = [
        NtpServer("Alpha", time_unix_ns=_ahead_unix_ns),
        NtpServer("Bravo", time_unix_ns=_ahead_unix_ns),
        NtsServer("Charlie", time_unix_ns=_ahead_unix_ns),
        RoughtimeServer("Delta", time_unix_ns=_ahead_unix_ns),
        HttpsServer("Echo", time_unix_ns=_ahead_unix_ns),
    ]
    text = "\n".join(server.toml() for server in servers)
    for host in NAMED:  # the first two tables are those of NTP
        text = text.replace('host = "127.0.0.1"', f'host = "{host}"', 1)
    for number, path in enumerate(dict.fromkeys(re.findall(r'ca_file = "(.*?)"', text))):
        shutil.copyfile(path, f"/opt/root-{number}.pem")
        text = text.replace(path, f"/opt/root-{number}.pem")
    Path(CONFIGURATION).write_text(text, encoding="utf-8")
    _run("mount", "--bind", CONFIGURATION, "/opt/time-drift/config.toml")


def _main() -> None:
    units, directory = (Path(name) for name in sys.argv[1:])
    os.umask(0o022)
    _file_systems(directory)
    _files(units)
    _run("ip", "link", "set", "lo", "up")
    ready, reported = os.pipe()
    if os.fork() == 0:
        _serve()
        os.write(reported, b"1")
        while True:
            time.sleep(60)
    if os.read(ready, 1) != b"1":
        raise RuntimeError("no lab")
    os.set_inheritable(ready, False)
    os.execvpe(  # noqa: S606
        "setpriv",
        ["setpriv", "--bounding-set", _WITHOUT, "--inh-caps", _WITHOUT, _SYSTEMD, "--system",
         "--unit=nothing.target", "--log-target=console", "--show-status=no"],
        {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "container": "other"},
    )  # fmt: skip


if __name__ == "__main__":
    _main()
