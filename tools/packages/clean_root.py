"""Run something in a clean root of a release, which stays as it is and has no network."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

INSIDE = "/mnt"
_ENTER = """\
set -eu
mount --bind "$1" "$1"
mount --bind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
mount --bind "$2" "$1/mnt"
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot "$root" env -i "$@"
"""


def run(root: Path, work: Path, command: Sequence[str], environ: dict[str, str]) -> None:
    """Run a command there that sees the directory `work` as /mnt, and this environment alone."""
    given = [f"{name}={value}" for name, value in environ.items()]
    entering = ["unshare", "-m", "-n", "sh", "-c", _ENTER, "sh", str(root), str(work)]
    subprocess.run([*entering, *given, *command], check=True)


def python_of(root: Path) -> str:
    """Return the version of the root's own Python, such as "3.11"."""
    return (root / "usr/bin/python3").readlink().name.removeprefix("python")
