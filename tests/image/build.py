"""The image, built by buildah on a base that debootstrap made, and run by crun as engines run it.

No engine is needed, but root is, and Debian's buildah, crun and debootstrap. `make build/base`
makes the base, once; the image is built on it anew.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drift import __version__
from sources.record import Record

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/time-drift-base"
IMAGE = "localhost/time-drift"
USER = 10001
_BUILT_WITHIN_S = 400
_RUNS_WITHIN_S = 30
_IN_A_NAMESPACE = """\
umount -R /sys/fs/cgroup 2>/dev/null  # crun knows cgroups of version 2 only
mount -t cgroup2 none /sys/fs/cgroup
exec crun --root "$1" --cgroup-manager=disabled run --bundle "$2" "$3"
"""


class Ran(Record):
    """A container that ended."""

    status: int
    stdout: str
    stderr: str


class Built(Record):
    """The image and its base, unpacked."""

    directory: Path
    """For bundles and what is mounted."""
    root: Path
    """The image's file system."""
    base_root: Path
    """The base's."""
    config: dict[str, Any]
    """What the image says of itself: Entrypoint, User, Env, Labels, ..."""
    bytes_added: int
    """What the image holds beyond its base."""

    def command(
        self,
        name: str,
        *arguments: str,
        mounts: Sequence[tuple[Path, str]] = (),
        instead: Sequence[str] | None = None,
    ) -> list[str]:
        """Return the command that runs a container, with everything dropped that can be."""
        bundle = self.directory / "bundles" / name
        bundle.mkdir(parents=True)
        run = [*(instead or self.config["Entrypoint"]), *arguments]
        specification = _specification(self.config, self.root, run, mounts)
        (bundle / "config.json").write_text(json.dumps(specification), encoding="utf-8")
        state = str(self.directory / "state")
        return ["unshare", "-m", "sh", "-c", _IN_A_NAMESPACE, "sh", state, str(bundle), name]

    def run(self, name: str, *arguments: str, **more: Any) -> Ran:
        """Run a container to its end."""
        done = subprocess.run(
            self.command(name, *arguments, **more),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_RUNS_WITHIN_S,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def kill(self, name: str, signal: str) -> None:
        """Send a signal to the container's first process."""
        state = str(self.directory / "state")
        subprocess.run(["crun", "--root", state, "kill", name, signal], check=True)


def _specification(
    config: dict[str, Any], root: Path, run: list[str], mounts: Sequence[tuple[Path, str]]
) -> dict[str, Any]:
    """Return what `docker run --read-only --cap-drop ALL --tmpfs /tmp ...` would tell crun."""
    user, _, group = config["User"].partition(":")
    nothing: list[str] = []
    sets = ("bounding", "effective", "inheritable", "permitted", "ambient")
    inside = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        {
            "destination": "/tmp",  # noqa: S108 - the container's
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "nodev", "noexec", "mode=1777"],
        },
    ]
    given = [
        {
            "destination": there,
            "type": "bind",
            "source": str(here),
            "options": ["bind", "ro" if here.is_file() else "rw"],
        }
        for here, there in mounts
    ]
    return {
        "ociVersion": "1.0.0",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "args": run,
            "cwd": config["WorkingDir"],
            "env": config["Env"],
            "user": {"uid": int(user), "gid": int(group)},
            "noNewPrivileges": True,
            "capabilities": dict.fromkeys(sets, nothing),
        },
        "mounts": [*inside, *given],
        # Not a network of its own: the tests' servers are on loopback.
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }


def _bytes(root: Path) -> int:
    """Return how many bytes the files below a directory hold, once however many names one has."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            told = path.stat()
            found[told.st_dev, told.st_ino] = told.st_size
    return sum(found.values())


@contextmanager
def built(directory: Path) -> Iterator[Built]:
    """Build the image of this checkout, and its base, in a storage of their own."""
    storage = ["--root", str(directory / "storage"), "--runroot", str(directory / "run")]
    buildah = ["buildah", *storage, "--storage-driver", "vfs"]

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [*buildah, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=_BUILT_WITHIN_S,
        )
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    subprocess.run(["make", "--silent", "build/base"], cwd=ROOT, check=True)
    base = call("from", "scratch")
    call("add", "-q", base, str(ROOT / "build" / "base"), "/")
    call("commit", "-q", base, BASE)
    call(
        *("bud", "-q", "--isolation", "chroot", "--format", "docker"),
        *("-v", "/etc/ssl/certs:/etc/ssl/certs:ro"),  # whatever this machine's index is signed by
        *("--build-arg", f"BASE={BASE}", "--build-arg", f"VERSION={__version__}"),
        *("-t", IMAGE, "."),
    )
    container = call("from", "--pull-never", IMAGE)
    root, base_root = Path(call("mount", container)), Path(call("mount", base))
    told = json.loads(call("inspect", "--type", "image", IMAGE))
    added = _bytes(root) - _bytes(base_root)
    try:
        yield Built(directory, root, base_root, told["Docker"]["config"], added)
    finally:
        call("rm", "--all")
        shutil.rmtree(directory, ignore_errors=True)
