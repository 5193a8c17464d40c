"""Make the virtual environment of a lock file, once and whole, then become another program.

    python3 -I drift/prepare.py LOCK ENVIRONMENT [COMMAND...]

Standard library only: it runs before anything is installed. The environment is built aside and
renamed into place last, with a copy of the lock in it, so that a killed run leaves nothing that
looks finished. A file lock keeps a second run out; the system frees it however this one ends.

Nothing is written to stdout. stderr gets one line on failure; on a terminal, or with -v among the
command's arguments, also everything that venv and pip say.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape, glob

STAMP = "lock.stamp"
_OURS = ("drift", "sources", "lab", "cloudformation")
_LONGEST_TOLD = 300
_UNWANTED = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")


class _Unprepared(Exception):
    """The environment cannot be made; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Prepare, then exec the command if there is one; return 3 if that cannot be."""
    lock, environment, *command = arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    show = sys.stderr.isatty() or "-v" in command or "--verbose" in command
    try:
        with _alone(environment):
            if not is_ready(environment, lock):
                prepare(environment, lock, show=show)
    except (_Unprepared, OSError) as error:
        told = " ".join(str(error).split())[:_LONGEST_TOLD]
        sys.stderr.write(f"time-drift: cannot prepare {environment}: {told}\n")
        return 3
    if command:
        os.execve(  # noqa: S606 - the caller's own command, no shell wanted
            command[0], command, os.environ | {"TIME_DRIFT_PREPARED": "1"}
        )
    return 0


def is_ready(environment: str, lock: str) -> bool:
    """Whether the environment was made, whole, from this very lock."""
    try:
        with open(os.path.join(environment, STAMP), "rb") as made, open(lock, "rb") as wanted:
            same = made.read() == wanted.read()
    except OSError:
        return False
    return same and os.access(os.path.join(environment, "bin", "python"), os.X_OK)


def prepare(environment: str, lock: str, *, show: bool) -> None:
    """Build the environment aside and put it in place; raise _Unprepared or OSError."""
    for left_behind in glob(f"{escape(environment)}.new-*") + glob(f"{escape(environment)}.old-*"):
        shutil.rmtree(left_behind)
    aside = f"{environment}.new-{os.getpid()}"
    try:
        _build(aside, environment, lock, show=show)
        _put_in_place(aside, environment)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _build(aside: str, environment: str, lock: str, *, show: bool) -> None:
    root = os.path.dirname(os.path.abspath(lock))
    if show:
        sys.stderr.write("time-drift: preparing the environment, once ...\n")
    # The versioned interpreter behind the links, so that an upgrade of the system's Python shows
    # as a missing file and not as an environment without its packages.
    _run([os.path.realpath(sys.executable), "-I", "-m", "venv", aside], show=show)
    python = os.path.join(aside, "bin", "python")
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "install", "--quiet", "--require-hashes", "-r", lock], show=show)
    _run([*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools"], show=show)
    (packages,) = glob(os.path.join(escape(aside), "lib", "python3*", "site-packages"))
    os.symlink(os.path.relpath(packages, aside), os.path.join(aside, "packages"))
    with open(os.path.join(packages, "time-drift.pth"), "w", encoding="utf-8") as path:
        path.write(os.path.relpath(root, packages) + "\n")
    ours = [os.path.join(root, name) for name in _OURS]
    compiled = [packages, *filter(os.path.isdir, ours)]
    # Not checked: where the sources cannot be written beside, Python does without.
    _run([python, "-I", "-m", "compileall", "-qq", *compiled], show=show, check=False)
    _rename_in_scripts(aside, environment)
    shutil.copy2(lock, os.path.join(aside, STAMP))


def _rename_in_scripts(aside: str, environment: str) -> None:
    """Make the scripts in bin/ name the place where the environment is going to be."""
    for path in glob(os.path.join(escape(aside), "bin", "*")):
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        if aside.encode() in data and b"\0" not in data:
            with open(path, "wb") as file:
                file.write(data.replace(aside.encode(), environment.encode()))


def _put_in_place(aside: str, environment: str) -> None:
    if os.path.lexists(environment):
        old = f"{environment}.old-{os.getpid()}"
        os.rename(environment, old)
        os.rename(aside, environment)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(aside, environment)


@contextmanager
def _alone(environment: str) -> Iterator[None]:
    """Hold the lock of the environment; raise _Unprepared if another run holds it."""
    with open(f"{environment}.lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _Unprepared("another run is preparing it; try again in a minute") from error
        yield


def _run(command: Sequence[str], *, show: bool, check: bool = True) -> None:
    """Run a step of the preparation; its output goes to stderr, or nowhere unless it fails."""
    environ = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if show else subprocess.PIPE,
        stderr=None if show else subprocess.STDOUT,
        env=environ,
        check=False,
    )
    if check and done.returncode:
        said = (done.stdout or b"").decode(errors="replace").split("\n")
        errors = [line for line in said if "ERROR" in line] or [line for line in said if line]
        step = " ".join(command[2:5])
        raise _Unprepared(f"{step}: {errors[-1] if errors else f'status {done.returncode}'}")


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
