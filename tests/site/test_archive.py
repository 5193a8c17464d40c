"""The archive: the same bytes from any clone, and no archive from half of one."""

import hashlib
import os
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudformation import archive
from cloudformation.archive import ArchiveError
from tests.conftest import ROOT

Clone = Callable[..., Path]
COMMIT_UNIX_S = 1_700_000_001  # odd: a zip's own stamp has two seconds' resolution


def git(place: Path, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(place), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environ,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository: three commits, a program, line ends of both sorts, another branch."""
    place = tmp_path_factory.mktemp("origin")
    git(place, "init", "-q", "-b", "trunk")
    git(place, "config", "user.name", "A")
    git(place, "config", "user.email", "a@example.org")
    for number in range(3):
        (place / "run.sh").write_text(f"#!/bin/sh\necho {number}\n")
        (place / "run.sh").chmod(0o755)
        (place / "notes.txt").write_bytes(b"one\r\ntwo\n" * (number + 1))
        (place / "dir").mkdir(exist_ok=True)
        (place / "dir" / "um\N{LATIN SMALL LETTER U WITH DIAERESIS}.txt").write_text("x\n" * 99)
        git(place, "add", "-A")
        date = f"{COMMIT_UNIX_S + 60 * number} +0000"
        git(
            place, "commit", "-qm", f"Number {number}",
            GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date,
        )  # fmt: skip
    git(place, "branch", "other", "HEAD~1")
    git(place, "tag", "v1")
    return place


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Clone:
    """Clone the small repository; arguments are git clone's."""

    def make(name: str, *arguments: str, source: Path = origin) -> Path:
        place = tmp_path / name
        url = source.as_uri()
        subprocess.run(["git", "clone", "-q", *arguments, url, str(place)], check=True)
        return place

    return make


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def written(repository: Path, directory: Path) -> archive.Archive:
    directory.mkdir(exist_ok=True)
    return archive.write(repository, directory)


def test_two_clones_give_the_same_bytes(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the time zone, the umask, the user's git configuration, the packing, the branch."""
    plain = written(clone("plain"), tmp_path / "a")
    other = clone("other")
    git(other, "checkout", "-q", "--detach")
    git(other, "repack", "-adfq", "--depth=1", "--window=1")
    (other / ".git" / "info" / "attributes").write_text("dir/* text eol=crlf\n*.sh export-ignore\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[core]\n\tabbrev = 20\n\tcompression = 1\n[pack]\n\tdepth = 2\n[tar]\n\tumask = 0077\n"
        "[log]\n\tshowSignature = true\n[status]\n\tshowUntrackedFiles = no\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    before = os.umask(0o077)
    try:
        strange = written(other, tmp_path / "b")
    finally:
        os.umask(before)

    assert strange.path.name == plain.path.name
    assert sha256(strange.path) == sha256(plain.path)
    assert (strange.commit, strange.subject) == (plain.commit, "Number 2")


def test_this_repository_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    """The real one, too: a hundred commits, packed by git's own choice and by another."""
    if git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("this is a shallow clone: the archive of the real repository was NOT made")
    made = []
    for number, packing in enumerate((["--depth=50"], ["--depth=3", "--window=2"])):
        place = tmp_path / f"clone-{number}"
        subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(place)], check=True)
        git(place, "repack", "-adfq", *packing)
        made.append(written(place, tmp_path / f"out-{number}"))

    assert sha256(made[0].path) == sha256(made[1].path)


def test_it_holds_head_and_the_history(clone: Clone, tmp_path: Path) -> None:
    """Files with their bytes and modes, the commit's name and date, a bundle that clones."""
    repository = clone("plain")
    made = written(repository, tmp_path / "a")

    with zipfile.ZipFile(made.path) as opened:
        names = {entry.filename: entry for entry in opened.infolist()}
        notes = opened.read(f"{made.folder}/notes.txt")
        assert (
            opened.comment.decode() == made.commit == git(repository, "rev-parse", "HEAD").strip()
        )
    assert made.folder == made.path.stem == f"time-drift-{made.commit[:12]}"
    assert all(name.startswith(made.folder + "/") for name in names)
    assert notes == b"one\r\ntwo\n" * 3
    assert names[f"{made.folder}/run.sh"].external_attr >> 16 & 0o777 == 0o755
    stamp = datetime(*names[f"{made.folder}/run.sh"].date_time, tzinfo=UTC).timestamp()
    assert 0 <= made.committed_unix_s - stamp < 2
    subprocess.run(["unzip", "-q", str(made.path), "-d", str(tmp_path / "un")], check=True)
    bundle = tmp_path / "un" / made.folder / archive.BUNDLE
    history = tmp_path / "history"
    subprocess.run(["git", "clone", "-q", str(bundle), str(history)], check=True)
    assert git(history, "log", "--format=%s").split("\n")[:3] == [
        "Number 2",
        "Number 1",
        "Number 0",
    ]
    assert git(history, "branch", "--show-current").strip() == archive.BRANCH
    assert git(history, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: (place / "run.sh").write_text("changed"),
        lambda place: (place / "forgotten.py").write_text("new"),
        lambda place: (place / "notes.txt").unlink(),
        lambda place: git(place, "rm", "-q", "--cached", "notes.txt"),
    ],
    ids=["changed", "new", "removed", "staged"],
)
def test_a_dirty_tree_is_refused(
    clone: Clone, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """What would not be in the archive is named, and nothing is written."""
    place = clone("plain")
    spoil(place)

    with pytest.raises(ArchiveError, match="differ from HEAD"):
        written(place, tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())


def test_a_dirty_tree_is_refused_although_the_user_looks_away(clone: Clone, tmp_path: Path) -> None:
    """status.showUntrackedFiles = no hides new files from the user, not from us."""
    place = clone("plain")
    git(place, "config", "status.showUntrackedFiles", "no")
    (place / "forgotten.py").write_text("new")

    with pytest.raises(ArchiveError, match=r"forgotten\.py"):
        written(place, tmp_path / "a")


def test_what_the_user_alone_ignores_is_no_excuse(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file that git is set to overlook, by the clone or by the user, would be missing."""
    by_clone, by_user = clone("by-clone"), clone("by-user")
    (by_clone / ".git" / "info" / "exclude").write_text("*.local\n")
    (tmp_path / ".gitconfig").write_text(f"[core]\n\texcludesFile = {tmp_path}/ignored\n")
    (tmp_path / "ignored").write_text("*.local\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in (by_clone, by_user):
        (place / "new.local").write_text("new")
        with pytest.raises(ArchiveError, match=r"new\.local"):
            written(place, tmp_path / "a")


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_does_not_look_at_is_no_excuse(clone: Clone, tmp_path: Path, flag: str) -> None:
    """A changed file stays changed, whether `git status` shows it or not."""
    place = clone("plain")
    git(place, "update-index", flag, "run.sh")
    (place / "run.sh").write_text("changed")

    with pytest.raises(ArchiveError, match=r"run\.sh"):
        written(place, tmp_path / "a")


def test_what_the_repository_ignores_is_no_change(clone: Clone, tmp_path: Path) -> None:
    """.gitignore is of the commit: what it names was never meant to be in."""
    place = clone("plain")
    (place / ".gitignore").write_text("/build/\n")
    git(place, "add", ".gitignore")
    git(place, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "Ignore")
    (place / "build").mkdir()
    (place / "build" / "x").write_text("built")

    assert written(place, tmp_path / "a").subject == "Ignore"


def test_names_are_shown_as_one_line(clone: Clone, tmp_path: Path) -> None:
    """Whatever a file is called, a terminal only gets to see it in writing."""
    place = clone("plain")
    (place / "a\nb\x1b[31m").write_text("new")

    with pytest.raises(ArchiveError) as refused:
        written(place, tmp_path / "a")
    assert str(refused.value).isprintable()


def test_a_shallow_clone_is_refused(clone: Clone, tmp_path: Path) -> None:
    """It has no history to hand over, and the message says what helps."""
    with pytest.raises(ArchiveError, match=r"shallow clone.*git fetch --unshallow"):
        written(clone("shallow", "--depth=1"), tmp_path / "a")


def test_a_partial_clone_is_refused(origin: Path, clone: Clone, tmp_path: Path) -> None:
    """Its missing parts would have to be fetched from somewhere."""
    git(origin, "config", "uploadpack.allowFilter", "true")

    with pytest.raises(ArchiveError, match="partial clone"):
        written(clone("partial", "--filter=blob:none"), tmp_path / "a")


def test_a_folder_in_somebody_elses_clone_is_refused(clone: Clone, tmp_path: Path) -> None:
    """The unpacked archive has no history of its own; that of what is around it is not ours."""
    place = clone("plain")

    with pytest.raises(ArchiveError, match="lies inside"):
        written(place / "dir", tmp_path / "a")


def test_no_clone_at_all_is_refused(tmp_path: Path) -> None:
    """An unpacked archive says so, and where the history is."""
    (tmp_path / "unpacked").mkdir()

    with pytest.raises(ArchiveError, match=r"no git clone.*history\.bundle"):
        written(tmp_path / "unpacked", tmp_path / "a")


def test_without_git_it_says_so(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback where git is missing."""
    place = clone("plain")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ArchiveError, match="git is not installed"):
        written(place, tmp_path / "a")
