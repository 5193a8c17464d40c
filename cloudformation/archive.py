"""The zip of this repository: the same bytes from any clone, time zone and umask.

It is made in a bare repository of its own, which receives nothing but the history of HEAD: neither
the user's configuration nor that of the clone, its attributes or the way it is packed can reach the
bytes. Only git and zlib themselves can, so the page names the version. Inside are the files of HEAD
and `history.bundle`, from which `git clone` gives the whole history.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

BUNDLE = "history.bundle"
BRANCH = "main"
"""What a clone of the bundle is on, whatever the branch was called where it was made."""
_SHOWN = 3
"""How many of the changed files a refusal names."""


class ArchiveError(Exception):
    """The archive cannot be made from this checkout; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was written, and what it holds."""

    path: Path
    commit: str
    """The full name of the commit it holds."""
    committed_unix_s: int
    subject: str
    """The first line of the commit's message."""
    git: str
    """The version of git that made it."""

    @property
    def folder(self) -> str:
        """Return the name of the folder that it unpacks to."""
        return self.path.stem


def write(repository: Path, directory: Path) -> Archive:
    """Write time-drift-COMMIT.zip of HEAD into directory; raise ArchiveError or OSError."""
    _refuse_half_a_history(repository)
    _refuse_changes(repository)
    head = _git(repository, "log", "-1", "--no-show-signature", "--format=%H%n%ct%n%s")
    commit, committed, subject = head.split("\n", 2)
    path = directory.resolve() / f"time-drift-{commit[:12]}.zip"
    with tempfile.TemporaryDirectory(prefix="time-drift-archive-") as work:
        received, bundle, bare = (Path(work, name) for name in ("all", BUNDLE, "bare.git"))
        _git(repository, "bundle", "create", "-q", str(received), "HEAD")
        _unpack(received, bare, commit)
        _git(bare, "bundle", "create", "-q", str(bundle), "HEAD", BRANCH, alone=True)
        inside = [f"--prefix={path.stem}/", f"--add-file={bundle}", f"--output={path}"]
        _git(bare, "archive", "--format=zip", "-9", *inside, commit, alone=True)
    version = _git(repository, "--version").removeprefix("git version ")
    return Archive(path, commit, int(committed), subject.strip(), version.strip())


def _refuse_half_a_history(repository: Path) -> None:
    try:
        top = Path(_git(repository, "rev-parse", "--show-toplevel").rstrip("\n"))
    except ArchiveError as error:
        if "not a git repository" not in str(error):
            raise  # somebody else's, for instance, and git says what helps
        raise ArchiveError(
            f"{repository} is no git clone: make one of the {BUNDLE} that the archive carries"
        ) from error
    if top.resolve() != repository.resolve():
        raise ArchiveError(f"{repository} is no clone of its own: it lies inside that of {top}")
    if _git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise ArchiveError(
            "this is a shallow clone, and the archive carries the whole history: "
            "`git fetch --unshallow` first"
        )
    if _git(repository, "config", "--get-regexp", r"^remote\..*\.promisor$", status=1).strip():
        raise ArchiveError(
            "this is a partial clone, and the archive carries the whole history: "
            "make it from a clone without --filter"
        )


def _refuse_changes(repository: Path) -> None:
    """Refuse what is not committed, new files included: the archive would be without it."""
    whole = ("--untracked-files=no", "--ignore-submodules=none", "--no-renames")
    status = _git(repository, "status", "--porcelain", "-z", *whole)
    changed = [entry[3:] for entry in status.split("\0") if entry]
    # Not by `status`: what the user alone ignores, in whatever file, would be missing all the same.
    new = _git(repository, "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
    changed += [name for name in new.split("\0") if name]
    flagged = _git(repository, "ls-files", "-z", "-v").split("\0")
    changed += [entry[2:] for entry in flagged if entry[:1].islower() or entry[:1] == "S"]
    if changed:
        shown = ", ".join(map(repr, changed[:_SHOWN])) + (", ..." if changed[_SHOWN:] else "")
        raise ArchiveError(
            f"{len(changed)} of the files differ from HEAD, or git overlooks them ({shown}): "
            "commit, stash or remove them first"
        )


def _unpack(received: Path, bare: Path, commit: str) -> None:
    """Make a bare repository that holds one branch at the commit, packed from nothing.

    Deltas found by an earlier packing would be used again, and each clone has its own.
    """
    start = f"--initial-branch={BRANCH}"
    _git(received.parent, "init", "-q", "--bare", start, "--template=", str(bare), alone=True)
    _git(bare, "fetch", "-q", str(received), f"HEAD:refs/heads/{BRANCH}", alone=True)
    if _git(bare, "rev-parse", BRANCH, alone=True).strip() != commit:
        raise ArchiveError(f"HEAD moved away from {commit} meanwhile: run again")
    sizes = ["--depth=50", "--window=10", "--threads=1"]  # a thread packs its own part alone
    _git(bare, "repack", "-q", "-a", "-d", "-F", *sizes, alone=True)


def _git(repository: Path, *arguments: str, alone: bool = False, status: int = 0) -> str:
    """Return what git printed; alone, it knows no configuration but the repository's own.

    Status is one beside 0 that is no failure. What points git at another repository is dropped:
    a hook that calls us has it in its environment.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ |= {
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    settings = []
    if alone:
        environ |= {
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        settings = ["-c", f"core.attributesFile={os.devnull}", "-c", "pack.threads=1"]
    try:
        done = subprocess.run(  # noqa: S603 - git, with our own arguments
            ["git", *settings, "-C", str(repository), *arguments],  # noqa: S607 - the one on PATH
            capture_output=True,
            env=environ,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ArchiveError("git is not installed, and the archive is made by git") from error
    if done.returncode not in (0, status):
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise ArchiveError(f"git {arguments[0]}: {said or done.returncode}")
    return done.stdout.decode(errors="replace")
