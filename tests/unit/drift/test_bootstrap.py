"""drift.bootstrap with a stand-in for Python that plays venv and pip, as a process, in no time."""

import os
import shlex
import shutil
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from drift import bootstrap

_STAND_IN = """#!/bin/sh
printf '%s\\n' "$*" >>{notes}/steps
for last; do :; done
case " $* " in
*' -m venv '*)
    mkdir -p "$last/bin"
    cp "$0" "$last/bin/python"
    if [ -e {notes}/idle ]; then exit; fi
    mkdir -p "$last/lib/python3.11/site-packages"
    echo "#!$last/bin/python" >"$last/bin/tool"
    ;;
*' config list '*)
    cat {notes}/configured 2>/dev/null || :
    ;;
*' install '*)
    env >{notes}/environ
    if [ -e {notes}/during ]; then . {notes}/during; fi
    ;;
esac
"""


class Tools:
    """What stands in for Python: it notes every step, and may do something while pip installs."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    @property
    def steps(self) -> list[str]:
        """The arguments of every process so far."""
        return (self.notes / "steps").read_text().splitlines()

    @property
    def variables(self) -> set[str]:
        """The names of the environment variables that `pip install` got."""
        return set(self.values)

    @property
    def values(self) -> dict[str, str]:
        """The environment of `pip install`."""
        lines = (self.notes / "environ").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def configured(self, *lines: str) -> None:
        """Let `pip config list` write lines."""
        (self.notes / "configured").write_text("\n".join([*lines, ""]))

    def while_installing(self, *lines: str) -> None:
        """Run lines of shell in place of `pip install`."""
        (self.notes / "during").write_text("\n".join([*lines, ""]))

    def idle(self) -> None:
        """Let every step succeed without doing what it should."""
        (self.notes / "idle").touch()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Python, venv and pip of this test."""
    notes = tmp_path / "notes"
    notes.mkdir()
    stand_in = notes / "python3"
    stand_in.write_text(_STAND_IN.format(notes=shlex.quote(str(notes))))
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    return Tools(notes)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the signal handlers back that bootstrap.main replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, kept, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file; the environment beside it is .venv."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("mdurl==0.1.2\n")
    return lock


def _bootstrap(lock: Path) -> Path:
    venv = lock.parent / ".venv"
    bootstrap.bootstrap(str(venv), str(lock), show=False)
    return venv


def _ready(lock: Path) -> bool:
    return bootstrap.is_ready(str(lock.parent / ".venv"), str(lock))


def _made(lock: Path) -> list[str]:
    return sorted(path.name for path in lock.parent.glob(".venv*"))


def test_made_environment_is_ready(tools: Tools, lock: Path) -> None:
    """What was just made counts as ready, and only that is there."""
    assert not _ready(lock)

    _bootstrap(lock)

    assert tools.steps
    assert _ready(lock)
    assert _made(lock) == [".venv"]


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("gone", ["lock.stamp", "bin/python"])
def test_incomplete_environment_is_not_ready(lock: Path, gone: str) -> None:
    """Without its stamp or its interpreter an environment is not ready."""
    (_bootstrap(lock) / gone).unlink()

    assert not _ready(lock)


@pytest.mark.usefixtures("tools")
def test_another_lock_is_not_ready(lock: Path) -> None:
    """A single byte more in the lock makes the environment another one's."""
    _bootstrap(lock)
    lock.write_text(lock.read_text() + "\n")

    assert not _ready(lock)


def test_lock_changed_meanwhile_is_not_ready(tools: Tools, lock: Path) -> None:
    """When the lock changes while pip works, the environment is not taken for the new lock's."""
    tools.while_installing(f"echo mdurl==0.1.3 >{shlex.quote(str(lock))}")
    _bootstrap(lock)

    assert not _ready(lock)


@pytest.mark.usefixtures("tools")
def test_scripts_name_the_final_place(lock: Path) -> None:
    """Scripts in bin/ start the interpreter where it will be, not where it was made."""
    venv = _bootstrap(lock)

    assert (venv / "bin" / "tool").read_text() == f"#!{venv}/bin/python\n"


def test_failure_keeps_the_old_environment(tools: Tools, lock: Path) -> None:
    """When pip fails the environment of before stays, whole, and nothing half-made is left."""
    venv = _bootstrap(lock)
    inode = venv.stat().st_ino
    lock.write_text("mdurl==0.1.3\n")
    tools.while_installing("echo ERROR: no such version", "exit 1")

    with pytest.raises(Exception, match="no such version"):
        _bootstrap(lock)
    assert venv.stat().st_ino == inode
    assert _made(lock) == [".venv"]


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("kind", ["new", "old"])
def test_remains_of_killed_runs_go(lock: Path, kind: str) -> None:
    """What a killed preparation left behind, before or after its renaming, is removed."""
    (lock.parent / f".venv.{kind}-1" / "lib").mkdir(parents=True)
    _bootstrap(lock)

    assert _made(lock) == [".venv"]


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("kind", ["directory", "file", "link to a directory", "dangling link"])
def test_what_is_not_ours_is_kept(lock: Path, kind: str) -> None:
    """A .venv that somebody else made makes way, twice if need be, and nothing of it is lost."""
    venv, target = lock.parent / ".venv", lock.parent / "elsewhere"
    for number in (1, 2):
        match kind:
            case "directory":
                venv.mkdir()
                (venv / "mine").write_text("precious")
            case "file":
                venv.write_text("precious")
            case "link to a directory":
                target.mkdir(exist_ok=True)
                venv.symlink_to(target)
            case "dangling link":
                venv.symlink_to(target)
        _bootstrap(lock)

        assert _ready(lock)
        kept = lock.parent / f".venv.kept-{number}"
        assert os.path.lexists(kept)
        if kind == "directory":
            assert (kept / "mine").read_text() == "precious"
        venv.rename(lock.parent / f"done-{number}")


def test_sources_are_compiled_in_a_linked_directory(
    tools: Tools, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our modules are found, to be compiled, through `..` behind a linked working directory."""
    (tmp_path / "drift").mkdir()
    (tmp_path / "inside" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(tmp_path / "inside")
    monkeypatch.chdir(link)
    bootstrap.bootstrap(f"{link}/../.venv", f"{link}/../{lock.name}", show=False)

    (step,) = [step for step in tools.steps if "compileall" in step]
    assert [path for path in step.split() if Path(path).resolve() == tmp_path / "drift"]


@pytest.mark.usefixtures("tools")
def test_environment_finds_our_modules_from_a_linked_directory(lock: Path, tmp_path: Path) -> None:
    """The environment leads to the checkout also when it was made through a link elsewhere."""
    (tmp_path / "some" / "where").mkdir(parents=True)
    link = tmp_path / "some" / "where" / "link"
    link.symlink_to(tmp_path)
    bootstrap.bootstrap(f"{link}/.venv", f"{link}/{lock.name}", show=False)

    (path,) = (tmp_path / ".venv").glob("lib/python3*/site-packages/*.pth")
    assert (path.parent / path.read_text().strip()).resolve() == tmp_path


def test_users_settings_stay_out(tools: Tools, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that make venv's Python or pip do something else do not reach them."""
    unwanted = {
        *("PYTHONINSPECT", "PYTHONPATH", "PYTHONVERBOSE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"),
        *("PIP_ROOT", "PIP_DRY_RUN", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV"),
    }
    for name in unwanted:
        monkeypatch.setenv(name, "1")
    _bootstrap(lock)
    let_through = tools.variables & unwanted

    assert not let_through


def test_only_where_packages_come_from_is_taken(tools: Tools, lock: Path) -> None:
    """Of what pip has configured, its own order of sections kept; nothing reads a file again."""
    tools.configured(
        ":env:.timeout='7'",
        "global.default-timeout='5'",
        "global.index-url='https://user:secret@index.example/simple'",
        "global.target='/elsewhere'",
        "install.find-links='/one /two'",
        "global.find-links='/none'",
        "install.no-deps='true'",
        "download.index-url='https://never.example'",
        "For variant 'global', will try loading '/etc/pip.conf'",
    )
    _bootstrap(lock)

    assert {name: value for name, value in tools.values.items() if name.startswith("PIP_")} == {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_TIMEOUT": "7",
        "PIP_INDEX_URL": "https://user:secret@index.example/simple",
        "PIP_FIND_LINKS": "/one /two",
    }
    assert "secret" not in "".join(tools.steps)


PINNED = """WARNING: Location 'file:///x/' is ignored: it is neither a file nor a directory.
ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. \
These do not:
    coverage[toml]>=7.10.6 from https://index.example/coverage-7.17.5-cp311.whl \
(from pytest-cov==7.1.0->-r old.txt (line 750))
"""
ALTERED = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the \
package versions, please update the hashes. Otherwise, examine the package contents carefully; \
someone may have tampered with them.
    mdurl==0.1.2 from file:///x/mdurl-0.1.2-py3-none-any.whl (from -r bad.txt (line 1)):
        Expected sha256 deadbeefe51615a49fc9966191ff91509e3c40b939176e643fd50a5c2196b8f8
             Got        84008a41e51615a49fc9966191ff91509e3c40b939176e643fd50a5c2196b8f8

"""
NONE = """\
ERROR: Could not find a version that satisfies the requirement mdurl==77 (from versions: 0.1.2)
ERROR: No matching distribution found for mdurl==77
WARNING: Location 'file:///x/' is ignored: it is neither a file nor a directory.
"""
CRASHED = """\
ERROR: Exception:
Traceback (most recent call last):
  File "x.whl/pip/_internal/cli/base_command.py", line 160, in exc_logging_wrapper
    status = run_func(*args)
OSError: [Errno 28] No space left on device
"""


@pytest.mark.parametrize(
    ("output", "reported"),
    [
        (PINNED, ("pinned with ==", "coverage[toml]>=7.10.6", "pytest-cov==7.1.0")),
        (ALTERED, ("DO NOT MATCH THE HASHES", "mdurl==0.1.2", "Expected sha256 deadbeef")),
        (NONE, ("No matching distribution found for mdurl==77",)),
        (CRASHED, ("pip: OSError: [Errno 28] No space left on device",)),
        ("/bin/sh: something else\n", ("pip: /bin/sh: something else",)),
        ("", ("pip: status 1",)),
    ],
    ids=["pinned", "altered", "none", "crashed", "other", "nothing"],
)
@pytest.mark.usefixtures("handlers")
def test_the_line_has_what_pip_complains_of(
    tools: Tools,
    lock: Path,
    capfd: pytest.CaptureFixture[str],
    output: str,
    reported: tuple[str, ...],
) -> None:
    """Not only that something is wrong, also with which requirement; pip's output, verbatim."""
    (lock.parent / "output").write_text(output)
    tools.while_installing(f"cat {shlex.quote(str(lock.parent / 'output'))}", "exit 1")

    assert bootstrap.main([str(lock), str(lock.parent / ".venv")]) == 3
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert len(line.encode()) < 512
    for part in reported:
        assert part in line


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("damage", ["gone", "empty", "no list"])
def test_an_environment_that_lost_something_is_not_ready(lock: Path, damage: str) -> None:
    """A file of the packages that is gone or cut is a reason to make the environment anew."""
    venv = _bootstrap(lock)
    file = venv / "packages" / "time-drift.pth"
    match damage:
        case "gone":
            file.unlink()
        case "empty":
            file.write_text("")
        case "no list":
            (venv / "files.stamp").unlink()

    assert not _ready(lock)
    assert bootstrap.lost(str(venv)) is not None


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700, 0o775])
@pytest.mark.usefixtures("tools", "handlers")
def test_who_may_read_the_checkout_may_read_the_environment(lock: Path, mode: int) -> None:
    """Whatever the umask is, which is the old one again afterwards; and no more than read."""
    lock.parent.chmod(mode)
    kept = os.umask(0o077)
    try:
        assert bootstrap.main([str(lock), str(lock.parent / ".venv")]) == 0
        after = os.umask(0o077)
    finally:
        os.umask(kept)

    assert after == 0o077
    assert (lock.parent / ".venv").stat().st_mode & 0o077 == mode & 0o055
    assert (lock.parent / ".venv.lock").stat().st_mode & 0o077 == mode & 0o044


@pytest.mark.usefixtures("handlers")
def test_a_place_that_is_not_there_leaves_the_umask(lock: Path, tmp_path: Path) -> None:
    """As it was, though what is to be made there cannot be."""
    kept = os.umask(0o027)
    try:
        assert bootstrap.main([str(lock), str(tmp_path / "nowhere" / ".venv")]) == 3
    finally:
        after = os.umask(kept)

    assert after == 0o027


@pytest.mark.usefixtures("handlers")
def test_surprise_is_reported_in_one_line(
    tools: Tools, lock: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tools that say they succeeded, but did not, lead to one line and 3, not to a traceback."""
    tools.idle()

    status = bootstrap.main([str(lock), str(lock.parent / ".venv")])

    assert status == 3
    assert capfd.readouterr().err.count("\n") == 1
    assert _made(lock) == [".venv.lock"]


# --- What stands in the way -----------------------------------------------------------------------


def test_an_environment_that_lost_a_file_is_given_up_once(tools: Tools, lock: Path) -> None:
    """A whole one stays; for a damaged one the next run makes another, and the loss is named."""
    venv = _bootstrap(lock)

    assert bootstrap.give_up_if_damaged(str(venv)) is None
    (venv / "packages" / "time-drift.pth").unlink()
    said = bootstrap.give_up_if_damaged(str(venv))
    assert (
        said
        == f"{venv}/packages/time-drift.pth is lost; the next run prepares the environment anew"
    )
    assert not _ready(lock)
    bootstrap.bootstrap(str(venv), str(lock), show=False)
    assert _made(lock) == [".venv"]  # it was still known as ours, so not kept beside


@pytest.mark.usefixtures("tools")
def test_who_may_not_give_it_up_names_the_owner(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its mark cannot be changed, the one who made it has to run."""
    venv = _bootstrap(lock)
    (venv / "packages" / "time-drift.pth").unlink()

    def refused(_path: str, _length: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "truncate", refused)

    said = bootstrap.give_up_if_damaged(str(venv))
    assert said is not None
    assert said.endswith("it comes back when the checkout's owner runs this (Permission denied)")


def test_an_environment_of_somebody_else_is_not_given_up(tmp_path: Path) -> None:
    """What has no mark of ours may lack whatever it likes."""
    (tmp_path / "bin").mkdir()

    assert bootstrap.give_up_if_damaged(str(tmp_path)) is None


@pytest.mark.parametrize("executable", [True, False])
@pytest.mark.usefixtures("tools", "handlers")
def test_an_interpreter_of_another_user_is_named(
    lock: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    executable: bool,
) -> None:
    """Where its Python cannot be run, that and the way out; else what the system says."""
    venv = _bootstrap(lock)
    lock.write_text("mdurl==0.1.3\n")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(venv))

    monkeypatch.setattr(bootstrap, "bootstrap", refused)
    monkeypatch.setattr(os, "access", lambda _path, _mode: executable)

    assert bootstrap.main([str(lock), str(venv)]) == 3
    line = capfd.readouterr().err
    assert ("cannot be run by this user; whoever owns the checkout" in line) is not executable
    assert ("Permission denied" in line) is executable


@pytest.mark.usefixtures("tools", "handlers")
def test_a_second_run_does_not_wait(lock: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """While another prepares there is one line and 3."""
    with bootstrap._alone(str(lock.parent / ".venv")):
        assert bootstrap.main([str(lock), str(lock.parent / ".venv")]) == 3

    assert "another run is preparing it; try again in a minute" in capfd.readouterr().err


@pytest.mark.usefixtures("tools", "handlers")
def test_a_plugin_says_so_on_stdout(
    lock: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In one line under 512 bytes, of which a long path loses its beginning."""
    place = tmp_path / ("x" * 200) / ".venv"

    assert bootstrap.main([str(lock), str(place), "sh", "--format", "nagios"]) == 3
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("TIME DRIFT UNKNOWN - cannot prepare ...xxx")
    assert "xxx/.venv: " in out
    assert "No such file or directory" in out
    assert out.count("\n") == 1
    assert len(out.encode()) < 512


@pytest.mark.usefixtures("handlers")
def test_a_python_without_venv_says_what_to_install(
    tools: Tools, lock: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's is before python3-venv is in."""
    monkeypatch.setitem(sys.modules, "ensurepip", None)

    assert bootstrap.main([str(lock), str(lock.parent / ".venv")]) == 3
    assert "has no venv module (Debian, Ubuntu: apt-get install python3-venv)" in (
        capfd.readouterr().err
    )


@pytest.mark.usefixtures("handlers")
def test_a_python_without_pip_says_where_it_was_looked_for(
    tools: Tools, lock: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The distribution says where its wheels are; none there is one line."""
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _name: str(lock.parent))

    assert bootstrap.main([str(lock), str(lock.parent / ".venv")]) == 3
    assert f"no wheel of pip in {lock.parent}\n" in capfd.readouterr().err


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("env", ["able", "unable", "absent"])
def test_env_is_linked_where_it_can_block_signals(
    lock: Path, monkeypatch: pytest.MonkeyPatch, env: str
) -> None:
    """An older one, or none, is no obstacle: the program then starts without it."""
    stand_in = lock.parent / "env"
    stand_in.write_text(f"#!/bin/sh\nexit {int(env == 'unable')}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: None if env == "absent" else str(stand_in))

    assert os.path.lexists(_bootstrap(lock) / "bin" / "env") is (env == "able")


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("ready", [False, True])
def test_the_command_is_become(
    tools: Tools,
    lock: Path,
    monkeypatch: pytest.MonkeyPatch,
    ready: bool,
) -> None:
    """With a mark, so that it prepares no second time; where all is ready no step is taken."""
    if ready:
        _bootstrap(lock)
    steps = len(tools.steps) if ready else 0
    became: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))

    bootstrap.main([str(lock), str(lock.parent / ".venv"), "/bin/sh", "time-drift.sh", "--json"])

    ((path, command, environ),) = became
    assert (path, command) == ("/bin/sh", ["/bin/sh", "time-drift.sh", "--json"])
    assert environ["TIME_DRIFT_PREPARED"] == "1"
    assert (len(tools.steps) == steps) is ready


@pytest.mark.usefixtures("handlers")
def test_with_v_the_steps_are_shown(
    tools: Tools, lock: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What venv and pip say goes to stderr as it comes; a failure still ends in its line."""
    monkeypatch.setattr(os, "isatty", lambda _number: False)
    tools.while_installing("echo collecting", "exit 1")

    assert bootstrap.main([str(lock), str(lock.parent / ".venv"), "sh", "-v"]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    first, *middle, last = err.splitlines()
    assert first == "time-drift: preparing the environment, once ..."
    assert middle == ["collecting"]
    assert last == f"time-drift: cannot prepare {lock.parent}/.venv: pip: status 1"
