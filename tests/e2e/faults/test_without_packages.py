"""The test suite where packages that it wants are not installed: pytest itself, as a process."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.supply.test_requirements import RUNTIME

pytestmark = pytest.mark.timeout(120)

PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
ABSENT = ("hypothesis", "jsonschema", "pytest_timeout", "troposphere", "xdist")
RUNTIME_ABSENT = ("nagiosplugin", "prometheus-client", "rich")

Finished = subprocess.CompletedProcess[str]
Suite = Callable[..., Finished]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Run pytest with some of what is installed here, and nothing else."""

    def run(*arguments: str, without: tuple[str, ...] = (), ci: bool = False) -> Finished:
        place = tmp_path / "packages"
        place.mkdir(exist_ok=True)
        for name in {*PYTEST, *RUNTIME} - set(without):
            files = distribution(name).files or []
            for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
                if not (place / top).exists():
                    (place / top).symlink_to(str(distribution(name).locate_file(top)))
        environ = {name: value for name, value in os.environ.items() if name != "CI"}
        code = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); import pytest; pytest.main"
        code = f"{code.removesuffix('pytest.main')}sys.exit(pytest.main())"
        return subprocess.run(
            [os.path.realpath(sys.executable), "-I", "-S", "-c", code, str(place), *arguments],
            cwd=ROOT,
            env=environ | ({"CI": "true"} if ci else {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            stdin=subprocess.DEVNULL,
        )

    return run


def _skipped(done: Finished) -> dict[str, str]:
    """Return {file: what it says is missing}."""
    return dict(re.findall(r"^SKIPPED \[\d+\] (\S+):\d+: (.*): not installed", done.stdout, re.M))


def test_all_can_be_collected(suite: Suite) -> None:
    """Each file whose package is missing is skipped, the others are not: no error of any kind."""
    done = suite("--collect-only", "-q")
    skipped = _skipped(done)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert skipped["tests/unit/drift/run/test_schedule.py"] == "hypothesis"
    assert skipped["tests/unit/drift/wording/test_wording.py"] == "jsonschema"
    assert skipped["tests/site/test_template.py"] == "awacs"
    assert "tests/unit/drift/test_bootstrap.py" not in skipped
    assert "tests/e2e/setup/test_first_run.py::test_second_run_prepares_nothing" in done.stdout
    for name in ABSENT:
        assert name in done.stdout.partition("not all tests did run")[2]


def test_those_that_need_none_run(suite: Suite) -> None:
    """Tests that need none of what is missing pass without pytest-timeout, its mark and option."""
    done = suite(
        "-q", "tests/unit/drift/test_installed.py", "tests/unit/drift/run/test_schedule.py"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed, 1 skipped", done.stdout, re.MULTILINE)


def test_what_is_missed_within_a_test_skips_it(suite: Suite, tmp_path: Path) -> None:
    """Also where what is tested catches the failed import, and where a fixture failed before."""
    (tmp_path / "test_sample.py").write_text(
        """
import pytest

@pytest.fixture(scope="module")
def libraries():
    import rich

def test_import(libraries): pass
def test_import_again(libraries): pass

def test_caught():
    try:
        import nagiosplugin
    except ImportError:
        assert 0, "answered otherwise"

def test_its_own_fault():
    assert 0
"""
    )
    sample = str(tmp_path / "test_sample.py")
    plugins = ("-c", "pyproject.toml", "--rootdir", str(ROOT), "--confcutdir", str(ROOT))
    done = suite("-q", *plugins, "-p", "tests.conftest", sample, without=RUNTIME_ABSENT)

    assert "1 failed, 3 skipped" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("rich: not installed") >= 1
    assert "nagiosplugin: not installed" in done.stdout
    assert "FAILED" in done.stdout
    assert "test_its_own_fault" in done.stdout


def test_in_ci_everything_has_to_be_there(suite: Suite) -> None:
    """Before the first test, in one line with the names."""
    done = suite("-q", "tests/unit/drift/test_bootstrap.py", ci=True)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in done.stderr.split("\n") if line.startswith("ERROR")]
    for name in ABSENT:
        assert name in line
