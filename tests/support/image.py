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
_TMP = "/tmp"  # noqa: S108 - the container's
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
    """What the image adds to its base, or changes."""
    base_bytes: int

    def command(
        self,
        name: str,
        *arguments: str,
        mounts: Sequence[tuple[Path, str]] = (),
        instead: Sequence[str] | None = None,
        tmp: bool = True,
    ) -> list[str]:
        """Return the command that runs a container, with everything dropped that can be."""
        bundle = self.directory / "bundles" / name
        bundle.mkdir(parents=True)
        run = [*(instead or self.config["Entrypoint"]), *arguments]
        specification = _specification(self.config, self.root, run, mounts)
        if not tmp:
            specification["mounts"] = [
                one for one in specification["mounts"] if one["destination"] != _TMP
            ]
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
    """Return what `docker run --read-only --cap-drop ALL --tmpfs /tmp ...` would give crun."""
    user, _, group = config["User"].partition(":")
    nothing: list[str] = []
    sets = ("bounding", "effective", "inheritable", "permitted", "ambient")
    inside = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        {
            "destination": _TMP,
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


def _files(root: Path) -> dict[str, tuple[int, int]]:
    """Return (bytes, when changed) of each file below a directory."""
    return {
        str(path.relative_to(root)): (path.stat().st_size, int(path.stat().st_mtime))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _make_like_the_usual_one(root: Path) -> None:
    """Give the base what python:slim has: pip, and a standard library without byte code."""
    (library,) = (root / "usr" / "lib").glob("python3.*")
    for compiled in [*library.rglob("__pycache__")]:
        shutil.rmtree(compiled)
    packages = root / "usr" / "local" / "lib" / library.name / "dist-packages"
    for name in ("pip", "pip-1.dist-info"):
        (packages / name).mkdir(parents=True)
        (packages / name / "x").write_text("x")
    (root / "usr" / "local" / "bin" / "pip3").write_text("#!/bin/sh\n")


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
    base_root = Path(call("mount", base))
    subprocess.run(["cp", "-a", f"{ROOT}/build/base/.", str(base_root)], check=True)
    _make_like_the_usual_one(base_root)
    call("config", "--cmd", "python3", base)
    call("commit", "-q", base, BASE)
    call(
        *("bud", "-q", "--isolation", "chroot", "--format", "docker"),
        *("-v", "/etc/ssl/certs:/etc/ssl/certs:ro"),  # whatever this machine's index is signed by
        *("--build-arg", f"BASE={BASE}", "--build-arg", f"VERSION={__version__}"),
        *("-t", IMAGE, "."),
    )
    container = call("from", "--pull-never", IMAGE)
    root = Path(call("mount", container))
    reported = json.loads(call("inspect", "--type", "image", IMAGE))
    files, base_files = _files(root), _files(base_root)
    added = sum(reported[0] for path, reported in files.items() if base_files.get(path) != reported)
    all_of_base = sum(size for size, _ in base_files.values())
    try:
        yield Built(directory, root, base_root, reported["Docker"]["config"], added, all_of_base)
    finally:
        call("rm", "--all")
        shutil.rmtree(directory, ignore_errors=True)
