"""Try what a release consists of, from the directory that it lies in: python -m ... DIR VERSION.

Each file is used as its users use it; what runs has no network.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

SUMS = "SHA256SUMS"
_OFFLINE = ("unshare", "-r", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Nothing but a loopback, which the demo asks."""


def main(directory: Path, version: str) -> None:
    """Check everything; raise at the first that is not right."""
    _sums(directory)
    _package(directory, version)
    with tempfile.TemporaryDirectory(prefix="time-drift-verify-") as name:
        tree = _bundle(_one(directory, f"time-drift-{version}-linux-*.tar.gz"), Path(name))
        _wheel(_one(directory, f"time_drift-{version}-*.whl"), tree, Path(name))
    _materials(_one(directory, "*.cdx.json"), version)
    _image(_one(directory, f"time-drift-{version}-image.tar"))


def _one(directory: Path, pattern: str) -> Path:
    found = list(directory.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"{directory}: {len(found)} of {pattern}, wanted one")
    return found[0]


def _run(*command: str | Path, offline: bool = False) -> str:
    wrap: Sequence[str] = _OFFLINE if offline else ()
    done = subprocess.run([*wrap, *command], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def _wants(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"{what}: found {found!r}, wanted {wanted!r}")
    print(f"{what}: {found.strip()}")


def _sums(directory: Path) -> None:
    """Each file is as it was summed, and none has no sum."""
    command = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    subprocess.run(command, cwd=directory, check=True)
    lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
    summed = sorted(line.split("  ", 1)[1] for line in lines)
    there = sorted(path.name for path in directory.iterdir() if not path.name.startswith(SUMS))
    _wants(SUMS, " ".join(summed), " ".join(there))


def _package(directory: Path, version: str) -> None:
    package = _one(directory, "time-drift_*.deb")
    found = _run("dpkg-deb", "--field", package, "Version").strip().partition("+")[0]
    _wants(package.name, found, version)


def _bundle(archive: Path, place: Path) -> Path:
    _run("tar", "-xzf", archive, "-C", place)
    tree = place / archive.name.removesuffix(".tar.gz")
    _wants(archive.name, _run(tree / "time-drift.sh", "--demo", offline=True), "-4\n")
    return tree


def _wheel(wheel: Path, tree: Path, place: Path) -> None:
    """It installs without an index, and runs with the bundle's libraries."""
    python = place / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "venv", place / "venv")
    _run(
        *(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
        *("--disable-pip-version-check", wheel),
    )
    libraries = next((place / "venv" / "lib").glob("python3*/site-packages"))
    (libraries / "libraries.pth").write_text(f"{tree / 'packages'}\n", encoding="utf-8")
    _wants(wheel.name, _run(python.parent / "time-drift", "--demo", offline=True), "-4\n")


def _materials(bill: Path, version: str) -> None:
    component = json.loads(bill.read_text(encoding="utf-8"))["metadata"]["component"]
    _wants(bill.name, f"{component['name']} {component['version']}", f"time-drift {version}")


def _image(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("manifest.json")
        if manifest is None:
            raise ValueError(f"{archive.name}: manifest.json is no file")
        (image,) = json.load(manifest)
        config = opened.extractfile(image["Config"])
        if config is None:
            raise ValueError(f"{archive.name}: no configuration")
        entry = json.load(config)["config"]["Entrypoint"]
    _wants(archive.name, " ".join(entry), "/opt/time-drift/time-drift.sh")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
