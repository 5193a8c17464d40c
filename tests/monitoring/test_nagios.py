"""The plugin for Nagios and Icinga: by the guidelines as a process, then by the real daemons."""

import getpass
import grp
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Program
from tests.support.bent import Lab, bent, lab, recipe
from tests.support.servers.chrony import faked

pytestmark = pytest.mark.interop

Check = Callable[..., "subprocess.CompletedProcess[str]"]

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_RANGE = rf"@?(?:(?:~|{_NUMBER})?:)?(?:{_NUMBER})?"
PERFORMANCE = re.compile(
    rf"('(?:[^'=]|'')+'|[^ '=]+)=({_NUMBER})(s|us|ms|%|B|KB|MB|TB|c)?"
    rf"(?:;({_RANGE}))?(?:;({_RANGE}))?(?:;({_NUMBER})?)?(?:;({_NUMBER})?)?"
)
"""'label'=value[UOM];[warn];[crit];[min];[max]: the guidelines, "Performance data"."""


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("nagios")) as running:
        yield running


@pytest.fixture
def check(program: Program, labs: Lab, needs: Callable[[str], str]) -> Check:
    """Run the plugin with a bent clock, and hold what is true of every run of a plugin."""
    needs("faketime")

    def run(
        *arguments: str, offset: str = "-4s", config: Path = labs.honest
    ) -> "subprocess.CompletedProcess[str]":
        ran = program(
            "--format", "nagios", "--config", str(config), *arguments, environ=faked(offset)
        )
        assert ran.stderr == ""
        assert ran.returncode in range(4)
        state = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[ran.returncode]
        assert ran.stdout.startswith(f"TIME DRIFT {state} - ")
        assert ran.stdout.endswith("\n")
        return ran

    return run


def performance(output: str) -> dict[str, tuple[str, ...]]:
    """Parse performance data by the guidelines' grammar; fail where it is not of it."""
    first = output.partition("\n")[0]
    assert first.count("|") <= 1
    _, _, data = first.partition("|")
    found = {}
    left = data.strip()
    while left:
        matched = PERFORMANCE.match(left)
        assert matched, left
        found[matched[1]] = tuple(group or "" for group in matched.groups()[1:])
        rest = left[matched.end() :]
        assert not rest or rest.startswith(" "), rest
        left = rest.strip()
    return found


@pytest.mark.parametrize(
    ("offset", "status", "words"),
    [
        ("+0s", 0, "TIME DRIFT OK - this clock is right"),
        ("-1s", 1, "TIME DRIFT WARNING - this clock is 1 s behind"),
        ("+1s", 1, "TIME DRIFT WARNING - this clock is 1 s ahead"),
        ("-2s", 2, "TIME DRIFT CRITICAL - this clock is 2 s behind"),
        ("+2s", 2, "TIME DRIFT CRITICAL - this clock is 2 s ahead"),
        ("+10y", 2, "TIME DRIFT CRITICAL - this clock is 315360000 s ahead"),
    ],
)
def test_the_states(check: Check, offset: str, status: int, words: str) -> None:
    """With the shipped thresholds 1 s warns and 2 s are critical, either sign, on one line."""
    ran = check("-w", "0", "-c", "1", offset=offset)

    assert ran.returncode == status
    assert ran.stdout.startswith(words)
    assert ran.stdout.count("\n") == 1
    assert "operators" in ran.stdout.partition("|")[0]


@pytest.mark.parametrize(
    ("threshold", "alerts"),
    [
        ("3", True),
        ("4", False),
        ("10", False),
        ("3.5", True),
        ("10:", True),
        ("~:10", False),
        ("10:20", True),
        ("@10:20", False),
        ("-1:1", True),
        ("-5:5", False),
        ("-4:0", False),
        ("-4:-4", False),
        ("-3:0", True),
        ("~:-4", False),
        ("~:-5", True),
        ("-5:", False),
        ("-4:", False),
        ("-3:", True),
        ("@-4:-4", True),
        ("@-5:-3", True),
        ("@0:10", False),
        ("@~:-4", True),
        ("@~:-5", False),
        ("@10", False),
        ("-4.5:4.5", False),
        ("-3.5:3.5", True),
        ("0:0", True),
        ("-0:0", True),
        ("0", True),
    ],
)
def test_ranges_of_every_form(check: Check, threshold: str, alerts: bool) -> None:
    """A drift of -4 is judged by its size, or by the guidelines' ranges, in words of their own."""
    ran = check("-c", threshold)

    assert ran.returncode == (2 if alerts else 0), ran.stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("-w", "-1:1"), 1),
        (("-w", "-5:5"), 0),
        (("-w-1:1",), 1),
        (("-w", "@-5:-3", "-c", "-1:"), 2),
        (("-c", "-10:10", "-w", "-5:-4"), 0),
    ],
)
def test_warning_takes_the_same(check: Check, words: tuple[str, ...], status: int) -> None:
    """The warning range is read as the critical one is, in any order and with a minus in front."""
    assert check(*words).returncode == status


def test_critical_goes_before_warning_and_no_range_is_ok(check: Check) -> None:
    """The worse state wins; without ranges an answer is OK, whatever the drift."""
    assert check("-w", "-1:1", "-c", "-2:2").returncode == 2
    assert check("-w", "-1:1", "-c", "-10:10").returncode == 1
    assert check().returncode == 0


@pytest.mark.parametrize(
    "bad",
    [
        "5:1",
        "abc",
        "",
        "-1",
        "1:2:3",
        "@",
        "~",
        "nan",
        "1 2",
        "-1:x",
        "--",
        "0x10:",
        "1e",
        "1_0",
        "∞",
    ],
)
def test_a_bad_range_is_unknown_and_says_so_on_stdout(check: Check, bad: str) -> None:
    """What is no range ends with 3 and names itself on stdout."""
    ran = check("-c", bad)

    assert ran.returncode == 3
    assert "-c" in ran.stdout
    assert "|" not in ran.stdout


@pytest.mark.parametrize(
    "arguments", [("--no-such-option",), ("-w",), ("surplus",), ("--timeout", "soon"), ("-x",)]
)
def test_wrong_usage_is_unknown(check: Check, arguments: tuple[str, ...]) -> None:
    """Wrong usage ends with 3 and a text on stdout, as the guidelines ask."""
    ran = check(*arguments)

    assert ran.returncode == 3
    assert "|" not in ran.stdout


def test_a_broken_configuration_is_unknown(check: Check, labs: Lab, tmp_path: Path) -> None:
    """A configuration that cannot be read, or is not there, ends with 3 and says what is wrong."""
    ran = check(config=labs.broken)
    missing = check(config=tmp_path / "missing.toml")

    assert (ran.returncode, missing.returncode) == (3, 3)
    assert "nonsense" in ran.stdout
    assert "missing.toml" in missing.stdout


def test_performance_data_is_of_the_grammar(check: Check) -> None:
    """Labels, units, thresholds and bounds parse, and carry the drift with its sign."""
    ran = check("-w", "0", "-c", "1")
    found = performance(ran.stdout)

    assert list(found) == ["drift", "estimate", "uncertainty", "operators", "falsetickers"]
    value, unit, warning, critical, _, _ = found["drift"]
    assert (value, unit, critical) == ("-4", "s", "-1:1")
    assert warning == "0:0"
    assert abs(float(found["estimate"][0]) + 4) < 0.1
    assert 0 < float(found["uncertainty"][0]) < 0.5
    assert found["operators"][:2] == ("3", "")


@pytest.mark.parametrize(
    "threshold", ["10", "0", "10:", "0:", "@0:", "~:10", "@10:20", "-1:1", "@~:-5", "-4.5:4.5"]
)
def test_thresholds_in_performance_data_mean_the_same(check: Check, threshold: str) -> None:
    """What is written for the graph is a range that judges as the given one does."""
    written = performance(check("-c", threshold).stdout)["drift"][3]

    meant = f"-{threshold}:{threshold}" if threshold.isdigit() else threshold
    drifts = range(-30, 31)
    assert [outside(written, drift) for drift in drifts] == [
        outside(meant, drift) for drift in drifts
    ]


def outside(threshold: str, drift_s: int) -> bool:
    """Judge by the guidelines: "threshold and ranges"."""
    inverted = threshold.startswith("@")
    low, colon, high = threshold.removeprefix("@").rpartition(":")
    lowest = float("-inf") if low == "~" else float(low or 0)
    highest = float("inf") if colon and not high else float(high)
    return (lowest <= drift_s <= highest) == inverted


def test_without_an_answer_there_is_no_drift(check: Check, labs: Lab) -> None:
    """No answer is UNKNOWN with its reason, whatever the ranges, and no drift to draw."""
    for ranges in (("-w", "0", "-c", "1"), ("-c", "@~:")):
        ran = check(*ranges, config=labs.refusing)
        assert ran.returncode == 3
        assert "quorum missed: 1 operator" in ran.stdout
        assert ran.stdout.count("\n") == 1
        assert not {"drift", "estimate"} & performance(ran.stdout).keys()


def test_verbose_adds_a_line_for_each_source(check: Check) -> None:
    """With -v the first line is the same, and the sources follow; no second "|" upsets a parser."""
    ran = check("-v", "-c", "-1:1")
    first, *more = ran.stdout.rstrip("\n").split("\n")

    assert ran.returncode == 2
    assert performance(first)["drift"][0] == "-4"
    assert [sum(name in line for line in more) for name in ("Alpha", "Mallory")] == [1, 1]
    assert "|" not in "".join(more)


def test_negate_of_the_monitoring_plugins_wraps_it(
    labs: Lab, script: str, needs: Callable[[str], str], tmp_path: Path
) -> None:
    """The tool that the page names turns UNKNOWN into CRITICAL, in the text too."""
    found = Path("/usr/lib/nagios/plugins/negate")
    negate = str(found) if found.exists() else needs("negate")
    plugin = bent(tmp_path / "program.sh", script, labs.refusing, "-4s")
    command = [negate, "--unknown=CRITICAL", "-s", plugin, "--format", "nagios", "-w", "0"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    assert ran.returncode == 2
    assert ran.stdout.startswith("TIME DRIFT CRITICAL - ")


NAGIOS = """\
log_file={place}/nagios.log
object_cache_file={place}/objects.cache
precached_object_file={place}/objects.precache
status_file={place}/status.dat
status_update_interval=1
lock_file={place}/nagios.lock
temp_file={place}/nagios.tmp
temp_path={place}
check_result_path={place}/results
state_retention_file={place}/retention.dat
retain_state_information=0
check_external_commands=0
query_socket={place}/nagios.qh
nagios_user={user}
nagios_group={group}
execute_host_checks=0
enable_notifications=0
service_inter_check_delay_method=n
max_service_check_spread=1
illegal_macro_output_chars=`~$&|'"<>
"""


def nagios_settings(place: Path, cfg: str) -> Path:
    """Write a main file around the shipped definitions and Debian's templates."""
    (place / "results").mkdir()
    (place / "time-drift.cfg").write_text(cfg, encoding="utf-8")
    (place / "host.cfg").write_text(
        "define host {\n host_name localhost\n address 127.0.0.1\n max_check_attempts 1\n}\n",
        encoding="utf-8",
    )
    group = grp.getgrgid(os.getgid()).gr_name
    text = NAGIOS.format(place=place, user=getpass.getuser(), group=group)
    objects = Path("/etc/nagios4/objects")
    for name in ("commands", "contacts", "timeperiods", "templates"):
        text += f"cfg_file={objects / name}.cfg\n"
    text += f"cfg_file={place}/host.cfg\ncfg_file={place}/time-drift.cfg\n"
    main = place / "nagios.cfg"
    main.write_text(text, encoding="utf-8")
    return main


@contextmanager
def running(command: Sequence[str | Path], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a daemon in the foreground until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


def status_of(text: str) -> dict[str, str]:
    """Return the one service of a status.dat."""
    found = re.search(r"servicestatus \{\n(.*?)\n\t\}", text, re.DOTALL)
    if not found:
        return {}
    pairs = (line.strip().partition("=") for line in found[1].split("\n"))
    return {key: value for key, _, value in pairs}


@pytest.mark.parametrize(
    ("which", "offset", "state", "words", "drift"),
    [
        ("honest", "-4s", "2", "TIME DRIFT CRITICAL - this clock is 4 s behind", "drift=-4s"),
        ("refusing", "-4s", "3", "TIME DRIFT UNKNOWN - ", ""),
    ],
)
def test_a_real_nagios_runs_the_shipped_definition(
    labs: Lab,
    script: str,
    needs: Callable[[str], str],
    tmp_path: Path,
    which: str,
    offset: str,
    state: str,
    words: str,
    drift: str,
) -> None:
    """Nagios Core executes the command; its status file has the state, the text and the data."""
    nagios = needs("nagios4")
    needs("faketime")
    plugin = bent(tmp_path / "program.sh", script, getattr(labs, which), offset)
    main = nagios_settings(tmp_path, recipe("nagios/time-drift.cfg", plugin))
    limit = time.monotonic() + 30
    found: dict[str, str] = {}
    with running([nagios, main], tmp_path / "output") as process:
        while found.get("has_been_checked") != "1":
            assert process.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < limit, (tmp_path / "output").read_text()
            time.sleep(0.1)
            try:
                found = status_of((tmp_path / "status.dat").read_text())
            except FileNotFoundError:
                found = {}

    assert found["service_description"] == "Time drift"
    assert found["current_state"] == state
    assert found["plugin_output"].startswith(words)
    data = found["performance_data"]
    assert ("drift=" in data) == bool(drift)
    assert data.startswith(drift)
    if drift:
        assert performance("|" + data)["drift"][3] == "-1:1"


def test_a_real_nagios_refuses_a_broken_definition(
    needs: Callable[[str], str], tmp_path: Path
) -> None:
    """Nagios accepts what is shipped, and not a service whose command is not defined."""
    nagios = needs("nagios4")
    shipped = recipe("nagios/time-drift.cfg", "/opt/elsewhere/time-drift.sh")
    results = []
    for name, cfg in (
        ("good", shipped),
        ("bad", shipped.replace("command_name    check_time_drift", "command_name    other")),
    ):
        (tmp_path / name).mkdir()
        main = nagios_settings(tmp_path / name, cfg)
        done = subprocess.run(
            [nagios, "-v", main], capture_output=True, text=True, check=False, timeout=20
        )
        results.append(done.returncode)

    assert results == [0, 1]


ICINGA = """\
const PluginDir = "/usr/lib/nagios/plugins"
const NodeName = "localhost"
const ZoneName = NodeName
include <itl>
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object PerfdataWriter "file" {{
  service_perfdata_path = "{place}/written"
  service_temp_path = "{place}/writing"
  host_perfdata_path = "{place}/hosts"
  host_temp_path = "{place}/host"
  rotation_interval = 1s
  service_format_template = "$service.name$\\t$service.state_id$\\t" + \
    "$service.output$\\t$service.perfdata$"
}}
object Host "localhost" {{
  check_command = "dummy"
  enable_active_checks = false
  vars.time_drift = true
  {host}
}}
include "{place}/time-drift.conf"
"""


def icinga(place: Path, conf: str, host: str = "") -> list[str | Path]:
    """Write the settings; return how icinga2 starts with them, everything of it in one place."""
    (place / "time-drift.conf").write_text(conf, encoding="utf-8")
    (place / "icinga2.conf").write_text(ICINGA.format(place=place, host=host), encoding="utf-8")
    settings = [
        f"{name}={place / where}"
        for name, where in (
            ("DataDir", "data"), ("LogDir", "log"), ("CacheDir", "cache"), ("InitRunDir", "run"),
            ("SpoolDir", "spool"), ("PidPath", "pid"), ("StatePath", "state"),
            ("VarsPath", "vars"), ("ObjectsPath", "objects"), ("ModAttrPath", "attributes"),
        )
    ]  # fmt: skip
    for name in ("data", "log", "cache", "run", "spool"):
        (place / name).mkdir()
    group = grp.getgrgid(os.getgid()).gr_name
    settings += [f"RunAsUser={getpass.getuser()}", f"RunAsGroup={group}"]
    return [
        "icinga2", "daemon", "-c", place / "icinga2.conf",
        *(f"-D{setting}" for setting in settings),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("", "", 0),
        ('check_command = "time_drift"', 'check_command = "of_nobody"', 1),
        ("assign where", "assign were", 1),
    ],
)
def test_icinga_accepts_the_shipped_definition_and_no_broken_one(
    needs: Callable[[str], str], tmp_path: Path, old: str, new: str, status: int
) -> None:
    """Icinga 2 validates the shipped file, and refuses it with a mistake in it."""
    needs("icinga2")
    conf = recipe("nagios/icinga2.conf", "/opt/elsewhere/time-drift.sh")
    assert old in conf

    done = subprocess.run(
        [*icinga(tmp_path, conf.replace(old, new) if old else conf), "-C"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == status, done.stdout
    if status == 0:
        assert "1 Service" in done.stdout


@pytest.mark.parametrize(("host", "state"), [("", "2"), ('vars.time_drift_critical = "-4:4"', "1")])
def test_a_real_icinga_runs_the_shipped_definition(
    labs: Lab, script: str, needs: Callable[[str], str], tmp_path: Path, host: str, state: str
) -> None:
    """Icinga 2 executes the check with the thresholds of the file, or with the host's own."""
    needs("icinga2")
    needs("faketime")
    plugin = bent(tmp_path / "program.sh", script, labs.honest, "-4s")
    conf = recipe("nagios/icinga2.conf", plugin)
    assert "check_interval = 1m" in conf
    soon = conf.replace("check_interval = 1m", "check_interval = 1s")
    command = icinga(tmp_path, soon, host)
    limit = time.monotonic() + 40
    reported = ""
    with running(command, tmp_path / "output") as process:
        while "\n" not in reported:
            assert process.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < limit, (tmp_path / "output").read_text()
            time.sleep(0.1)
            reported = "".join(path.read_text() for path in tmp_path.glob("writing*"))
            reported += "".join(path.read_text() for path in tmp_path.glob("written*"))

    name, found, output, data = reported.split("\n")[0].split("\t")
    assert (name, found) == ("time-drift", state)
    assert "this clock is 4 s behind" in output
    assert performance("|" + data)["drift"][0] == "-4"
