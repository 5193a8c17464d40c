"""The program against real chronyd servers, its clock bent by libfaketime."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ROOT, Program
from tests.support.servers.chrony import chronyd, command, faked, free_port, source

pytestmark = pytest.mark.interop

YEAR_S = 365 * 86_400
"""faketime's year."""


@pytest.fixture(scope="module")
def tools() -> None:
    """Skip, or fail in CI, where chronyd or libfaketime is missing."""
    for tool in ("chronyd", "faketime"):
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin") is None:
            missing = f"{tool} is not installed: this interop test did NOT run"
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@pytest.fixture(scope="module")
def three(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run three honest chronyd; yield the path of the configuration that asks them."""
    directory = tmp_path_factory.mktemp("three")
    with ExitStack() as running:
        text = ""
        for name in ("alpha", "bravo", "charlie"):
            port = free_port()
            running.enter_context(chronyd(found("chronyd"), directory / name, port))
            text += source(port, name)
        path = directory / "config.toml"
        path.write_text(text, encoding="utf-8")
        yield str(path)


def found(tool: str) -> str:
    path = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin")
    assert path is not None
    return path


@pytest.mark.parametrize(
    ("offset", "printed"),
    [
        ("-4s", -4),
        ("+1.6s", 2),
        ("-0.4s", 0),
        ("+0.4s", 0),
        ("-1.6s", -2),
        ("+3d", 259_200),
        ("+15y", 15 * YEAR_S),
        ("-30y", -30 * YEAR_S),
        ("-56y", -56 * YEAR_S),
        ("-57y", -57 * YEAR_S),
        ("+9y", 9 * YEAR_S),
        ("+10y", 10 * YEAR_S),
        ("+74y", 74 * YEAR_S),
        ("-100y", -100 * YEAR_S),
    ],
)
def test_the_right_integer_whatever_the_clock_says(
    program: Program, three: str, offset: str, printed: int
) -> None:
    """From 1926 to 2100 the program prints the clock's true error and nothing on stderr."""
    done = program("--config", three, environ=faked(offset))

    assert (done.stdout, done.stderr, done.returncode) == (f"{printed}\n", "", 0)


def test_two_real_liars_of_five(program: Program, tools: None, tmp_path: Path) -> None:
    """Two chronyd an hour ahead and a day behind, both stratum 1: the truth, and both named."""
    with ExitStack() as running:
        text = ""
        for name, offset in (
            ("alpha", None),
            ("bravo", None),
            ("charlie", None),
            ("liar-ahead", "+3600s"),
            ("liar-behind", "-1d"),
        ):
            port = free_port()
            running.enter_context(chronyd(found("chronyd"), tmp_path / name, port, offset=offset))
            text += source(port, name)
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")

        plain = program("--config", str(path), environ=faked("-4s"))
        wide = faked("-4s") | {"COLUMNS": "160"}
        explained = program("--config", str(path), "--explain", environ=wide)

    assert (plain.stdout, plain.stderr, plain.returncode) == ("-4\n", "", 0)
    assert explained.stdout == "-4\n"
    liars = [line for line in explained.stderr.split("\n") if "falseticker" in line]
    assert len(liars) == 2
    assert re.search(r"liar-ahead .* falseticker: 3600 s ahead", liars[0])
    assert re.search(r"liar-behind .* falseticker: 86400 s behind", liars[1])


def test_a_real_server_that_is_not_synchronised(
    program: Program, tools: None, tmp_path: Path
) -> None:
    """A chronyd without any reference says so, and the verdict says unsynchronised."""
    port = free_port()
    path = tmp_path / "config.toml"
    path.write_text(source(port, "lonely"), encoding="utf-8")
    server = tmp_path / "lonely"
    server.mkdir()
    (server / "chrony.conf").write_text(
        f"allow\nport {port}\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\n"
        f"pidfile {server}/pid\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [*command(found("chronyd")), "-f", str(server / "chrony.conf")],
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(0.5)
        done = program("--config", str(path), "--json")
        process.terminate()

    assert done.returncode == 3
    assert json.loads(done.stdout)["sources"][0]["verdict"] == "unsynchronised"


STEPS = {
    "a second ahead": ["+0", "+1"],
    "a second behind": ["+0", "-1"],
    "an hour ahead": ["+0", "+3600"],
    "an hour behind": ["+0", "-3600"],
    "there and back": ["+0", "+3600", "+0"],
    "twice": ["-4", "+3600", "-7"],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
def test_the_clock_stepped_in_the_middle(
    script: str, tools: None, tmp_path: Path, steps: list[str]
) -> None:
    """The clock is stepped while answers are under way: printed is the drift when it is printed.

    The servers are slow on purpose: a lab server holds one operator's reply back until after the
    last step, so that samples of before and after have to go together.
    """
    from lab import behaviour
    from lab.ntp import NtpServer
    from lab.world import world

    stamp = tmp_path / "faketime"
    stamp.write_text(steps[0] + "\n", encoding="utf-8")
    late = behaviour.late(0.9)
    servers = [NtpServer("A"), NtpServer("B"), NtpServer("C", late)]
    path = tmp_path / "config.toml"
    with world(*servers) as running:
        path.write_text(running.toml, encoding="utf-8")
        environ = faked("+0") | {
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(stamp),
        }
        del environ["FAKETIME"]
        process = subprocess.Popen(
            [script, "--config", str(path)],
            env=os.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not servers[2].requests:
            time.sleep(0.01)
        for step in steps[1:]:
            time.sleep(0.25)
            stamp.write_text(step + "\n", encoding="utf-8")
        out, err = process.communicate(timeout=10)

    assert (out, err, process.returncode) == (f"{int(steps[-1])}\n", "", 0)


def test_the_nanoseconds_are_right_too(program: Program, three: str) -> None:
    """Against real servers on this machine the estimate is far better than the integer needs."""
    errors_ns = [
        abs(json.loads(program("--config", three, "--json").stdout)["drift_ns"]) for _ in range(5)
    ]

    assert sorted(errors_ns)[2] < 500_000


def test_every_python_prints_the_same(three: str, tmp_path: Path) -> None:
    """The program runs by each Python 3.11 or newer of this machine, under a bent clock too."""
    site = next((ROOT / ".venv").glob("lib/python3*/site-packages"))
    code = "from drift.__main__ import main; main()"
    for python in {sys.executable, "/usr/bin/python3", *_pyenv("3.12"), *_pyenv("3.13")}:
        if not _runs(python):
            continue
        done = subprocess.run(
            [python, "-c", code, "--config", three],
            env=os.environ | faked("+15y") | {"PYTHONPATH": f"{ROOT}:{site}"},
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

        assert (done.stdout, done.stderr) == ("473040000\n", ""), python
        assert done.returncode == 0


def _pyenv(version: str) -> list[str]:
    return [str(path) for path in Path.home().glob(f".pyenv/versions/{version}*/bin/python3")]


def _runs(python: str) -> bool:
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
