"""Make the virtual environment of a lock file, once and whole, then become another program.

    python3 -I drift/bootstrap.py LOCK ENVIRONMENT [COMMAND...]

Standard library only: it runs before anything is installed. The environment is built aside and
renamed into place last, with a copy of the lock in it, so that a killed run leaves nothing that
looks finished. A file lock keeps a second run out; the system frees it however this one ends.

pip's own configuration says where packages come from. What is installed, and where, it cannot
change: that is compared with the lock before the environment counts as made. Whoever may read the
checkout may read its environment, whatever the umask is.

stderr gets one line on failure; on a terminal, or with -v among the command's arguments, also
everything that venv and pip say. Nothing is written to stdout, unless the command is a plugin of
Nagios, which has to report its failure there.
"""

import ast
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

sys.path.append(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from drift.plugin import is_plugin

STAMP = "lock.stamp"
_MANIFEST = "files.stamp"
"""Size, space, path in the packages' directory, NUL: of each file that was installed."""
_OURS = ("drift", "sources", "nodes", "fleet", "lab", "cloudformation")
_LONGEST_REPORT = 270
_LONGEST_PATH = 200
_UNWANTED = re.compile("PYTHON|PIP_")
_SETTINGS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert"),
    *("client-cert", "proxy", "timeout", "retries", "keyring-provider", "cache-dir"),
)
"""What of pip's configuration is taken: where from and how, never what or where to."""
_ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url"}
_SECTIONS = ("global", "install", ":env:")
"""Those that `pip install` reads; later ones count more."""
_LISTED = re.compile(r"(global|install|:env:)\.([a-z-]+)=(.+)")
_LISTING = {
    "PIP_QUIET": "0",
    "PIP_VERBOSE": "0",
    "PIP_USER": "0",
    "PIP_GLOBAL": "0",
    "PIP_SITE": "0",
    "PIP_LOG": os.devnull,
    "_PIP_RUNNING_IN_SUBPROCESS": "1",
}
"""Keeps what is configured from changing `pip config list` itself, to run another Python too."""
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_PIP = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


class _BootstrapError(Exception):
    """The environment cannot be made; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Prepare, then exec the command if there is one; return 3 if that cannot be."""
    lock, environment, *command = arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    verbose = "-v" in command or "--verbose" in command
    show = os.isatty(2) or (verbose and sys.stderr is not None)
    try:
        if not is_ready(environment, lock):  # a lock with a new date needs no writable checkout
            with _readable_as_the_checkout(environment), _alone(environment):
                if not is_ready(environment, lock):
                    bootstrap(environment, lock, show=show)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no environment
        _report(environment, _why(environment, error), is_plugin=is_plugin(command))
        return 3
    if command:
        os.execve(  # noqa: S606 - the caller's own command, no shell wanted
            command[0], command, os.environ | {"TIME_DRIFT_PREPARED": "1"}
        )
    return 0


def _why(environment: str, error: Exception) -> str:
    """Say what stands in the way; for a user other than the one who made it, that."""
    python = os.path.join(environment, "bin", "python")
    ours = os.path.exists(os.path.join(environment, STAMP))
    if isinstance(error, PermissionError) and ours and not os.access(python, os.X_OK):
        return (
            f"{os.path.realpath(python)} cannot be run by this user; whoever owns the checkout: "
            "remove .venv and prepare it with TIME_DRIFT_PYTHON=/usr/bin/python3"
        )
    return str(error) or type(error).__name__


def _report(environment: str, reason: str, *, is_plugin: bool) -> None:
    """Write one line: printable, under 512 bytes, what does not fit cut out of the path."""
    text = _printable(reason).encode("utf-8", "backslashreplace")[:_LONGEST_REPORT]
    path = _printable(environment).encode("utf-8", "backslashreplace")
    if len(path) > _LONGEST_PATH:
        path = b"..." + path[3 - _LONGEST_PATH :]
    place, who = (1, b"TIME DRIFT UNKNOWN - ") if is_plugin else (2, b"time-drift: ")
    with suppress(OSError):
        os.write(place, who + b"cannot prepare " + path + b": " + text + b"\n")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def is_ready(environment: str, lock: str) -> bool:
    """Whether the environment was made, whole, from this very lock."""
    try:
        with open(os.path.join(environment, STAMP), "rb") as made, open(lock, "rb") as wanted:
            same = made.read() == wanted.read()
    except OSError:
        return False
    works = same and os.access(os.path.join(environment, "bin", "python"), os.X_OK)
    return works and lost(environment) is None


def lost(environment: str) -> str | None:
    """Return the first file of the packages that is gone or has another size, or None."""
    packages = os.path.join(environment, "packages")
    try:
        with open(os.path.join(environment, _MANIFEST), encoding="utf-8") as file:
            wanted = [line.split(" ", 1) for line in file.read().split("\0") if line]
    except OSError:
        return _MANIFEST
    for size, path in wanted:
        try:
            found = os.stat(os.path.join(packages, path)).st_size
        except OSError:
            return path
        if found != int(size):
            return path
    return None


def give_up_if_damaged(environment: str) -> str | None:
    """Have the next run make an environment anew that has lost a file; return what to say."""
    stamp = os.path.join(environment, STAMP)
    gone = lost(environment) if os.path.exists(stamp) else None
    if gone is None:
        return None
    damage = f"{os.path.join(environment, 'packages', gone)} is lost"
    try:
        os.truncate(stamp, 0)  # kept, since what has none is taken for somebody else's
    except OSError as error:
        return f"{damage}; it comes back when the checkout's owner runs this ({error.strerror})"
    return f"{damage}; the next run prepares the environment anew"


def _list_files(aside: str) -> None:
    """Write down what was installed, but for byte-code, which may come and go."""
    packages = os.path.join(aside, "packages")
    paths = (os.path.join(place, name) for place, _, names in os.walk(packages) for name in names)
    with open(os.path.join(aside, _MANIFEST), "w", encoding="utf-8") as file:
        for path in paths:
            if not path.endswith(".pyc"):
                file.write(f"{os.stat(path).st_size} {os.path.relpath(path, packages)}\0")


def bootstrap(environment: str, lock: str, *, show: bool) -> None:
    """Build the environment aside and put it in place; raise _BootstrapError or OSError."""
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
        raise _BootstrapError(
            f"{sys.executable} has no venv module (Debian, Ubuntu: apt-get install python3-venv)"
        ) from error
    place = sysconfig.get_config_var("WHEEL_PKG_DIR")  # Debian, Fedora
    place = place or os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    wheels = sorted(glob(os.path.join(escape(place), "pip-*.whl")))
    if not wheels:
        raise _BootstrapError(f"no wheel of pip in {place}")
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
    wanted = os.path.join(aside, STAMP)
    install = ["install", "--quiet", "--no-user", "--require-hashes", "-r", wanted]
    common = ["-I", "-c", _PIP, pip_wheel, "--disable-pip-version-check", "--no-input"]
    # By the Python that was named: its own pip.conf counts, and the environment has none yet.
    settings = _settings_of_pip([sys.executable, *common], show=show)
    _run([python, *common, *install], show=show, environ=settings)
    (packages,) = glob(os.path.join(escape(aside), "lib", "python3*", "site-packages"))
    os.symlink(os.path.relpath(packages, aside), os.path.join(aside, "packages"))
    compare = os.path.join(os.path.dirname(os.path.realpath(__file__)), "installed.py")
    _run([python, "-I", compare, pip_wheel, wanted, packages], show=show)
    with open(os.path.join(packages, "time-drift.pth"), "w", encoding="utf-8") as path:
        path.write(os.path.relpath(root, os.path.realpath(packages)) + "\n")
    ours = [os.path.join(root, name) for name in _OURS]
    compiled = [packages, *filter(os.path.isdir, ours)]
    # Not checked: where the sources cannot be written beside, Python does without.
    _run([python, "-I", "-m", "compileall", "-qq", *compiled], show=show, check=False)
    _share_byte_code(environment, ours)
    _list_files(aside)
    _rename_in_scripts(aside, environment)
    _link_env(os.path.join(aside, "bin", "env"))


def _link_env(link: str) -> None:
    """Link `env` where it can start a program with signals blocked (coreutils 8.31).

    time-drift.sh starts Python by it: what comes while the interpreter begins is answered by us.
    """
    found = shutil.which("env")
    if found is None:
        return
    os.symlink(os.path.realpath(found), link)
    probe = [link, "--block-signal=INT,TERM", sys.executable, "-I", "-S", "-c", ""]
    if subprocess.run(probe, check=False, capture_output=True, env={}).returncode:  # noqa: S603
        os.unlink(link)


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
    raise _BootstrapError(f"too many of {path}-1 and up: remove some")


@contextmanager
def _alone(environment: str) -> Iterator[None]:
    """Hold the lock of the environment; raise _BootstrapError if another run holds it."""
    with open(f"{environment}.lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _BootstrapError("another run is preparing it; try again in a minute") from error
        yield


def _run(
    command: Sequence[str],
    *,
    show: bool,
    check: bool = True,
    environ: dict[str, str] | None = None,
    listing: bool = False,
) -> str:
    """Run a step of the bootstrap; its output goes to stderr, or nowhere unless it fails.

    Of pip's variables it gets those in `environ`. A listing's standard output is returned instead.
    """
    kept = {name: value for name, value in os.environ.items() if not _UNWANTED.match(name)}
    piped = None if show else subprocess.STDOUT
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if listing or not show else 2,
        stderr=subprocess.PIPE if listing and not show else piped,
        env=kept | (environ or {}),
        check=False,
        preexec_fn=_die_with_parent,
    )
    output = (done.stdout or b"").decode(errors="replace")
    if check and done.returncode:
        step = "pip" if _PIP in command else " ".join(command[2:5])
        complaint = _complaint(output + (done.stderr or b"").decode(errors="replace"))
        raise _BootstrapError(f"{step}: {complaint or f'status {done.returncode}'}")
    return output


def _complaint(output: str) -> str:
    """Return what pip complains of: its last error with the lines that belong to it.

    They name the requirement, and pip's sentence before may be long: then only its beginning stays.
    """
    blocks: list[list[str]] = []
    for line in filter(None, output.split("\n")):
        if line.startswith(("ERROR", "WARNING", "[notice]")) or not blocks:
            blocks.append([])
        blocks[-1].append(line.strip())
    errors = [block for block in blocks if "ERROR" in block[0]] or blocks[-1:]
    if not errors:
        return ""
    head, *rest = next((block for block in reversed(errors) if len(block) > 1), errors[-1])
    if not rest:
        return head
    if rest[0].startswith("Traceback"):
        return rest[-1]
    return " ".join([re.split(r"(?<=\.) ", head)[0], *rest])


def _settings_of_pip(pip: Sequence[str], *, show: bool) -> dict[str, str]:
    """Return, as pip's variables, what its configuration says of where packages come from.

    As variables, since an index's address may hold a password, and others can read a command line.
    """
    named = {_variable(name) for name in (*_SETTINGS, *_ALIASES)} | {"PIP_CONFIG_FILE"}
    asked = {name: os.environ[name] for name in named if name in os.environ}
    listed = _run([*pip, "config", "list"], show=show, environ=asked | _LISTING, listing=True)
    return {"PIP_CONFIG_FILE": os.devnull} | _read_settings(listed)


def _read_settings(listed: str) -> dict[str, str]:
    """Read what `pip config list` writes."""
    found = [match.groups() for match in map(_LISTED.fullmatch, listed.split("\n")) if match]
    settings = {}
    for section in _SECTIONS:
        for where, key, value in found:
            name = _ALIASES.get(key, key)
            if where == section and name in _SETTINGS:
                settings[_variable(name)] = str(ast.literal_eval(value))
    return settings


def _variable(name: str) -> str:
    return "PIP_" + name.upper().replace("-", "_")


@contextmanager
def _readable_as_the_checkout(environment: str) -> Iterator[None]:
    """Let those read what is made who may read the directory that it is made in."""
    readers = _readers(environment)
    before = os.umask(0o077)
    os.umask(before & ~readers)
    try:
        yield
    finally:
        os.umask(before)


def _readers(environment: str) -> int:
    """Return the bits by which others than its owner can read and enter the directory around."""
    mode = os.stat(os.path.dirname(os.path.abspath(environment))).st_mode
    return sum(bits for bits in (0o050, 0o005) if mode & bits == bits)


def _share_byte_code(environment: str, ours: Sequence[str]) -> None:
    """Make byte-code of ours readable that an earlier run wrote, as far as it is ours to change."""
    readers = _readers(environment)
    for place in ours:
        for path in glob(os.path.join(escape(place), "**", "__pycache__"), recursive=True):
            _permit(path, readers)
            for code in glob(os.path.join(escape(path), "*.pyc")):
                _permit(code, readers & 0o044)


def _permit(path: str, bits: int) -> None:
    with suppress(OSError):
        os.chmod(path, os.stat(path).st_mode & 0o7777 | bits)


def _die_with_parent() -> None:
    """Have the kernel kill this step when the bootstrap dies, so that it leaves no orphan.

    Where that cannot be had, an orphan works on in a directory that nobody is going to use.
    """
    with suppress(ImportError, OSError, AttributeError):
        from ctypes import CDLL  # noqa: PLC0415 - some Pythons are without

        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
