"""What of the checkout goes into packages: what git tracks, and no file that lies beside it."""

import os
import shutil
import subprocess
from pathlib import Path

PLACES = (
    *("drift", "sources", "nodes", "fleet", "lab", "docs", "monitoring", "packaging"),
    *("tools/__init__.py", "tools/packages", "time-drift.sh", "config.toml", "requirements.txt"),
    *("README.md", "design.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("THIRD-PARTY.md", "LICENSE"),
)
_CLEAN = ("__pycache__",)


def copy(root: Path, into: Path) -> None:
    """Copy what is packed of the checkout in `root`; without git, all that is in those places."""
    for name in _tracked(root):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target, follow_symlinks=False)
        target.chmod(0o755 if os.access(root / name, os.X_OK) else 0o644)


def _tracked(root: Path) -> list[str]:
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--", *PLACES]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True)
        names = os.fsdecode(listed.stdout).split("\0")
        return [name for name in names if name and (root / name).is_file()]
    found = [root / place for place in PLACES]
    files = [path for place in found for path in ([place] if place.is_file() else _files(place))]
    return [str(path.relative_to(root)) for path in files]


def _files(place: Path) -> list[Path]:
    return [
        path
        for path in sorted(place.rglob("*"))
        if path.is_file() and not set(_CLEAN) & set(path.parts)
    ]
