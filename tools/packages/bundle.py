"""The bundle: a directory to unpack anywhere, with a Python of the machine's own.

Runs in the clean root.
"""

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from tools.packages import program

PYTHONS = ("3.11", "3.12", "3.13")
"""Those that a bundle serves."""
PAGES = ("README.md", "CHANGELOG.md", "SECURITY.md", "design.md", "CONTRIBUTING.md")


def build(source: Path, tree: Path, wheels: Path, out: Path, version: str) -> None:
    """Write the archive, and SHA256SUMS beside it, from a program's tree."""
    name = f"time-drift-{version}-linux-{platform.machine()}"
    here = out.parent / name
    shutil.copytree(tree, here, symlinks=True)
    first = program.this_python()
    others = [one for one in PYTHONS if one != first]
    for other in others:
        program.add_extensions(wheels / other, here / "packages")
    program.name_pythons(here, [first, *others])
    # Last in the search order: one of the machine's own, in /etc or beside the script, goes first.
    shutil.copy2(source / "config.toml", here / "drift" / "config.toml")
    for page in PAGES:
        shutil.copy2(source / page, here / page)
    for directory in ("docs", "monitoring"):
        shutil.copytree(source / directory, here / directory)
    settle(here)
    archive = out / f"{name}.tar.gz"
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    with archive.open("wb") as file:
        tar = ["tar", "--sort=name", f"--mtime=@{epoch}", "--owner=0", "--group=0"]
        packed = subprocess.run(
            [*tar, "--numeric-owner", "--format=gnu", "-c", "-C", str(here.parent), name],
            check=True,
            stdout=subprocess.PIPE,
        )
        subprocess.run(["gzip", "-6n"], input=packed.stdout, check=True, stdout=file)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (out / "SHA256SUMS").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")


def settle(tree: Path) -> None:
    """Give each file the mode that everybody can read it by, and the time of the commit."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for place, directories, files in os.walk(tree):
        for name in directories + files:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or _is_run(path) else 0o644)
            os.utime(path, (epoch, epoch), follow_symlinks=False)
    tree.chmod(0o755)
    os.utime(tree, (epoch, epoch))


def _is_run(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!" and os.access(path, os.X_OK)
