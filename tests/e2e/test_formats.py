"""Every output format, as a process: what stdout, stderr, the status and the file get."""

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drift.formats.registry import format_class
from lab import behaviour
from lab.behaviour import Behaviour, Reply
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT, Program
from tests.e2e.conftest import Start
from tests.support.output_formats import NAMES, SILENT_ON_STDERR, status_of, words_of

DRIFT = re.compile(
    r"drift_s\b|drift_ns|drift=|estimate|offset|time_drift_seconds|interval|low_ns|uncertainty"
)
"""What a drift is called by, in any format but json, where it is null."""


def integers(name: str, text: str) -> list[str]:
    """Return the integers in what a format printed."""
    return [found for found in re.findall(format_class(name).integer_pattern, text) if found]


def metrics(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return {name: [(labels, value)]} of an exposition."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


# --- With an answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [4, -4, 0, 10_000_000, 0.4, 0.6])
@pytest.mark.parametrize("name", NAMES)
def test_all_formats_have_the_same_integer(
    program: Program, lab: Start, name: str, ahead_s: float
) -> None:
    """The integer is in each of them; stderr is empty, status 0."""
    path = lab(*[behaviour.shifted(ahead_s)] * 3)
    integer = program("--config", path).stdout.strip()

    done = program("--config", path, "--format", name)

    (found,) = integers(name, done.stdout)
    assert int(found) == int(integer)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.endswith("\n")


def test_the_metrics_of_an_answer(program: Program, lab: Start) -> None:
    """Drift, interval, and for each source its verdict, its offset and its uncertainty."""
    honest = [late_and_shifted(0.2, 4)] * 3  # so that the liar is heard before all is settled
    path = lab(*honest, behaviour.shifted(3600), behaviour.silent)
    found = metrics(program("--config", path, "--format", "prometheus").stdout)

    assert found["time_drift_success"] == [({}, 1)]
    assert found["time_drift_seconds"] == [({}, -4)]
    ((_, low_s),) = found["time_drift_interval_low_seconds"]
    ((_, high_s),) = found["time_drift_interval_high_seconds"]
    ((_, estimate_s),) = found["time_drift_estimate_seconds"]
    assert -4.3 < low_s < estimate_s < high_s < -3.7
    assert found["time_drift_agreeing_operators"] == [({}, 3)]
    ((_, when_s),) = found["time_drift_last_success_timestamp_seconds"]
    assert abs(when_s - time.time() - 4) < 5
    words = {labels["operator"]: labels["verdict"] for labels, _ in found[VERDICT]}
    assert set(words) == {f"Operator {n}" for n in range(5)}
    assert [words[f"Operator {n}"] for n in range(4)] == ["agrees"] * 3 + ["falseticker"]
    offsets = {labels["operator"]: value for labels, value in found[OFFSET]}
    assert offsets["Operator 0"] == pytest.approx(-4, abs=0.2)
    assert offsets["Operator 3"] == pytest.approx(-3600, abs=0.1)
    assert all(0 <= value < 0.2 for _, value in found["time_drift_source_uncertainty_seconds"])


def late_and_shifted(delay_s: float, ahead_s: float) -> Behaviour:
    """Answer from a clock that is ahead, and only after so long."""
    return lambda reply: [Reply(reply(round(ahead_s * 10**9)), delay_s=delay_s)]


VERDICT, OFFSET = "time_drift_source_verdict", "time_drift_source_offset_seconds"


def test_influx_is_stamped_with_true_time(program: Program, lab: Start) -> None:
    """A clock that is 4 s behind does not misfile the point."""
    done = program("--config", lab(*[behaviour.shifted(4)] * 3), "--format", "influx")

    stamps = {int(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines()}
    assert len(done.stdout.splitlines()) == 4
    assert len(stamps) == 1
    assert abs(stamps.pop() / 1e9 - time.time() - 4) < 3


# --- Without one ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_without_an_answer_there_is_no_drift(program: Program, lab: Start, name: str) -> None:
    """Three that contradict each other: no format holds what could be taken for a drift."""
    path = lab(*(behaviour.shifted(s) for s in (0, 60, -60)))

    done = program("--config", path, "--format", name)

    assert done.returncode == 3
    assert integers(name, done.stdout) == []
    if name == "json":
        assert json.loads(done.stdout)["drift_s"] is None
    else:
        assert not DRIFT.search(done.stdout)
    if name in SILENT_ON_STDERR:
        assert done.stderr == ""
        assert "no majority" in done.stdout
    else:
        assert done.stderr.startswith("time-drift: no answer: no majority")
        assert done.stderr.count("\n") == 1


def test_the_metrics_of_a_refusal(program: Program, lab: Start, tmp_path: Path) -> None:
    """Only that there is none, when there last was one, and the verdicts."""
    target = tmp_path / "time-drift.prom"
    good = lab(*[behaviour.shifted(4)] * 3)
    bad = lab(*[behaviour.silent] * 3, settings="timeout = 0.5")
    wanted = ("--format", "prometheus", "--output", str(target))
    program("--config", good, *wanted)
    before = metrics(target.read_text(encoding="utf-8"))

    done = program("--config", bad, *wanted)
    after = metrics(target.read_text(encoding="utf-8"))

    assert (done.stdout, done.returncode) == ("", 3)
    assert after.keys() == {"time_drift_success", LAST, VERDICT}
    assert after["time_drift_success"] == [({}, 0)]
    assert after[LAST] == before[LAST]
    assert [labels["verdict"] for labels, _ in after[VERDICT]] == ["timeout"] * 3


LAST = "time_drift_last_success_timestamp_seconds"


def test_never_a_success(program: Program, lab: Start) -> None:
    """Where there never was an answer there is no time of one."""
    bad = lab(behaviour.silent, settings="timeout = 1")

    found = metrics(program("--config", bad, "--format", "prometheus").stdout)

    assert found.keys() == {"time_drift_success", VERDICT}


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_that_does_not_hold(program: Program, tmp_path: Path, name: str) -> None:
    """Each format says so in its own way; in that of a plugin it is UNKNOWN, 3."""
    path = tmp_path / "broken.toml"
    path.write_text("tiemout = 3\n", encoding="utf-8")

    done = program("--config", str(path), "--format", name)

    assert done.returncode == status_of(name, 2)
    assert not DRIFT.search(done.stdout)
    assert ("tiemout" in done.stdout) == (name in SILENT_ON_STDERR)
    assert ("tiemout" in done.stderr) == (name not in SILENT_ON_STDERR)
    if name == "prometheus":
        assert metrics(done.stdout) == {"time_drift_success": [({}, 0)]}
    if name == "influx":
        assert done.stdout == 'time_drift success=0i,reason="configuration"\n'
    if name == "zabbix":
        assert json.loads(done.stdout)["reason"] == "configuration"
    if name in ("integer", "json"):
        assert done.stdout == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_hangs(program: Program, tmp_path: Path, name: str) -> None:
    """A configuration that cannot be read to its end: the timeout, in each format's way."""
    pipe = tmp_path / "never.toml"
    os.mkfifo(pipe)
    began = time.monotonic()

    done = program("--config", str(pipe), "--format", name)

    assert time.monotonic() - began < 2.8
    assert done.returncode == 3
    assert ("still reading the configuration" in done.stdout) == (name in SILENT_ON_STDERR)
    assert ("still reading the configuration" in done.stderr) == (name not in SILENT_ON_STDERR)
    assert not DRIFT.search(done.stdout)


_SABOTAGE = """
import sys
sys.argv = ["time-drift", *sys.argv[1:]]
from drift.run import measure
def broken(*arguments, **named):
    raise ZeroDivisionError("a bug\\nof ours")
measure.gather = broken
from drift.__main__ import main
main()
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_bug(script: str, lab: Start, name: str) -> None:
    """An exception of ours is reported in each format's way, once, and is 70, or UNKNOWN."""
    python = str(ROOT / ".venv/bin/python")
    path = lab(*[behaviour.honest] * 3)

    done = subprocess.run(
        [python, "-I", "-c", _SABOTAGE, "--config", path, "--format", name],
        capture_output=True,
        text=True,
        check=False,
    )

    reported = "bug: ZeroDivisionError: a bug of ours"
    assert done.returncode == status_of(name, 70)
    assert not DRIFT.search(done.stdout)
    if name in SILENT_ON_STDERR:
        assert done.stderr == ""
        assert reported in done.stdout
        assert done.stdout.count("\n") == 1
    else:
        assert done.stderr == f"time-drift: {reported}\n"


@pytest.mark.parametrize("arguments", [("--fromat", "x"), ("--timeout", "0"), ("--explian",)])
@pytest.mark.parametrize("named", [("--format", "nagios"), ("--format=nagios",)])
def test_wrong_usage_of_a_plugin(
    program: Program, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """What cannot even be parsed is UNKNOWN, with the text where Nagios looks for it."""
    done = program(*arguments, *named)

    assert (done.stderr, done.returncode) == ("", 3)
    assert done.stdout.startswith("TIME DRIFT UNKNOWN - ")
    assert done.stdout.count("\n") == 1
    assert arguments[0] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "xml"), ("'xml'", "integer", "json", "prometheus", "zabbix")),
        (("-w", "1"), ("-w", "nagios")),
        (("--format", "json", "-c", "1"), ("-c", "nagios")),
        (("--format", "json", "--check-config"), ("--check-config", "asks nobody")),
        (("--output", ""), ("--output", "path of a file")),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Two, one line that says what is allowed, nothing on stdout."""
    done = program(*arguments)

    assert (done.stdout, done.returncode) == ("", 2)
    for word in words:
        assert word in done.stderr


# --- A plugin's states ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges", "status", "word"),
    [
        ((), 0, "OK"),
        (("-w", "-4:4"), 0, "OK"),
        (("-w", "-3:3"), 1, "WARNING"),
        (("-w", "-0:0", "-c", "-3:3"), 2, "CRITICAL"),
        (("-w", "-1:1", "-c", "-5:5"), 1, "WARNING"),
        (("--warning", "~:0"), 0, "OK"),
        (("--warning=~:-5",), 1, "WARNING"),
        (("-c-3:",), 2, "CRITICAL"),
        (("-c", "-5:"), 0, "OK"),
        (("-w", "@-4:-4"), 1, "WARNING"),
        (("-w", "@0:10"), 0, "OK"),
        (("-w", "10"), 0, "OK"),
        (("-w", "4"), 0, "OK"),
        (("-w", "3"), 1, "WARNING"),
        (("-w", "0", "-c", "3"), 2, "CRITICAL"),
        (("--warning=1.5",), 1, "WARNING"),
        (("-w", "-4.5:4.5"), 0, "OK"),
    ],
)
def test_states_by_the_ranges(
    program: Program, lab: Start, ranges: tuple[str, ...], status: int, word: str
) -> None:
    """Ranges of every kind, before and after a blank, compared with the integer."""
    done = program("--config", lab(*[behaviour.shifted(4)] * 3), "--format", "nagios", *ranges)

    assert (done.stderr, done.returncode) == ("", status)
    assert done.stdout.startswith(f"TIME DRIFT {word} - this clock is 4 s behind; 3 operators of")


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "-0", "5:1", "1:2:3", "@", "1;2", "--", "-v", "nan", "1e3:", " 1", "1_0"],
)
def test_ranges_that_are_none(program: Program, lab: Start, text: str) -> None:
    """What is no range is UNKNOWN, named, with examples of what is."""
    done = program("--config", lab(behaviour.honest), "--format", "nagios", "-c", text)

    assert (done.stderr, done.returncode) == ("", 3)
    wanted = f"{text!r}: allowed is a size of the drift in seconds, as in 1, or a range"
    if text == "--":
        wanted = "expected one argument"
    assert f"argument -c/--critical: {wanted}" in done.stdout


def test_a_plugin_that_is_ended(script: str, lab: Start) -> None:
    """Even then its state is one of four, and its text where Nagios looks."""
    path = lab(behaviour.silent, settings="timeout = 20")
    process = subprocess.Popen(
        [script, "--config", path, "--format", "nagios"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)

    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=5)

    assert process.returncode == 3
    assert out == "TIME DRIFT UNKNOWN - no answer: ended by a signal\n"


def test_more_words_with_v(program: Program, lab: Start) -> None:
    """With -v a plugin adds a line a source, after the performance data; stderr stays empty."""
    path = lab(*[behaviour.shifted(4)] * 3)

    done = program("--config", path, "--format", "nagios", "-v")

    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].count("|") == 1
    assert "|" not in "".join(lines[1:])
    assert "(Operator 2): agrees" in lines[3]
    assert done.stderr == ""


# --- Into a file --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_file_gets_what_stdout_would(
    program: Program, lab: Start, tmp_path: Path, name: str
) -> None:
    """Answer, refusal, wrong configuration: the file is replaced each time, stdout stays empty."""
    target = tmp_path / "out"
    target.write_text("-77\n", encoding="utf-8")
    broken = tmp_path / "broken.toml"
    broken.write_text("tiemout = 3\n", encoding="utf-8")
    runs = (
        ((lab(*[behaviour.shifted(4)] * 3),), 0),
        ((lab(*[behaviour.silent] * 3, settings="timeout = 0.5"),), 3),
        ((str(broken),), 2),
    )
    for (path,), status in runs:
        done = program("--config", path, "--format", name, "--output", str(target))
        text = target.read_text(encoding="utf-8")

        assert done.stdout == ""
        assert done.returncode == status_of(name, status)
        assert text != "-77\n"
        assert integers(name, text) == (["-4"] if status == 0 else [])
        if name == "integer":
            assert text == ("-4\n" if status == 0 else "")
    assert sorted(os.listdir(tmp_path)) == ["broken.toml", "lab-0.toml", "lab-1.toml", "out"]


def test_whoever_reads_sees_a_whole_file(program: Program, lab: Start, tmp_path: Path) -> None:
    """Read as fast as can be while it is replaced: always one of the two, never a part."""
    target = tmp_path / "time-drift.prom"
    path = lab(*[behaviour.shifted(4)] * 3)
    wanted = ("--config", path, "--format", "prometheus", "--output", str(target))
    program(*wanted)
    end = b'verdict="agrees"} 1.0\n'
    seen = set()
    process = subprocess.Popen(
        ["sh", "-c", 'for n in 1 2 3 4 5 6; do "$@"; done', "sh", str(script_of()), *wanted]
    )
    while process.poll() is None:
        text = target.read_bytes()
        seen.add(text)
        assert text.startswith(b"# HELP time_drift_success")
        assert text.endswith(end)

    assert len(seen) > 3


def script_of() -> Path:
    return Path(__file__).resolve().parents[2] / "time-drift.sh"


def test_the_modes_of_the_file(program: Program, lab: Start, tmp_path: Path) -> None:
    """New: as the umask says, so that node_exporter can read it; replaced: as it was."""
    target = tmp_path / "out"
    path = lab(*[behaviour.honest] * 3)
    umask = os.umask(0o022)
    try:
        program("--config", path, "--output", str(target))
        new = stat.S_IMODE(target.stat().st_mode)
        target.chmod(0o640)
        program("--config", path, "--output", str(target))
    finally:
        os.umask(umask)

    assert new == 0o644
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["/dev/null", "/dev/stdout", "/proc/nowhere/out", "."])
def test_where_no_file_can_be(program: Program, lab: Start, name: str, place: str) -> None:
    """A device, a directory, a place where nothing can be made: 70, named, and left as it is."""
    done = program("--config", lab(*[behaviour.honest] * 3), "--format", name, "--output", place)

    reported = words_of(done, name)
    assert done.returncode == status_of(name, 70)
    assert f"{place} cannot be written: " in reported
    assert (done.stdout + done.stderr).count("\n") == reported.count("\n") == 1
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


FULL_PIPE = """
import os, subprocess, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
process = subprocess.Popen(sys.argv[2:], stdout=writer)
try:
    print(process.wait(float(sys.argv[1])))
except subprocess.TimeoutExpired:
    process.kill()
    print("hangs")
"""


@pytest.mark.parametrize("name", ["integer", "influx", "nagios", "zabbix"])
@pytest.mark.parametrize(
    "arguments", [(), ("--nonsense",), ("--config", "/nowhere"), ("--timeout", "x")]
)
def test_a_full_pipe_holds_nobody(
    script: str, lab: Start, name: str, arguments: tuple[str, ...]
) -> None:
    """Where stdout takes nothing: an end by the timeout, whatever there is to be reported."""
    wanted = ("--config", lab(*[behaviour.honest] * 3), "--format", name, *arguments)

    done = subprocess.run(
        [sys.executable, "-c", FULL_PIPE, "3.5", script, *wanted],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) == status_of(name, 2 if arguments else 70)


def test_a_plugin_that_is_ended_while_it_says(script: str, lab: Start) -> None:
    """Half a result is not followed by another one."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    path = lab(*[behaviour.shifted(4)] * 60, settings="timeout = 20")
    command = [script, "--config", path, "--format", "nagios", "-v"]
    with subprocess.Popen(command, stdout=writer) as process:
        os.close(writer)
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        with open(reader, encoding="utf-8") as said:
            text = said.read()

    assert text.startswith("TIME DRIFT OK")
    assert text.count("TIME DRIFT") == 1
    assert process.returncode == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_locale_costs_no_answer(program: Program, tmp_path: Path, name: str) -> None:
    """Names that a terminal of Latin letters could not show are UTF-8 for programs."""
    servers = [NtpServer(name, behaviour.shifted(4)) for name in ("日本", "Ä", "Ω")]
    path = tmp_path / "lab.toml"
    with world(*servers) as running:
        path.write_text(running.toml, encoding="utf-8")
        for locale in ("C", "POSIX", "de_DE.ISO-8859-1", "C.UTF-8"):
            environ = {"LC_ALL": locale, "PYTHONIOENCODING": ""}
            done = program("--config", str(path), "--format", name, "-v", environ=environ)

            assert done.returncode == 0, done.stderr
            assert "4" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_clock_beyond_reach(program: Program, lab: Start, name: str) -> None:
    """A clock that says 2270: no answer, in each format's way."""
    from tests.support.servers.chrony import faked

    path = lab(*[behaviour.honest] * 3)

    done = program("--config", path, "--format", name, environ=faked("+245y"))

    assert done.returncode == 3
    assert not DRIFT.search(done.stdout)
    assert (done.stderr == "") == (name in SILENT_ON_STDERR)


def test_a_closed_stdout_does_not_matter_then(script: str, lab: Start, tmp_path: Path) -> None:
    """With --output nothing goes to stdout, so that it need not be open."""
    target = tmp_path / "out"
    path = lab(*[behaviour.shifted(4)] * 3)

    done = subprocess.run(
        ["sh", "-c", 'exec "$0" --config "$1" --output "$2" >&-', script, path, str(target)],
        stderr=subprocess.PIPE,
        check=False,
    )

    assert (done.stderr, done.returncode) == (b"", 0)
    assert target.read_text(encoding="utf-8") == "-4\n"
