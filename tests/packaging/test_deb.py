"""The package of Debian's kind, by a real dpkg in an empty root of Debian without network."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift import __version__
from tests.conftest import ROOT
from tests.docs.markdown import commands
from tests.docs.registry import taken
from tests.packaging.roots import EmptyRoot, empty_root, three_chronyd

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

CONFIGURATION = "/etc/time-drift/config.toml"
UNITS = ("time-drift.timer", *(f"time-drift{one}.service" for one in ("", "-watch", "-serve")))
UNIT_FILES = "/usr/lib/systemd/system"
EDIT = "\n# edited\n"
OLDER = """\
set -eu
cd /root
dpkg-deb -R new.deb older
sed -i 's/^Version: .*/Version: 0.0.9/' older/DEBIAN/control
sed -i 's/^__version__ = .*/__version__ = "0.0.9"/' older/usr/lib/time-drift/drift/__init__.py
sed -i 's/^timeout = .*/timeout = 2.25/' older/etc/time-drift/config.toml
cd older/usr/lib/time-drift
python3 -m compileall -q -f --invalidation-mode unchecked-hash drift/__init__.py
cd /root
dpkg-deb -Znone -b older older.deb
rm -r older
"""
USERS = re.compile(r"/etc/((g?shadow|passwd|group|sub[ug]id)-?|\.pwd\.lock)$|/run/adduser$")
"""The user stays after a purge, as its number would be given to somebody else."""


@pytest.fixture(scope="module")
def installed(
    packages: Path, deb: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmptyRoot]:
    """A root with the package in it, for tests that change nothing there."""
    with empty_root(tmp_path_factory.mktemp("installed")) as made:
        made.give(deb, "/root/new.deb")
        made.does("dpkg -i /root/new.deb")
        yield made


def printed(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_its_name_says_what_it_is(deb: Path) -> None:
    """time-drift_VERSION_ARCH.deb: the version of the program, the machine of the build."""
    machine = printed("dpkg", "--print-architecture").strip()

    assert deb.name == f"time-drift_{__version__}_{machine}.deb"


def test_the_demo_runs_at_once(installed: EmptyRoot) -> None:
    """As anybody; the picture is on standard error."""
    ran = installed.run("time-drift", "--demo", user="nobody")

    assert (ran.stdout, ran.returncode) == ("-4\n", 0)
    assert "falseticker" in ran.stderr


def test_three_real_servers_give_the_integer(
    installed: EmptyRoot, needs: Callable[[str], str], tmp_path: Path
) -> None:
    """With chronyd four seconds ahead, by the configuration that is in /etc."""
    with three_chronyd(installed, needs("chronyd"), tmp_path) as configuration:
        installed.write("/srv/three.toml", configuration)
        ran = installed.run("time-drift", "--config", "/srv/three.toml", user="nobody")

    assert (ran.stdout, ran.stderr, ran.returncode) == ("-4\n", "", 0)


def test_the_shipped_configuration_is_in_etc(installed: EmptyRoot) -> None:
    """It is what the program reads, and the file that everybody else gets."""
    checked = installed.run("time-drift", "--check-config", user="nobody")

    assert checked.stdout.startswith(CONFIGURATION)
    assert installed.does(f"cat {CONFIGURATION}") == (ROOT / "config.toml").read_text()
    assert installed.does("dpkg-query -W -f '${Conffiles}' time-drift").split()[0] == CONFIGURATION


def test_manuals_completions_and_recipes_are_where_they_are_looked_for(
    installed: EmptyRoot,
) -> None:
    """By man, by each shell, and by who sets up a monitor; none is empty."""
    for name in (
        "man/man1/time-drift.1.gz",
        "man/man5/time-drift.toml.5.gz",
        "bash-completion/completions/time-drift",
        "zsh/vendor-completions/_time-drift",
        "fish/vendor_completions.d/time-drift.fish",
        "doc/time-drift/copyright",
        "doc/time-drift/changelog.gz",
        "doc/time-drift/README.md",
        "doc/time-drift/monitoring/telegraf/execd.conf",
    ):
        assert installed.shell(f"test -s /usr/share/{name}").returncode == 0, name


def test_recipes_name_the_package_s_paths(installed: EmptyRoot) -> None:
    """What runs the program or is copied is there; a checkout in /opt is not."""
    named = installed.does(
        "grep -rhoE '/(opt|usr|etc)/[a-z/-]*time-drift[A-Za-z./_-]*'"
        " /usr/share/time-drift/monitoring /usr/lib/systemd/system/time-drift* | sort -u"
    ).split()

    assert "/usr/bin/time-drift" in named
    assert not [name for name in named if name.startswith("/opt/time-drift/")]


def test_units_hold_and_are_not_enabled(installed: EmptyRoot, needs: Callable[[str], str]) -> None:
    """systemd reads each without a remark, finds what it starts, and starts none by itself."""
    for mine in (UNIT_FILES, "/bin"):  # of packages that systemd's machines have
        what = "/." if mine == UNIT_FILES else "/kill"
        installed.outside("cp", "-an", mine + what, installed.where + mine)
    paths = [f"{UNIT_FILES}/{unit}" for unit in UNITS]
    verified = installed.outside(
        needs("systemd-analyze"), f"--root={installed.where}", "--man=no", "verify", *paths
    )

    assert (verified.stdout, verified.stderr, verified.returncode) == ("", "", 0)
    assert installed.does("find /etc/systemd -name '*time-drift*'") == ""


def test_the_timers_command_runs_as_its_user(installed: EmptyRoot) -> None:
    """What the unit starts writes the file, where its user may write."""
    unit = installed.does(f"cat {UNIT_FILES}/time-drift.service")
    (start,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    (user,) = re.findall("^User=(.*)$", unit, re.MULTILINE)
    installed.does(f"install -d -o {user} /run/cache")
    ran = installed.shell(start.replace("/var/cache/time-drift", "/run/cache"), user=user)

    assert (ran.stdout, ran.returncode) == ("", 3)
    assert "time_drift_success 0" in installed.does("cat /run/cache/time-drift.prom")


def test_an_upgrade_keeps_an_edited_configuration(root: EmptyRoot, deb: Path) -> None:
    """From an older version and back: the edit stays, the program changes."""
    root.give(deb, "/root/new.deb")
    root.does(OLDER)
    root.does("dpkg -i /root/older.deb")
    root.does(f"printf '{EDIT}' >>{CONFIGURATION}")
    edited = root.does(f"cat {CONFIGURATION}")
    seen = []
    for package in ("new", "older"):
        root.does(f"dpkg --force-confold -i /root/{package}.deb")
        seen.append((root.does("time-drift --version"), root.does(f"cat {CONFIGURATION}")))

    assert seen == [(f"time-drift {__version__}\n", edited), ("time-drift 0.0.9\n", edited)]


def test_the_pages_lines(root: EmptyRoot, deb: Path) -> None:
    """As docs/install.md has them, by apt, which finds all that it needs in the root."""
    root.does("mkdir /srv/copied")
    root.give(deb, f"/srv/copied/{deb.name}")
    root.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";')
    install, *removals = commands(taken("package")), *commands(taken("removal")).split("\n")[:2]
    installed = root.shell(f"cd /srv/copied; {install}")
    after = []
    for line in removals:
        root.does(line)
        after.append(root.shell(f"test -e {CONFIGURATION}").returncode)

    assert installed.stdout.endswith("-4\n"), installed.stderr
    assert after == [0, 1]


def test_an_unedited_configuration_follows_the_upgrade(root: EmptyRoot, deb: Path) -> None:
    """Nobody is asked, as nothing of an administrator's would be lost."""
    root.give(deb, "/root/new.deb")
    root.does(OLDER)
    root.does("dpkg -i /root/older.deb && dpkg -i /root/new.deb")

    assert root.does(f"cat {CONFIGURATION}") == (ROOT / "config.toml").read_text()


def test_remove_keeps_and_purge_leaves_nothing(root: EmptyRoot, deb: Path) -> None:
    """After runs by root, an edit, an enabled timer, state of runs: no file but the user's."""
    root.give(deb, "/root/new.deb")
    wanted = "/etc/systemd/system/timers.target.wants"
    root.does(f"mkdir -p {wanted}")
    before = root.files()
    root.does("dpkg -i /root/new.deb")
    root.does("time-drift --demo && time-drift --check-config")
    root.does("mkdir -p /var/lib/time-drift /var/cache/time-drift")
    root.does("touch /var/lib/time-drift/kept /var/cache/time-drift/time-drift.prom")
    root.does(f"printf '{EDIT}' >>{CONFIGURATION}")
    root.does(f"ln -s {UNIT_FILES}/time-drift.timer {wanted}/")
    root.does("dpkg -r time-drift")
    removed = root.files() - before
    root.does("dpkg -P time-drift")
    purged = {name for name in root.files() - before if not USERS.match(name)}

    assert {CONFIGURATION, "/var/lib/time-drift/kept"} <= removed
    assert not [name for name in removed if name.startswith("/usr")]
    assert purged <= {"/var/log/dpkg.log"}


def test_it_depends_on_the_python_that_it_was_built_for(deb: Path) -> None:
    """And on no newer one: of a new Debian there is a package of its own."""
    depends = printed("dpkg-deb", "-f", deb, "Depends")

    assert "python3 (>= 3.11), python3 (<< 3.12)" in depends


def test_it_is_roots_and_nobody_may_write_it(deb: Path) -> None:
    """No file is set-user-id, and none can be changed by who is not root."""
    listed = printed("dpkg-deb", "-c", deb).strip().split("\n")
    rows = [line.split()[:2] for line in listed]

    assert {owner for _, owner in rows} == {"root/root"}
    assert {mode for mode, _ in rows} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}


def test_lintian_has_nothing_to_say(deb: Path, needs: Callable[[str], str]) -> None:
    """Not an error and not a warning, but for those that the package gives a reason for."""
    done = subprocess.run(
        [needs("lintian"), "--allow-root", "--fail-on", "error,warning", deb],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("", 0)


def test_each_override_has_its_reason() -> None:
    """A line of words stands above what lintian is not to say."""
    lines = (ROOT / "packaging/deb/lintian-overrides").read_text().strip().split("\n")

    assert lines[0].startswith("# ")
    assert all(line.startswith(("# ", "time-drift: ")) for line in lines)


def unpacked(deb: Path, bundle: Path, directory: Path) -> Iterator[Path]:
    subprocess.run(["dpkg-deb", "-R", deb, directory / "deb"], check=True)
    subprocess.run(["tar", "-xzf", bundle, "-C", directory], check=True)
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def test_nothing_names_the_machine_that_built_it(deb: Path, bundle: Path, tmp_path: Path) -> None:
    """Neither a path of the build, nor what pip would note of where a library came from."""
    named = []
    for path in unpacked(deb, bundle, tmp_path):
        data = path.read_bytes()
        if any(words in data for words in (str(ROOT).encode(), b"/mnt/source", b"/mnt/program")):
            named.append(path)
        assert path.name not in {"direct_url.json", "RECORD"}

    assert named == []
