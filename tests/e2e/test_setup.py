"""The set-up of the environment by time-drift.sh, as real processes in copies of the checkout.

A preparation takes seconds, nearly all of them venv's own. So one environment is prepared for the
whole session and copied where only the way in matters; where it only matters WHETHER a run would
prepare, and with which Python, the test holds the lock itself and the run is told to come back.
"""

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from drift import __version__
from drift.bootstrap import STAMP

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("drift", "sources", "nodes", "fleet", "lab")
COPIED = ("time-drift.sh", *PACKAGES, "config.toml", "requirements.txt")
AWKWARD = "a b'[x]*"
"""A directory name that every careless quoting, globbing or splitting breaks on."""
VERSION = f"time-drift {__version__}\n"
PYTHON = os.path.realpath(sys.executable)

Finished = subprocess.CompletedProcess[str]
T = TypeVar("T")


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


def _copy(directory: Path) -> Checkout:
    directory.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, directory / name, ignore=ignore)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, directory / name)
    return Checkout(directory)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepare one real environment, from the real lock: to be copied, not to be changed."""
    checkout = _copy(tmp_path_factory.mktemp("prepared") / AWKWARD)
    return Prepared(checkout, checkout())


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout that never ran, with the small lock."""
    checkout = _copy(tmp_path / "fresh")
    checkout.use_small_lock()
    return checkout


@pytest.fixture
def ready(prepared: Prepared, tmp_path: Path) -> Checkout:
    """A copy of the prepared checkout, to do with what one likes."""
    assert prepared.checkout.venv.exists(), prepared.first.stderr
    shutil.copytree(prepared.checkout.path, tmp_path / "ready", symlinks=True)
    return Checkout(tmp_path / "ready")


@pytest.fixture
def mounting() -> Callable[[str, str], tuple[str, ...]]:
    """Return the command that runs another after mount commands, in a namespace of its own.

    Skipped where the system does not permit it; in CI that is a failure.
    """
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-r", "-m")
    try:
        trial = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
        reason = trial.stderr.strip() if trial.returncode else ""
    except FileNotFoundError as error:
        reason = str(error)
    if reason and os.environ.get("CI"):
        pytest.fail(f"mount namespaces are not permitted, and CI may not skip: {reason}")
    if reason:
        pytest.skip(f"mount namespaces are not permitted: {reason}")

    def wrap(mounts: str, path: str) -> tuple[str, ...]:
        return (*unshare, "sh", "-e", "-c", f'{mounts}\nshift\nexec "$@"', "sh", path)

    return wrap


READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; ! touch "$1/x" 2>/dev/null'


def _assert_version(result: Finished) -> None:
    assert (result.returncode, result.stdout, result.stderr) == (0, VERSION, "")


def _assert_refused(result: Finished, status: int, *told: str) -> None:
    """Hold the contract of a run without an answer: its status, and one line that tells."""
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1, result.stderr
    assert len(result.stderr.encode()) < 512
    assert result.stderr.startswith("time-drift: ")
    for part in told:
        assert part in result.stderr


def _wait_for(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)
    return found


@contextmanager
def _preparing(checkout: Checkout) -> Iterator["subprocess.Popen[str]"]:
    """Start a run in a process group of its own, and stop it in the midst of its preparation.

    Stopped, so that no test depends on how long a preparation takes: see _go_on.
    """
    process = subprocess.Popen(
        [checkout.script, "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # A child, or a child's child, is at work in it: files appear beside the interpreter.
        unpacked = ".venv.new-*/lib/python3*/site-packages/*"
        _wait_for(lambda: list(checkout.path.glob(unpacked)), "the preparation")
        os.killpg(process.pid, signal.SIGSTOP)
        assert process.poll() is None
        assert not checkout.venv.exists()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # orphans too
        process.communicate(timeout=20)


def _go_on(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def _lock_held(checkout: Checkout) -> Iterator[None]:
    """Be the run that prepares: others that want to prepare get no further than the lock."""
    with open(checkout.path / ".venv.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _would_prepare(checkout: Checkout) -> bool:
    with _lock_held(checkout):
        result = checkout()
    if result.returncode == 0:
        return False
    _assert_refused(result, 3, "another run is preparing")
    return True


def _executable(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


# The first run, and the second


@pytest.mark.timeout(240)
def test_first_run_prepares_and_then_runs(prepared: Prepared) -> None:
    """The very first run makes the environment, leaves nothing else, and does what was asked."""
    _assert_version(prepared.first)
    assert prepared.checkout.made == [".venv"]


@pytest.mark.timeout(240)
def test_first_run_installs_what_the_lock_names(prepared: Prepared) -> None:
    """The environment holds every package of the lock, and no pip that nobody needs."""
    wanted = set(re.findall(r"^([\w-]+)==(\S+)", prepared.checkout.lock.read_text(), re.MULTILINE))
    code = "from importlib.metadata import distributions\n"
    code += "for d in distributions():\n"
    code += "    print(d.metadata['Name'].lower().replace('_', '-'), d.version)"
    python = prepared.checkout.venv / "bin" / "python"
    listed = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert {tuple(line.split()) for line in listed.stdout.splitlines()} == wanted


@pytest.mark.timeout(240)
def test_second_run_prepares_nothing(ready: Checkout) -> None:
    """A run that finds its environment uses it: it does not even look for a Python."""
    before = ready.identity

    _assert_version(ready(environ={"TIME_DRIFT_PYTHON": "/nowhere/python3"}))
    assert ready.identity == before


# The ways in


@pytest.mark.timeout(240)
def test_runs_from_any_working_directory(ready: Checkout, tmp_path: Path) -> None:
    """The script finds its files by its own path, absolute or relative, not by the caller's."""
    inside = tmp_path / "inside"
    inside.mkdir()

    _assert_version(ready(cwd=Path("/")))
    _assert_version(ready(cwd=ready.path, command=("./time-drift.sh",)))
    _assert_version(ready(cwd=inside, command=("../ready/time-drift.sh",)))
    _assert_version(ready(cwd=ready.path / "drift", command=("../time-drift.sh",)))


@pytest.mark.parametrize(
    ("command", "cwd"),
    [
        (("./time-drift.sh",), "."),
        (("sh", "././time-drift.sh"), "."),
        (("sh", "time-drift.sh"), "."),
        (("../.././fresh/./time-drift.sh",), "drift"),
        (("sh", "/{}/././time-drift.sh"), "drift"),
    ],
)
def test_paths_in_messages_lead_straight(
    fresh: Checkout, command: tuple[str, ...], cwd: str
) -> None:
    """No `/./`, however the script is called, and whatever CDPATH is; `..` may pass a link."""
    command = tuple(word.replace("{}", str(fresh.path)) for word in command)
    with _lock_held(fresh):
        result = fresh(command=command, cwd=fresh.path / cwd, environ={"CDPATH": "/:/tmp:."})

    _assert_refused(result, 3, "another run is preparing", "/.venv: ")
    assert "/./" not in result.stderr


@pytest.mark.timeout(240)
def test_is_found_on_the_path(ready: Checkout, tmp_path: Path) -> None:
    """The script runs by its bare name when its directory is on PATH."""
    environ = {"PATH": f"{ready.path}:{os.environ['PATH']}"}

    _assert_version(ready(cwd=tmp_path, command=("env", "time-drift.sh"), environ=environ))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("target", ["{}", "../ready"], ids=["absolute", "relative"])
def test_runs_through_a_symlink(ready: Checkout, tmp_path: Path, target: str) -> None:
    """A link to the script, even a link to a link with another name, leads to its checkout."""
    links = tmp_path / "links"
    links.mkdir()
    (links / "first").symlink_to(Path(target.format(ready.path)) / "time-drift.sh")
    (tmp_path / "time drift").symlink_to("links/first")

    _assert_version(ready(command=(links / "first",)))
    _assert_version(ready(cwd=links, command=("./first",)))
    _assert_version(ready(cwd=links, command=("../time drift",)))


@pytest.mark.timeout(240)
def test_runs_in_a_linked_directory(ready: Checkout, tmp_path: Path) -> None:
    """A checkout that is reached through a link to its directory finds its environment."""
    (tmp_path / "link").symlink_to("ready")
    before = ready.identity

    _assert_version(ready(command=(tmp_path / "link" / "time-drift.sh",)))
    assert ready.identity == before


@pytest.mark.timeout(240)
def test_runs_without_the_executable_bit(ready: Checkout) -> None:
    """`sh time-drift.sh` works where an unpacked archive lost the executable bit."""
    ready.script.chmod(0o644)

    _assert_version(ready(command=("sh", ready.script)))
    _assert_version(ready(cwd=ready.path, command=("sh", "time-drift.sh")))


@pytest.mark.timeout(240)
def test_runs_in_an_awkward_directory(prepared: Prepared) -> None:
    """Spaces, quotes and glob characters in the directory's name harm no way in."""
    checkout = prepared.checkout

    _assert_version(checkout())
    _assert_version(checkout(cwd=checkout.path, command=("./time-drift.sh",)))
    _assert_version(checkout(cwd=checkout.path.parent, command=("sh", f"{AWKWARD}/time-drift.sh")))


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "environ", [{}, {"HOME": "/"}, {"PATH": ""}], ids=["empty", "PATH unset", "PATH empty"]
)
def test_runs_in_a_bare_environment(
    ready: Checkout, tmp_path: Path, environ: dict[str, str]
) -> None:
    """Agents that pass no environment, or no PATH, get the version all the same."""
    link = tmp_path / "link"
    link.symlink_to(ready.script)

    _assert_version(ready(only=environ))
    _assert_version(ready(only=environ, command=(link,)))


@pytest.mark.timeout(240)
def test_survives_a_move(ready: Checkout, tmp_path: Path) -> None:
    """A checkout that is moved takes its environment along and does not prepare it again."""
    before = ready.venv.stat().st_ino
    moved = Checkout(ready.path.rename(tmp_path / "moved away"))

    _assert_version(moved(environ={"TIME_DRIFT_PYTHON": "/nowhere/python3"}))
    python = moved.venv / "bin" / "python"
    code = "import drift, rich; print(drift.__file__); print(rich.__file__)"
    imported = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    )

    assert moved.venv.stat().st_ino == before
    for line in imported.stdout.splitlines():
        assert Path(line).resolve().is_relative_to(moved.path)


# What surrounds it


@pytest.mark.timeout(240)
def test_hostile_surroundings_change_nothing(fresh: Checkout, tmp_path: Path) -> None:
    """Neither the current directory nor PYTHON variables reach a preparation or a run."""
    hostile = tmp_path / "hostile"
    (hostile / "drift").mkdir(parents=True)
    for name in ("json.py", "socket.py", "drift.py", "drift/__init__.py", "sitecustomize.py"):
        (hostile / name).write_text("raise RuntimeError('the hostile ' + __file__)\n")
    environ = {
        "PYTHONPATH": str(hostile),
        "PYTHONSTARTUP": str(hostile / "json.py"),
        "PYTHONHOME": str(hostile),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONWARNINGS": "default",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(hostile),
    }

    _assert_version(fresh(environ=environ, cwd=hostile))
    _assert_compiled(fresh)
    before = fresh.identity
    _assert_version(fresh(environ=environ, cwd=hostile))
    assert fresh.identity == before


@pytest.mark.timeout(240)
def test_first_run_compiles_everything(prepared: Prepared) -> None:
    """Byte-code of our modules and of the packages is there before the first measuring run."""
    _assert_compiled(prepared.checkout)


def _assert_compiled(checkout: Checkout) -> None:
    (packages,) = checkout.venv.glob("lib/python3*/site-packages")
    ours = [checkout.path / name for name in PACKAGES]
    modules = [module for place in (packages, *ours) for module in place.rglob("*.py")]
    missing = [
        module
        for module in modules
        if not list((module.parent / "__pycache__").glob(f"{module.stem}.cpython-*.pyc"))
    ]
    assert len(modules) > 10
    assert not missing


@pytest.mark.timeout(240)
def test_runs_read_only(
    ready: Checkout, mounting: Callable[[str, str], tuple[str, ...]], tmp_path: Path
) -> None:
    """A checkout on a read-only file system runs from the environment it has."""
    (ready.path / "requirements.txt").touch()  # a date alone is no reason to prepare anew

    command = (*mounting(READ_ONLY, str(ready.path)), str(ready.script))
    _assert_version(ready(command=command, cwd=tmp_path))


def test_read_only_without_environment(
    fresh: Checkout, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """Where no environment is and none can be made, one line says so."""
    result = fresh(command=(*mounting(READ_ONLY, str(fresh.path)), str(fresh.script)))

    _assert_refused(result, 3, str(fresh.venv), "Read-only")
    assert fresh.made == []


def test_refusal_stays_one_short_line(tmp_path: Path) -> None:
    """The one line stays under 512 bytes and one line, whatever the checkout's directory is."""
    checkout = _copy(tmp_path / ("long " * 40) / "two\nlines" / ("long " * 40))
    with _lock_held(checkout):
        result = checkout()

    _assert_refused(result, 3, "another run is preparing")


def test_refuses_without_stderr(fresh: Checkout) -> None:
    """A caller that closed stderr gets the same status as any other."""
    with _lock_held(fresh):
        result = fresh(command=("sh", "-c", '"$0" "$@" 2>&-', fresh.script))

    assert (result.returncode, result.stdout, result.stderr) == (3, "", "")


# Killed, disturbed, concurrent


def _at_work(checkout: Checkout) -> list[str]:
    """The command lines of the processes that work on the checkout's environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(checkout.venv) in line:
            found.append(line)
    return found


@pytest.mark.timeout(240)
def test_killed_preparation_heals(fresh: Checkout) -> None:
    """A preparation killed outright leaves nothing that looks finished; the next run cleans up."""
    with _preparing(fresh) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
    assert not fresh.venv.exists()

    _assert_version(fresh())
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_preparation_killed_alone_heals(fresh: Checkout) -> None:
    """When an agent kills its own child only, its orphans cannot spoil the next runs."""
    with _preparing(fresh) as process:
        process.kill()
        _go_on(process)
        process.communicate(timeout=20)
        while (result := fresh()).returncode:
            _assert_refused(result, 3, "another run is preparing")  # the orphans are still at it
            time.sleep(0.2)
        _wait_for(lambda: not _at_work(fresh), "the end of what the preparation started")

    _assert_version(result)
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_terminated_preparation_cleans_up(fresh: Checkout) -> None:
    """SIGTERM ends a preparation with 143; all it made and all it started is gone."""
    with _preparing(fresh) as process:
        process.terminate()
        _go_on(process)
        stdout, stderr = process.communicate(timeout=20)
        at_work = _at_work(fresh)

    assert process.returncode in {143, -signal.SIGTERM}
    assert stdout == ""
    assert stderr.count("\n") <= 1
    assert not at_work
    assert fresh.made == []
    assert _would_prepare(fresh)


@pytest.mark.timeout(240)
def test_second_run_during_preparation(fresh: Checkout) -> None:
    """A run that meets a preparation is told to come back and does not disturb it."""
    with _preparing(fresh) as process:
        _assert_refused(fresh(), 3, "another run is preparing")
        _assert_refused(fresh(), 3, "another run is preparing")
        _go_on(process)
        stdout, stderr = process.communicate(timeout=60)

    assert (process.returncode, stdout, stderr) == (0, VERSION, "")
    assert fresh.made == [".venv"]


@pytest.mark.timeout(240)
def test_failed_pip_leaves_nothing(fresh: Checkout) -> None:
    """When pip finds a package that is not the lock's, one line says so; nothing is left."""
    fresh.lock.write_text(re.sub(r"sha256:\w{8}", "sha256:deadbeef", fresh.lock.read_text()))

    _assert_refused(fresh(), 3, str(fresh.venv), "DO NOT MATCH THE HASHES")
    assert fresh.made == []


# The lock


@pytest.mark.timeout(240)
def test_changed_lock_is_prepared_anew(ready: Checkout) -> None:
    """A change of the lock makes the environment anew; -v shows it at work, on stderr only."""
    before = ready.identity
    ready.use_small_lock()

    result = ready("-v", "--version")

    assert (result.returncode, result.stdout) == (0, VERSION)
    assert "preparing" in result.stderr
    assert ready.identity != before
    assert ready.made == [".venv"]
    assert not list(ready.venv.glob("packages/rich*"))
    assert list(ready.venv.glob("packages/mdurl*"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("age_s", [0, 86_400], ids=["now", "dated back"])
def test_smallest_change_of_the_lock_counts(ready: Checkout, age_s: int) -> None:
    """One more comment in the lock counts, also when it carries a date of the past."""
    assert not _would_prepare(ready)
    with ready.lock.open("a") as file:
        file.write("# checked\n")
    at_s = time.time() - age_s
    os.utime(ready.lock, (at_s, at_s))

    assert _would_prepare(ready)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("age_s", [0, 86_400], ids=["now", "dated back"])
def test_touched_lock_is_not_prepared_anew(ready: Checkout, age_s: int) -> None:
    """A lock with another date and the same content, as after a checkout, is the same lock."""
    at_s = time.time() - age_s
    os.utime(ready.lock, (at_s, at_s))
    before = ready.venv.stat().st_ino

    _assert_version(ready())
    _assert_version(ready())
    assert ready.venv.stat().st_ino == before


@pytest.mark.timeout(240)
def test_touched_lock_needs_no_other_program(ready: Checkout, tmp_path: Path) -> None:
    """A new date on the lock is no obstacle where only Python is installed, without diffutils."""
    tools = tmp_path / "tools"
    _executable(tools / "python3", f'exec {shlex.quote(PYTHON)} "$@"')
    ready.lock.touch()

    _assert_version(ready(environ={"PATH": str(tools)}))


# Which Python


def _fails(path: Path, status: int = 127) -> Path:
    return _executable(path, "echo 'no such version' >&2", "echo noise", f"exit {status}")


@pytest.mark.timeout(240)
def test_named_python_with_spaces_prepares(fresh: Checkout, tmp_path: Path) -> None:
    """TIME_DRIFT_PYTHON alone, with spaces in its path, is all the environment it takes."""
    python = tmp_path / "my python" / "python 3"
    python.parent.mkdir()
    python.symlink_to(PYTHON)

    _assert_version(fresh(only={"TIME_DRIFT_PYTHON": str(python)}))
    assert (fresh.venv / "bin" / "python").resolve() == Path(PYTHON)


def _old_python() -> str | None:
    for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")):
        too_old = [str(path), "-c", "import sys; sys.exit(sys.version_info >= (3, 11))"]
        if subprocess.run(too_old, capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


@pytest.mark.parametrize(
    "unfit", ["old", "fails", "missing", "not executable", "a directory", "no program"]
)
def test_unfit_named_python(fresh: Checkout, tmp_path: Path, unfit: str) -> None:
    """A TIME_DRIFT_PYTHON that is no Python 3.11 or newer is wrong usage, named in one line."""
    python = tmp_path / "an odd python"
    match unfit:
        case "old":
            real = _old_python()
            if real is not None:
                python.symlink_to(real)
            else:  # what an old one answers when it is asked whether it is new enough
                _fails(python, status=1)
        case "fails":
            _fails(python, status=1)
        case "not executable":
            python.write_text("#!/bin/sh\n")
        case "a directory":
            python.mkdir()
        case "no program":
            python.write_bytes(b"\x7fELF no, not really")
            python.chmod(0o755)
        case "missing":
            pass

    result = fresh(environ={"TIME_DRIFT_PYTHON": str(python)})

    _assert_refused(result, 2, "TIME_DRIFT_PYTHON", str(python), "3.11")
    assert fresh.made == []


HIDE_SYSTEMS = 'if [ -e /usr/bin/python3 ]; then mount --bind "$1" /usr/bin/python3; fi'
"""Puts a program in the place of the system's Python, which is the first candidate."""


def _copied(directory: Path) -> str:
    """Return a copy of the interpreter: the original may be the one that is hidden."""
    return shlex.quote(str(shutil.copy2(Path(PYTHON).resolve(), directory / "real-python")))


def test_candidates_are_run_not_merely_found(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """A python3 that is found but does not run, like a version manager's shim, is passed over."""
    shims, called = tmp_path / "shims", tmp_path / "called"
    for name in ("python3", "python3.14", "python3.13"):
        _fails(shims / name)
    log = f'printf "%s\\n" "$*" >>{shlex.quote(str(called))}'
    _executable(shims / "python3.12", log, f'exec {_copied(tmp_path)} "$@"')
    command = ("env", f"PATH={shims}", str(fresh.script))

    with _lock_held(fresh):
        result = fresh(command=(*mounting(HIDE_SYSTEMS, str(shims / "python3")), *command))

    _assert_refused(result, 3, "another run is preparing")
    assert "prepare.py" in called.read_text().splitlines()[-1]


def test_no_python_at_all(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """Where no candidate runs, one line says what to install and how to name it."""
    shim = _fails(tmp_path / "shims" / "python3")
    only_shims = ("env", f"PATH={shim.parent}", str(fresh.script))

    result = fresh(command=(*mounting(HIDE_SYSTEMS, str(shim)), *only_shims))

    _assert_refused(result, 2, "3.11", "TIME_DRIFT_PYTHON")


def test_python_without_venv(fresh: Checkout, tmp_path: Path) -> None:
    """Debian's Python without python3-venv is named together with the cure."""
    python = _executable(
        tmp_path / "python3",
        'case "$*" in *ensurepip*) echo "No module named ensurepip" >&2; exit 1 ;; esac',
        f'exec {shlex.quote(PYTHON)} "$@"',
    )

    result = fresh(environ={"TIME_DRIFT_PYTHON": str(python)})

    _assert_refused(result, 3, str(python), "apt-get install python3-venv")
    assert fresh.made == []


def test_python_without_venv_is_passed_over(
    fresh: Checkout, tmp_path: Path, mounting: Callable[[str, str], tuple[str, ...]]
) -> None:
    """A Python without venv does not hide a later candidate that has it."""
    shims, real = tmp_path / "shims", _copied(tmp_path)
    without_venv = _executable(
        shims / "python3", 'case "$*" in *ensurepip*) exit 1 ;; esac', f'exec {real} "$@"'
    )
    _executable(shims / "python3.14", f'exec {real} "$@"')
    command = ("env", f"PATH={shims}", str(fresh.script))

    with _lock_held(fresh):
        result = fresh(command=(*mounting(HIDE_SYSTEMS, str(without_venv)), *command))

    _assert_refused(result, 3, "another run is preparing")


@pytest.mark.timeout(240)
def test_lost_python_heals(ready: Checkout) -> None:
    """An environment whose Python went away with an upgrade of the system is made anew."""
    ready.use_small_lock()
    shutil.copy2(ready.lock, ready.venv / STAMP)
    assert not _would_prepare(ready)
    before = ready.identity
    for link in (ready.venv / "bin").glob("python*"):
        if link.readlink().is_absolute():
            link.unlink()
            link.symlink_to("/nowhere/python3.11")
    assert not (ready.venv / "bin" / "python").exists()

    _assert_version(ready())
    assert ready.identity != before
    assert ready.made == [".venv"]


def unwrapped(text: str) -> str:
    """Return a text as it was before the picture put it on lines of its own."""
    return " ".join(text.split())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lost", ["rich", "h11/_state.py", "."], ids=["package", "module", "all"])
def test_lost_files_heal(ready: Checkout, lost: str) -> None:
    """A run that misses a library says so where that matters, and the next one makes it anew."""
    path = ready.venv / "packages" / lost
    if path.is_dir():
        shutil.rmtree(path.resolve())
    else:
        path.unlink()
        for code in path.parent.glob(f"__pycache__/{path.stem}.*"):
            code.unlink()
    ask = ("-v", "--demo") if lost != "rich" else ("--explain", "--timeout", "0.1")

    result = ready(*ask)

    assert result.stderr.count("\n") >= 1
    assert "is lost; the next run prepares the environment anew" in unwrapped(result.stderr)
    before = ready.identity
    _assert_version(ready())
    assert ready.identity != before
    assert ready.made == [".venv"]
    assert (ready.venv / "packages" / lost).exists()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_make_heals_lost_files(ready: Checkout, damage: str) -> None:
    """The preparation alone, as `make` runs it, looks at every file and not at the lock only."""
    (path,) = ready.venv.glob("packages/mdurl/_parse.py")
    if damage == "gone":
        path.unlink()
    else:
        path.write_text("")
    ready.use_small_lock()
    shutil.copy2(ready.lock, ready.venv / STAMP)
    command = (PYTHON, "-I", str(ready.path / "drift" / "prepare.py"), "requirements.txt")

    result = ready(".venv", command=command, cwd=ready.path)

    assert (result.returncode, result.stderr) == (0, "")
    assert path.stat().st_size
    assert ready.made == [".venv"]


@pytest.fixture
def as_nobody() -> tuple[str, ...]:
    """Return the command that runs another as a user without any right.

    Skipped for whoever is not root; CI is.
    """
    if os.geteuid() == 0 and shutil.which("setpriv"):
        return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    if os.environ.get("CI"):
        pytest.fail("not root, or no setpriv, and CI may not skip")
    pytest.skip("only root, with setpriv, can become nobody: this test did NOT run")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that everybody can enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.timeout(240)
def test_who_cannot_heal_says_who_can(
    prepared: Prepared, open_to_all: Path, as_nobody: tuple[str, ...]
) -> None:
    """A user who may not write in the checkout names what is lost and who has to run it."""
    ready = Checkout(open_to_all / "ready")
    shutil.copytree(prepared.checkout.path, ready.path, symlinks=True)
    for link in (ready.venv / "bin").glob("python*"):  # nobody cannot run root's own Python
        link.unlink()
        link.symlink_to(os.path.realpath("/usr/bin/python3"))
    shutil.rmtree((ready.venv / "packages" / "h11").resolve())

    result = ready("-v", "--demo", command=(*as_nobody, str(ready.script)))

    assert "comes back when the checkout's owner runs this" in unwrapped(result.stderr)
    assert (ready.venv / STAMP).read_bytes() == ready.lock.read_bytes()


# Whoever may read it


@pytest.mark.timeout(240)
@pytest.mark.parametrize("umask", ["077", "027"])
def test_everybody_runs_what_root_prepared(
    open_to_all: Path, as_nobody: tuple[str, ...], umask: str
) -> None:
    """Root's umask hides no file of the environment from those who may read the checkout."""
    fresh = _copy(open_to_all / "fresh")
    fresh.use_small_lock()
    for place in PACKAGES:
        (fresh.path / place / "__pycache__").mkdir(mode=0o700)
    shell = ("sh", "-c", f'umask {umask}; exec "$0" "$@"')
    real = {"TIME_DRIFT_PYTHON": "/usr/bin/python3"}  # which is nobody's, too

    _assert_version(fresh(command=(*shell, str(fresh.script)), environ=real))

    before = fresh.identity
    _assert_version(fresh(command=(*as_nobody, str(fresh.script))))
    places = [fresh.path / place for place in (".venv", *PACKAGES)]
    made = [path for place in places for path in place.rglob("*") if not path.is_symlink()]
    assert [path for path in made if not path.stat().st_mode & 0o004] == []
    assert (fresh.path / ".venv.lock").stat().st_mode & 0o004
    assert fresh.identity == before


def test_a_private_checkout_stays_private(fresh: Checkout) -> None:
    """Where others cannot enter the checkout, an umask that keeps them out is kept, too."""
    fresh.path.chmod(0o700)
    shell = ("sh", "-c", 'umask 077; exec "$0" "$@"', str(fresh.script))

    _assert_version(fresh(command=shell))
    assert fresh.venv.stat().st_mode & 0o077 == 0
