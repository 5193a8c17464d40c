"""docs/extending.md: its examples, in a copy of the tree and under all contracts, as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(400)

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(
    re.findall(r"^```python (\S+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
"""The examples by their paths."""
FORMAT = ("drift/formats/statsd.py",)
KIND = ("sources/http/__init__.py", "sources/http/source.py", "lab/http.py")

ASKED = """
import subprocess, sys
from pathlib import Path
from lab.http import HttpServer
from lab.ntp import NtpServer
from lab.world import world

quorum = "[consensus]\\nmin_operators = 3\\nmin_kinds = 2\\n"
servers = (NtpServer("Alpha"), NtpServer("Bravo"), HttpServer("Charlie"))
with world(*servers, settings=quorum) as running:
    Path("lab.toml").write_text(running.toml)
    command = ["./time-drift.sh", "--config", "lab.toml", *sys.argv[1:]]
    sys.exit(subprocess.run(command).returncode)
"""
"""Runs the program of a copy with two NTP servers and one of the new kind."""


def copy_with(target: Path, *added: str) -> Path:
    """Copy what git would, and add these files of the page; no other is touched."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")
    for name in added:
        (target / name).parent.mkdir(exist_ok=True)
        with (target / name).open("x", encoding="utf-8") as file:
            file.write(FILES[name])
    return target


def ran(copy: Path, *arguments: str) -> str:
    """Run a module of this environment's in a copy; it has to succeed; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def passed(copy: Path, *arguments: str) -> set[str]:
    """Run tests of a copy, all of which have to pass; return which files had some."""
    quick = ("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=brief")
    said = ran(copy, "-m", "pytest", "-v", "--no-header", *quick, *arguments)
    return set(re.findall(r"^(tests/\S+?\.py)::.* PASSED", said, re.MULTILINE))


def test_the_page_has_the_files_that_are_tried() -> None:
    """No example of the page is left out here."""
    assert FILES.keys() == {*FORMAT, *KIND}


def test_a_format_is_one_file(script: str, tmp_path: Path) -> None:
    """--help names it, and each contract of output formats tries it."""
    copy = copy_with(tmp_path, *FORMAT)
    files = (
        "tests/unit/test_layers.py",
        "tests/unit/drift/formats/test_formats.py",
        "tests/e2e/test_formats.py",
        "tests/e2e/test_console.py",
        "tests/e2e/faults/test_signals.py",
    )

    shown = subprocess.run(
        [copy / "time-drift.sh", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"--format NAME [^-]*\bstatsd\b", shown)
    assert passed(copy, *files, "-k", "statsd or layers") == set(files)


def test_a_kind_is_one_package_and_its_server_in_the_lab(script: str, tmp_path: Path) -> None:
    """Each contract of kinds tries it, and the tests of what knows of kinds pass as they are."""
    copy = copy_with(tmp_path, *KIND)
    contract = "tests/contract/test_source_contract.py"
    files = (
        "tests/property/test_consensus.py",
        "tests/unit/test_layers.py",
        "tests/unit/drift/formats/test_explain.py",
        "tests/unit/drift/test_config.py",
        "tests/unit/drift/wording/test_advice.py",
    )

    assert passed(copy, contract, "-k", "http and not https") == {contract}
    assert passed(copy, *files) == set(files)


def test_a_server_of_the_new_kind_votes(script: str, tmp_path: Path) -> None:
    """--check-config shows its vote, and a run counts it where two kinds are wanted."""
    copy = copy_with(tmp_path, *KIND)

    votes = ran(copy, "-c", ASKED, "--check-config")
    found = json.loads(ran(copy, "-c", ASKED, "--json"))

    assert re.search(r"^  1 vote  Charlie: http 127\.0\.0\.1:\d+$", votes, re.MULTILINE)
    assert found["drift_s"] == 0
    assert found["quorum"]["kinds"] == ["http", "ntp"]
    verdicts = {(source["kind"], source["verdict"]) for source in found["sources"]}
    assert verdicts == {("http", "agrees"), ("ntp", "agrees")}


def test_a_mistake_in_a_table_of_the_new_kind_is_named(script: str, tmp_path: Path) -> None:
    """By the schema that every kind has: the key, and what is allowed."""
    copy = copy_with(tmp_path, *KIND)
    (copy / "wrong.toml").write_text('[[sources.http]]\nhost = "a.example"\nprot = 80\n')

    done = subprocess.run(
        [copy / "time-drift.sh", "--config", copy / "wrong.toml", "--check-config"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("", 2)
    assert "[[sources.http]] number 1: unknown key 'prot' (did you mean port?)" in done.stderr


def test_the_examples_keep_the_rules_of_the_house(tmp_path: Path) -> None:
    """Linted, formatted and typed as strictly as every file here."""
    copy = copy_with(tmp_path, *FORMAT, *KIND)

    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        ran(copy, "-m", *command, *FILES)
