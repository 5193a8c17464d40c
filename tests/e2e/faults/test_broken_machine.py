"""Machines on which a library cannot be loaded, or OpenSSL forbids what we use: the sources that
need it are unavailable, servers are not blamed, and the others answer.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server, world
from tests.conftest import ROOT
from tests.support.processes import Ran, run_limited

SETTINGS = "timeout = 1.5\nstate = ''\n[consensus]\nmin_operators = 3\nmin_kinds = 1\n"
PACKAGES = ROOT / ".venv/packages"
PYTHON = str(ROOT / ".venv/bin/python")
START = (
    "import sys; sys.path += sys.argv[1:3]; del sys.argv[1:3]\n"
    "from drift.__main__ import main; main()"
)
NO_ALGORITHMS = """
openssl_conf = init
[init]
providers = providers
[providers]
base = base
[base]
activate = 1
"""
ONLY_APPROVED = NO_ALGORITHMS.replace("[init]", "[init]\nalg_section = algorithms").replace(
    "base = base", "default = base"
)
ONLY_APPROVED += "[algorithms]\ndefault_properties = fips=yes\n"
OLD_TLS_ONLY = """
openssl_conf = init
[init]
ssl_conf = settings
[settings]
system_default = policy
[policy]
MaxProtocol = TLSv1.1
"""


def heavy() -> list[Server]:
    return [NtsServer("D"), HttpsServer("E"), RoughtimeServer("F")]


@pytest.fixture
def configuration(tmp_path: Path, script: str) -> Iterator[Callable[[Sequence[Server]], str]]:
    """Run servers until the end of the test; return the path of the configuration."""
    with ExitStack() as running:

        def serve(servers: Sequence[Server]) -> str:
            path = tmp_path / "lab.toml"
            path.write_text(running.enter_context(world(*servers, settings=SETTINGS)).toml)
            return str(path)

        yield serve


def ran(packages: Path, path: str, environ: dict[str, str] | None = None) -> Ran:
    program = [PYTHON, "-I", "-S", "-c", START, str(ROOT), str(packages)]
    return run_limited("--config", path, "--explain", "-v", program=program, environ=environ)


def assert_unavailable(done: Ran, kinds: Sequence[str], *words: str) -> None:
    """Check that these kinds are named as what this machine cannot ask, for one of the reasons."""
    assert "Traceback" not in done.stderr
    for kind in kinds:
        lines = [
            line for line in done.stderr.splitlines() if line.startswith(f"time-drift: {kind} ")
        ]
        assert lines, done.stderr
        for line in lines:
            assert ": unavailable" in line, line
            assert any(word in line for word in words), line


def missing(place: Path) -> None:
    """Leave nothing there."""


def with_zeros(place: Path) -> None:
    place.mkdir()
    (place / "__init__.py").write_bytes(bytes(100))


def with_an_odd_error(place: Path) -> None:
    place.mkdir()
    (place / "__init__.py").write_text("raise ValueError('binary incompatibility')\n")


def with_an_exit(place: Path) -> None:
    place.mkdir()
    (place / "__init__.py").write_text("raise SystemExit(5)\n")


@pytest.mark.parametrize("how", [missing, with_zeros, with_an_odd_error, with_an_exit])
@pytest.mark.parametrize(
    ("library", "kinds"),
    [("cryptography", ["nts", "roughtime"]), ("httpx", ["https"]), ("h11", ["https"])],
)
def test_a_library_that_cannot_be_loaded(
    configuration: Callable[[Sequence[Server]], str],
    tmp_path: Path,
    library: str,
    kinds: list[str],
    how: Callable[[Path], None],
) -> None:
    """Missing, or broken in any way: its kinds are unavailable, and NTP answers."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in PACKAGES.iterdir():
        if entry.name != library:
            (packages / entry.name).symlink_to(entry)
    how(packages / library)
    path = configuration([*(NtpServer(n) for n in "AB"), *heavy()])

    done = ran(packages, path)

    assert_unavailable(done, kinds, "cannot be loaded: ")
    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "cannot be loaded: " in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="to mount takes root")
def test_a_file_system_mounted_noexec(
    configuration: Callable[[Sequence[Server]], str], tmp_path: Path
) -> None:
    """Shared objects cannot be mapped: those kinds are unavailable, alone they are the refusal."""
    place = tmp_path / "noexec"
    place.mkdir()
    path = configuration([*(NtpServer(n) for n in "ABC"), RoughtimeServer("F")])
    text = Path(path).read_text()
    alone = tmp_path / "alone.toml"
    alone.write_text(SETTINGS.replace("3", "1") + text[text.index("[[sources.roughtime]]") :])
    mounted = (
        f"mount --bind {PACKAGES} {place} && mount -o remount,bind,noexec {place} && "
        f'exec {PYTHON} -I -S -c "$0" {ROOT} {place} --config "$1"'
    )

    def run(config: str) -> "subprocess.CompletedProcess[str]":
        command = ["unshare", "-m", "sh", "-c", mounted, START, config]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    beside, refused = run(path), run(str(alone))

    assert (beside.stdout, beside.stderr, beside.returncode) == ("0\n", "", 0)
    assert (refused.stdout, refused.returncode) == ("", 3)
    assert "roughtime unavailable: " in refused.stderr
    assert "cryptography cannot be loaded: ImportError: " in refused.stderr
    assert "failed to map segment" in refused.stderr


@pytest.mark.parametrize(
    "text",
    [NO_ALGORITHMS, ONLY_APPROVED, OLD_TLS_ONLY, "nonsense = [", "openssl_conf = nowhere\n"],
    ids=["no algorithms", "approved ones only", "old TLS only", "nonsense", "a missing section"],
)
def test_what_openssl_is_configured_to_forbid(
    configuration: Callable[[Sequence[Server]], str], tmp_path: Path, text: str
) -> None:
    """With any configuration of OpenSSL's NTP answers, and no server is blamed for it."""
    file = tmp_path / "openssl.cnf"
    file.write_text(text)
    path = configuration([*(NtpServer(n) for n in "ABC"), *heavy()])

    done = ran(PACKAGES, path, {"OPENSSL_CONF": str(file)})

    assert (done.stdout, done.returncode) == ("0\n", 0)
    for word in ("malformed", "unverified", "unreachable", "Traceback", "bug"):
        assert word not in done.stderr
