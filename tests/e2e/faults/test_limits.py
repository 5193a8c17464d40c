"""Runs under limits of the kernel: few descriptors, little memory, no threads. The integer, or a
refusal that says what was lacking; never a bug, never a traceback.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.behaviour import honest, silent
from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server, world
from tests.conftest import ROOT
from tests.support.processes import NOBODY, Ran, run_limited

MB = 1 << 20
AT_ONCE = 4
"""More make a busy machine so late that the alarm comes before the main thread."""
SETTINGS = "timeout = 1.5\nstate = ''\n[consensus]\nmin_operators = 3\nmin_kinds = 1\n"


def beside() -> Sequence[Server]:
    """Three honest NTP servers, and servers of all kinds, silent ones first and last."""
    return (
        *(NtpServer(n) for n in "ABC"),
        *(kind(f"{n}", how) for n, how in (("S", silent), ("D", honest)) for kind in (NtsServer,)),
        *(HttpsServer(n, how) for n, how in (("T", silent), ("E", honest))),
        *(RoughtimeServer(n, how) for n, how in (("U", silent), ("F", honest))),
        *(NtpServer(f"V{n}", silent) for n in range(4)),
    )


def alone() -> Sequence[Server]:
    """No plain NTP at all."""
    kinds = (NtsServer, HttpsServer, RoughtimeServer)
    return [kind(f"{kind.kind} {n}") for kind in kinds for n in range(3)]


def mute() -> Sequence[Server]:
    """Nobody answers, and each holds a descriptor until the end."""
    return [NtpServer(f"V{n}", silent) for n in range(20)]


@pytest.fixture(scope="module")
def paths(script: str) -> Iterator[dict[str, Path]]:
    """Run all the servers; return the configurations, which everybody may read."""
    with ExitStack() as running:
        # Not pytest's own directory, which is nobody else's.
        base = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="time-drift-test-")))
        base.chmod(0o755)
        found = {}
        for make in (beside, alone, mute):
            text = running.enter_context(world(*make(), settings=SETTINGS)).toml
            found[make.__name__] = base / f"{make.__name__}.toml"
            found[make.__name__].write_text(text, encoding="utf-8")
            for line in text.splitlines():
                if line.startswith("ca_file"):
                    copy = base / f"{len(list(base.iterdir()))}.pem"
                    copy.write_bytes(Path(line.split('"')[1]).read_bytes())
                    text = text.replace(line.split('"')[1], str(copy))
            found[make.__name__].write_text(text, encoding="utf-8")
        yield found


def many(path: Path, name: str, values: Sequence[int], *options: str, uid: int = 0) -> list[Ran]:
    """Run once for each value of one limit, some at a time; who was too late for that, alone."""

    def run(most: int) -> Ran:
        return run_limited("--config", str(path), *options, limits={name: most}, uid=uid)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(run, values))
    late = "still asking at the deadline"
    return [
        run(most) if late in done.stdout + done.stderr else done
        for most, done in zip(values, found, strict=True)
    ]


def assert_by_contract(done: Ran, lacking: str) -> None:
    if done.returncode == 0:
        assert (done.stdout, done.stderr) == ("0\n", "")
        return
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert done.stderr.startswith("time-drift: no answer: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr.encode()) < 512
    assert lacking in done.stderr


@pytest.mark.parametrize("config", ["beside", "alone", "mute"])
def test_few_descriptors(paths: dict[str, Path], config: str) -> None:
    """Each limit from 8 to 40: what is left decides, and a refusal names what was lacking.

    Every second one where nobody answers, as each such run takes its whole time.
    """
    limits = range(8, 41, 2 if config == "mute" else 1)
    for most, done in zip(limits, many(paths[config], "NOFILE", limits), strict=True):
        assert_by_contract(done, "Too many open files" if config == "mute" and most < 23 else "")


@pytest.mark.parametrize("options", [("--json",), ("-v",), ("--format", "nagios")], ids=str)
def test_few_descriptors_for_reports(paths: dict[str, Path], options: tuple[str, ...]) -> None:
    """What a report is made by is loaded though silent sources hold all descriptors."""
    for done in many(paths["mute"], "NOFILE", (12, 16, 20), *options):
        assert done.returncode == 3, done.stderr
        assert "Too many open files" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("config", ["beside", "alone"])
def test_little_memory(paths: dict[str, Path], config: str) -> None:
    """48 to 200 MB of addresses: three NTP servers are enough, and heavy kinds say what lacks."""
    limits = [mb * MB for mb in (48, 64, 80, 96, 112, 128, 200)]
    for done in many(paths[config], "AS", limits):
        assert_by_contract(done, "memory")
        assert done.returncode == 0 or config == "alone"


@pytest.mark.skipif(os.geteuid() != 0, reason="to become another user takes root")
@pytest.mark.parametrize("config", ["beside", "alone"])
def test_few_threads(paths: dict[str, Path], config: str) -> None:
    """A user who may have few threads gets what those can find out."""
    for most in (1, 2, 4, 8, 16):  # one at a time: the kernel counts all that a user has
        (done,) = many(paths[config], "NPROC", [most], uid=NOBODY)
        assert_by_contract(done, "can't start new thread")


def test_a_thread_that_cannot_even_report_writes_nothing(script: str) -> None:
    """As where there is no memory to make a failure of: stderr is for the program's own line."""
    code = (
        "import sys, time; sys.path += sys.argv[1:3]; del sys.argv[1:3]\n"
        "from drift.cli import main; main(['--version'])\n"
        "from _thread import start_new_thread\n"
        "def fail(): raise MemoryError\n"
        "start_new_thread(fail, ())\n"
        "time.sleep(0.2)\n"
    )
    venv = ROOT / ".venv"
    program = [str(venv / "bin/python"), "-I", "-S", "-c", code, str(ROOT), str(venv / "packages")]

    done = run_limited(program=program)

    assert (done.returncode, done.stderr) == (0, "")
