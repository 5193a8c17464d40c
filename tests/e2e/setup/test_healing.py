"""Environments that lost files, and who may make them whole."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drift.bootstrap import STAMP
from tests.support.checkout import (
    PACKAGES,
    PYTHON,
    Checkout,
    Prepared,
    assert_version,
    copy_of,
    copy_to,
    would_prepare,
)


@pytest.mark.timeout(240)
def test_lost_python_heals(ready: Checkout) -> None:
    """An environment whose Python went away with an upgrade of the system is made anew."""
    ready.use_small_lock()
    shutil.copy2(ready.lock, ready.venv / STAMP)
    assert not would_prepare(ready)
    before = ready.identity
    for link in (ready.venv / "bin").glob("python*"):
        if link.readlink().is_absolute():
            link.unlink()
            link.symlink_to("/nowhere/python3.11")
    assert not (ready.venv / "bin" / "python").exists()

    assert_version(ready())
    assert ready.identity != before
    assert ready.made == [".venv"]


def unwrapped(text: str) -> str:
    """Return a text as it was before the picture put it on lines of its own."""
    return " ".join(text.split())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("lost", ["rich", "h11/_state.py", "."], ids=["package", "module", "all"])
def test_lost_files_heal(ready: Checkout, tmp_path: Path, lost: str) -> None:
    """A run that misses a library says so where that matters, and the next one makes it anew."""
    nobody = tmp_path / "nobody.toml"
    nobody.write_text('[[sources.ntp]]\nhost = "127.0.0.1"\nport = 9\n')
    path = ready.venv / "packages" / lost
    if path.is_dir():
        shutil.rmtree(path.resolve())
    else:
        path.unlink()
        for code in path.parent.glob(f"__pycache__/{path.stem}.*"):
            code.unlink()
    ask = ("-v", "--demo") if lost != "rich" else ("--explain", "--config", str(nobody))

    result = ready(*ask)

    assert result.stderr.count("\n") >= 1
    assert "is lost; the next run prepares the environment anew" in unwrapped(result.stderr)
    assert (ready.venv / STAMP).read_bytes() == b""  # no lock is empty: the next run has to
    if lost == "rich":  # which takes its time, and is the same for all
        before = ready.identity
        assert_version(ready())
        assert ready.identity != before
        assert ready.made == [".venv"]
        assert (ready.venv / "packages" / lost).exists()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_make_heals_lost_files(ready: Checkout, damage: str) -> None:
    """The preparation alone, as `make` runs it, looks at every file and not at the lock only."""
    (path,) = ready.venv.glob("packages/mdurl/_parse.py")
    path.unlink()
    if damage == "cut short":
        path.write_text("")
    ready.use_small_lock()
    shutil.copy2(ready.lock, ready.venv / STAMP)
    command = (PYTHON, "-I", str(ready.path / "drift" / "bootstrap.py"), "requirements.txt")

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
    ready = copy_of(prepared, open_to_all / "ready")
    for link in (ready.venv / "bin").glob("python*"):  # nobody cannot run root's own Python
        link.unlink()
        link.symlink_to(os.path.realpath("/usr/bin/python3"))
    shutil.rmtree((ready.venv / "packages" / "h11").resolve())

    result = ready("-v", "--demo", command=(*as_nobody, str(ready.script)))

    assert "comes back when the checkout's owner runs this" in unwrapped(result.stderr)
    assert (ready.venv / STAMP).read_bytes() == ready.lock.read_bytes()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("umask", ["077", "027"])
def test_everybody_runs_what_root_prepared(
    open_to_all: Path, as_nobody: tuple[str, ...], umask: str
) -> None:
    """Root's umask hides no file of the environment from those who may read the checkout."""
    fresh = copy_to(open_to_all / "fresh")
    fresh.use_small_lock()
    for place in PACKAGES:
        (fresh.path / place / "__pycache__").mkdir(mode=0o700)
    shell = ("sh", "-c", f'umask {umask}; exec "$0" "$@"')
    real = {"TIME_DRIFT_PYTHON": "/usr/bin/python3"}  # which is nobody's, too

    assert_version(fresh(command=(*shell, str(fresh.script)), environ=real))

    before = fresh.identity
    assert_version(fresh(command=(*as_nobody, str(fresh.script))))
    places = [fresh.path / place for place in (".venv", *PACKAGES)]
    made = [path for place in places for path in place.rglob("*") if not path.is_symlink()]
    assert [path for path in made if not path.stat().st_mode & 0o004] == []
    assert (fresh.path / ".venv.lock").stat().st_mode & 0o004
    assert fresh.identity == before


def test_a_private_checkout_stays_private(fresh: Checkout) -> None:
    """Where others cannot enter the checkout, an umask that keeps them out is kept, too."""
    fresh.path.chmod(0o700)
    shell = ("sh", "-c", 'umask 077; exec "$0" "$@"', str(fresh.script))

    assert_version(fresh(command=shell))
    assert fresh.venv.stat().st_mode & 0o077 == 0
