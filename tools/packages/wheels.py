"""The wheels of the lock, by hash, for several versions of Python.

pip's own configuration says where they come from. Nothing of that gets into what is built.
"""

import ensurepip
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""For machines with glibc 2.28 or newer, which is older than any Python that fits."""


def fetch(lock: Path, versions: Sequence[str], into: Path) -> None:
    """Download them into a directory a version; raise CalledProcessError if that cannot be."""
    machine = platform.machine()
    platforms = [word for tag in _TAGS for word in ("--platform", f"{tag}_{machine}")]
    for version in versions:
        command = [
            *(sys.executable, f"{_pip()}/pip", "download", "-qq", "--no-input"),
            *("--disable-pip-version-check", "--require-hashes", "--no-deps"),
            *("--only-binary", ":all:", "--implementation", "cp", "--python-version", version),
            *(*platforms, "--requirement", str(lock), "--dest", str(into / version)),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _pip() -> Path:
    """Return the wheel of pip that comes with Python."""
    place = sysconfig.get_config_var("WHEEL_PKG_DIR")  # Debian, Fedora
    bundled = Path(place or Path(ensurepip.__file__).parent / "_bundled")
    return sorted(bundled.glob("pip-*.whl"))[-1]
