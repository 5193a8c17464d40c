"""The image: what is in it, and that it runs with nothing but what a container is given."""

import json
import os
import re
import stat
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift import __version__
from lab.behaviour import silent
from lab.ntp import NtpServer
from tests.conftest import ROOT
from tests.support.image import USER, Built
from tests.support.servers.chrony import chronyd, free_port, source

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

CONFIGURATION = "/etc/time-drift/config.toml"
HOME = "opt/time-drift"


def test_the_demo_runs_without_any_right(image: Built) -> None:
    """Read-only root, no capability, an ordinary user, /tmp for the demo's certificates."""
    ran = image.run("demo", "--demo")

    assert (ran.stdout, ran.status) == ("-4\n", 0)
    assert "falseticker" in ran.stderr


def test_a_container_has_what_we_say_it_has(image: Built) -> None:
    """The bundle of these tests really is what README shows people to run."""
    look = (
        "import os\n"
        "found = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)\n"
        "print(os.getpid(), os.getuid(), os.getgid(), found['CapEff'].strip(),"
        " found['CapBnd'].strip(), found['NoNewPrivs'].strip())\n"
        "for path in ('/x', '/opt/time-drift/x', '/var/lib/time-drift/x', '/tmp/x'):\n"
        "    try: open(path, 'w'); print('written')\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    python = f"/{HOME}/.venv/bin/python"
    ran = image.run("look", instead=[python, "-I", "-c", look])

    rights, *writes = ran.stdout.splitlines()
    assert rights.split() == ["1", str(USER), str(USER), "0" * 16, "0" * 16, "1"]
    assert writes == ["Read-only file system"] * 3 + ["written"]


def test_a_mounted_configuration_is_used(
    image: Built, needs: Callable[[str], str], tmp_path: Path
) -> None:
    """Mounted where README says: a real chronyd whose clock is four seconds ahead of the host's."""
    port = free_port()
    mine = tmp_path / "mine.toml"
    mine.write_text(source(port, "Alpha"))
    mounts = [(mine, CONFIGURATION)]
    with chronyd(needs("chronyd"), tmp_path / "chrony", port, offset="+4s"):
        ran = image.run("mounted", mounts=mounts)
        reported = image.run("mounted-json", "--json", mounts=mounts)

    assert (ran.stdout, ran.stderr, ran.status) == ("-4\n", "", 0)
    assert json.loads(reported.stdout)["drift_s"] == -4


def test_a_bad_configuration_is_named(image: Built, tmp_path: Path) -> None:
    """Where it is, what was found and what is allowed; status 2."""
    mine = tmp_path / "mine.toml"
    mine.write_text("timeuot = 2\n")
    ran = image.run("bad", mounts=[(mine, CONFIGURATION)])

    assert (ran.stdout, ran.status) == ("", 2)
    assert CONFIGURATION in ran.stderr
    assert "timeuot" in ran.stderr
    assert "timeout" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_the_shipped_configuration_is_the_repositorys(image: Built) -> None:
    """It is found without any mount, and is the file that everybody else gets."""
    shipped = image.root / CONFIGURATION.lstrip("/")
    ran = image.run("check", "--check-config")

    assert shipped.read_bytes() == (ROOT / "config.toml").read_bytes()
    assert not (image.root / HOME / "config.toml").exists()
    assert ran.status == 0, ran.stderr


def test_any_option_may_follow(image: Built) -> None:
    ran = image.run("version", "--version")

    assert (ran.stdout.split()[-1], ran.status) == (__version__, 0)


def test_without_tmp_the_demo_says_what_it_lacks(image: Built) -> None:
    """One line, and no bug of ours; what monitors run needs no directory at all."""
    ran = image.run("no-tmp", "--demo", tmp=False)
    plain = image.run("no-tmp-plain", "--check-config", tmp=False)

    assert (ran.stdout, ran.status) == ("", 2)
    assert "--tmpfs /tmp" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert plain.status == 0


@pytest.mark.parametrize("arguments", [(), ("watch", "--every", "1h")], ids=["run", "watch"])
@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("INT", 130)])
def test_a_signal_to_the_first_process_ends_it_at_once(
    image: Built, tmp_path: Path, signal: str, status: int, arguments: tuple[str, ...]
) -> None:
    """As PID 1 it has no default actions: what stops a container must be handled."""
    mine = tmp_path / "mine.toml"
    name = f"signal-{signal}-{len(arguments)}"
    with NtpServer("Silent", silent) as server:
        mine.write_text("timeout = 20\n" + server.toml())
        command = image.command(name, *arguments, mounts=[(mine, CONFIGURATION)])
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            deadline = time.monotonic() + 20
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.02)
            sent = time.monotonic()
            image.kill(name, signal)
            stdout, stderr = running.communicate(timeout=15)
            took = time.monotonic() - sent

    assert (running.returncode, stdout, stderr) == (status, b"", b"")
    assert took < 3


def everything(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    for place, directories, files in os.walk(root):
        for name in directories + files:
            path = Path(place, name)
            yield str(path.relative_to(root)), path.lstat()


def test_the_user_can_write_nothing_but_tmp_and_the_state(image: Built) -> None:
    """Even where the root file system was not made read-only."""
    writable = {
        name
        for name, reported in everything(image.root)
        if not stat.S_ISLNK(reported.st_mode)
        and (
            (reported.st_uid == USER)
            or (reported.st_gid == USER and reported.st_mode & 0o020)
            or reported.st_mode & 0o002
        )
    }

    assert writable == {"tmp", "var/lib/time-drift"}


def test_nothing_of_ours_is_setuid(image: Built) -> None:
    """What is, was in the base; and none of it can be used with no-new-privileges."""

    def privileged(root: Path) -> set[str]:
        return {
            name
            for name, reported in everything(root)
            if stat.S_ISREG(reported.st_mode) and reported.st_mode & (stat.S_ISUID | stat.S_ISGID)
        }

    assert privileged(image.root) <= privileged(image.base_root)
    assert not [name for name in privileged(image.root) if name.startswith("opt")]


def packages(root: Path) -> str:
    return (root / "var/lib/dpkg/status").read_text(encoding="utf-8")


def test_its_packages_are_the_lock_and_the_base(image: Built) -> None:
    """Not one of Debian's more than the base has; of Python's, just what is pinned."""
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M)
    )
    found = {}
    for place in (image.root / HOME / ".venv").rglob("*.dist-info"):
        name, version = place.name.removesuffix(".dist-info").rsplit("-", 1)
        found[re.sub("[-_.]+", "-", name).lower()] = version

    assert packages(image.root) == packages(image.base_root)
    assert found == {name: locked[name] for name in found}
    assert locked.keys() - found.keys() <= {"exceptiongroup"}  # of other Pythons


def test_no_installer_no_compiler_no_cache(image: Built) -> None:
    """What is not there cannot be used by who should not be there."""
    names = [name for name, _ in everything(image.root)]
    unwanted = re.compile(
        r"bin/(pip[0-9.]*|easy_install[^/]*|[^/]*-?(gcc|g\+\+|cc|c\+\+|clang)[0-9.-]*|make)$"
        r"|/ensurepip(/|$)|/pip-[^/]*\.whl$"
        r"|/(site|dist)-packages/(pip|setuptools|wheel)/|^root/\.cache/|^var/lib/apt/lists/.|/\.git(/|$)"
    )

    assert [name for name in names if unwanted.search(name)] == []


def test_everything_is_compiled(image: Built) -> None:
    """Each module has byte code that counts, and ours is used without a look at its source."""
    home = image.root / HOME
    ours = [
        path
        for name in ("drift", "sources", "nodes", "fleet", "lab")
        for path in (home / name).rglob("*.py")
    ]
    theirs = list((home / ".venv" / "packages").resolve().glob("httpx/*.py"))
    assert len(ours) > 40
    assert len(theirs) > 10
    for module in ours + theirs:
        flags, _ = header(module)
        assert flags == 0b01, module
    (library,) = (image.root / "usr" / "lib").glob("python3.*")
    for name in ("argparse", "enum", "tomllib/_parser"):
        module = library / f"{name}.py"
        flags, changed = header(module)
        assert flags == 0b01 or changed == int(module.stat().st_mtime), module


def header(module: Path) -> tuple[int, int]:
    """Return flags and time of a module's byte code (PEP 552)."""
    (compiled,) = (module.parent / "__pycache__").glob(f"{module.stem}.cpython-*.pyc")
    flags, changed = struct.unpack("<II", compiled.read_bytes()[4:12])
    return flags, changed


def test_it_says_what_it_is(image: Built) -> None:
    """Labels by the OCI's names, how to stop it, and as whom it runs."""
    config, labels = image.config, image.config["Labels"]

    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.base.name"] == "localhost/time-drift-base"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert config["Entrypoint"] == [f"/{HOME}/time-drift.sh"]
    assert config["User"] == f"{USER}:{USER}"
    assert not config.get("Cmd")


def test_what_it_adds_to_its_base_is_small(image: Built) -> None:
    """No absolute size can be promised of a base that was passed in; what we add can be bounded."""
    assert 0 < image.bytes_added < 60e6


def test_the_dockerfile_is_clean() -> None:
    """hadolint has nothing to say, and is not asked to overlook anything."""
    linter = ROOT / ".venv-supply" / "bin" / "hadolint"
    if not linter.exists():
        if os.environ.get("CI"):
            pytest.fail("no hadolint in .venv-supply, and CI may not skip")
        pytest.skip("no hadolint in .venv-supply: this test did NOT run")
    done = subprocess.run(
        [str(linter), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.returncode) == ("", 0)
    assert "hadolint ignore" not in (ROOT / "Dockerfile").read_text(encoding="utf-8")
