"""`make bench` from end to end, with counts so small that its figures mean nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.bench.measure import peers
from tools.bench.names import ALONE, MIXED, PEERS

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

TINY = (
    *("--rounds", "1", "--nodes", "40", "--seconds", "2", "--interval", "1"),
    *("--lies", "narrow", "--at-once"),
)


@pytest.fixture
def bench(
    needs: Callable[[str], str], script: str, tmp_path: Path
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Return how to run it; its page and what it keeps go to the test's own directory."""
    for name in ("chronyd", "nginx", "ip", "unshare"):
        needs(name)
    if os.geteuid() and not os.environ.get("CI"):
        pytest.skip("not root: this interop test did NOT run")

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        where = ["--out", tmp_path / "out", "--kept", tmp_path / "kept"]
        command = [sys.executable, "-m", "tools.bench.run", *arguments, *TINY, *where]
        return subprocess.run(
            [*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
        )

    return run


def test_one_command_writes_the_page(
    bench: Callable[..., "subprocess.CompletedProcess[str]"], script: str, tmp_path: Path
) -> None:
    """Every part is measured, but one that was measured before; the page has what came of them."""
    first = bench("nodes", "--script", script)
    assert (first.returncode, list(tmp_path.glob("out/*"))) == (0, []), first.stderr

    done = bench("--script", script)
    assert done.returncode == 0, done.stderr
    assert "nodes: measured before\n" in done.stdout

    page = (tmp_path / "out/measurements.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| narrow: "))
    marks = dict(zip((ALONE, MIXED, *PEERS), row.split(" | ")[1:], strict=True))
    # Peers that are given chances are not judged here: on a busy machine each may be late.
    assert "✗" not in marks[ALONE] + marks[MIXED]
    for peer in PEERS:
        assert (f"{peer} is not installed" in page) != bool(peers.command(peer)), peer
    assert (tmp_path / "out/measurements.svg").read_text("utf-8").startswith("<svg")

    (tmp_path / "out/measurements.md").unlink()
    assert bench("--rewrite").returncode == 0
    assert (tmp_path / "out/measurements.md").read_text("utf-8") == page


def test_a_part_that_fails_is_named_and_nothing_is_written(
    bench: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    """A program that does not run has no figures, and the page of before stays."""
    broken = tmp_path / "broken.sh"
    broken.write_text("#!/bin/sh\nexit 70\n")
    broken.chmod(0o755)
    done = bench("nodes", "--script", broken)

    assert done.returncode == 1
    assert "nodes failed" in done.stderr
    assert list(tmp_path.glob("out/*")) + list(tmp_path.glob("kept/*.json")) == []
