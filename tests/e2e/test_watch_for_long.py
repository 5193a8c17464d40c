"""`time-drift watch` for a week: what it holds then, and whether its schedule has moved."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.behaviour import shifted
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT

TICKS = 10_000
EVERY_NS = 60 * 10**9


@pytest.mark.timeout(400)
def test_ten_thousand_ticks(tmp_path: Path) -> None:
    """Memory, files and threads stay what they were, and no delay adds up.

    The time between ticks is made up; each measurement is a real one, of a lab server.
    """
    path = tmp_path / "lab.toml"
    with world(NtpServer("Alpha", shifted(4)), settings="state = ''") as lab:
        path.write_text(lab.toml, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "tests/support/watch_for_long.py", str(path), str(TICKS)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    assert done.stdout == "-4\n" * TICKS
    said = json.loads(done.stderr)
    assert said["statuses"] == {"0": TICKS}
    early, late = said["seen"]
    assert late["resident_kb"] - early["resident_kb"] < 256
    assert late["files"] == early["files"]
    assert late["threads"] == early["threads"] == 1
    delays_ns = [moment - number * EVERY_NS for number, moment in enumerate(said["moments"])]
    assert len(delays_ns) == TICKS
    assert min(delays_ns) >= 0
    assert max(delays_ns) < EVERY_NS // 10
