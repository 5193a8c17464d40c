"""A copy of the checkout with an environment of the system's Python, outside of the repository."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHON = "/usr/bin/python3"
"""Both programs' interpreter: ntpdig names it in its first line."""
ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
"""Nothing of the user's: no SSL_CERT_FILE, and modules may be compiled."""
COPIED = ("drift", "sources", "nodes", "fleet", "lab")


def copied(directory: Path) -> Path:
    """Copy the program there and let it make its environment; return the path of the script."""
    for name in COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("time-drift.sh", "requirements.txt", "config.toml"):
        shutil.copy2(ROOT / name, directory / name)
    script = directory / "time-drift.sh"
    subprocess.run(
        [script, "--version"], check=True, stdout=subprocess.DEVNULL,
        env=os.environ | {"TIME_DRIFT_PYTHON": PYTHON},
    )  # fmt: skip
    return script
