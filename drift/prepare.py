"""Make the virtual environment of a lock file, once and whole, then become another program.

    python3 -I drift/prepare.py LOCK ENVIRONMENT [COMMAND...]

Standard library only: it runs before anything is installed. The environment is built aside and
renamed into place last, with a copy of the lock in it, so that a killed run leaves nothing that
looks finished. A file lock keeps a second run out; the system frees it however this one ends.

stderr gets one line on failure; on a terminal, or with -v among the command's arguments, also
everything that venv and pip say. Nothing is written to stdout, unless the command is a plugin of
Nagios, which has to tell its failure there.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape, glob
from itertools import pairwise

STAMP = "lock.stamp"
_OURS = ("drift", "sources", "nodes", "lab", "cloudformation")
_LONGEST_TOLD = 280
_LONGEST_PATH = 200
_UNWANTED = re.compile("PYTHON|PIP_(USER|TARGET|PREFIX|ROOT|DRY_RUN|PYTHON|REQUIRE_VIRTUALENV)$")
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_PIP = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


class _Unprepared(Exception):
    """The environment cannot be made; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Prepare, then exec the command if there is one; return 3 if that cannot be."""
    lock, environment, *command = arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    told_to = "-v" in command or "--verbose" in command
    show = os.isatty(2) or (told_to and sys.stderr is not None)
    try:
        if not is_ready(environment, lock):  # a lock with a new date needs no writable checkout
            with _alone(environment):
                if not is_ready(environment, lock):
                    prepare(environment, lock, show=show)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no environment
        _tell(environment, _why(environment, error), is_plugin=_is_plugin(command))
        return 3
    if command:
        os.execve(  # noqa: S606 - the caller's own command, no shell wanted
            command[0], command, os.environ | {"TIME_DRIFT_PREPARED": "1"}
        )
    return 0


def _is_plugin(command: Sequence[str]) -> bool:
    return "--format=nagios" in command or ("--format", "nagios") in pairwise(command)


def _why(environment: str, error: Exception) -> str:
    """Say what stands in the way; for a user other than the one who prepared it, that."""
    python = os.path.join(environment, "bin", "python")
    ours = os.path.exists(os.path.join(environment, STAMP))
    if isinstance(error, PermissionError) and ours and not os.access(python, os.X_OK):
        return (
            f"{os.path.realpath(python)} cannot be run by this user; whoever owns the checkout: "
            "remove .venv and prepare it with TIME_DRIFT_PYTHON=/usr/bin/python3"
        )
    return str(error) or type(error).__name__


def _tell(environment: str, reason: str, *, is_plugin: bool) -> None:
    """Write one line: printable, under 512 bytes, what does not fit cut out of the path."""
    told = _printable(reason).encode("utf-8", "backslashreplace")[:_LONGEST_TOLD]
    path = _printable(environment).encode("utf-8", "backslashreplace")
    if len(path) > _LONGEST_PATH:
        path = b"..." + path[3 - _LONGEST_PATH :]
    place, who = (1, b"TIME DRIFT UNKNOWN - ") if is_plugin else (2, b"time-drift: ")
    with suppress(OSError):
        os.write(place, who + b"cannot prepare " + path + b": " + told + b"\n")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


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
        _remove(left_behind)
    aside = f"{environment}.new-{os.getpid()}"
    try:
        _build(aside, environment, lock, show=show)
        _put_in_place(aside, environment)
    finally:
        _remove(aside)


def _remove(path: str) -> None:
    """Remove whatever is there, as far as that can be done: nobody uses it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)


def _bundled_pip() -> str:
    """Return the wheel of pip that comes with Python; to install it would take seconds."""
    try:
        import ensurepip  # noqa: PLC0415 - Debian's python3 is without, until python3-venv is in
    except ImportError as error:
        raise _Unprepared(
            f"{sys.executable} has no venv module (Debian, Ubuntu: apt-get install python3-venv)"
        ) from error
    place = sysconfig.get_config_var("WHEEL_PKG_DIR")  # Debian, Fedora
    place = place or os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    wheels = sorted(glob(os.path.join(escape(place), "pip-*.whl")))
    if not wheels:
        raise _Unprepared(f"no wheel of pip in {place}")
    return wheels[-1]


def _build(aside: str, environment: str, lock: str, *, show: bool) -> None:
    root = os.path.dirname(os.path.realpath(lock))
    if show:
        sys.stderr.write("time-drift: preparing the environment, once ...\n")
    pip_wheel = _bundled_pip()
    # The versioned interpreter behind the links, so that an upgrade of the system's Python shows
    # as a missing file and not as an environment without its packages. No step starts a process
    # of its own: killing the step ends all work on the environment.
    base = os.path.realpath(sys.executable)
    _run([base, "-I", "-m", "venv", "--without-pip", aside], show=show)
    shutil.copy2(lock, os.path.join(aside, STAMP))  # first: the lock may change meanwhile
    python = os.path.join(aside, "bin", "python")
    pip = [python, "-I", "-c", _PIP, pip_wheel, "--disable-pip-version-check", "--no-input"]
    wanted = os.path.join(aside, STAMP)
    _run([*pip, "install", "--quiet", "--no-user", "--require-hashes", "-r", wanted], show=show)
    (packages,) = glob(os.path.join(escape(aside), "lib", "python3*", "site-packages"))
    os.symlink(os.path.relpath(packages, aside), os.path.join(aside, "packages"))
    with open(os.path.join(packages, "time-drift.pth"), "w", encoding="utf-8") as path:
        path.write(os.path.relpath(root, os.path.realpath(packages)) + "\n")
    ours = [os.path.join(root, name) for name in _OURS]
    compiled = [packages, *filter(os.path.isdir, ours)]
    # Not checked: where the sources cannot be written beside, Python does without.
    _run([python, "-I", "-m", "compileall", "-qq", *compiled], show=show, check=False)
    _rename_in_scripts(aside, environment)


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
    """Rename; what was there before is removed if we made it, and kept under a new name if not."""
    if os.path.lexists(environment) and not os.path.exists(os.path.join(environment, STAMP)):
        os.rename(environment, _free_name(f"{environment}.kept"))
    if os.path.lexists(environment):
        old = f"{environment}.old-{os.getpid()}"
        os.rename(environment, old)
        os.rename(aside, environment)
        _remove(old)
    else:
        os.rename(aside, environment)


def _free_name(path: str) -> str:
    for number in range(1, 1000):
        if not os.path.lexists(f"{path}-{number}"):
            return f"{path}-{number}"
    raise _Unprepared(f"too many of {path}-1 and up: remove some")


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
    environ = {name: value for name, value in os.environ.items() if not _UNWANTED.match(name)}
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=2 if show else subprocess.PIPE,
        stderr=None if show else subprocess.STDOUT,
        env=environ,
        check=False,
        preexec_fn=_die_with_parent,
    )
    if check and done.returncode:
        said = (done.stdout or b"").decode(errors="replace").split("\n")
        errors = [line for line in said if "ERROR" in line] or [line for line in said if line]
        step = "pip" if _PIP in command else " ".join(command[2:5])
        raise _Unprepared(f"{step}: {errors[-1] if errors else f'status {done.returncode}'}")


def _die_with_parent() -> None:
    """Have the kernel kill this step when the preparation dies, so that it leaves no orphan.

    Where that cannot be had, an orphan works on in a directory that nobody is going to use.
    """
    with suppress(ImportError, OSError, AttributeError):
        from ctypes import CDLL  # noqa: PLC0415 - some Pythons are without

        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
