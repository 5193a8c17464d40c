"""The bundle: anywhere, by anybody, read-only, moved, offline; to move one link is an update."""

import os
import subprocess
from collections.abc import Callable, Iterator
from glob import glob
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.markdown import commands
from tests.docs.registry import taken
from tests.packaging.roots import EmptyRoot, empty_root, three_chronyd

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

ARCHIVE = "/root/bundle.tar.gz"
BOTH = "/srv/three.toml"


@pytest.fixture(scope="module")
def offline(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EmptyRoot, str]]:
    """A root without network with the bundle unpacked in /srv; and its directory's name."""
    with empty_root(tmp_path_factory.mktemp("bundle")) as made:
        made.give(bundle, ARCHIVE)
        made.does(f"tar -xzf {ARCHIVE} -C /srv")
        yield made, bundle.name.removesuffix(".tar.gz")


def answers(root: EmptyRoot, script: str, user: str = "nobody") -> list[tuple[str, int]]:
    """Return what the demo prints and what three servers give, and both statuses."""
    ran = [
        root.run(script, "--demo", user=user),
        root.run(script, "--config", BOTH, user=user),
    ]
    return [(one.stdout, one.returncode) for one in ran]


RIGHT = [("-4\n", 0), ("-4\n", 0)]


def test_it_runs_where_it_is_unpacked_read_only_moved_and_by_a_link(
    offline: tuple[EmptyRoot, str], needs: Callable[[str], str], tmp_path: Path
) -> None:
    """As nobody each time, by the demo and with three chronyd four seconds ahead."""
    root, name = offline
    with three_chronyd(root, needs("chronyd"), tmp_path) as configuration:
        root.write(BOTH, configuration)
        unpacked = answers(root, f"/srv/{name}/time-drift.sh")
        root.does(f"mkdir '/srv/a b' && mv /srv/{name} '/srv/a b/moved'")
        moved = answers(root, "/srv/a b/moved/time-drift.sh")
        root.outside("mount", "--bind", f"{root.where}/srv/a b", f"{root.where}/mnt")
        root.outside("mount", "-o", "remount,bind,ro", f"{root.where}/mnt")
        refused = root.shell("touch /mnt/moved/x")
        read_only = answers(root, "/mnt/moved/time-drift.sh", user="root")
        root.does("ln -s '/srv/a b/moved' /srv/linked")
        linked = answers(root, "/srv/linked/time-drift.sh")
        root.does(f"mv '/srv/a b/moved' /srv/{name}")

    assert refused.returncode != 0
    assert (unpacked, moved, read_only, linked) == (RIGHT, RIGHT, RIGHT, RIGHT)


def test_runs_write_nothing_into_it(offline: tuple[EmptyRoot, str]) -> None:
    """Not even root's: what is compiled is compiled."""
    root, name = offline
    before = root.does(f"find /srv/{name}")
    root.does(f"/srv/{name}/time-drift.sh --demo")

    assert root.does(f"find /srv/{name}") == before


def test_the_machines_own_configuration_goes_first(offline: tuple[EmptyRoot, str]) -> None:
    """The shipped one counts where there is none in /etc; an unpacked update changes nothing."""
    root, name = offline
    script = f"/srv/{name}/time-drift.sh"
    shipped = root.does(f"{script} --check-config")
    root.does(f"install -D -m 0644 /srv/{name}/drift/config.toml /etc/time-drift/config.toml")
    mine = root.does(f"{script} --check-config")
    root.does("rm -r /etc/time-drift")

    assert shipped.startswith(f"/srv/{name}/drift/config.toml")
    assert mine.startswith("/etc/time-drift/config.toml")


def test_another_python_is_refused_in_one_line(offline: tuple[EmptyRoot, str]) -> None:
    """Where there is none of its versions, or the one that is named is another: 2, and why."""
    root, name = offline
    script = f"/srv/{name}/time-drift.sh"
    other = root.run(script, "--demo", TIME_DRIFT_PYTHON="/bin/false")
    root.does("mv /usr/bin/python3.11 /root/")
    none = root.run(script)
    plugin = root.run(script, "--format", "nagios")
    root.does("mv /root/python3.11 /usr/bin/")

    for ran in (other, none):
        assert (ran.stdout, ran.returncode) == ("", 2)
        assert ran.stderr.count("\n") == 1
        assert "3.11 3.12 3.13" in ran.stderr
    assert plugin.stdout.startswith("TIME DRIFT UNKNOWN - no Python of these versions")
    assert (plugin.stderr, plugin.returncode) == ("", 3)


def test_a_python_elsewhere_on_the_path_is_found(offline: tuple[EmptyRoot, str]) -> None:
    """After one of a version manager that only says what is not installed."""
    root, name = offline
    root.does("mkdir /srv/bin && mv /usr/bin/python3.11 /srv/bin/python3.11")
    root.write("/srv/bin/python3", "#!/bin/sh\necho not installed >&2\nexit 127\n")
    root.does("chmod 755 /srv/bin/python3")
    ran = root.run(f"/srv/{name}/time-drift.sh", "--demo", PATH="/srv/bin:/usr/bin:/bin")
    root.does("mv /srv/bin/python3.11 /usr/bin/")

    assert (ran.stdout, ran.returncode) == ("-4\n", 0)


def newer() -> list[str]:
    """Return the machine's Pythons of the other versions that a bundle serves."""
    managed = glob(f"{os.environ.get('PYENV_ROOT', '/nonexistent')}/versions/3.1[23].*/bin/python3")
    return managed + glob("/usr/bin/python3.1[23]")


def test_newer_pythons_run_it_too(bundle: Path, tmp_path: Path) -> None:
    """Those that the machine has: their own compiled libraries lie beside the first's."""
    if not newer():
        pytest.skip("no Python 3.12 or 3.13 here: this test did NOT run")
    subprocess.run(["tar", "-xzf", bundle, "-C", tmp_path], check=True)
    (script,) = tmp_path.glob("*/time-drift.sh")
    compiles = commands(taken("compile")).replace("/opt/time-drift/", f"{script.parent}/")
    for python in newer():
        subprocess.run(["sh", "-c", compiles.replace("python3 ", f"{python} ")], check=True)
        ran = subprocess.run(
            [script, "--demo"],
            env=os.environ | {"TIME_DRIFT_PYTHON": python},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.stdout, ran.returncode) == ("-4\n", 0), python


def test_it_stays_itself_while_the_link_moves(offline: tuple[EmptyRoot, str]) -> None:
    """A watch that began before goes on with what it began with, wherever the link leads now."""
    root, name = offline
    root.does(f"ln -s {name} /srv/now && mkdir /srv/next")
    watch = root.inside("/srv/now/time-drift.sh", "watch", "--every", "1h")
    with subprocess.Popen(watch, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdin is not None
        assert watching.stderr is not None
        first = watching.stderr.readline()
        root.does("ln -s next /srv/now.new && mv -T /srv/now.new /srv/now")
        watching.stdin.write(b"\n")
        watching.stdin.flush()
        second = watching.stderr.readline()
        watching.terminate()
    gone = root.run("/srv/now/time-drift.sh").returncode

    assert b"no network" in first
    assert b"no network" in second
    assert gone == 127


def test_the_pages_update_and_way_back(offline: tuple[EmptyRoot, str], bundle: Path) -> None:
    """As docs/install.md has them: unpacked beside, one link moved, and moved back."""
    root, name = offline
    root.does("mkdir /srv/download")
    root.give(bundle.parent / "SHA256SUMS", "/srv/download/SHA256SUMS")
    root.does(f"mv {ARCHIVE} /srv/download/{bundle.name}")
    back = commands(taken("bundle's way back"))
    older = back.split()[2]
    printed = []
    for text in (commands(taken("bundle")), commands(taken("bundle")), back):
        done = root.shell(f"set -e; cd /srv/download; {text}")
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(root.does("readlink /opt/time-drift").strip())
        root.does(f"[ -e /opt/{older} ] || cp -a /opt/{name} /opt/{older}")

    assert printed == [name, name, older]
    assert root.run("/opt/time-drift/time-drift.sh", "--demo", user="nobody").stdout == "-4\n"
    assert not root.does("find /opt -name '*.new'")


def test_readmes_line(offline: tuple[EmptyRoot, str], bundle: Path) -> None:
    """One line, and it runs."""
    root, name = offline
    (line,) = [one for one in taken("README's install").text.split("\n") if one.startswith("tar ")]
    root.does("mkdir /srv/one && rm -rf /opt/*")
    root.give(bundle, f"/srv/one/{name}.tar.gz")
    root.does(f"cd /srv/one; {line}")

    assert root.run(f"/opt/{name}/time-drift.sh", "--demo", user="nobody").stdout == "-4\n"


def test_it_holds_the_pages_and_no_tests(offline: tuple[EmptyRoot, str]) -> None:
    """What a reader needs on a machine without the repository."""
    root, name = offline
    held = set(root.does(f"ls /srv/{name}").split())

    assert {"README.md", "LICENSE", "docs", "monitoring", "time-drift.sh"} <= held
    assert not held & {"tests", "tools", ".git", "cloudformation", "build", "config.toml"}
    assert (ROOT / "time-drift.sh").stat().st_mode & 0o111
