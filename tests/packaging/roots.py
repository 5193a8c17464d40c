"""Packages of this checkout, built once, and empty roots of Debian to install them in, offline."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sources.record import Record
from tests.support.servers.chrony import CONFIGURATION, command, faked, source

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "build" / "base"
_BUILT_WITHIN_S = 550
_RUNS_WITHIN_S = 120
_SETTINGS = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_PREPARE = """\
set -eu
ip link set lo up
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount --bind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
echo ready
exec cat
"""
OPERATORS = ("Alpha", "Bravo", "Charlie")


class EmptyRoot(Record):
    """A root with python3 and little else, writable, whose network is its own loopback."""

    holder: int
    """The process that keeps its namespaces."""
    where: str
    """Where it is, in these namespaces."""

    def inside(self, *command: str, user: str = "root", **environ: str) -> list[str]:
        """Return the command that runs one in the root."""
        given = [f"{name}={value}" for name, value in (_SETTINGS | environ).items()]
        who = [] if user == "root" else ["runuser", "-u", user, "--"]
        entered = ["nsenter", "-t", str(self.holder), "-m", "-n", "chroot", self.where]
        return [*entered, "env", "-i", *given, *who, *command]

    def run(
        self, *command: str, user: str = "root", **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the root to its end."""
        return subprocess.run(
            self.inside(*command, user=user, **environ),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_RUNS_WITHIN_S,
        )

    def shell(
        self, text: str, user: str = "root", **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run lines of shell in the root."""
        return self.run("sh", "-c", text, user=user, **environ)

    def does(self, text: str, user: str = "root") -> str:
        """Run lines of shell that have to succeed; return what they print."""
        done = self.shell(text, user)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outside(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of this machine that sees the root's files at `where`."""
        return subprocess.run(
            ["nsenter", "-t", str(self.holder), "-m", "-n", *command],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_RUNS_WITHIN_S,
        )

    def give(self, file: Path, name: str) -> None:
        """Copy a file of this machine into the root."""
        with file.open("rb") as opened:
            subprocess.run(self.inside("tee", name), stdin=opened, stdout=-3, check=True)

    def write(self, name: str, text: str) -> None:
        """Write a file in the root."""
        subprocess.run(self.inside("tee", name), input=text.encode(), stdout=-3, check=True)

    def files(self) -> set[str]:
        """Return every path of its file system."""
        return set(self.does("find / -xdev").split("\n"))


@contextmanager
def empty_root(directory: Path) -> Iterator[EmptyRoot]:
    """Make one of `build/base`, which stays as it is; nothing is left of it afterwards."""
    enter = ["unshare", "-m", "-n", "sh", "-c", _PREPARE, "sh", str(BASE), str(directory)]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        try:
            yield EmptyRoot(holder.pid, str(directory / "root"))
        finally:
            holder.stdin.close()


@contextmanager
def three_chronyd(root: EmptyRoot, program: str, directory: Path) -> Iterator[str]:
    """Run three real servers, four seconds ahead, on a root's loopback; yield a configuration."""
    started = []
    tables = []
    for number, operator in enumerate(OPERATORS, 2):
        place = directory / operator
        place.mkdir()
        address = f"127.0.0.{number}"
        file = place / "chrony.conf"
        file.write_text(CONFIGURATION.format(port=123, address=address, directory=place))
        enter = ["nsenter", "-t", str(root.holder), "-n"]
        started.append(
            subprocess.Popen(
                [*enter, *command(program), "-f", str(file)],
                env=os.environ | faked("+4s"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        tables.append(source(123, operator, address))
    try:
        deadline = time.monotonic() + 20
        while root.outside("ss", "-Huln", "sport", "=", "123").stdout.count("127.0.0") < len(
            OPERATORS
        ):
            assert time.monotonic() < deadline, "chronyd does not listen"
            time.sleep(0.05)
        yield "".join(tables)
    finally:
        for process in started:
            process.terminate()
            process.wait(timeout=10)


@cache
def built() -> Path:
    """Return where the packages of this checkout are: built once a run, by CI beforehand."""
    out = ROOT / "build"
    out.mkdir(exist_ok=True)
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (out / "packages.run").open("a+", encoding="utf-8") as made:
        fcntl.flock(made, fcntl.LOCK_EX)  # the other workers wait
        made.seek(0)
        if made.read() != this_run and not (os.environ.get("CI") and (out / "bundle").exists()):
            for kind in ("deb", "bundle"):
                shutil.rmtree(out / kind, ignore_errors=True)
            subprocess.run(
                ["make", "--silent", "packages"],
                cwd=ROOT,
                check=True,
                capture_output=True,
                timeout=_BUILT_WITHIN_S,
            )
            made.truncate(0)
            made.write(this_run)
    return out
