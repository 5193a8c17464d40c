"""The units: what systemd's own tools say of them, and a real systemd that runs them."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.servers.chrony import source
from tests.support.servers.systemd import (
    ANSWERING,
    CONFIGURATION,
    NAMED,
    SILENT,
    TEXTFILE,
    Machine,
    machine,
    why_not,
)

pytestmark = pytest.mark.interop

UNITS = ROOT / "monitoring" / "systemd"
ONCE, WATCH, TIMER = "time-drift.service", "time-drift-watch.service", "time-drift.timer"
SERVE = "time-drift-serve.service"
PROGRAM = "/opt/time-drift/time-drift.sh"
LONGEST_S = 10

Edit = Callable[[str], str]


Settings = dict[str, list[str]]
"""All values of each key of a section, in their order."""


def settings(text: str) -> dict[str, Settings]:
    """Return the sections of a unit file."""
    found: dict[str, Settings] = {}
    section: Settings = {}
    for line in text.split("\n"):
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, reported = line.partition("=")
            section.setdefault(key, []).append(reported)
    return found


def unit(name: str) -> str:
    return (UNITS / name).read_text(encoding="utf-8")


@pytest.fixture
def analyze(needs: Callable[[str], str], tmp_path: Path) -> Callable[..., list[str]]:
    """Run a verb of systemd-analyze on the units, the program where it really is."""
    tool = needs("systemd-analyze")

    def run(verb: str, *options: str, edit: Callable[[str], str] = str) -> list[str]:
        for name in (ONCE, WATCH, SERVE, TIMER):
            text = edit(unit(name)).replace(PROGRAM, str(ROOT / "time-drift.sh"))
            (tmp_path / name).write_text(text, encoding="utf-8")
        names = [ONCE, WATCH, SERVE] + [TIMER] * (verb == "verify")
        said = []
        for name in names:
            done = subprocess.run(
                [tool, verb, *options, str(tmp_path / name)],
                capture_output=True,
                text=True,
                check=False,
            )
            said.append(f"{done.returncode} {done.stderr}")
        return said

    return run


def test_systemd_finds_nothing_wrong(analyze: Callable[..., list[str]]) -> None:
    """systemd reads every line; an unknown key would be a line on stderr."""
    assert analyze("verify") == ["0 "] * 4


def test_systemd_would_find_something(analyze: Callable[..., list[str]]) -> None:
    """A key that systemd does not know, which it only reports, would fail the test above."""
    spoilt = analyze("verify", edit=lambda text: text.replace("[Unit]", "[Unit]\nDescripton=x"))

    assert all("Descripton" in said for said in spoilt)


STRICT = ("--offline=true", "--threshold=15")


def test_the_services_are_exposed_to_little(analyze: Callable[..., list[str]]) -> None:
    """At most 1.5 of 10 by systemd's own measure, which calls that OK."""
    assert analyze("security", *STRICT) == ["0 "] * 3


@pytest.mark.parametrize("setting", ["SystemCallFilter=", "CapabilityBoundingSet="])
def test_systemd_would_find_them_exposed(analyze: Callable[..., list[str]], setting: str) -> None:
    """Without any one of the settings that count most, the test above would fail."""
    said = analyze("security", *STRICT, edit=lambda text: text.replace(setting, "# "))

    assert [one[0] for one in said] == ["1", "1", "1"]


def test_both_services_are_confined_alike() -> None:
    """Whoever changes the sandbox of one changes that of the other."""
    once, watch = (settings(unit(name))["Service"] for name in (ONCE, WATCH))
    different = {key for key in once.keys() | watch.keys() if once.get(key) != watch.get(key)}

    assert different == {
        "Type", "ExecStart", "ExecReload", "SuccessExitStatus", "Restart", "RestartSec",
        "RestartPreventExitStatus", "TimeoutStartSec", "TimeoutStopSec",
    }  # fmt: skip


def test_the_exporter_is_confined_as_the_watch_is() -> None:
    """But for the directory of a file that it does not write, and the files that it opens."""
    watch, serve = (settings(unit(name))["Service"] for name in (WATCH, SERVE))
    different = {key for key in watch.keys() | serve.keys() if watch.get(key) != serve.get(key)}

    assert different == {"ExecStart", "CacheDirectory", "CacheDirectoryMode", "LimitNOFILE"}


def test_the_timer_hears_of_no_wrong_clock() -> None:
    """It counts monotonic seconds; a calendar would follow the clock that is measured."""
    timer = settings(unit(TIMER))["Timer"]

    assert timer["OnUnitActiveSec"] == ["60s"]
    assert timer["OnActiveSec"] == ["10s"]
    assert "OnCalendar" not in timer
    assert timer["AccuracySec"] == ["1s"]


@pytest.fixture(scope="module")
def booted(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A systemd with the units, and the user that the README makes."""
    reason = why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(f"no systemd can be run, and CI may not skip: {reason}")
    if reason:
        pytest.skip(f"no systemd can be run: this interop test did NOT run: {reason}")
    with machine(UNITS, tmp_path_factory.mktemp("machine")) as running:
        done = running.shell(user_line())
        assert done.returncode == 0, done.stderr
        yield running


def user_line() -> str:
    """Return the line of the README that makes the user."""
    readme = (UNITS / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^(.*\buseradd .*)$", readme, re.MULTILINE)
    return str(line)


@pytest.fixture
def system(booted: Machine) -> Iterator[Machine]:
    """The machine, as it was when it had just booted."""
    kept = {name: booted.read(name) for name in (CONFIGURATION, "/etc/resolv.conf")}
    booted.path(TEXTFILE).unlink(missing_ok=True)
    yield booted
    for name, text in kept.items():
        booted.write(name, text)
    for name in (TIMER, WATCH, ONCE, SERVE):
        booted.systemctl("stop", name)
        booted.systemctl("reset-failed", name)


NOBODY = "".join(source(port, f"Nobody {port}") for port in (7, 8, 9))
"""A configuration of servers that are not there: the network of the machine is its own."""


def value(system: Machine, name: str) -> float | None:
    """Return the value of a metric without labels, as node_exporter would read it."""
    found = re.search(rf"^{name} (\S+)$", system.read(TEXTFILE), re.MULTILINE)
    return float(found[1]) if found else None


def await_that(condition: Callable[[], bool], what: str) -> None:
    ends_s = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < ends_s, what
        time.sleep(0.02)


def test_the_service_measures(system: Machine) -> None:
    """It starts as it is shipped: -4 in the file, which everybody may read; state nobody may."""
    reported = system.systemctl("start", ONCE)
    written = system.path(TEXTFILE)
    others = os.listdir(written.parent)

    assert reported == ""
    assert (system.read("/opt/stdout"), system.read("/opt/stderr")) == ("", "")
    assert value(system, "time_drift_seconds") == -4
    assert value(system, "time_drift_success") == 1
    assert [name for name in others if name.startswith("time-drift")] == ["time-drift.prom"]
    assert written.stat().st_mode & 0o777 == 0o644
    assert written.parent.stat().st_mode & 0o777 == 0o755
    assert system.call("stat", "-c", "%U", TEXTFILE).stdout == "time-drift\n"
    assert system.path("/var/lib/time-drift").stat().st_mode & 0o777 == 0o700
    assert any(name.startswith("nts-") for name in os.listdir(system.path("/var/lib/time-drift/")))


def test_the_exporter_serves(system: Machine) -> None:
    """In its sandbox: this machine's drift, and a node; it is stopped as a service is."""

    def asked(path: str) -> str:
        return system.shell(f"curl -s -m 9 '127.0.0.1:9712{path}'").stdout

    said = system.systemctl("start", SERVE)
    await_that(lambda: "time_drift_seconds -4.0" in asked("/metrics"), "it has measured")
    refused = asked("/probe?target=bitcoin://127.0.0.1")
    limit = system.shell(f"grep 'open files' /proc/$(systemctl show -P MainPID {SERVE})/limits")
    system.systemctl("stop", SERVE)

    assert said == ""
    assert asked("/-/healthy") == ""
    assert "allow does not have it" in refused
    assert "8192" in limit.stdout
    assert system.shell(f"systemctl is-failed {SERVE}").stdout == "inactive\n"


def test_every_kind_of_source_answers(system: Machine) -> None:
    """NTP, NTS, Roughtime and HTTPS: nothing is forbidden that one of them needs."""
    explain = "[Service]\nExecStart=\nExecStart=/opt/time-drift/time-drift.sh --explain\n"
    with system.changed(ONCE, explain):
        reported = system.systemctl("start", ONCE)
        out, err = system.read("/opt/stdout"), system.read("/opt/stderr")

    assert (reported, out) == ("", "-4\n")
    assert len(re.findall(r" agrees", err)) == 5, err


@pytest.mark.parametrize("first", [SILENT, ANSWERING])
def test_names_are_resolved(system: Machine, first: str) -> None:
    """By the system's resolver, and by the program's own where a name server is silent."""
    system.write("/etc/resolv.conf", f"nameserver {first}\nnameserver {ANSWERING}\n")
    named = [f"[[{table}" for table in system.read(CONFIGURATION).split("[[")[1:3]]
    system.write(CONFIGURATION, "\n".join(["[consensus]\nmin_operators = 2\n", *named]))
    reported = system.systemctl("start", ONCE)

    assert (reported, value(system, "time_drift_seconds")) == ("", -4)
    for name in NAMED:
        assert re.search(f'source="{name}:[0-9]+",verdict="agrees"', system.read(TEXTFILE))


def test_a_refusal_is_recorded_and_no_failure(system: Machine) -> None:
    """Without an answer the file says so, in place of what it said; the unit has not failed."""
    system.systemctl("start", ONCE)
    answered = value(system, "time_drift_seconds")
    system.write(CONFIGURATION, NOBODY)
    reported = system.systemctl("start", ONCE)

    assert (answered, reported) == (-4, "")
    assert value(system, "time_drift_success") == 0
    assert value(system, "time_drift_seconds") is None
    assert system.read("/opt/stderr").startswith("time-drift: no answer: ")


def test_a_wrong_configuration_is_a_failure(system: Machine) -> None:
    """The unit fails, so that `systemctl --failed` has it, and its log says what is wrong."""
    system.write(CONFIGURATION, "no_such_key = 1\n")
    reported = system.systemctl("start", ONCE)

    assert reported.startswith("failed")
    assert "exit-code" in system.systemctl("show", "-p", "Result", ONCE)
    assert "no_such_key" in system.read("/opt/stderr")


def test_the_readme_s_user_is_needed(system: Machine) -> None:
    """Without it systemd starts nothing, and says that it is the user that is missing."""
    kept = system.read("/etc/passwd")
    system.write("/etc/passwd", re.sub(r"^time-drift:.*\n", "", kept, flags=re.MULTILINE))
    try:
        reported = system.systemctl("start", ONCE)
        status = system.systemctl("show", "-p", "ExecMainStatus", ONCE)
    finally:
        system.write("/etc/passwd", kept)

    assert reported.startswith("failed")
    assert status == "ExecMainStatus=217"  # EXIT_USER


def test_what_it_may_not_do(system: Machine) -> None:
    """The sandbox is one: the same service is refused what it has no need for, and nothing else."""
    system.write("/opt/forbidden.py", _FORBIDDEN)
    attempt = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 /opt/forbidden.py\n"
    with system.changed(ONCE, attempt):
        system.systemctl("start", ONCE)
        out, err = system.read("/opt/stdout"), system.read("/opt/stderr")

    assert err == ""
    assert out.split("\n")[:-1] == _ATTEMPTED


_FORBIDDEN = """
import ctypes, mmap, os, socket, time
def attempt(name, act):
    try:
        act()
        print(name, "permitted")
    except OSError as error:
        print(name, error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
attempt("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))
attempt("packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("program", lambda: mmap.mmap(-1, 4096, prot=7))
attempt("namespace", lambda: call("unshare", 0x10000000))
attempt("priority", lambda: call("setpriority", 0, 0, 1))
attempt("checkout", lambda: open("/opt/time-drift/x", "w"))
attempt("system", lambda: open("/etc/x", "w"))
attempt("home", lambda: os.listdir("/root"))
attempt("uptime", lambda: open("/proc/uptime"))
attempt("boot", lambda: open("/proc/sys/kernel/random/boot_id"))
"""
_ATTEMPTED = [
    "clock Operation not permitted",
    "packets Address family not supported by protocol",
    "program Operation not permitted",
    "namespace Operation not permitted",
    "priority Operation not permitted",
    "checkout Read-only file system",
    "system Read-only file system",
    "home Permission denied",
    "uptime permitted",
    "boot permitted",
]


def test_the_timer_starts_it_again_and_again(system: Machine) -> None:
    """The timer as it is but for its spans: a run that ended is what the next one follows."""
    quick = "[Timer]\nOnActiveSec=\nOnActiveSec=0\nOnUnitActiveSec=1s\nRandomizedDelaySec=0\n"
    seen: set[int] = set()

    def thrice() -> bool:
        path = system.path(TEXTFILE)
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        return len(seen) == 3

    with system.changed(TIMER, quick):
        began_s = time.monotonic()
        system.systemctl("start", TIMER)
        await_that(thrice, "three runs")

    assert time.monotonic() - began_s >= 1.9
    assert value(system, "time_drift_seconds") == -4


def test_the_watch_runs_reloads_and_stops(system: Machine) -> None:
    """It is shipped with a minute, here it has a second: it measures, reads again, ends well."""
    quick = unit(WATCH).replace("--every 60s", "--every 1s")
    start = next(line for line in quick.split("\n") if line.startswith("ExecStart="))
    assert "--every 1s" in start
    with system.changed(WATCH, f"[Service]\nExecStart=\n{start}\n"):
        system.systemctl("start", TIMER)
        assert system.systemctl("start", WATCH) == ""
        timer = system.systemctl("is-active", TIMER)
        await_that(lambda: value(system, "time_drift_seconds") == -4, "the drift")
        main = system.systemctl("show", "-p", "MainPID", WATCH)
        system.write(CONFIGURATION, NOBODY)
        assert system.systemctl("reload", WATCH) == ""
        await_that(lambda: value(system, "time_drift_success") == 0, "the refusal")
        after = system.systemctl("show", "-p", "MainPID", WATCH)
        stopped = system.systemctl("stop", WATCH), system.systemctl("is-failed", WATCH)

    assert timer == "failed: inactive"  # it is either of them
    assert main == after != "MainPID=0"
    assert stopped == ("", "failed: inactive")  # "no, it has not failed"


def test_the_watch_is_started_again_but_not_in_vain(system: Machine) -> None:
    """Killed, it is started anew; with a wrong configuration it stays down, and says so."""
    quick = "[Service]\nRestartSec=100ms\n"
    with system.changed(WATCH, quick):
        system.systemctl("start", WATCH)
        await_that(lambda: value(system, "time_drift_seconds") == -4, "the drift")
        system.path(TEXTFILE).unlink()
        system.systemctl("kill", "-s", "KILL", WATCH)
        await_that(lambda: value(system, "time_drift_seconds") == -4, "the drift, once more")
        system.systemctl("stop", WATCH)
        system.write(CONFIGURATION, "no_such_key = 1\n")
        system.systemctl("start", WATCH)
        await_that(lambda: system.systemctl("is-failed", WATCH) == "failed", "the failure")
        restarts = system.systemctl("show", "-p", "NRestarts", WATCH)

    assert restarts == "NRestarts=0"


@cache
def expanded(name: str) -> frozenset[str]:
    """Return the system calls of a set like @system-service, as systemd knows them."""
    if not name.startswith("@"):
        return frozenset({name})
    reported = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    members = re.findall(r"^ {4}(@?[\w-]+)$", reported, re.MULTILINE)
    return frozenset().union(*(expanded(one) for one in members))


def allowed(service: Settings) -> frozenset[str]:
    """Return the system calls that SystemCallFilter leaves; systemd adds @default."""
    calls = expanded("@default")
    for line in service["SystemCallFilter"]:
        for name in line.removeprefix("~").split():
            calls = calls - expanded(name) if line.startswith("~") else calls | expanded(name)
    return calls


def test_no_system_call_is_missed(script: str, needs: Callable[[str], str], tmp_path: Path) -> None:
    """Of what a run calls, nothing would be refused: not even what it could do without."""
    service = settings(unit(ONCE))["Service"]
    trace = tmp_path / "trace"
    needs("systemd-analyze")
    done = subprocess.run(
        [needs("strace"), "-f", "-qq", "-o", str(trace), script, "--demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = trace.read_text(encoding="utf-8", errors="replace").split("\n")
    called = {found[1] for line in lines if (found := re.match(r"\d+ +(\w+)\(", line))}
    families = set(re.findall(r"socket\((AF_\w+)", "\n".join(lines)))

    assert (done.stdout, done.returncode) == ("-4\n", 0)
    assert called >= {"execve", "socket", "sendto", "openat"}
    assert called - allowed(service) == set()
    assert families <= set(service["RestrictAddressFamilies"][0].split())
    assert not [line for line in lines if "PROT_WRITE|PROT_EXEC" in line]
    assert not [line for line in lines if "mprotect(" in line and "PROT_EXEC" in line]
