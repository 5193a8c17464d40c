"""The arrows: fleet -> nodes, drift, sources; what is pure reads no clock and no socket."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PURE = [
    "addresses",
    "aim",
    "chains",
    "health",
    "readings",
    "rounds",
    "targets",
    *[f"formats/{path.stem}" for path in (ROOT / "fleet" / "formats").glob("*.py")],
]
BANNED = {"time", "socket", "os", "random", "secrets", "threading", "logging", "subprocess"}
SEAM = {"observer.py", "answers.py", "readings.py", "arguments.py", "settings.py", "nagios.py"}
"""Who knows drift: the observer; beside it rounding, ranges of plugins, and the version."""


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module))
    return names


FILES = sorted((ROOT / "fleet").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_arrows(path: Path) -> None:
    """Nothing of the lab but for --demo, and drift behind a thin seam."""
    for name in imports(path):
        top = name.partition(".")[0]
        if top == "lab":
            assert (path.name, name) == ("probe.py", "lab.network")
        if top == "drift":
            assert path.name in SEAM


def test_drift_and_nodes_know_nothing_of_us() -> None:
    """But for the command line, which hands two commands over."""
    for package in ("drift", "sources", "nodes"):
        for path in (ROOT / package).rglob("*.py"):
            if any(name.partition(".")[0] == "fleet" for name in imports(path)):
                assert path.name == "cli.py"


@pytest.mark.parametrize("name", PURE)
def test_what_decides_is_pure(name: str) -> None:
    """Time and bytes are handed to it."""
    found = imports(ROOT / "fleet" / f"{name}.py")

    assert not {imported.partition(".")[0] for imported in found} & BANNED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_sleeps(path: Path) -> None:
    """Waiting is for something, and until a deadline."""
    assert "time.sleep" not in path.read_text(encoding="utf-8")
