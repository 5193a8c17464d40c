"""Build packages of this checkout: python -m tools.packages deb|bundle... [--out DIR].

As root, in a clean root of the release that they are for (`make build/base`). The same commit makes
the same bytes.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from drift import __version__
from sources.base import RELEASED_UNIX_S
from tools.packages import clean_root, source, wheels
from tools.packages.bundle import PYTHONS

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line, and build."""
    parser = argparse.ArgumentParser(prog="python -m tools.packages")
    parser.add_argument("kinds", nargs="+", choices=("deb", "bundle"))
    parser.add_argument("--version", default=__version__)
    parser.add_argument("--root", type=Path, default=ROOT / "build" / "base")
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="time-drift-packages-") as name:
        work = Path(name)
        _build(work, given.root, given.version, given.kinds)
        for kind in given.kinds:
            place = given.out / kind
            place.mkdir(parents=True, exist_ok=True)
            for path in sorted((work / "out" / kind).iterdir()):
                (place / path.name).write_bytes(path.read_bytes())
                print(place / path.name)


def _build(work: Path, root: Path, version: str, kinds: list[str]) -> None:
    source.copy(ROOT, work / "source")
    first = clean_root.python_of(root)
    versions = [first, *(one for one in PYTHONS if one != first and "bundle" in kinds)]
    wheels.fetch(ROOT / "requirements.txt", versions, work / "wheels")
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": _epoch_unix_s(),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": f"{clean_root.INSIDE}/source",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    inside = ["python3", "-m", "tools.packages.inside", version, *kinds]
    clean_root.run(root, work, inside, environ)


def _epoch_unix_s() -> str:
    """Return the time that all files get: that of the commit, or of the release without git."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return os.environ["SOURCE_DATE_EPOCH"]
    if not (ROOT / ".git").exists():
        return str(RELEASED_UNIX_S)
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
