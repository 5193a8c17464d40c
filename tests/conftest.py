"""What every test gets: a scrubbed environment, and the ways to run the program as a process."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.optional import SkipsWithoutPackages, absent

if "hypothesis" not in absent():
    from hypothesis import HealthCheck, Phase, settings

    # A machine that is busy is slow at making examples, too: no fault of theirs.
    _SLOW = [HealthCheck.too_slow]
    settings.register_profile("usual", deadline=None, suppress_health_check=_SLOW)
    # For running the same tests again elsewhere: --hypothesis-profile=brief.
    settings.register_profile("brief", deadline=None, suppress_health_check=_SLOW, max_examples=25)
    # For `make mutants`: the same examples each time, and none made smaller.
    settings.register_profile(
        "mutants",
        deadline=None,
        suppress_health_check=_SLOW,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
    )
    settings.load_profile("usual")

ROOT = Path(__file__).resolve().parent.parent
_SCRUBBED_PREFIXES = ("PYTHON", "SSL_", "TIME_DRIFT_", "MAKE", "MFLAGS", "COLUMNS")
_SCRUBBED = (
    "state_directory",
    "xdg_state_home",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)

_FREE = ("tests/unit/", "tests/property/")
"""What may run anywhere at any time, on every worker of a parallel run."""
_GROUPS = {
    "setup": ("tests/e2e/setup/",),
    "faults": ("tests/e2e/faults/",),
    "fleet": ("tests/e2e/fleet/",),
    "measurements": tuple(
        f"tests/e2e/test_{name}.py" for name in ("https", "load", "state", "watch")
    ),
    "end to end": ("tests/e2e/",),
    "settings of pip": ("tests/supply/test_pip_configuration.py",),
    "wire": ("tests/contract/", "tests/interop/", "tests/fuzz/"),
}
"""What measures time on the way, or makes environments: one test of a group at a time. What is in
none of them builds things or starts other programs: one folder at a time."""

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def _scope(nodeid: str) -> str:
    """Return what a test belongs to: of each scope a parallel run has one test at a time."""
    if nodeid.startswith(_FREE):
        return nodeid
    for name, folders in _GROUPS.items():
        if nodeid.startswith(folders):
            return name
    return "/".join(nodeid.split("/")[:2])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests out our way; marks of groups are lost between pytest 9.2 and xdist 3.8."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    config.option.loadscopereorder = False  # the long groups come first by their names
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _scope
    return scheduling


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option of pyproject.toml that is pytest-timeout's."""
    if "pytest_timeout" in absent():
        parser.addini("timeout", "not in force: pytest-timeout is not installed")


def pytest_configure(config: pytest.Config) -> None:
    """Let what is not installed cost the tests that need it, and no others; in CI all is there."""
    if os.environ.get("CI") and absent():
        raise pytest.UsageError(f"not installed, and CI may not skip: {', '.join(absent())}")
    if "pytest_timeout" in absent():
        config.addinivalue_line("markers", "timeout(seconds): not in force")
    config.pluginmanager.register(SkipsWithoutPackages())


@pytest.fixture(autouse=True, scope="session")
def _hears_int() -> None:
    """Have every process we start end at INT: a script's job in the background is started deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _scrubbed_environment() -> Iterator[None]:
    """Keep what the developer's machine sets out of every test and every process it starts."""
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(_SCRUBBED_PREFIXES) or name.lower() in _SCRUBBED:
            del os.environ[name]
    yield
    os.environ.update(kept)


_TESTS = count()


@pytest.fixture(autouse=True)
def _state_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Let no test's runs learn from another's, or write into the developer's home."""
    place = tmp_path_factory.getbasetemp() / f"state-{next(_TESTS)}"
    monkeypatch.setenv("STATE_DIRECTORY", str(place))


@pytest.fixture(scope="session")
def script(_scrubbed_environment: None) -> str:
    """The path of time-drift.sh, its environment prepared; of its stand-in in `make coverage`."""
    path = str(ROOT / "time-drift.sh")
    with open(path, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the other workers wait instead of being refused
        subprocess.run([path, "--version"], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return os.environ.get("MEASURED_PROGRAM", path)


@pytest.fixture
def program(script: str) -> Program:
    """Run time-drift.sh with arguments; environ adds to the environment, wrap goes before it."""

    def run(
        *arguments: str,
        environ: dict[str, str] | None = None,
        wrap: tuple[str, ...] = (),
        timeout: float = 30,
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*wrap, script, *arguments],
            capture_output=True,
            text=True,
            env=os.environ | (environ or {}),
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture(scope="session")
def offline() -> tuple[str, ...]:
    """Return what runs a command in a network namespace of its own, loopback down."""
    for wrap in (("unshare", "-n"), ("unshare", "-r", "-n")):
        if shutil.which("unshare") and _succeeds(*wrap, "true"):
            return wrap
    if os.environ.get("CI"):
        pytest.fail("no network namespaces, and CI may not skip")
    pytest.skip("no network namespaces here: this test did NOT run")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def needs() -> Callable[[str], str]:
    """Return the path of a program of Debian's packages; skip without it, fail in CI."""

    def find(name: str) -> str:
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI may not skip")
        if path is None:
            pytest.skip(f"{name} is not installed: this interop test did NOT run")
        return path

    return find
