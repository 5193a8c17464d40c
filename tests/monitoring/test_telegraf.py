"""The Telegraf recipe. Debian has no Telegraf, so its rules are written down here.

Read in influxdata/telegraf at commit b2726314 (after v1.39.3), cited by file: what it does with a
process's output, status, input and end. Each rule is put to what the real program really prints.
"""

import os
import re
import shlex
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import pytest

from sources.record import Record
from tests.conftest import ROOT
from tests.support.bent import INSTALLED, Lab, bent, lab
from tests.support.servers.chrony import faked

pytestmark = pytest.mark.interop

NS = 1_000_000_000
NAMES = ("Alpha, Inc.", "Bravo = b", "Ünïcode 時", "Tail\\")


class Metric(Record):
    """What Telegraf's parsers make of a line."""

    name: str
    tags: dict[str, str]
    fields: dict[str, int | str]
    unix_ns: int | None


class RanInTelegraf(Record):
    """What inputs.exec makes of a run."""

    metrics: list[Metric]
    error: str


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("telegraf"), NAMES) as running:
        yield running


@pytest.fixture
def place(needs: Callable[[str], str], script: str, tmp_path: Path) -> Callable[[Path, str], str]:
    needs("faketime")
    return lambda config, offset: bent(tmp_path / "program.sh", script, config, offset)


def configured(name: str, plugin: str) -> dict[str, Any]:
    """Return the only table of a plugin in a shipped file."""
    text = (ROOT / "monitoring/telegraf" / name).read_text(encoding="utf-8")
    (table,) = tomllib.loads(text)["inputs"][plugin]
    found: dict[str, Any] = table
    return found


def integer_variant() -> dict[str, Any]:
    """Return the second table of exec.conf, which is there as a comment."""
    text = (ROOT / "monitoring/telegraf/exec.conf").read_text(encoding="utf-8")
    commented = text[text.index("# [[inputs.exec]]") :]
    plain = "\n".join(line.removeprefix("# ").removeprefix("#") for line in commented.split("\n"))
    (table,) = tomllib.loads(plain)["inputs"]["exec"]
    found: dict[str, Any] = table
    return found


def value_parser(output: bytes) -> int | None:
    """Do as plugins/parsers/value/parser.go does with data_type = "integer".

    NULs and white space around are cut off; of what is left the last field goes to strconv.Atoi.
    """
    fields = output.strip(b"\0").strip().split()
    if not fields:
        return None
    last = fields[-1].decode()
    if not re.fullmatch(r"[+-]?[0-9]+", last):
        raise ValueError(f'strconv.Atoi: parsing "{last}": invalid syntax')
    return int(last)


# plugins/parsers/influx/machine.go.rl, its names and its order.
_TAG = r"(?:[^\t\n\v\f\r ,=\\]|\\[^\t\n\v\f\r\\]|\\(?=\\))+"
_MEASUREMENT = r"(?!\#)(?:[^\t\n\v\f\r ,\\]|\\[^\t\n\v\f\r])+"
_KEY = r"(?:[^\t\n\v\f\r ,=\\]|\\[^\t\n\v\f\r])+"
_VALUE = r'-?(?:[0-9]|[1-9][0-9]*)i|"(?:[^\n\\"]|\\[\\"]|\n)*"'
_LINE = re.compile(
    rf"(?P<name>{_MEASUREMENT})(?P<tags>(?:,{_TAG}={_TAG})*)[\t\v\f ]+"
    rf"(?P<fields>{_KEY}=(?:{_VALUE})(?:,{_KEY}=(?:{_VALUE}))*)"
    r"(?:[\t\v\f ]+(?P<stamp>-?[0-9]{1,19}))?[\t\v\f ]*\r?\n"
)


def influx_parser(text: str) -> list[Metric]:
    """Do as plugins/parsers/influx does: parser.go, machine.go.rl, handler.go, escape.go."""
    metrics = []
    position = 0
    while position < len(text):
        found = _LINE.match(text, position)
        assert found, f"metric parse error at {position}: {text[position : position + 100]!r}"
        position = found.end()
        tags = {
            _unescaped(key): _unescaped(value)
            for key, value in re.findall(rf",({_TAG})=({_TAG})", found["tags"])
        }
        fields = {
            _unescaped(key): _typed(value)
            for key, value in re.findall(rf"({_KEY})=({_VALUE})", found["fields"])
        }
        stamp = int(found["stamp"]) if found["stamp"] else None
        metrics.append(Metric(found["name"], tags, fields, stamp))
    return metrics


def _unescaped(text: str) -> str:
    return re.sub(r'\\([," =])', r"\1", text)


def _typed(text: str) -> int | str:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    number = int(text.removesuffix("i"))
    assert -(1 << 63) <= number < 1 << 63, "handler.go AddInt: value out of range"
    return number


def ran_by_exec(table: dict[str, Any], program: str) -> RanInTelegraf:
    """Do as plugins/inputs/exec/exec.go and run_notwindows.go do with a table's one command.

    It is split as a shell would; stderr is cut after 512 bytes and its first line. A status other
    than 0 is an error, and stdout is not looked at, unless ignore_error is set.
    """
    (command,) = table["commands"]
    words = shlex.split(command)
    assert words[0] == INSTALLED
    done = subprocess.run(
        [program, *words[1:]],
        capture_output=True,
        timeout=float(table["timeout"].removesuffix("s")),
        start_new_session=True,  # Setpgid
        check=False,
    )
    if done.returncode != 0 and not table.get("ignore_error", False):
        reported = done.stderr[:512].split(b"\n")[0].decode()
        return RanInTelegraf([], f"exec: exit status {done.returncode} for command: {reported}")
    logged = done.stderr.decode() if table.get("log_stderr", False) else ""
    if table["data_format"] == "value":
        value = value_parser(done.stdout)
        metrics = (
            [] if value is None else [Metric(table["name_override"], {}, {"value": value}, None)]
        )
        return RanInTelegraf(metrics, logged)
    return RanInTelegraf(influx_parser(done.stdout.decode()), logged)


def test_the_rules_can_refuse() -> None:
    """The rules written down here refuse what Telegraf refuses, so that passing means something."""
    assert value_parser(b"  -4\n") == -4
    assert value_parser(b"\n") is None
    for bad in (b"-4.0\n", b"no answer\n", b"4 s\n"):
        with pytest.raises(ValueError, match="Atoi"):
            value_parser(bad)
    (good,) = influx_parser('m,a=b\\,\\ c\\=d x=-4i,y="q\\"\\\\" 17\n')
    assert good == Metric("m", {"a": "b, c=d"}, {"x": -4, "y": 'q"\\'}, 17)
    for broken in (
        "m,a=b c x=1i\n",
        "m,a=b\\ x=1i\n",
        "m,a= x=1i\n",
        "m x=01i\n",
        "m x=1i",
        'm x="\n',
    ):
        with pytest.raises(AssertionError, match="parse error"):
            influx_parser(broken)


def test_the_shipped_files_have_what_telegraf_needs() -> None:
    """Both are TOML with one plugin, keys that it knows, and more time than the program takes."""
    everything, daemon, integer = (
        configured("exec.conf", "exec"),
        configured("execd.conf", "execd"),
        integer_variant(),
    )

    assert everything.keys() <= {
        "commands", "data_format", "interval", "timeout", "ignore_error", "log_stderr",
    }  # fmt: skip
    assert everything["ignore_error"] is everything["log_stderr"] is True
    assert (everything["timeout"], integer["timeout"]) == ("8s", "8s")
    assert (integer["data_format"], integer["data_type"]) == ("value", "integer")
    assert "ignore_error" not in integer
    assert daemon.keys() == {"command", "signal", "interval", "data_format", "restart_delay"}
    assert (daemon["signal"], daemon["data_format"]) == ("STDIN", "influx")
    assert daemon["command"] == [INSTALLED, "watch", "--format", "influx"]


@pytest.mark.parametrize(("offset", "value"), [("-4s", -4), ("+0s", 0), ("+10y", 315_360_000)])
def test_the_integer_by_the_value_parser(
    labs: Lab, place: Callable[[Path, str], str], offset: str, value: int
) -> None:
    """The integer is one metric, with the sign, and nothing is logged."""
    ran = ran_by_exec(integer_variant(), place(labs.honest, offset))

    assert ran == RanInTelegraf([Metric("time_drift_s", {}, {"value": value}, None)], "")


def test_no_answer_is_no_metric_and_its_reason_is_in_the_log(
    labs: Lab, place: Callable[[Path, str], str]
) -> None:
    """Without an answer the integer's variant leaves no metric, and a line in Telegraf's log."""
    ran = ran_by_exec(integer_variant(), place(labs.refusing, "-4s"))

    assert ran.metrics == []
    assert ran.error.startswith(
        "exec: exit status 3 for command: time-drift: no answer: quorum missed"
    )


def test_the_lines_by_the_influx_parser(labs: Lab, place: Callable[[Path, str], str]) -> None:
    """One metric of the drift and one a source, names intact, stamped with the true time."""
    before_ns = time.time_ns()
    ran = ran_by_exec(configured("exec.conf", "exec"), place(labs.honest, "-4s"))
    after_ns = time.time_ns()

    assert ran.error == ""
    drift, *sources = ran.metrics
    assert (drift.name, drift.tags) == ("time_drift", {})
    assert (drift.fields["success"], drift.fields["drift_s"]) == (1, -4)
    assert {source.name for source in sources} == {"time_drift_source"}
    operators = [source.tags["operator"] for source in sources]
    assert operators == ["Alpha, Inc.", "Bravo = b", "Ünïcode 時", "Tail/", "Mallory"]
    assert {tuple(sorted(source.tags)) for source in sources} == {("kind", "operator", "source")}
    for metric in ran.metrics:
        assert metric.unix_ns is not None
        assert before_ns - NS // 10 <= metric.unix_ns <= after_ns + NS // 10


def test_a_refusals_lines_are_taken_with_ignore_error(
    labs: Lab, place: Callable[[Path, str], str]
) -> None:
    """The reason and each verdict arrive, without drift or stamp; the log has the text."""
    ran = ran_by_exec(configured("exec.conf", "exec"), place(labs.refusing, "-4s"))

    drift, *sources = ran.metrics
    assert drift == Metric("time_drift", {}, {"success": 0, "reason": "no_quorum"}, None)
    assert [tuple(source.fields) for source in sources] == [("verdict",)] * 3
    assert [source.fields["verdict"] for source in sources[1:]] == ["timeout", "timeout"]
    assert {source.unix_ns for source in sources} == {None}
    assert ran.error.startswith("time-drift: no answer: quorum missed")


def test_a_refusal_would_be_lost_without_ignore_error(
    labs: Lab, place: Callable[[Path, str], str]
) -> None:
    """By default Telegraf throws the lines of a status other than 0 away: hence the key."""
    table = configured("exec.conf", "exec") | {"ignore_error": False}

    assert ran_by_exec(table, place(labs.refusing, "-4s")).metrics == []


class Execd:
    """Do as internal/process/process.go and plugins/inputs/execd/execd_posix.go do."""

    def __init__(self, program: str, stderr: Path) -> None:
        (installed, *arguments) = configured("execd.conf", "execd")["command"]
        assert installed == INSTALLED
        self._log = stderr.open("wb")
        self.process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
        )
        self._lines: Queue[str] = Queue()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stdout: IO[bytes]) -> None:
        pending = b""
        while data := os.read(stdout.fileno(), 65_536):
            *whole, pending = (pending + data).split(b"\n")
            for line in whole:
                self._lines.put(line.decode() + "\n")

    def gather(self, expected: int) -> list[Metric]:
        """Write the newline of an interval; return the metrics that come, `expected` of them."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return [
            metric for _ in range(expected) for metric in influx_parser(self._lines.get(timeout=10))
        ]

    def silent(self) -> bool:
        """Return whether nothing comes for a while."""
        try:
            self._lines.get(timeout=0.5)
        except Empty:
            return True
        return False

    def stop(self) -> int:
        """Close stdin, and wait as long as Telegraf does before it sends SIGTERM."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=5)

    def end(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        self._reader.join(timeout=10)
        for end in (self.process.stdin, self.process.stdout, self._log):
            assert end is not None
            end.close()


@pytest.fixture
def execd(tmp_path: Path) -> Iterator[Callable[[str], Execd]]:
    started = []

    def start(program: str) -> Execd:
        started.append(Execd(program, tmp_path / "stderr"))
        return started[-1]

    yield start
    for running in started:
        running.end()


def test_execd_gets_one_measurement_for_each_newline(
    labs: Lab, place: Callable[[Path, str], str], execd: Callable[[str], Execd], tmp_path: Path
) -> None:
    """Nothing comes unasked, each newline brings one run's lines, closing stdin ends it with 0."""
    running = execd(place(labs.honest, "-4s"))
    expected = 1 + len(NAMES) + 1

    assert running.silent()
    for _ in range(3):
        drift, *sources = running.gather(expected)
        assert drift.fields["drift_s"] == -4
        assert {source.name for source in sources} == {"time_drift_source"}
        assert drift.unix_ns is not None
        assert abs(drift.unix_ns - time.time_ns()) < 2 * NS
    assert running.silent()
    assert running.stop() == 0
    assert (tmp_path / "stderr").read_text() == ""


def test_execd_gets_refusals_and_goes_on(
    labs: Lab, place: Callable[[Path, str], str], execd: Callable[[str], Execd], tmp_path: Path
) -> None:
    """Runs without an answer are metrics and a line for the log each; the process stays."""
    running = execd(place(labs.refusing, "-4s"))

    for _ in range(2):
        drift, *sources = running.gather(4)
        assert (drift.fields["success"], drift.unix_ns) == (0, None)
        assert not any("offset_ns" in source.fields for source in sources)
    assert running.process.poll() is None
    assert running.stop() == 0
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("time-drift: no answer: quorum missed") for line in lines)


def test_execd_sigterm_ends_it_at_once(
    labs: Lab, place: Callable[[Path, str], str], execd: Callable[[str], Execd]
) -> None:
    """The second thing that Telegraf does to a process that stays is a SIGTERM: it obeys."""
    running = execd(place(labs.honest, "-4s"))
    running.gather(1)
    running.process.terminate()

    assert running.process.wait(timeout=2) == 143


def test_execd_with_a_broken_configuration_ends_and_says_why(
    labs: Lab, place: Callable[[Path, str], str], execd: Callable[[str], Execd], tmp_path: Path
) -> None:
    """A configuration that cannot be read ends it with 2: Telegraf logs that and tries again."""
    running = execd(place(labs.broken, "-4s"))

    assert running.process.wait(timeout=10) == 2
    assert "nonsense" in (tmp_path / "stderr").read_text()


def test_the_clock_is_bent_at_all(labs: Lab, place: Callable[[Path, str], str]) -> None:
    """A run that believed its clock would stamp four seconds early: the lab does bend it."""
    done = subprocess.run(
        ["date", "+%s"], env=os.environ | faked("-4s"), capture_output=True, text=True, check=True
    )

    assert 3 <= time.time() - int(done.stdout) <= 6
