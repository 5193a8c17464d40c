"""The tree that a package of Debian's kind and a bundle share: program and packages, compiled.

Runs in the clean root, by its Python and the pip that comes with it.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

PARTS = ("drift", "sources", "nodes", "fleet", "lab")
HOME = "/usr/lib/time-drift"
"""Where the package of Debian's kind has it: what is compiled names its files there."""
_OF_AN_INSTALLATION = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def make(source: Path, wheels: Path, into: Path, version: str) -> None:
    """Put the program into a new directory, as this version of it."""
    into.mkdir()
    for part in PARTS:
        shutil.copytree(source / part, into / part)
    for name in ("time-drift.sh", "LICENSE", "THIRD-PARTY.md"):
        shutil.copy2(source / name, into / name)
    (into / "drift" / "__init__.py").write_text(
        _with_version((source / "drift" / "__init__.py").read_text(encoding="utf-8"), version),
        encoding="utf-8",
    )
    _install(source / "requirements.txt", wheels / this_python(), into / "packages")
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, "-s", str(into), "-p", HOME, str(into)], check=True)
    name_pythons(into, [this_python()])


def this_python() -> str:
    """Return the version of the Python that runs, such as "3.11"."""
    return "{}.{}".format(*sys.version_info)


def name_pythons(tree: Path, versions: Sequence[str]) -> None:
    """Write down which Pythons the packages in a tree are for; time-drift.sh reads it."""
    (tree / "pythons").write_text(" ".join(versions) + "\n", encoding="utf-8")


def _with_version(text: str, version: str) -> str:
    head, name, tail = text.partition('__version__ = "')
    return head + name + version + tail[tail.index('"') :]


def _install(lock: Path, wheels: Path, into: Path) -> None:
    """Install the lock, by hash, and leave out what is about the installing."""
    pip = max(Path("/usr/share/python-wheels").glob("pip-*.whl")) / "pip"
    command = [
        *(sys.executable, str(pip), "install", "--quiet", "--no-index", "--no-deps"),
        *("--require-hashes", "--no-compile", "--root-user-action", "ignore"),
        *("--find-links", str(wheels), "--target", str(into), "--requirement", str(lock)),
    ]
    subprocess.run(command, check=True)
    shutil.rmtree(into / "bin", ignore_errors=True)
    for metadata in into.glob("*.dist-info"):
        for name in _OF_AN_INSTALLATION:
            (metadata / name).unlink(missing_ok=True)


def add_extensions(wheels: Path, packages: Path) -> None:
    """Add to packages what wheels for another Python have compiled; the rest has to be equal.

    An extension's name says which Python it is for, so those for several stand side by side.
    """
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as opened:
            for name in opened.namelist():
                data = opened.read(name)
                target = packages / name
                if ".dist-info/" in name or name.endswith("/"):
                    continue
                if not target.exists() and name.endswith(".so"):
                    target.write_bytes(data)
                elif target.read_bytes() != data:
                    raise ValueError(f"{wheel.name}: {name} is not what other Pythons get")
