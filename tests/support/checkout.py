"""Copies of the checkout in which time-drift.sh sets up its environment, as real processes.

A preparation takes seconds, nearly all of them venv's own. So one environment is prepared for the
whole session and copied where only the way in matters; where it only matters WHETHER a run would
prepare, and with which Python, the test holds the lock itself and the run is asked to come back.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from drift import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("drift", "sources", "nodes", "fleet", "lab")
COPIED = ("time-drift.sh", *PACKAGES, "config.toml", "requirements.txt")
AWKWARD = "a b'[x]*"
"""A directory name that every careless quoting, globbing or splitting breaks on."""
VERSION = f"time-drift {__version__}\n"
PYTHON = os.path.realpath(sys.executable)

Finished = subprocess.CompletedProcess[str]


class Checkout:
    """A copy of the files of the program, somewhere else, and the ways to run it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script = path / "time-drift.sh"
        self.lock = path / "requirements.txt"
        self.venv = path / ".venv"

    def __call__(
        self,
        *arguments: str,
        command: tuple[str | Path, ...] = (),
        environ: dict[str, str] | None = None,
        only: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Finished:
        """Run command (time-drift.sh itself) with arguments (--version) and wait for it."""
        return subprocess.run(
            [*(command or (self.script,)), *(arguments or ("--version",))],
            capture_output=True,
            text=True,
            env=os.environ | (environ or {}) if only is None else only,
            cwd=cwd,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def identity(self) -> tuple[int, int]:
        """What changes if, and only if, the environment is made anew."""
        status = self.venv.stat()
        return status.st_ino, status.st_ctime_ns

    @property
    def made(self) -> list[str]:
        """The environments here, whole or half-made."""
        return sorted(path.name for path in self.path.glob(".venv*") if path.name != ".venv.lock")

    def use_small_lock(self) -> None:
        """Ask for one small package instead of all: what is tested is not what is installed."""
        text = self.lock.read_text()
        block = re.search(r"^mdurl==.*?(?=^\w)", text, re.MULTILINE | re.DOTALL)
        assert block, "the lock no longer has the small package that the tests use"
        self.lock.write_text(block[0])


class Prepared(NamedTuple):
    """The environment of the session, and how its very first run went."""

    checkout: Checkout
    first: Finished


def copy_of(prepared: Prepared, directory: Path) -> Checkout:
    """Copy its environment, too; its libraries are linked: replace a file, do not write into it."""
    shutil.copytree(
        prepared.checkout.path,
        directory,
        symlinks=True,
        ignore=lambda place, _: ["lib"] if place == str(prepared.checkout.venv) else [],
    )
    libraries = prepared.checkout.venv / "lib"
    subprocess.run(["cp", "-al", libraries, directory / ".venv"], check=True, timeout=60)
    return Checkout(directory)


def copy_to(directory: Path) -> Checkout:
    """Copy the files of the program as git has them."""
    directory.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, directory / name, ignore=ignore)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, directory / name)
    return Checkout(directory)


def assert_version(result: Finished) -> None:
    assert (result.returncode, result.stdout, result.stderr) == (0, VERSION, "")


def assert_refused(result: Finished, status: int, *reported: str) -> None:
    """Hold the contract of a run without an answer: its status, and one line that says why."""
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1, result.stderr
    assert len(result.stderr.encode()) < 512
    assert result.stderr.startswith("time-drift: ")
    for part in reported:
        assert part in result.stderr


@contextmanager
def lock_held(checkout: Checkout) -> Iterator[None]:
    """Be the run that prepares: others that want to prepare get no further than the lock."""
    with open(checkout.path / ".venv.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def would_prepare(checkout: Checkout) -> bool:
    with lock_held(checkout):
        result = checkout()
    if result.returncode == 0:
        return False
    assert_refused(result, 3, "another run is preparing")
    return True


def an_executable(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path
