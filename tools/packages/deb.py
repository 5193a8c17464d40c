"""Debian's package: where each file goes, and what dpkg is to know. Runs in the clean root."""

import hashlib
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tools.packages import copyright, program
from tools.packages.bundle import PAGES, settle

_SHARED = "usr/share/time-drift/monitoring"
_PATHS = (
    ("/opt/time-drift/time-drift.sh", "/usr/bin/time-drift"),
    ("/opt/time-drift/monitoring", f"/{_SHARED}"),
    ("/opt/time-drift/config.toml", "/etc/time-drift/config.toml"),
)
"""Where recipes have it, which are for a checkout or a bundle; and where the package has it."""
_COMPLETIONS = (
    ("time-drift.bash", "usr/share/bash-completion/completions/time-drift"),
    ("_time-drift", "usr/share/zsh/vendor-completions/_time-drift"),
    ("time-drift.fish", "usr/share/fish/vendor_completions.d/time-drift.fish"),
)
_UNITS = "usr/lib/systemd/system"
_DOC = "usr/share/doc/time-drift"


def build(source: Path, tree: Path, out: Path, version: str) -> None:
    """Write the package, from a program's tree."""
    here = out.parent / "root"
    version += _suffix()
    shutil.copytree(tree, here / program.HOME.lstrip("/"), symlinks=True)
    for name in ("LICENSE", "THIRD-PARTY.md"):
        (here / program.HOME.lstrip("/") / name).unlink()
    (here / "usr/bin").mkdir()
    (here / "usr/bin/time-drift").symlink_to("../lib/time-drift/time-drift.sh")
    (here / program.HOME.lstrip("/") / "env").symlink_to("../../bin/env")  # new enough in Debian
    _copy(source / "config.toml", here / "etc/time-drift/config.toml")
    _recipes(source, here)
    _manuals(source, here)
    _documents(source, here, version)
    _control(source / "packaging/deb", here, version)
    settle(here)
    name = f"time-drift_{version}_{_architecture()}.deb"
    pack = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--threads-max=1", "--build"]
    subprocess.run([*pack, str(here), str(out / name)], check=True, stdout=subprocess.DEVNULL)


def _suffix() -> str:
    """Return what is added to the version: an upgrade of Debian is one of the package, too."""
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    (release,) = re.findall(r'^VERSION_ID="?(\d+)', text, re.MULTILINE)
    return "" if release == "12" else f"+deb{release}"


def _architecture() -> str:
    done = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _recipes(source: Path, here: Path) -> None:
    """Install what monitors read, and the units, with the package's paths in them."""
    shutil.copytree(source / "monitoring", here / _SHARED)
    for path in sorted((here / _SHARED).rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for theirs, ours in _PATHS:
                text = text.replace(theirs, ours)
            path.write_text(text, encoding="utf-8")
    for unit in sorted((here / _SHARED / "systemd").glob("time-drift*")):
        target = here / _UNITS / unit.name
        target.parent.mkdir(parents=True, exist_ok=True)
        unit.rename(target)


def _manuals(source: Path, here: Path) -> None:
    for name in ("time-drift.1", "time-drift.toml.5"):
        target = here / f"usr/share/man/man{name[-1]}" / name
        _copy(source / "docs/man" / name, target)
        _compress(target)
    for name, target_name in _COMPLETIONS:
        _copy(source / "docs/completions" / name, here / target_name)


def _documents(source: Path, here: Path, version: str) -> None:
    for name in PAGES:
        _copy(source / name, here / _DOC / name)
    for page in sorted((source / "docs").iterdir()):
        if page.is_file():
            _copy(page, here / _DOC / "docs" / page.name)
    shutil.copytree(source / "docs" / "decisions", here / _DOC / "docs" / "decisions")
    (here / _DOC / "monitoring").symlink_to("../../time-drift/monitoring")
    _copy(source / "packaging/deb/README.Debian", here / _DOC / "README.Debian")
    (here / _DOC / "copyright").write_text(
        copyright.text(
            source / "packaging/deb/copyright",
            source / "LICENSE",
            here / program.HOME.lstrip("/") / "packages",
        ),
        encoding="utf-8",
    )
    changed = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    control = (source / "packaging/deb/control").read_text(encoding="utf-8")
    (maintainer,) = re.findall("^Maintainer: (.*)$", control, re.MULTILINE)
    (here / _DOC / "changelog").write_text(
        f"time-drift ({version}) stable; urgency=medium\n\n"
        f"  * What changed is in /{_DOC}/CHANGELOG.md.\n\n"
        f" -- {maintainer}  {changed:%a, %d %b %Y %H:%M:%S} +0000\n",
        encoding="utf-8",
    )
    _compress(here / _DOC / "changelog")
    _copy(
        source / "packaging/deb/lintian-overrides", here / "usr/share/lintian/overrides/time-drift"
    )


def _compress(path: Path) -> None:
    subprocess.run(["gzip", "-9n", str(path)], check=True)


def _control(source: Path, here: Path, version: str) -> None:
    """Write what dpkg reads: the fields, the sums, the scripts."""
    files = [path for path in sorted(here.rglob("*")) if path.is_file() and not path.is_symlink()]
    size_kib = sum(-(-path.stat().st_size // 1024) for path in files) + len(list(here.rglob("*")))
    major, minor = program.this_python().split(".")
    text = (source / "control").read_text(encoding="utf-8")
    for name, value in (
        ("VERSION", version),
        ("ARCHITECTURE", _architecture()),
        ("SIZE", str(size_kib)),
        ("PYTHON", program.this_python()),
        ("NEXT", f"{major}.{int(minor) + 1}"),
    ):
        text = text.replace(f"@{name}@", value)
    control = here / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(text, encoding="utf-8")
    for name in ("postinst", "prerm", "postrm"):
        _copy(source / name, control / name, 0o755)
    _copy(source / "conffiles", control / "conffiles")
    (control / "md5sums").write_text(
        "".join(
            f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
            f"  {path.relative_to(here)}\n"
            for path in files
            if path.relative_to(here).parts[0] != "etc"
        ),
        encoding="utf-8",
    )
