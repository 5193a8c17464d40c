"""The program against lab servers of every Roughtime dialect, its clock bent by libfaketime."""

import json
import time
from pathlib import Path

import pytest

from lab.ntp import NtpServer
from lab.roughtime import Manner, RoughtimeServer
from lab.world import world
from sources.clock import NS
from tests.conftest import Program
from tests.support.servers.chrony import faked
from tests.support.servers.web import found

pytestmark = pytest.mark.interop

YEAR_S = 365 * 86_400
"""faketime's year."""
CLOCKS = [("-4s", -4), ("+10y", 10 * YEAR_S), ("-30y", -30 * YEAR_S)]
WHOLE_SECONDS = [1, 0x80000008, 0x8000000A, 0x8000000B, 0x8000000C]
MICROSECONDS = [0x80000007, None]


@pytest.mark.parametrize(("offset", "drift_s"), CLOCKS)
@pytest.mark.parametrize("version", [*WHOLE_SECONDS, *MICROSECONDS])
def test_every_dialect_at_any_local_time(
    program: Program, tmp_path: Path, version: int | None, offset: str, drift_s: int
) -> None:
    """Three servers: the truth is in every certain interval, the integer within one of it.

    It is the truth where the dialect carries microseconds.
    """
    found("faketime")
    path = tmp_path / "config.toml"
    manner = Manner(versions=(version,), radius_ns=NS)
    with world(*(RoughtimeServer(name, manner=manner) for name in "ABC")) as lab:
        path.write_text(lab.toml, encoding="utf-8")
        done = program("--config", str(path), "--json", environ=faked(offset))

    said = json.loads(done.stdout)
    assert (done.stderr, done.returncode) == ("", 0)
    # libfaketime's offset is exact to less than a microsecond, and our reading of it to a few.
    slack_ns = NS // 1000
    for source in said["sources"]:
        if source["certain_ns"] is not None:
            low_ns, high_ns = source["certain_ns"]
            assert low_ns - slack_ns <= drift_s * NS <= high_ns + slack_ns
    allowed_s = 0 if version in MICROSECONDS else 1
    assert abs(said["drift_s"] - drift_s) <= allowed_s


@pytest.mark.parametrize("version", [*WHOLE_SECONDS, *MICROSECONDS])
def test_with_ntp_beside_it_every_dialect_is_exact(
    program: Program, tmp_path: Path, version: int | None
) -> None:
    """Three NTP and three Roughtime servers, two kinds wanted: exact at any fraction."""
    found("faketime")
    path = tmp_path / "config.toml"
    servers = [NtpServer(name) for name in "ABC"]
    rough = [RoughtimeServer(name, manner=Manner(versions=(version,))) for name in "DEF"]
    with world(*servers, *rough, settings="[consensus]\nmin_kinds = 2\n") as lab:
        path.write_text(lab.toml, encoding="utf-8")
        for off_s, printed in ((-4.4, -4), (7.4, 7), (-0.4, 0), (2.6, 3)):
            began = time.monotonic()
            done = program("--config", str(path), environ=faked(f"{off_s:+.1f}s"))

            assert (done.stdout, done.stderr, done.returncode) == (f"{printed}\n", "", 0)
            assert time.monotonic() - began < 2
