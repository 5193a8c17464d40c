"""What is installed against a lock: one line about the first difference."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift.bootstrap import _bundled_pip
from drift.installed import main

HASH = " \\\n    --hash=sha256:00\n"

Compare = Callable[..., int]


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compare]:
    """Compare a lock with packages of these names and versions, as the environment does it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def run(lock: str, **found: str) -> int:
        wanted, packages = tmp_path / "lock.txt", tmp_path / "packages"
        wanted.write_text(lock, encoding="utf-8")
        for name, version in found.items():
            about = packages / f"{name}-{version}.dist-info"
            about.mkdir(parents=True)
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (about / "METADATA").write_text(text, encoding="utf-8")
        return main([_bundled_pip(), str(wanted), str(packages)])

    yield run
    for name in set(sys.modules) - before:
        del sys.modules[name]  # the wheel's, not those of an installed pip


def test_just_what_the_lock_names(compare: Compare, capsys: pytest.CaptureFixture[str]) -> None:
    """However a name is written; hashes and comments say nothing about what is there."""
    lock = f"# a comment\nDns.Python==2.8.0{HASH}    # via nobody\nidna==3.11{HASH}"

    assert compare(lock, dns_python="2.8.0", idna="3.11") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({}, "installed idna: found nothing, wanted 3.11"),
        ({"idna": "3.10"}, "installed idna: found 3.10, wanted 3.11"),
        ({"idna": "3.11", "extra": "1"}, "installed extra: found 1, wanted nothing"),
    ],
    ids=["missing", "another version", "more"],
)
def test_a_difference(
    compare: Compare, capsys: pytest.CaptureFixture[str], found: dict[str, str], line: str
) -> None:
    """What is missing, another, or more than the lock names is an error that says so."""
    assert compare(f"idna==3.11{HASH}", **found) == 1
    assert capsys.readouterr() == ("", f"ERROR: {line}\n")


@pytest.mark.parametrize(
    ("marker", "status"), [("python_version >= '3.11'", 1), ("python_version < '3.11'", 0)]
)
def test_markers_count(compare: Compare, marker: str, status: int) -> None:
    """A line for other Pythons than the one that runs is none."""
    assert compare(f"colorama==0.4.6 ; {marker}{HASH}") == status
