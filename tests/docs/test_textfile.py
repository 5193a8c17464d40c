"""systemd's and cron's lines, with node_exporters that know nothing of us and have few rights."""

import re
from collections.abc import Callable

import pytest

from tests.docs.markdown import Block, commands, printed
from tests.docs.registry import taken
from tests.support.servers.crontab import parsed
from tests.support.servers.prometheus import until
from tests.support.servers.systemd import TEXTFILE, Machine

pytestmark = pytest.mark.interop

UNITS = "/etc/systemd/system"
QUICK = "[Timer]\nOnActiveSec=\nOnActiveSec=0\nRandomizedDelaySec=0\n"
NOBODY = "".join(
    f'[[sources.ntp]]\nhost = "127.0.0.1"\nport = {port}\noperator = "{port}"\n'
    for port in (7, 8, 9)
)
UPSTREAM = """\
[Service]
User=node_exporter
EnvironmentFile=/etc/sysconfig/node_exporter
ExecStart=/usr/local/sbin/node_exporter $OPTIONS
ProtectHome=read-only
ProtectSystem=true
NoNewPrivileges=true
"""
"""As in examples/systemd of the source, of which these settings are those that files depend on."""
OPTIONS = "--collector.textfile.directory /var/lib/node_exporter/textfile_collector"
"""sysconfig.node_exporter there."""


class Exporter:
    """A node_exporter as a package, or the source, has it."""

    def __init__(self, service: str, user: str, directory: str, link: Block) -> None:
        self.service = service
        self.user = user
        self.directory = directory
        self.link = link

    def start(self, root: Machine) -> None:
        """Start it, and know what its directory was like."""
        assert root.systemctl("start", self.service) == ""
        self._rights = self._of(root)

    def rights_are_kept(self, root: Machine) -> bool:
        """Return whether its directory belongs to whom it did, and nobody else may write there."""
        return self._of(root) == self._rights

    def _of(self, root: Machine) -> tuple[int, int, int]:
        reported = root.path(self.directory).stat()
        return reported.st_uid, reported.st_gid, reported.st_mode


def debian(root: Machine) -> Exporter:
    """The package of Debian, as it is; its directory is root's."""
    link = taken("Debian's node_exporter")
    directory = "/var/lib/prometheus/node-exporter"
    return Exporter("prometheus-node-exporter", "prometheus", directory, link)


def upstream(root: Machine) -> Exporter:
    """The example of the source: another user, another directory; nobody is named prometheus."""
    lines = (
        "userdel prometheus",
        "useradd --system --shell /sbin/nologin node_exporter",
        "install -d -o node_exporter -g node_exporter /var/lib/node_exporter/textfile_collector",
        "ln -s /usr/bin/prometheus-node-exporter /usr/local/sbin/node_exporter",
        f"mkdir -p /etc/sysconfig && echo 'OPTIONS=\"{OPTIONS}\"' >/etc/sysconfig/node_exporter",
    )
    for line in lines:
        assert root.shell(line).returncode == 0, line
    assert "prometheus:" not in root.read("/etc/group")
    root.write(f"{UNITS}/node_exporter.service", UPSTREAM)
    root.systemctl("daemon-reload")
    directory = "/var/lib/node_exporter/textfile_collector"
    return Exporter("node_exporter", "node_exporter", directory, taken("upstream's node_exporter"))


def typed(root: Machine, block: Block) -> str:
    """Run a block as root; return what it printed."""
    done = root.shell(commands(block))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def served(root: Machine) -> str:
    """Return what node_exporter says."""
    return root.shell("curl -fsS http://127.0.0.1:9100/metrics").stdout


EXPORTERS = pytest.mark.parametrize("kind", [debian, upstream])


@EXPORTERS
def test_node_exporter_reads_what_systemd_starts(
    fresh_root: Machine, needs: Callable[[str], str], kind: Callable[[Machine], Exporter]
) -> None:
    """The page's lines from the first to the last: what it shows at the end is what there is."""
    needs("prometheus-node-exporter")
    exporter = kind(fresh_root)
    exporter.start(fresh_root)
    fresh_root.write(f"{UNITS}/time-drift.timer.d/quick.conf", QUICK)
    typed(fresh_root, taken("systemd"))
    typed(fresh_root, exporter.link)
    until(lambda: "time_drift_seconds " in served(fresh_root), "it is served")
    text = served(fresh_root)

    for shown in (taken("metrics"), taken("metrics of Prometheus' page")):
        assert typed(fresh_root, shown) == printed(shown)
    assert "node_textfile_scrape_error 0" in text
    assert fresh_root.systemctl("is-enabled", "time-drift.timer") == "enabled"
    assert fresh_root.systemctl("is-failed", "time-drift.service") == "failed: inactive"
    pid = fresh_root.systemctl("show", "--value", "-p", "MainPID", exporter.service)
    assert fresh_root.call("stat", "-c", "%U", f"/proc/{pid}").stdout == f"{exporter.user}\n"
    assert exporter.rights_are_kept(fresh_root)


@EXPORTERS
def test_node_exporter_reads_what_cron_starts(
    fresh_root: Machine, needs: Callable[[str], str], kind: Callable[[Machine], Exporter]
) -> None:
    """As that user, with his home and nothing else around, under the umask of a careful root."""
    needs("prometheus-node-exporter")
    exporter = kind(fresh_root)
    exporter.start(fresh_root)
    typed(fresh_root, taken("cron"))
    typed(fresh_root, taken("cron's link") if kind is debian else exporter.link)
    (entry,) = parsed(fresh_root.read("/etc/cron.d/time-drift"))
    home = fresh_root.call("getent", "passwd", entry.user).stdout.split(":")[5]
    environ = [f"{name}={value}" for name, value in entry.environ.items() if name != "MAILTO"]
    done = fresh_root.call(
        "sh", "-c", 'umask 077; cd "$0" && exec "$@"', home,
        "runuser", "-u", entry.user, "--", "env", "-i", f"HOME={home}", *environ,
        entry.environ["SHELL"], "-c", entry.command,
    )  # fmt: skip

    assert "Permission denied" not in done.stdout + done.stderr
    assert fresh_root.path(TEXTFILE).stat().st_mode & 0o777 == 0o644
    assert re.search(r"^time_drift_seconds -4$", served(fresh_root), re.MULTILINE)
    assert "node_textfile_scrape_error 0" in served(fresh_root)
    assert exporter.rights_are_kept(fresh_root)
    state = fresh_root.path(f"{home}/.local/state/time-drift")
    assert any(path.name.startswith("nts-") for path in state.iterdir())


def test_without_a_link_nothing_would_be_read(
    fresh_root: Machine, needs: Callable[[str], str]
) -> None:
    """It is the link that the tests above depend on, and the mode of what it leads to."""
    needs("prometheus-node-exporter")
    exporter = debian(fresh_root)
    exporter.start(fresh_root)
    fresh_root.write(f"{UNITS}/time-drift.timer.d/quick.conf", QUICK)
    typed(fresh_root, taken("systemd"))
    until(lambda: fresh_root.path(TEXTFILE).exists(), "it is written")
    unlinked = served(fresh_root)
    fresh_root.systemctl("stop", "time-drift.timer")
    typed(fresh_root, exporter.link)
    fresh_root.path(TEXTFILE).chmod(0o600)
    unreadable = served(fresh_root)

    assert "time_drift_" not in unlinked
    assert "time_drift_" not in unreadable
    assert "node_textfile_scrape_error 1" in unreadable


@pytest.fixture(scope="module")
def installed(root: Machine) -> Machine:
    """The root with the units of the page; the timer is stopped."""
    typed(root, taken("systemd"))
    root.systemctl("stop", "time-drift.timer")
    return root


def test_a_configuration_of_ones_own(installed: Machine) -> None:
    """What `systemctl edit` would write, as the page has it: another configuration is asked."""
    installed.write("/etc/time-drift/config.toml", NOBODY)
    installed.write(f"{UNITS}/time-drift.service.d/override.conf", taken("drop-in").text)
    installed.systemctl("daemon-reload")
    try:
        reported = installed.systemctl("start", "time-drift.service")
    finally:
        installed.path(f"{UNITS}/time-drift.service.d/override.conf").unlink()
        installed.systemctl("daemon-reload")

    assert reported == ""
    assert "time_drift_success 0" in installed.read(TEXTFILE)


def test_failures_are_listed(installed: Machine) -> None:
    """A configuration that is wrong: the command of the page names the unit."""
    before = typed(installed, taken("failed"))
    installed.write("/etc/time-drift/config.toml", "no_such_key = 1\n")
    installed.write(f"{UNITS}/time-drift.service.d/override.conf", taken("drop-in").text)
    installed.systemctl("daemon-reload")
    try:
        installed.systemctl("start", "time-drift.service")
        after = typed(installed, taken("failed"))
    finally:
        installed.path(f"{UNITS}/time-drift.service.d/override.conf").unlink()
        installed.systemctl("daemon-reload")
        installed.systemctl("reset-failed")

    assert "time-drift.service" not in before
    assert "time-drift.service" in after


def test_the_watch_reads_its_configuration_again(installed: Machine) -> None:
    """The command of the page ends well, and it is the same process after it."""
    installed.path(TEXTFILE).unlink(missing_ok=True)
    installed.systemctl("start", "time-drift-watch.service")
    until(lambda: installed.path(TEXTFILE).exists(), "it measures")
    before = installed.systemctl("show", "-p", "MainPID", "time-drift-watch.service")
    typed(installed, taken("reload"))
    after = installed.systemctl("show", "-p", "MainPID", "time-drift-watch.service")
    installed.systemctl("stop", "time-drift-watch.service")

    assert before == after != "MainPID=0"


def test_the_page_says_how_exposed_it_is(installed: Machine) -> None:
    """What systemd says of the unit that runs is what the page says."""
    block = taken("security")
    (said,) = re.findall(
        r"exposure level for time-drift.service: ([\d.]+)", typed(installed, block)
    )
    page = installed.read(f"/opt/time-drift/{block.page}")

    assert f'`{block.text}` says {said}, "OK"' in page


def test_an_older_unit_s_state_is_taken_over(fresh_root: Machine) -> None:
    """Where the unit had a dynamic user, what that left belongs to the new one, and is used."""
    private = "/var/lib/private/time-drift"
    old = f"install -d -m 0700 /var/lib/private; install -d -o 61234 -g 61234 -m 0700 {private}"
    link = "ln -s private/time-drift /var/lib/time-drift"
    assert fresh_root.shell(f"{old}; touch {private}/kept; {link}").returncode == 0
    typed(fresh_root, taken("systemd"))
    assert fresh_root.systemctl("start", "time-drift.service") == ""
    found = fresh_root.call("stat", "-c", "%F %U", "/var/lib/time-drift").stdout

    assert found == "directory time-drift\n"
    assert fresh_root.path("/var/lib/time-drift/kept").exists()
