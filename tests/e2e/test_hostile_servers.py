"""Servers that send what no honest one does: no wrong integer, no memory, no core kept busy."""

from pathlib import Path

import pytest

from lab.ntp import NtpServer, altered
from lab.world import world
from tests.conftest import Program


@pytest.mark.parametrize(
    "stamps", [{"receive": 0, "transmit": 0}, {"receive": 0}, {"transmit": 0}], ids=str
)
def test_stamps_of_zero_are_no_time(
    program: Program, tmp_path: Path, stamps: dict[str, int]
) -> None:
    """0 means unknown (RFC 5905 section 6), not 2036: nobody is left, and nothing is printed."""
    path = tmp_path / "config.toml"
    with world(*(NtpServer(name, altered(**stamps)) for name in "ABC")) as lab:
        path.write_text(lab.toml, encoding="utf-8")
        done = program("--config", str(path))

    assert (done.stdout, done.returncode) == ("", 3)
    assert "malformed" in done.stderr
