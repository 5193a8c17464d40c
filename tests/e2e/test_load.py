"""The load of a fleet and --splay, by the program itself: what is refused, what servers count."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path

import pytest

from drift.config import parse
from drift.load.count import Load, loads
from drift.run.splay import own_share_ns
from lab.behaviour import honest, silent
from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import World, world
from sources.clock import NS
from tests.conftest import Program
from tests.e2e.conftest import Start
from tests.e2e.test_contract import assert_refused
from tests.support.fakes import Elapsed

RUNS = 6
OWN_SHARE = own_share_ns(3600 * NS) / (3600 * NS)
"""This machine's part of every span."""


def splay_of(least_s: float) -> str:
    """Return a span of which this machine waits at least so long, and hardly a second longer."""
    return f"{max(1, ceil(least_s / OWN_SHARE))}s"


# --- What goes with what ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--nodes", "400"), ("--nodes", "--check-config")),
        (("--check-config", "--behind-one-address"), ("--behind-one-address", "--nodes N")),
        (("--behind-one-address",), ("--behind-one-address", "--nodes N")),
        (("--check-config", "--every", "60s"), ("--every", "--nodes N")),
        (("--check-config", "--nodes", "0"), ("--nodes", "'0'", "1 to 9999999")),
        (("--check-config", "--nodes", "-1"), ("--nodes",)),
        (("--check-config", "--nodes", "many"), ("--nodes", "'many'")),
        (("watch", "--nodes", "4", "--every", "60s"), ("--nodes", "--check-config")),
        (("--splay", "0"), ("--splay", "'0'", "1s to 1h")),
        (("--splay", "2h"), ("--splay", "'2h'", "1s to 1h")),
        (("--splay", "soon"), ("--splay", "'soon'")),
        (("--splay", "5s", "--demo"), ("--splay",)),
        (("--splay", "5s", "--check-config"), ("--splay",)),
        (("watch", "--splay", "5s"), ("watch", "--splay", "--every")),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """What makes no sense is exit 2 with one line that names it."""
    assert_refused(program(*arguments), 2, *words)


def test_check_config_prints_the_load(program: Program, lab: Start) -> None:
    """After the votes, and it asks nobody."""
    command = ("--config", lab(*[silent] * 3), "--check-config")
    done = program(*command, "--nodes", "400", "--behind-one-address", "--every", "5m")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(program(*command).stdout)
    assert "\n400 nodes, behind one address, every 5m: queries a minute\n" in done.stdout


# --- What servers count -------------------------------------------------------------------------


def run_against(program: Program, lab: World, path: Path, *, settings: str = "") -> list[int]:
    """Run the program some times with a state of its own, and return the exit statuses."""
    config = path / "lab.toml"
    config.write_text(settings + lab.toml, encoding="utf-8")
    return [program("--config", str(config)).returncode for _ in range(RUNS)]


def said_of(toml: str) -> dict[str, Load]:
    """Return the load of each source, by operator and tier."""
    return {f"{each.operator} {each.what}": each for each in loads(parse(toml, "here"), 60)}


def test_servers_that_answer_count_the_usual(program: Program, tmp_path: Path) -> None:
    """A datagram a run each, keys once for all, and what is not needed is not asked."""
    quorum = f'state = "{tmp_path}/state"\n[consensus]\nmin_operators = 4\nmin_kinds = 3\n'
    alpha, bravo = NtpServer("Alpha"), NtpServer("Bravo")
    golf, foxtrot = NtsServer("Golf"), RoughtimeServer("Foxtrot")
    with world(alpha, bravo, golf, foxtrot) as lab:
        statuses = run_against(program, lab, tmp_path, settings=quorum)
        said = said_of(quorum + lab.toml)

    assert statuses == [0] * RUNS
    assert len(alpha.requests) == said["Alpha ntp"].usual * RUNS
    assert len(bravo.requests) == said["Bravo ntp"].usual * RUNS
    assert len(golf.requests) == said["Golf nts"].usual * RUNS
    assert len(foxtrot.requests) == said["Foxtrot roughtime"].usual * RUNS
    assert golf.connections == 1
    assert said["Golf nts keys"].usual < 1 / RUNS


def test_https_that_is_not_needed_counts_nothing(program: Program, tmp_path: Path) -> None:
    """Where NTP decides, a web server is not even connected to; where it cannot, it is."""
    for kinds, usual in ((1, 0), (2, 1)):
        quorum = f'state = ""\n[consensus]\nmin_operators = 3\nmin_kinds = {kinds}\n'
        servers = [NtpServer(name) for name in ("Alpha", "Bravo", "Charlie")]
        echo = HttpsServer("Echo")
        with world(*servers, echo) as lab:
            assert run_against(program, lab, tmp_path, settings=quorum) == [0] * RUNS
            said = said_of(quorum + lab.toml)

        assert said["Echo https"].usual == usual
        assert echo.connections == usual * RUNS
        assert [len(server.requests) for server in servers] == [RUNS] * 3


def test_servers_that_are_silent_count_the_worst(program: Program, tmp_path: Path) -> None:
    """Without state, so without back-off: as many datagrams as fit, and Roughtime's connection."""
    settings = 'state = ""\n'
    alpha, foxtrot = NtpServer("Alpha", silent), RoughtimeServer("Foxtrot", silent)
    with world(alpha, foxtrot) as lab:
        config = tmp_path / "lab.toml"
        config.write_text(settings + lab.toml, encoding="utf-8")
        assert program("--config", str(config)).returncode == 3
        said = said_of(settings + lab.toml)

    assert len(alpha.requests) == said["Alpha ntp"].worst
    assert len(foxtrot.requests) == said["Foxtrot roughtime"].worst


# --- --splay ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["integer", "json", "nagios", "prometheus"])
def test_a_splayed_run_answers(program: Program, lab: Start, form: str) -> None:
    """In every format the same as without, a little later."""
    done = program("--config", lab(*[honest] * 3), "--splay", "1s", "--format", form)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_wait_is_not_counted_by_the_timeout(program: Program, lab: Start) -> None:
    """Longer than any deadline, and after it a run has its whole time."""
    with Elapsed() as took:
        done = program("--config", lab(*[honest] * 3), "--splay", splay_of(2.8), "--timeout", "1")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert took.s >= 2.8


def test_after_the_wait_the_timeout_holds(program: Program, lab: Start) -> None:
    """What hangs then ends as ever."""
    path = lab(*[silent] * 3)
    span = splay_of(1)
    with Elapsed() as took:
        done = program("--config", path, "--splay", span, "--timeout", "0.5")

    assert_refused(done, 3)
    assert took.s < int(span[:-1]) * OWN_SHARE + 0.5 + 1.5


def test_a_wrong_configuration_is_not_waited_for(program: Program, tmp_path: Path) -> None:
    """Whoever tries it by hand sees the mistake at once."""
    with Elapsed() as took:
        assert_refused(program("--config", str(tmp_path / "none"), "--splay", splay_of(8)), 2)

    assert took.s < 5


Starts = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def waiting(script: str, lab: Start) -> Iterator[Starts]:
    """Start the program so that it waits; it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [script, *arguments, "--config", lab(*[honest] * 3), "--splay", "1h"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        time.sleep(0.5)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "number", "status", "stdout"),
    [
        ((), signal.SIGTERM, 143, ""),
        ((), signal.SIGINT, 130, ""),
        (("--json",), signal.SIGTERM, 143, ""),
        (("--format", "nagios"), signal.SIGTERM, 3, "TIME DRIFT UNKNOWN"),
        (("watch", "--every", "1h"), signal.SIGTERM, 143, ""),
    ],
)
def test_a_signal_ends_the_wait(
    waiting: Starts, arguments: tuple[str, ...], number: int, status: int, stdout: str
) -> None:
    """At once, with the status that a signal has at any other time, and no answer."""
    process = waiting(*arguments)
    with Elapsed() as took:
        process.send_signal(number)
        said, _ = process.communicate(timeout=20)

    assert process.returncode == status
    assert said.startswith(stdout)
    assert bool(said) is bool(stdout)
    assert took.s < 2


def test_watch_serves_requests_before_its_schedule_begins(waiting: Starts) -> None:
    """The wait is the schedule's alone: a newline is answered, and no moment has come yet."""
    process = waiting("watch", "--every", "1s")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "0\n"

    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)

    assert said == ""
