"""The package's timer, as docs/install.md has it, by a real dpkg and a real systemd."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.conftest import _booted
from tests.docs.markdown import commands
from tests.docs.registry import taken
from tests.packaging.roots import built
from tests.support.servers.systemd import CONFIGURATION, Machine

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

WRITABLE = """\
mkdir /run/usr && mount -t tmpfs tmpfs /run/usr && mkdir /run/usr/upper /run/usr/work
mkdir /run/units && mount --bind /usr/lib/systemd/system /run/units
mount -t overlay overlay -o lowerdir=/usr,upperdir=/run/usr/upper,workdir=/run/usr/work /usr
mount --bind /run/units /usr/lib/systemd/system
"""
METRICS = "/var/cache/time-drift/time-drift.prom"


@pytest.fixture
def fresh_root(tmp_path: Path) -> Iterator[Machine]:
    """A systemd with this machine's programs, and nothing of ours."""
    with _booted(tmp_path) as running:
        yield running


def test_the_packages_timer_runs(fresh_root: Machine, needs: Callable[[str], str]) -> None:
    """Enabled by one line, it starts the unit, which writes what node_exporter reads; purged: gone.

    The clocks of the lab are four seconds ahead of this machine's.
    """
    needs("debootstrap")
    needs("adduser")
    (deb,) = (built() / "deb").glob("*.deb")

    def does(text: str) -> str:
        done = fresh_root.call("sh", "-euc", text)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    does(WRITABLE)
    fresh_root.path("/run/usr/time-drift.deb").write_bytes(deb.read_bytes())
    does("rm -f /usr/sbin/policy-rc.d")
    quick = "--no-triggers --force-depends --force-unsafe-io"
    does(f"dpkg {quick} -i /run/usr/time-drift.deb")
    before = fresh_root.systemctl("is-enabled", "time-drift.timer")
    does(f"install -m 0644 {CONFIGURATION} /etc/time-drift/config.toml")
    does(commands(taken("package's timer")))
    enabled = [fresh_root.systemctl(one, "time-drift.timer") for one in ("is-enabled", "is-active")]
    does("systemctl start time-drift.service")
    metrics = does(f"cat {METRICS}")
    does("dpkg --no-triggers -P time-drift")
    after = fresh_root.systemctl("is-active", "time-drift.timer")

    assert before == "failed: disabled"
    assert enabled == ["enabled", "active"]
    assert re.search(r"^time_drift_seconds -[34]\.\d+$", metrics, re.MULTILINE), metrics
    assert after == "failed: inactive"
    assert not fresh_root.path(METRICS).exists()
