"""`time-drift watch`, as a process: its lines, its schedule, signals, and how it ends."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import behaviour
from tests.conftest import ROOT, Program
from tests.e2e.conftest import Start
from tests.e2e.test_contract import assert_refused
from tests.endurance.leaping import used

Process = subprocess.Popen[str]
Watch = Callable[..., Process]


@pytest.fixture
def watch(script: str) -> Iterator[Watch]:
    """Start `watch` with these arguments; what is still running at the end is killed."""
    started: list[Process] = []

    def start(*arguments: object, **more: int) -> Process:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        pipes |= more
        process = subprocess.Popen(
            [script, "watch", *map(str, arguments)],
            text=True,
            stdin=pipes["stdin"],
            stdout=pipes["stdout"],
            stderr=pipes["stderr"],
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def asked(process: Process) -> str:
    """Ask by a newline and return the next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def children(process: Process) -> list[int]:
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    return [int(number) for number in Path(path).read_text(encoding="ascii").split()]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


# --- What it says ---------------------------------------------------------------------------


def test_a_line_for_each_newline(program: Program, lab: Start, script: str) -> None:
    """Each newline on stdin is one measurement and one line; the end of stdin ends it with 0."""
    path = lab(*[behaviour.shifted(4)] * 3)

    done = subprocess.run(
        [script, "watch", "--config", path],
        input="\n\n\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("-4\n" * 3, "", 0)


def test_it_answers_while_stdin_stays_open(watch: Watch, lab: Start) -> None:
    """A line is there as soon as it is measured: nothing is held back in a buffer."""
    process = watch("--config", lab(*[behaviour.shifted(-3)] * 3))

    assert [asked(process) for _ in range(3)] == ["3\n"] * 3


def test_what_changes_is_seen(watch: Watch, lab: Start) -> None:
    """Every line is measured anew."""
    turning = [behaviour.in_turn(*(behaviour.shifted(s) for s in (4, 60, -7))) for _ in range(3)]
    process = watch("--config", lab(*turning))

    assert [asked(process) for _ in range(3)] == ["-4\n", "-60\n", "7\n"]


def test_without_an_answer_there_is_no_line(watch: Watch, lab: Start) -> None:
    """A refusal leaves stdout as it is, says why on stderr, and does not end it."""
    behave = behaviour.in_turn(behaviour.silent, behaviour.shifted(4))
    process = watch("--config", lab(*[behave] * 1, settings="timeout = 0.5\nstate = ''"))
    assert process.stdin is not None
    assert process.stderr is not None

    process.stdin.write("\n")
    process.stdin.flush()
    refusal = process.stderr.readline()

    assert refusal.startswith("time-drift: no answer: no source yielded a sample")
    assert asked(process) == "-4\n"


@pytest.mark.parametrize("format_name", ["json", "influx", "prometheus", "zabbix"])
def test_every_format_but_nagios(watch: Watch, lab: Start, format_name: str) -> None:
    """Each measurement is reported in the format that is asked for."""
    process = watch("--config", lab(*[behaviour.shifted(4)] * 3), "--format", format_name)

    out, err = process.communicate("\n\n", timeout=20)

    wanted = {"json": '"drift_s": -4', "influx": "drift_s=-4i", "zabbix": '"drift_s": -4'}
    assert out.count(wanted.get(format_name, "\ntime_drift_seconds -4.0\n")) == 2
    assert err == ""


def test_into_a_file_whole_at_every_tick(watch: Watch, lab: Start, tmp_path: Path) -> None:
    """With --output the file is replaced at every tick, by success and refusal; stdout is empty."""
    target = tmp_path / "time-drift.prom"
    behave = behaviour.in_turn(behaviour.shifted(4), behaviour.silent)
    path = lab(behave, settings="timeout = 0.5\nstate = ''")
    process = watch("--config", path, "--format", "prometheus", "--output", target)
    assert process.stdin is not None

    texts = []
    for _ in range(2):
        before = number_of(target)
        process.stdin.write("\n")
        process.stdin.flush()
        wait_for(is_another(target, before))
        texts.append(target.read_text(encoding="utf-8"))
    out, _ = process.communicate()

    assert out == ""
    assert "\ntime_drift_seconds -4.0\n" in texts[0]
    assert "\ntime_drift_success 0.0\n" in texts[1]
    assert "time_drift_seconds" not in texts[1]
    last = re.compile(r"^time_drift_last_success_timestamp_seconds .*$", re.MULTILINE)
    assert last.findall(texts[0]) == last.findall(texts[1]) != []


def number_of(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def is_another(path: Path, before: int | None) -> Callable[[], bool]:
    return lambda: number_of(path) not in (None, before)


def wait_for(done: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


# --- When ------------------------------------------------------------------------------------


def test_the_first_at_once_and_then_every_second(watch: Watch, lab: Start) -> None:
    """With --every lines come without being asked for, whatever stdin is."""
    process = watch(
        "--every", "1s", "--config", lab(*[behaviour.honest] * 3), stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None

    moments = []
    for _ in range(4):
        assert process.stdout.readline() == "0\n"
        moments.append(time.monotonic())

    for number in range(1, 4):
        assert number - 0.3 < moments[number] - moments[0] < number + 0.4


def test_a_newline_between_two_ticks(watch: Watch, lab: Start) -> None:
    """Being asked in between neither shifts the schedule nor waits for it."""
    process = watch("--every", "1h", "--config", lab(*[behaviour.honest] * 3))
    assert process.stdout is not None

    assert process.stdout.readline() == "0\n"
    with within(5):
        assert asked(process) == "0\n"


# --- How it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once(
    watch: Watch, lab: Start, number: signal.Signals, status: int
) -> None:
    """Between two measurements it leaves within a moment, and says nothing."""
    process = watch("--every", "1h", "--config", lab(*[behaviour.honest] * 3))
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"

    process.send_signal(number)
    with within(1):
        out, err = process.communicate(timeout=5)

    assert (out, err, process.returncode) == ("", "", status)


def test_a_signal_ends_what_is_being_measured_too(watch: Watch, lab: Start) -> None:
    """In the middle of a measurement that would take ten seconds it leaves, and leaves nobody."""
    process = watch("--every", "1h", "--timeout", "10", "--config", lab(behaviour.silent))
    wait_for(lambda: children(process) != [])
    child = children(process)[0]

    process.send_signal(signal.SIGTERM)
    with within(1):
        out, err = process.communicate(timeout=5)

    assert (out, err, process.returncode) == ("", "", 143)
    wait_for(lambda: not Path(f"/proc/{child}").exists(), 2)


@pytest.mark.parametrize("delay_ms", range(6))
def test_a_signal_at_any_moment(watch: Watch, lab: Start, delay_ms: int) -> None:
    """Whenever it comes, also between fork and wait, status is 143 and nobody is left."""
    path = lab(*[behaviour.honest] * 3)
    process = watch("--config", path, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write("\n" * 500)
    process.stdin.flush()
    wait_for(lambda: children(process) != [])
    time.sleep(delay_ms / 1000)
    left = children(process)

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=5) == 143
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in left), 2)


def test_nobody_reads_any_more(watch: Watch, lab: Start) -> None:
    """An agent that has gone is noticed between two measurements, an hour before the next."""
    process = watch("--every", "1h", "--config", lab(*[behaviour.honest] * 3))
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"

    process.stdout.close()
    process.wait(timeout=2)

    assert process.returncode == 70
    assert process.stderr is not None
    assert process.stderr.read() == "time-drift: stdout cannot be written: nobody reads it\n"


def test_nobody_reads_and_many_were_asked_for(watch: Watch, lab: Start) -> None:
    """Newlines that are waiting do not keep it from noticing."""
    process = watch("--config", lab(*[behaviour.honest] * 3))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n" * 2000)
    process.stdin.flush()
    assert process.stdout.readline() == "0\n"

    process.stdout.close()
    process.wait(timeout=2)

    assert process.returncode == 70


def test_a_measurement_that_is_killed_is_one_measurement(watch: Watch, lab: Start) -> None:
    """Whatever becomes of the process that measures, it is reported, and the next one measures."""
    process = watch("--timeout", "4", "--config", lab(behaviour.silent))
    assert process.stdin is not None
    process.stdin.write("\n\n")
    process.stdin.flush()
    wait_for(lambda: children(process) != [])
    first = children(process)[0]

    os.kill(first, signal.SIGKILL)
    wait_for(lambda: children(process) not in ([], [first]))

    assert process.poll() is None
    assert process.stderr is not None
    reported = process.stderr.readline()
    assert reported == "time-drift: no answer: the measurement was ended by signal 9\n"


# --- The configuration -----------------------------------------------------------------------


def test_sighup_reads_the_configuration_again(watch: Watch, lab: Start) -> None:
    """After SIGHUP the sources are those that the file names then."""
    path = Path(lab(*[behaviour.shifted(4)] * 3))
    other = Path(lab(*[behaviour.shifted(9)] * 3))
    process = watch("--config", path)
    assert asked(process) == "-4\n"

    path.write_text(other.read_text(encoding="utf-8"), encoding="utf-8")
    assert asked(process) == "-4\n"
    process.send_signal(signal.SIGHUP)

    assert asked(process) == "-9\n"


def test_the_last_of_many_sighups_counts(watch: Watch, lab: Start) -> None:
    """However fast they come, what the file says at the last one is what is asked."""
    path = Path(lab(*[behaviour.shifted(4)] * 3))
    texts = [path.read_text(encoding="utf-8")]
    texts += [Path(lab(*[behaviour.shifted(s)] * 3)).read_text() for s in (9, 11)]
    process = watch("--config", path)
    assert asked(process) == "-4\n"

    for number in range(200):
        path.write_text(texts[number % 3], encoding="utf-8")
        process.send_signal(signal.SIGHUP)
    path.write_text(texts[2], encoding="utf-8")
    process.send_signal(signal.SIGHUP)

    assert asked(process) == "-11\n"


def test_a_configuration_that_cannot_be_read_to_its_end(watch: Watch, lab: Start) -> None:
    """A pipe in place of the file holds the next measurement up, for a while, and no longer."""
    path = Path(lab(*[behaviour.shifted(4)] * 3))
    process = watch("--config", path)
    assert asked(process) == "-4\n"
    path.unlink()
    os.mkfifo(path)

    process.send_signal(signal.SIGHUP)
    with within(5):
        assert asked(process) == "-4\n"

    assert process.stderr is not None
    assert "not read within 2.5 s; the configuration of before stays" in process.stderr.readline()


def started_after(code: str, path: str) -> "subprocess.CompletedProcess[str]":
    """Let `watch` be asked twice, started by a Python that has run some code before."""
    run = f"import sys; sys.path += [{str(ROOT)!r}, {str(ROOT / '.venv/packages')!r}];"
    run += "from drift.__main__ import main; main()"
    command = [str(ROOT / ".venv/bin/python"), "-c", run, "watch", "--config", path]
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])",
            *command,
        ],
        input="\n\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_starts_it_may_ignore_children(script: str, lab: Start) -> None:
    """An agent that ignores SIGCHLD hands that on: it is set right."""
    code = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"

    done = started_after(code, lab(*[behaviour.shifted(4)] * 3))

    assert (done.stdout, done.stderr, done.returncode) == ("-4\n-4\n", "", 0)


def test_a_shortage_costs_one_measurement(script: str, lab: Start) -> None:
    """Where no further file can be opened that is reported, and it goes on."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))"

    done = started_after(code, lab(*[behaviour.shifted(4)] * 3))

    assert (done.stdout, done.returncode) == ("", 0)
    reported = "time-drift: no answer: nothing to measure with: Too many open files\n"
    assert done.stderr == reported * 2


def test_a_reader_that_stops_ends_it(watch: Watch, lab: Start) -> None:
    """Half a result, asked to a reader that fell asleep, is not continued by the next one."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    path = lab(*[behaviour.shifted(4)] * 60, settings="timeout = 2")
    process = watch("--config", path, "--format", "influx", stdout=writer)
    os.close(writer)
    assert process.stdin is not None
    process.stdin.write("\n\n")
    process.stdin.flush()

    assert process.wait(timeout=10) == 70
    with open(reader, encoding="utf-8") as said:
        assert said.read().count("time_drift success") == 1


def test_a_broken_configuration_is_reported_and_not_used(watch: Watch, lab: Start) -> None:
    """SIGHUP on a file that does not hold together leaves the sources of before."""
    path = Path(lab(*[behaviour.shifted(4)] * 3))
    process = watch("--config", path)
    assert asked(process) == "-4\n"

    path.write_text("tiemout = 3\n", encoding="utf-8")
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    reported = process.stderr.readline()

    assert "unknown key" in reported or "tiemout" in reported
    assert reported.endswith("; the configuration of before stays\n")
    assert asked(process) == "-4\n"


def test_a_configuration_that_is_broken_at_first(program: Program, tmp_path: Path) -> None:
    """There is nothing to stay for: 2, as in a single run."""
    path = tmp_path / "broken.toml"
    path.write_text("timeout = -1\n", encoding="utf-8")

    assert_refused(program("watch", "--config", str(path)), 2, "timeout = -1", "0 to 300")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--every", "0"), ("--every", "'0'", "1s to 1d")),
        (("--every", "2d"), ("'2d'", "1s to 1d")),
        (("--every", "1.5s"), ("'1.5s'",)),
        (("--every",), ("--every", "expected one argument")),
        (("--explain",), ("watch", "--explain")),
        (("--demo",), ("watch", "--demo")),
        (("--check-config",), ("watch", "--check-config")),
        (("now",), ("unrecognized", "now")),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """What does not go with it is refused, by name and with what is allowed."""
    assert_refused(program("watch", *arguments), 2, *words)


def test_every_belongs_to_watch(program: Program) -> None:
    """Without the command there is no schedule."""
    assert_refused(program("--every", "60s"), 2, "--every")


# --- The process that measures ----------------------------------------------------------------


def test_it_stays_where_nothing_is_left_behind(watch: Watch, lab: Start) -> None:
    """After an answer the same process measures again, with as many descriptors as before."""
    process = watch("--config", lab(*[behaviour.shifted(4)] * 3))
    assert asked(process) == "-4\n"
    (first,) = children(process)
    wait_for(is_alone(first))
    descriptors = len(os.listdir(f"/proc/{first}/fd"))

    for _ in range(10):
        assert asked(process) == "-4\n"
        wait_for(is_alone(first))

    assert children(process) == [first]
    assert len(os.listdir(f"/proc/{first}/fd")) == descriptors


def test_a_hundred_times_at_most(watch: Watch, lab: Start) -> None:
    """Then another takes over, so that nothing grows for ever; until then it hardly does."""
    process = watch("--config", lab(*[behaviour.shifted(4)] * 3))
    seen: list[int] = []
    resident_kb = []

    for _ in range(101):
        assert asked(process) == "-4\n"
        seen += children(process)
        wait_for(is_alone(seen[-1]))
        resident_kb.append(used(str(seen[-1]))["resident_kb"])

    assert seen.count(seen[0]) == 100
    assert seen[100] != seen[99] == seen[0]
    assert resident_kb[99] - resident_kb[9] < 256


def test_it_does_not_stay_after_a_refusal(watch: Watch, lab: Start) -> None:
    """What went wrong ends with its process."""
    behave = behaviour.in_turn(behaviour.silent, behaviour.shifted(4))
    process = watch("--config", lab(behave, settings="timeout = 0.5\nstate = ''"))
    assert process.stdin is not None
    assert process.stderr is not None

    process.stdin.write("\n")
    process.stdin.flush()
    process.stderr.readline()
    wait_for(lambda: children(process) == [])

    assert asked(process) == "-4\n"


def test_it_does_not_stay_with_threads_of_before(watch: Watch, lab: Start) -> None:
    """Where a server is still waited for, another process measures, and nobody hears of it."""
    servers = [behaviour.shifted(4)] * 3 + [behaviour.silent]
    process = watch("--config", lab(*servers, settings="timeout = 20\nstate = ''"))
    assert asked(process) == "-4\n"
    (first,) = children(process)
    assert threads(first) > 1

    assert asked(process) == "-4\n"
    assert children(process) != [first]
    process.kill()
    assert process.communicate()[1] == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_what_befalls_it_between_two_measurements(
    watch: Watch, lab: Start, number: signal.Signals
) -> None:
    """Killed or stopped while it waits, it is replaced, and the measurement is as any other."""
    process = watch("--config", lab(*[behaviour.shifted(4)] * 3))
    assert asked(process) == "-4\n"
    (first,) = children(process)
    time.sleep(0.5)  # what it printed is not the last that it does

    os.kill(first, number)
    with within(5):
        assert asked(process) == "-4\n"

    assert children(process) not in ([], [first])
    process.kill()
    assert process.communicate()[1] == ""


def test_it_leaves_with_its_parent(watch: Watch, lab: Start) -> None:
    """A parent that is killed, and can end nobody, leaves nobody."""
    process = watch("--config", lab(*[behaviour.shifted(4)] * 3))
    assert asked(process) == "-4\n"
    (child,) = children(process)

    process.kill()

    wait_for(lambda: not Path(f"/proc/{child}").exists(), 2)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def is_alone(pid: int) -> Callable[[], bool]:
    return lambda: threads(pid) == 1
