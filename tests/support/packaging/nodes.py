"""Roots of Debian bookworm with a systemd of their own: the machines that packages go to.

Each is an overlay of build/node, in namespaces, on a network that consists of loopback, without the
right to set a clock. What a test leaves there is gone with it.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.support.servers.systemd import cgroups, remove

_BASE = ROOT / "build" / "node"
_NAMESPACES = ["-m", "-p", "-n", "-u", "-i", "-C", "-f", "--kill-child"]
_ENTERED = ["-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w"]
_LONGEST_S = 20
_WITHOUT = "-sys_time,-sys_boot,-sys_module"
_UNIT = "/etc/systemd/system/nothing.target"
_BOOT = f"""\
mount --make-rprivate /
mount -t tmpfs -o mode=755 node "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" node "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount --rbind /dev dev
for place in run tmp; do mount -t tmpfs -o mode=755 none $place; done
chmod 1777 tmp
hostname "$3"
echo "127.0.0.1 localhost $3" >etc/hosts
ip link set lo up
# What a whole system starts is not wanted.
rm -rf etc/systemd/system/*.wants lib/systemd/system/*.wants
printf '[Unit]\\nDescription=Nothing\\nDefaultDependencies=no\\n' >.{_UNIT}
exec chroot . setpriv --bounding-set={_WITHOUT} --inh-caps={_WITHOUT} $4
"""
_SYSTEMD = (
    "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other /lib/systemd/systemd --system "
    "--unit=nothing.target --log-target=console --show-status=no"
)
_ASLEEP = "sleep infinity"


class Node:
    """A running root, seen from outside its namespaces."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self._root = Path(f"/proc/{pid}/root")

    def path(self, name: str) -> Path:
        """Return where a file of the node is for us."""
        return self._root / name.lstrip("/")

    def command(self, *words: str) -> list[str]:
        """Return the command that runs another one in the node."""
        return ["nsenter", "-t", str(self.pid), *_ENTERED, *words]

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the node."""
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        return subprocess.run(
            self.command(*clean, *words), capture_output=True, text=True, check=False, timeout=60
        )

    def beside(self, *words: str) -> list[str]:
        """Return the command that runs another one on our files, in the node's network."""
        return ["nsenter", "-t", str(self.pid), "-n", *words]

    def files(self) -> dict[str, str]:
        """Return {path: what it is} of all that lies in the root, but for the kernel's."""
        found = {}
        for place, directories, names in os.walk(self._root):
            if place == str(self._root):
                directories[:] = [one for one in directories if one not in _NOT_FILES]
            for name in (*directories, *names):
                path = Path(place, name)
                inner = "/" + str(path.relative_to(self._root))
                found[inner] = _what(path)
        return found


_NOT_FILES = ("dev", "proc", "run", "sys", "tmp")


def _what(path: Path) -> str:
    """Return mode, owner and content's size and date, or where a link leads."""
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    status = path.stat()
    what = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
    return what if path.is_dir() else f"{what} {status.st_size} {status.st_mtime_ns}"


def why_not() -> str:
    """Return why there can be no nodes here; nothing if there can."""
    if os.geteuid():
        return "this takes root"
    for program in ("unshare", "nsenter", "ip", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not (_BASE / "usr").is_dir():
        return "no build/node (`make build/node`)"
    return "" if cgroups() else "no cgroup2 is mounted"


@contextmanager
def node(name: str, directory: Path, *, systemd: bool = True) -> Iterator[Node]:
    """Run one until the end of the block; without a systemd it is what a chroot is."""
    directory.mkdir()
    mounted = cgroups()
    assert mounted
    group = mounted / f"time-drift-node-{os.getpid()}-{os.urandom(4).hex()}"
    group.mkdir()
    (directory / "root").mkdir()
    inside = ["sh", "-euc", _BOOT, "sh", str(directory / "root"), str(_BASE), name]
    with (directory / "console").open("w") as console:
        outer = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs"),
             "unshare", *_NAMESPACES, *inside, _SYSTEMD if systemd else _ASLEEP],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )  # fmt: skip
    try:
        yield _started(name, outer.pid, "systemd" if systemd else "sleep", directory / "console")
    finally:
        outer.kill()  # and its child, as it was asked
        outer.wait(timeout=_LONGEST_S)
        remove(group)


def _started(name: str, outer: int, comm: str, console: Path) -> Node:
    """Wait until the node's first process is the one that stays, and is ready."""
    ends_s = time.monotonic() + _LONGEST_S
    while time.monotonic() < ends_s:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text() == f"{comm}\n":
            found = Node(name, int(children[0]))
            ready = found.call("systemctl", "is-system-running").stdout == "running\n"
            if ready or comm != "systemd":
                return found
        time.sleep(0.05)
    raise AssertionError(f"{name} does not run: {console.read_text()}")
