"""Run the unit and contract tests by each supported Python that this machine has.

    python -m tools.pythons [ARGUMENTS OF PYTEST]

Looked for are the system's Python, python3 and python3.N on the path, and those that pyenv has
made: one of each minor version, the first that runs. What was found is printed, and what was not.
Each gets an environment under build/pythons. The exit status is 1 if any test fails.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path
from shutil import which

SUPPORTED = tuple((3, minor) for minor in range(11, 15))

_ROOT = Path(__file__).resolve().parent.parent
_ASKED = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.implementation.name)"
_TESTS = ("-q", "-n", "2", "--hypothesis-profile=brief", "tests/unit", "tests/contract")


def candidates(environ: Mapping[str, str]) -> list[str]:
    """Return the paths at which a Python may be, the system's own first."""
    names = ["python3", *(f"python{major}.{minor}" for major, minor in SUPPORTED)]
    on_path = [which(name, path=environ.get("PATH", "")) for name in names]
    pyenv = environ.get("PYENV_ROOT") or os.path.join(environ.get("HOME", "/"), ".pyenv")
    made = sorted(glob(os.path.join(pyenv, "versions", "3.*", "bin", "python3")))
    return list(dict.fromkeys(["/usr/bin/python3", *filter(None, on_path), *made]))


def found(paths: Iterable[str]) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the path and the whole version of the first of each supported version that runs."""
    here: dict[tuple[int, int], tuple[str, str]] = {}
    for path in paths:
        try:
            asked = subprocess.run(
                [path, "-I", "-c", _ASKED], capture_output=True, text=True, check=True, timeout=20
            )
            major, minor, micro, name = asked.stdout.split()
        except (OSError, ValueError, subprocess.SubprocessError):
            continue  # a version manager's shim without a version, or without venv
        version = int(major), int(minor)
        if version in SUPPORTED and name == "cpython":
            here.setdefault(version, (path, f"{major}.{minor}.{micro}"))
    return here


def main(arguments: list[str]) -> int:
    """Print what there is, run the tests by each, and return the exit status."""
    here = found(candidates(os.environ))
    for version in SUPPORTED:
        path, whole = here.get(version, ("not on this machine", ""))
        print(f"{version[0]}.{version[1]}: {whole} {path}".replace(":  ", ": "), flush=True)
    if not any(version > SUPPORTED[0] for version in here):
        print("NONE newer than 3.11 was found: only that one is tested", flush=True)
    failed = [
        version for version in sorted(here) if not _passes(version, here[version][0], arguments)
    ]
    for major, minor in failed:
        print(f"FAILED by {major}.{minor}")
    return 1 if failed or not here else 0


def _passes(version: tuple[int, int], path: str, arguments: list[str]) -> bool:
    """Make the environment of a Python, run the tests in it, and return whether they pass."""
    name = f"{version[0]}.{version[1]}"
    print(f"--- {name}", flush=True)
    environment = _ROOT / "build" / "pythons" / name
    environment.parent.mkdir(parents=True, exist_ok=True)
    made = [path, "-I", "drift/bootstrap.py", "requirements-dev.txt", str(environment)]
    if subprocess.run(made, cwd=_ROOT, check=False).returncode:
        return False
    tests = [str(environment / "bin" / "python"), "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run([*tests, *_TESTS, *arguments], cwd=_ROOT, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
