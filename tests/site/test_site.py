"""The site in a directory: built whole or not at all, and nothing else is replaced."""

import sys
from pathlib import Path

import pytest

from cloudformation import archive, site
from cloudformation.site import SiteError
from tests.site.test_archive import git

DEMO = "#!/bin/sh\necho demo >&2\necho -4\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose demo is quick."""
    place = tmp_path / "repository"
    place.mkdir()
    git(place, "init", "-q")
    (place / "time-drift.sh").write_text(DEMO)
    (place / "time-drift.sh").chmod(0o755)
    git(place, "add", "-A")
    commit(place, "One <b>")
    return place


def commit(place: Path, subject: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    git(place, *who, "commit", "-q", "--allow-empty", "-m", subject)


def built(repository: Path, output: Path) -> site.Site:
    return site.build(repository, output, "https://review.example.org/")


def test_a_new_site_replaces_the_old_one(repository: Path, tmp_path: Path) -> None:
    """The archive of before is gone, and what is reported of the new one is escaped."""
    output = tmp_path / "some where" / "site"
    first = built(repository, output)
    commit(repository, "Two & <b>")
    second = built(repository, output)
    page = (output / "index.html").read_text()

    assert first.archive.path.name != second.archive.path.name
    assert [path.name for path in output.glob("*.zip")] == [second.archive.path.name]
    assert second.archive.path.exists()
    assert "Two &amp; &lt;b&gt;" in page
    assert f"https://review.example.org/{second.archive.path.name}" in page
    assert (output / site.SUMS).read_text() == f"{second.sha256}  {second.archive.path.name}\n"
    assert "-4" in (output / "demo.svg").read_text()
    assert [path.name for path in output.parent.iterdir()] == ["site"]


def test_the_directory_may_be_the_one_we_are_in(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--output .` means that directory, and not what it once was."""
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")

    built(repository, Path())
    assert (tmp_path / "site" / "index.html").exists()


def test_what_is_no_site_is_kept(repository: Path, tmp_path: Path) -> None:
    """A directory with anything else in it, or a file, is refused before anything is done."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    (tmp_path / "index.html").write_text("mine")

    with pytest.raises(SiteError, match=r"thesis\.txt"):
        built(repository, tmp_path / "home")
    with pytest.raises(SiteError, match="no directory"):
        built(repository, tmp_path / "index.html")
    assert (tmp_path / "home" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_failure_leaves_the_old_site(repository: Path, tmp_path: Path) -> None:
    """Neither a dirty tree nor a demo that fails costs what was there; the reason is reported."""
    output = tmp_path / "site"
    before = built(repository, output)
    (repository / "time-drift.sh").write_text("#!/bin/sh\necho broken for a reason >&2\nexit 3\n")
    with pytest.raises(archive.ArchiveError):
        built(repository, output)
    git(repository, "add", "-A")
    commit(repository, "Break")
    with pytest.raises(SiteError, match="broken for a reason"):
        built(repository, output)

    assert before.archive.path.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_demo_is_shown_on_a_terminal(repository: Path, tmp_path: Path) -> None:
    """It is asked to draw for one, of a width that a page can hold."""
    script = repository / "time-drift.sh"
    look = "import os, sys; print(os.get_terminal_size(2).columns, os.isatty(2), file=sys.stderr)"
    script.write_text(f"#!/bin/sh\n[ $1 = --demo ] || exit 0\nexec {sys.executable} -c '{look}'\n")
    git(repository, "add", "-A")
    commit(repository, "Look")

    built(repository, tmp_path / "site")
    assert "108 True" in (tmp_path / "site" / "demo.svg").read_text()
