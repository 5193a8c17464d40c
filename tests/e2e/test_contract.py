"""The contract of time-drift.sh, as a process: stdout, stderr and status of every situation."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from lab import behaviour
from lab.ntp import NtpServer, kiss
from lab.world import world
from tests.conftest import ROOT, Program
from tests.e2e.conftest import Start
from tests.support.processes import full_pipe

NOTHING = ""


def assert_refused(done: "subprocess.CompletedProcess[str]", status: int, *words: str) -> None:
    """Check an exit without an answer: stdout empty, one line under 512 bytes that says why."""
    assert done.returncode == status, done.stderr
    assert done.stdout == NOTHING
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    assert len(done.stderr.encode()) < 512
    for word in words:
        assert word in done.stderr


# --- A trustworthy answer -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_s", "printed"),
    [
        (0, "0"),
        (4, "-4"),
        (-4, "4"),
        (0.4, "0"),
        (-0.4, "0"),
        (0.6, "-1"),
        (-0.6, "1"),
        (10_000_000, "-10000000"),
        # Before the release minus 30 days: NTP's era makes it 136 years later.
        (-20_000_000, "-4274967296"),
    ],
)
def test_the_integer_and_nothing_else(
    program: Program, lab: Start, ahead_s: float, printed: str
) -> None:
    """stdout is the integer and a newline, never -0, +4 or a unit; stderr is empty; exit 0."""
    done = program("--config", lab(*[behaviour.shifted(ahead_s)] * 3))

    assert done.stdout == f"{printed}\n"
    assert done.stderr == NOTHING
    assert done.returncode == 0


def test_one_of_five_silent_costs_no_time(program: Program, lab: Start) -> None:
    """The answer comes as soon as the other four agree, not at the deadline."""
    path = lab(*[behaviour.honest] * 4, behaviour.silent, settings="timeout = 20")
    began = time.monotonic()

    done = program("--config", path)

    assert done.stdout == "0\n"
    assert time.monotonic() - began < 1


def test_two_hundred_sources_answer(program: Program, lab: Start) -> None:
    """Two hundred operators are asked at once within the default timeout."""
    done = program("--config", lab(*[behaviour.shifted(4)] * 200))

    assert (done.stdout, done.stderr, done.returncode) == ("-4\n", NOTHING, 0)


def test_two_liars_of_five_change_nothing(program: Program, lab: Start) -> None:
    """A minority that lies, each in its own way, is outvoted; --explain says by how much."""
    liars = behaviour.shifted(3600), behaviour.shifted(-86_400)
    path = lab(*[behaviour.honest] * 3, *liars)

    plain = program("--config", path)
    explained = program("--config", path, "--explain")

    assert (plain.stdout, plain.stderr, plain.returncode) == ("0\n", NOTHING, 0)
    assert (explained.stdout, explained.returncode) == ("0\n", 0)
    assert explained.stderr.count("falseticker") == 2
    assert "3600 s ahead" in " ".join(explained.stderr.split())
    assert "86400 s behind" in " ".join(explained.stderr.split())
    assert "this clock is right, to the second" in explained.stderr


def test_explain_keeps_stdout_clean(program: Program, lab: Start) -> None:
    """The picture goes to stderr; stdout stays what it always is."""
    done = program("--config", lab(*[behaviour.shifted(4)] * 3), "--explain")

    assert done.stdout == "-4\n"
    assert "this clock is 4 s behind" in done.stderr


def test_json_is_one_object_by_its_schema(program: Program, lab: Start) -> None:
    """--json prints one object on one line, valid by the schema, and nothing on stderr."""
    done = program("--config", lab(*[behaviour.shifted(4)] * 3), "--json")

    assert done.stdout.count("\n") == 1
    tree = json.loads(done.stdout)
    schema = (ROOT / "drift/formats/time-drift-1.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(tree, json.loads(schema))
    assert tree["drift_s"] == -4
    assert abs(tree["drift_ns"] + 4_000_000_000) < 50_000_000
    assert (done.stderr, done.returncode) == (NOTHING, 0)


def test_verbose_adds_a_line_a_source(program: Program, lab: Start) -> None:
    """-v writes what became of each source to stderr and leaves stdout alone."""
    done = program("--config", lab(*[behaviour.honest] * 3), "-v")

    assert done.stdout == "0\n"
    assert done.stderr.count("\n") == 3
    assert "agrees" in done.stderr


def test_the_demo_needs_no_internet_and_no_configuration(
    program: Program, offline: tuple[str, ...], tmp_path: Path
) -> None:
    """In a network namespace of its own --demo prints -4 alone, and the picture on stderr."""
    done = program(
        "--demo",
        wrap=(*offline, "sh", "-c", 'ip link set lo up; exec "$@"', "sh"),
        environ={"TIME_DRIFT_CONFIG": str(tmp_path / "none.toml")},
    )

    assert (done.stdout, done.returncode) == ("-4\n", 0)
    assert "Mallory" in done.stderr
    assert "3600 s ahead" in " ".join(done.stderr.split())
    assert "this clock is 4 s behind" in done.stderr


# --- No trustworthy answer ------------------------------------------------------------------


def test_three_different_liars_of_five_are_refused(program: Program, lab: Start) -> None:
    """Without a majority there is no answer: exit 3, and what was found and needed."""
    liars = [behaviour.shifted(off) for off in (3600, 7200, -86_400)]
    done = program("--config", lab(*[behaviour.honest] * 2, *liars))

    assert_refused(done, 3, "no majority", "2 of 5 votes", "more than half")


def test_two_operators_with_three_servers_each(program: Program, tmp_path: Path) -> None:
    """Three servers of one liar are one vote: undecided against one honest; a third decides.

    By default all of three configured operators have to agree, so a quorum of two is written.
    """
    truth, lie = behaviour.honest, behaviour.shifted(3600)
    two = [NtpServer(name, how) for name, how in (("A", truth), ("B", lie)) for _ in range(3)]
    third = NtpServer("C", truth)
    path = tmp_path / "two.toml"
    with world(*two, third) as running:
        path.write_text("\n".join(server.toml() for server in two), encoding="utf-8")
        undecided = program("--config", str(path))
        path.write_text(running.toml, encoding="utf-8")
        too_few = program("--config", str(path))
        path.write_text("[consensus]\nmin_operators = 2\n" + running.toml, encoding="utf-8")
        decided = program("--config", str(path))

    assert_refused(undecided, 3, "1 of 2 votes")
    assert_refused(too_few, 3, "quorum missed: 2 operators", "needed 3")
    assert (decided.stdout, decided.returncode) == ("0\n", 0)


def test_a_quorum_that_is_missed_is_refused(program: Program, lab: Start) -> None:
    """Two agreeing operators where three are wanted are no answer."""
    path = lab(behaviour.honest, behaviour.honest, kiss("RATE"))
    done = program("--config", path)

    assert_refused(done, 3, "quorum missed: 2 operators", "needed 3", "refused", "RATE")


@pytest.mark.parametrize("timeout_s", ["0.4", "1.0"])
def test_all_silent_ends_by_the_timeout(program: Program, lab: Start, timeout_s: str) -> None:
    """Whatever hangs, the program ends by its timeout plus 0.3 s, with the reason."""
    path = lab(*[behaviour.silent] * 3)
    began = time.monotonic()

    done = program("--config", path, "--timeout", timeout_s)

    assert time.monotonic() - began < float(timeout_s) + 0.3
    assert_refused(done, 3, "timeout", "0 of 3 sources answered")


@pytest.mark.parametrize("option", ["--explain", "--json"])
def test_refusals_in_other_forms(program: Program, lab: Start, option: str) -> None:
    """--json prints an object whose answer is null, --explain nothing on stdout; both exit 3."""
    began = time.monotonic()
    done = program("--config", lab(*[behaviour.silent] * 3), "--timeout", "0.9", option)

    assert time.monotonic() - began < 1.2
    assert done.returncode == 3
    assert "no answer: no source yielded a sample" in " ".join(done.stderr.split())
    if option == "--json":
        tree = json.loads(done.stdout)
        assert tree["drift_s"] is None
        assert tree["refusal"]["reason"] == "nothing"
        assert [source["verdict"] for source in tree["sources"]] == ["timeout"] * 3
    else:
        assert done.stdout == NOTHING


def test_unreachable_everywhere_is_refused_at_once(
    program: Program, offline: tuple[str, ...], tmp_path: Path
) -> None:
    """Without any network the refusal comes well before the deadline and says so."""
    path = tmp_path / "far.toml"
    hosts = "".join(f'[[sources.ntp]]\nhost = "192.0.2.{n}"\n' for n in range(1, 6))
    path.write_text(hosts, encoding="utf-8")
    began = time.monotonic()

    done = program("--config", str(path), "--timeout", "20", wrap=offline)

    assert time.monotonic() - began < 5
    wanted = "no network: none of 5 sources can be reached from this machine"
    assert_refused(done, 3, wanted, "(Network is unreachable)", "default route")


# --- Wrong usage or configuration -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--frobnicate",), ("--frobnicate", "--help")),
        (("answer",), ("answer",)),
        (("--timeout",), ("--timeout", "expected one argument")),
        (("--timeout", "soon"), ("--timeout", "'soon'", "allowed is more than 0")),
        (("--timeout", "nan"), ("--timeout", "'nan'")),
        (("--timeout", "0"), ("--timeout", "'0'")),
        (("--timeout", "-1"), ("--timeout",)),
        (("--timeout", "inf"), ("--timeout", "'inf'")),
        (("--config",), ("--config",)),
        (("--config", "none.toml"), ("none.toml: cannot be read: No such file",)),
        (("--config", "/"), ("/: cannot be read: Is a directory",)),
        (("--conf", "x"), ("--conf",)),
        (("--demo", "--config", "x"), ("--demo", "--config")),
        (("--check-config", "--json"), ("--check-config", "--json")),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Wrong usage is exit 2 with one line that names it."""
    assert_refused(program(*arguments), 2, *words)


@pytest.mark.parametrize("options", [(), ("--check-config",), ("--json",), ("--explain",)])
def test_a_wrong_configuration(program: Program, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A mistake in the file is exit 2 in every format, naming file, key and nearest valid one."""
    path = tmp_path / "wrong.toml"
    path.write_text('[[sources.ntp]]\nhots = "192.0.2.1"\n', encoding="utf-8")

    done = program("--config", str(path), *options)

    assert_refused(done, 2, str(path), "unknown key 'hots'", "did you mean host?")


def test_hostile_text_stays_on_one_short_line(program: Program, tmp_path: Path) -> None:
    """Control characters and length of what is quoted cannot break the one line."""
    path = tmp_path / "wrong.toml"
    path.write_text(f'"a\\n\\u001b[2J{"x" * 2000}" = 1\n', encoding="utf-8")

    done = program("--config", str(path))

    assert_refused(done, 2)
    assert "\x1b" not in done.stderr


def test_check_config_prints_the_votes(program: Program, lab: Start) -> None:
    """--check-config asks nobody and lists who has how many votes."""
    done = program("--config", lab(*[behaviour.silent] * 3), "--check-config")

    assert done.returncode == 0
    assert done.stdout.count("1 vote") == 3
    assert done.stderr == NOTHING


_AS_IF_OLD = """
import runpy, sys
sys.version_info = (3, 10, 13, "final", 0)
runpy.run_module("drift", run_name="__main__")
"""


def test_an_old_python_says_so() -> None:
    """`python -m drift` by a Python before 3.11 is exit 2 with one line."""
    commands = [[sys.executable, "-c", _AS_IF_OLD]]
    commands += [
        [str(python), "-m", "drift"]
        for python in Path.home().glob(".pyenv/versions/3.*/bin/python3")
        if tuple(map(int, python.parts[-3].split("."))) < (3, 11)
    ]
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        assert_refused(done, 2, "3.11 or newer")


# --- Bugs, and a stdout that cannot be written ----------------------------------------------------

_SABOTAGE = """
import sys
sys.argv = ["time-drift", *sys.argv[1:]]
from drift import cli
def broken(arguments):
    raise ZeroDivisionError("a bug\\nof ours")
cli.main = broken
from drift.__main__ import main
main()
"""


def sabotaged(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    python = str(ROOT / ".venv/bin/python")
    return subprocess.run(
        [python, "-I", "-c", _SABOTAGE, *arguments], capture_output=True, text=True, check=False
    )


def test_a_bug_is_one_line_and_70(script: str) -> None:
    """An unexpected exception is exit 70 with one line, stdout empty."""
    assert_refused(sabotaged(script), 70, "bug: ZeroDivisionError: a bug of ours")


def test_a_bug_before_anything_is_unknown_to_nagios(script: str) -> None:
    """Where not even the format can be had, a plugin still has its state and its line."""
    done = sabotaged(script, "--format", "nagios", "-v")

    reported = "TIME DRIFT UNKNOWN - bug: ZeroDivisionError: a bug of ours\n"
    assert (done.stdout, done.stderr, done.returncode) == (reported, "", 3)


def test_a_bug_with_v_shows_the_traceback(script: str) -> None:
    """With -v the traceback is there for the report."""
    done = sabotaged(script, "-v")

    assert done.returncode == 70
    assert done.stdout == NOTHING
    assert "Traceback" in done.stderr


def redirected(script: str, path: str, rest: str) -> "subprocess.CompletedProcess[str]":
    """Run the script on a configuration by a shell; `rest` holds options and redirections."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" --config "$1" {rest}', script, path],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", ["", "--json", "--help", "--version", "--check-config"])
@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
def test_an_answer_that_cannot_be_written_is_70(
    script: str, lab: Start, stdout: str, arguments: str
) -> None:
    """A closed or full stdout is no success, in any format."""
    path = lab(*[behaviour.honest] * 3)
    done = redirected(script, path, f"{arguments} {stdout}")

    assert done.returncode == 70
    assert "stdout cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_gone_is_70(script: str, lab: Start) -> None:
    """A broken pipe is exit 70, not a traceback and not a death by SIGPIPE."""
    path = lab(*[behaviour.honest] * 3)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [script, "--config", path], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)

    assert done.returncode == 70
    assert "stdout cannot be written" in done.stderr


def test_a_reader_that_never_reads_cannot_hold_us(script: str, lab: Start) -> None:
    """A full pipe as stdout ends in exit 70 by the timeout plus 0.3 s."""
    path = lab(*[behaviour.honest] * 3)
    began = time.monotonic()

    with full_pipe() as writer:
        done = subprocess.run(
            [script, "--config", path, "--timeout", "0.8"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=10,
        )

    assert done.returncode == 70
    assert time.monotonic() - began < 1.1


def test_a_closed_stderr_harms_nothing(script: str, lab: Start) -> None:
    """Without stderr answers and statuses are the same, and nothing is written elsewhere."""
    path = lab(*[behaviour.honest] * 3)
    good = redirected(script, path, "2>&-")
    bad = redirected(script, "none.toml", "2>&-")

    assert (good.stdout, good.returncode) == ("0\n", 0)
    assert (bad.stdout, bad.returncode) == (NOTHING, 2)


@pytest.mark.parametrize("option", ["--explain", "-v"])
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_reports_that_nobody_can_see_harm_nothing(
    script: str, lab: Start, stderr: str, option: str
) -> None:
    """The integer comes though picture or notes cannot be written."""
    path = lab(*[behaviour.honest] * 3)
    done = redirected(script, path, f"{option} {stderr}")

    assert (done.stdout, done.returncode) == ("0\n", 0)


_SLOW_PICTURE = """
import sys, threading
sys.argv = ["time-drift", *sys.argv[1:]]
from drift.formats import explain
def slow(*_):
    threading.Event().wait(30)
explain.explain = slow
from drift.__main__ import main
main()
"""


def test_a_slow_picture_does_not_cost_the_answer(script: str, lab: Start) -> None:
    """The integer is out before anything is drawn, and the status is that of an answer."""
    path = lab(*[behaviour.honest] * 3)
    python = str(ROOT / ".venv/bin/python")
    began = time.monotonic()
    done = subprocess.run(
        [python, "-I", "-c", _SLOW_PICTURE, "--config", path, "--timeout", "1", "--explain"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "picture" in done.stderr
    assert time.monotonic() - began < 1.3


# --- Signals and things that hang --------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_with_their_status(
    script: str, lab: Start, number: signal.Signals, status: int
) -> None:
    """Interrupted or terminated while waiting: 130 or 143, stdout empty, no traceback."""
    path = lab(*[behaviour.silent] * 3)
    process = subprocess.Popen(
        [script, "--config", path, "--timeout", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1)
    process.send_signal(number)
    out, err = process.communicate(timeout=5)

    assert process.returncode == status
    assert out == NOTHING
    assert err.count("\n") <= 1
    assert "Traceback" not in err


def test_a_configuration_that_never_comes_cannot_hold_us(script: str, tmp_path: Path) -> None:
    """A FIFO without a writer as configuration is exit 3 by the default timeout plus 0.3 s."""
    path = tmp_path / "fifo.toml"
    os.mkfifo(path)
    began = time.monotonic()

    done = subprocess.run(
        [script, "--config", str(path)], capture_output=True, text=True, check=False, timeout=20
    )

    assert time.monotonic() - began < 2.8
    assert_refused(done, 3, "reading the configuration")


def test_a_shell_that_slept_before_does_not_use_up_the_timeout(script: str, lab: Start) -> None:
    """`sleep 3; exec time-drift.sh`, as in cron jobs with a splay, still has all of its time."""
    path = lab(*[behaviour.honest] * 3)
    done = subprocess.run(
        ["sh", "-c", 'sleep 3; exec "$0" --config "$1"', script, path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", NOTHING, 0)


def test_inherited_signal_masks_do_not_bind_us(script: str, lab: Start) -> None:
    """A parent that blocks SIGTERM and SIGALRM does not make us deaf to them."""
    path = lab(*[behaviour.silent] * 3)
    blocked = {signal.SIGTERM, signal.SIGALRM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    process = subprocess.Popen([script, "--config", path, "--timeout", "20"])
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=5) == 143


def test_help_has_every_option_and_examples(program: Program) -> None:
    """--help names each option, shows examples and the exit statuses, and exits 0."""
    done = program("--help")

    assert done.returncode == 0
    for option in ("--config", "--timeout", "--explain", "--json", "--check-config", "--demo"):
        assert option in done.stdout
    assert "examples:" in done.stdout
    assert "exit status:" in done.stdout
    assert "BEHIND" in done.stdout


def test_version(program: Program) -> None:
    """--version prints name and version."""
    assert re.fullmatch(r"time-drift \d+\.\d+\.\d+\n", program("--version").stdout)
