"""What a person meets at the console, as processes: help, wrong usage, places to write to."""

import fcntl
import json
import os
import re
import stat
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len

from lab import behaviour
from lab.https import HttpsServer
from lab.ntp import NtpServer, kiss
from lab.world import world
from sources import kinds
from tests.conftest import ROOT, Program
from tests.e2e.conftest import Start
from tests.e2e.test_contract import assert_refused
from tests.support.output_formats import NAMES, PLUGINS, words_of
from tests.support.processes import full_pipe

COMMANDS = ((), ("watch",), ("verify-evidence",), ("import-servers",))


# --- Help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80, 120, None])
@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(
    program: Program, command: tuple[str, ...], option: str, columns: int | None
) -> None:
    """Usage, what it does, exit statuses: no line wider than the terminal, 80 where none says."""
    done = program(*command, option, environ={} if columns is None else {"COLUMNS": str(columns)})

    assert (done.stderr, done.returncode) == ("", 0)
    assert max(map(len, done.stdout.splitlines())) <= (columns or 80)
    assert done.stdout.startswith(" ".join(["usage: time-drift", *command]))
    assert "\nexit status:\n  0   " in done.stdout
    words = {
        "watch": "--every",
        "verify-evidence": "malfeasance",
        "import-servers": "config.toml",
        "": "BEHIND",
    }
    assert words["".join(command)] in done.stdout


def test_watch_helps_with_what_goes_with_it(program: Program) -> None:
    """What it would refuse it does not offer."""
    done = program("watch", "--help")

    for refused in ("--explain", "--demo", "--check-config", "--warning", "nagios"):
        assert refused not in done.stdout


@pytest.mark.parametrize("columns", ["0", "-1", "wide", "", "1_0", "٣"])
def test_columns_that_are_none(program: Program, columns: str) -> None:
    """What is no number of columns counts for nothing."""
    assert max(map(len, helped(program, columns).splitlines())) <= 80
    assert helped(program, columns) == helped(program, "80")


def helped(program: Program, columns: str) -> str:
    return program("--help", environ={"COLUMNS": columns}).stdout


@pytest.mark.parametrize("command", ["verify-evidence", "import-servers"])
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), "found nothing"),
        (("",), "found ''"),
        (("--verbose",), "found '--verbose'"),
        (("a.json", "b.json"), "found 'a.json', 'b.json'"),
        (tuple("abcde"), "found 'a', 'b', 'c' and 2 more"),
    ],
)
def test_a_command_says_what_it_found(
    program: Program, command: str, words: tuple[str, ...], found: str
) -> None:
    """Wrong usage of a command names what was found, what is wanted, and where the help is."""
    done = program(command, *words)

    assert_refused(done, 2, f"{command}: {found}: the path of one file", f"see {command} --help")


# --- The demo, at any width -----------------------------------------------------------------------


@pytest.mark.parametrize("wide", [60, 80, 120, 200])
def test_the_demo_keeps_to_the_columns(program: Program, wide: int) -> None:
    """No line is wider than COLUMNS, the picture is just as wide, and every word is whole."""
    done = program("--demo", environ={"COLUMNS": str(wide)})

    assert (done.stdout, done.returncode) == ("-4\n", 0)
    lines = done.stderr.split("\n")
    assert max(map(cell_len, lines)) == wide
    for word in ("falseticker", "unverified", "roughtime", "3600 s ahead", "consensus", " ± "):
        assert word in done.stderr
    assert re.search(
        r"certificate '127.0.0.1' expired 8640[0-2] s before the time the server claims",
        " ".join(done.stderr.split()),
    )


def test_where_nobody_says_how_wide_it_is_120(program: Program) -> None:
    """Neither COLUMNS nor a terminal: a log, a mail, a pager."""
    done = program("--demo", environ={"COLUMNS": ""})

    assert max(map(cell_len, done.stderr.split("\n"))) == 120


@pytest.mark.parametrize("wide", [72, 132])
def test_the_demo_at_a_terminal(script: str, wide: int) -> None:
    """A terminal says how wide it is, and gets colours."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, wide, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [script, "--demo"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environ | {"TERM": "xterm-256color"},
    )
    os.close(theirs)
    shown = read_all(ours)

    assert process.wait() == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert plain != shown
    assert max(map(cell_len, plain.replace("\r", "").split("\n"))) == wide


def read_all(terminal: int) -> str:
    """Return what a terminal is sent until its other end is closed, which is an error to read."""
    data = b""
    with suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            data += chunk
    os.close(terminal)
    return data.decode()


def test_the_page_says_what_the_demo_shows(program: Program) -> None:
    """The site's page names every kind of source, and counts what its picture shows."""
    page = (ROOT / "cloudformation/pages/index.html").read_text(encoding="utf-8")
    shown = program("--demo", environ={"COLUMNS": "108"}).stderr

    numbers = {6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}
    sources = len(re.findall(r"^127\.0\.0\.1:\d+ +[A-Z]", shown, re.MULTILINE))
    assert f"{numbers[sources]} sources on loopback" in page
    assert f"{numbers[shown.count(' agrees')].capitalize()} agree" in page
    for word in ("falseticker", "unverified"):
        assert shown.count(word) == 1
        assert f"one is {'a ' if word == 'falseticker' else ''}{word}" in page
    lead = page.partition("<section>")[2].partition("</section>")[0]
    for kind in kinds():
        assert f" {kind} " in shown
        assert kind in lead.lower()


# --- A stdout that nobody reads -------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("watch", "--help"),
        ("verify-evidence", "--help"),
        ("import-servers", "-h"),
        ("--check-config",),
        ("--format", "json", "--help"),
    ],
)
def test_a_text_that_nobody_reads_is_70(script: str, arguments: tuple[str, ...]) -> None:
    """It is stdout that failed, not the configuration, which nobody was reading."""
    began = time.monotonic()
    with full_pipe() as writer:
        done = subprocess.run(
            [script, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )

    assert time.monotonic() - began < 2.8
    assert done.stderr == "time-drift: stdout cannot be written: nobody reads it\n"
    assert done.returncode == 70


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("stdout", "why"),
    [(">&-", "it is closed"), (">/dev/full", "No space left on device")],
)
def test_help_that_cannot_be_written_is_70(
    script: str, command: tuple[str, ...], stdout: str, why: str
) -> None:
    """A closed or a full stdout is no success."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" --help {stdout}', script, *command],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.stderr == f"time-drift: stdout cannot be written: {why}\n"
    assert done.returncode == 70


# --- watch without anybody who could ask ----------------------------------------------------------


@pytest.mark.parametrize("stdin", ["</dev/null", "<&-"])
def test_a_watch_that_never_can_measure_says_so(script: str, lab: Start, stdin: str) -> None:
    """Without --every, and with nothing on stdin ever, it is wrong usage, not a silent success."""
    path = lab(*[behaviour.honest] * 3)
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" watch --config "$1" {stdin}', script, path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert_refused(done, 2, "watch: stdin is at its end", "--every 60s")


@pytest.mark.parametrize("format_name", [name for name in NAMES if name not in PLUGINS])
def test_it_says_so_in_each_format(program: Program, lab: Start, format_name: str) -> None:
    """Where stderr is kept empty it is on stdout, like any wrong usage."""
    done = program("watch", "--config", lab(behaviour.honest), "--format", format_name)

    reported = words_of(done, format_name)
    assert "watch: stdin is at its end" in reported
    assert done.returncode == 2


# --- The permissions of the file of --output ------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory of root's into which everybody may look."""
    with tempfile.TemporaryDirectory(prefix="time-drift-shared-") as name:
        os.chmod(name, 0o755)  # noqa: S103 - that is what it is for
        yield Path(name)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(script: str, path: str, target: Path, umask: int, *arguments: str) -> None:
    """Have a run write into `target` under a umask."""
    done = subprocess.run(
        [script, "--config", path, "--output", str(target), *arguments],
        umask=umask,
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022, 0])
@pytest.mark.parametrize("format_name", NAMES)
def test_a_new_file_can_be_read_whatever_the_umask(
    script: str, lab: Start, tmp_path: Path, format_name: str, umask: int
) -> None:
    """0644, since its reader is another user's program; not more where the umask allows it."""
    target = tmp_path / "out"

    written(script, lab(*[behaviour.honest] * 3), target, umask, "--format", format_name)

    assert mode_of(target) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become node_exporter's user")
@pytest.mark.parametrize("umask", [0o077, 0o027])
def test_another_user_reads_it(script: str, lab: Start, shared: Path, umask: int) -> None:
    """As node_exporter reads what root's cron has written."""
    target = shared / "time-drift.prom"
    written(script, lab(*[behaviour.shifted(4)] * 3), target, umask, "--format", "prometheus")

    read = subprocess.run(
        ["cat", str(target)],
        user=65_534,
        group=65_534,
        extra_groups=(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "\ntime_drift_seconds -4.0\n" in read.stdout
    assert read.stderr == ""


@pytest.mark.parametrize("mode", ["0640", "640", "0600", "0664"])
def test_the_mode_that_is_asked_for(script: str, lab: Start, tmp_path: Path, mode: str) -> None:
    """A new file gets it, and so does one that is there; without it that one keeps it."""
    path, target = lab(*[behaviour.honest] * 3), tmp_path / "out"
    written(script, path, target, 0o077, "--output-mode", mode)
    new = mode_of(target)
    target.chmod(0o604)
    written(script, path, target, 0o077)
    kept = mode_of(target)
    written(script, path, target, 0o077, "--output-mode", mode)

    assert (new, kept, mode_of(target)) == (int(mode, 8), 0o604, int(mode, 8))


def test_a_file_without_an_answer_has_the_mode_too(program: Program, tmp_path: Path) -> None:
    """What wrong configuration leaves is read by the same reader."""
    target, broken = tmp_path / "out", tmp_path / "broken.toml"
    broken.write_text("tiemout = 3\n", encoding="utf-8")
    options = ("--output", str(target), "--format", "prometheus", "--output-mode", "0640")

    done = program("--config", str(broken), *options)

    assert done.returncode == 2
    assert mode_of(target) == 0o640


def test_watch_has_the_mode_too(script: str, lab: Start, tmp_path: Path) -> None:
    """Each measurement's file is as that of a run of its own."""
    target = tmp_path / "out"
    done = subprocess.run(
        [script, "watch", "--config", lab(*[behaviour.honest] * 3), "--output", str(target)],
        input=b"\n",
        umask=0o077,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert mode_of(target) == 0o644


@pytest.mark.parametrize("mode", ["", "0", "0400", "0244", "1644", "04755", "0888", "rw", "0o644"])
def test_a_mode_that_is_none(program: Program, tmp_path: Path, mode: str) -> None:
    """Which modes are allowed is in the line; who writes it has to be able to read it back."""
    done = program("--output", str(tmp_path / "out"), "--output-mode", mode)

    assert_refused(done, 2, f"--output-mode: {mode!r}: allowed is 0600 to 0777", "as in 0640")


def test_a_mode_without_a_file(program: Program) -> None:
    """Nothing is to have it."""
    assert_refused(program("--output-mode", "0640"), 2, "--output-mode goes with --output only")


@pytest.mark.parametrize("umask", [0o077, 0])
def test_what_is_ours_stays_private(
    script: str, lab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    """Only the file of --output is for others: state is not, with whatever umask and mode."""
    state = tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    path = lab(kiss("RATE"), *[behaviour.honest] * 3)  # which is remembered
    subprocess.run(
        [
            script,
            "--config",
            path,
            "--explain",
            "--output",
            str(tmp_path / "out"),
            "--output-mode",
            "0777",
        ],
        umask=umask,
        capture_output=True,
        check=False,
    )

    kept = [state, *state.rglob("*")]
    assert len(kept) > 1
    assert not [one for one in kept if mode_of(one) & 0o077]


# --- What to do about a refusal -------------------------------------------------------------------


@pytest.mark.parametrize("loopback", ["down", "up"])
@pytest.mark.parametrize("format_name", ["integer", "nagios", "zabbix", "json"])
def test_without_any_network_one_sentence_says_so(
    program: Program, offline: tuple[str, ...], format_name: str, loopback: str
) -> None:
    """The shipped configuration where there is no network: nothing is said twice."""
    done = program(
        "--config",
        str(ROOT / "config.toml"),
        "--format",
        format_name,
        wrap=(*offline, "sh", "-c", f'ip link set lo {loopback}; exec "$@"', "sh"),
    )

    reported = words_of(done, format_name)
    assert done.returncode == 3
    wanted = r"no answer: no network: none of [0-9]+ sources can be reached from this machine \("
    assert re.search(wanted, reported)
    assert "answered" not in reported.replace('"answered": 0', "")
    if format_name == "integer":
        assert_refused(done, 3, "(Network is unreachable)", "default route")


def test_ntp_that_is_silent_while_others_answer(program: Program, tmp_path: Path) -> None:
    """What is blocked is concluded from all sources together, and said last."""
    silent = [NtpServer(name, behaviour.silent) for name in "ABC"]
    path = tmp_path / "lab.toml"
    with world(*silent, HttpsServer("D")) as running:
        path.write_text(running.toml, encoding="utf-8")
        done = program("--config", str(path))

    ports = sorted(re.findall(r"port = ([0-9]+)", running.toml), key=int)
    first, last = ", ".join(ports[:-1]), ports[-1]
    assert_refused(done, 3, "ntp timeout: ", f"are UDP ports {first} and {last} blocked?\n")
    assert "; by https there are replies, by ntp none: " in done.stderr


# --- A clock that may not be read -----------------------------------------------------------------

_REFUSED = """
import sys, time
refused, sys.argv = getattr(time, sys.argv[1]), ["time-drift", *sys.argv[2:]]
real = time.clock_gettime_ns
def read(clock):
    if clock == refused:
        raise PermissionError(1, "Operation not permitted")
    return real(clock)
time.clock_gettime_ns = read
from drift.__main__ import main
main()
"""


@pytest.mark.parametrize("format_name", NAMES)
@pytest.mark.parametrize(
    "clock", ["CLOCK_REALTIME", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC"]
)
def test_a_clock_that_may_not_be_read_is_named(
    script: str, lab: Start, clock: str, format_name: str
) -> None:
    """As in a container under an old libseccomp: no answer, and no bug of ours."""
    python = str(ROOT / ".venv/bin/python")
    path = lab(*[behaviour.honest] * 3)

    done = subprocess.run(
        [python, "-I", "-c", _REFUSED, clock, "--config", path, "--format", format_name],
        capture_output=True,
        text=True,
        check=False,
    )

    reported = words_of(done, format_name)
    assert f"no answer: {clock} cannot be read: Operation not permitted: in a container" in reported
    assert "bug" not in done.stdout + done.stderr
    assert done.returncode == 3


# --- Paths ----------------------------------------------------------------------------------------


def test_paths_are_shown_without_what_says_nothing(program: Program, tmp_path: Path) -> None:
    """No `/./`, no `//`; `..` stays, since behind a link it leads elsewhere."""
    odd = f"{tmp_path}/.//./x/../none.toml"
    plain = f"{tmp_path}/x/../none.toml"

    assert_refused(program("--config", odd), 2, f" {plain}: cannot be read")
    assert_refused(program("verify-evidence", odd), 2, f" {plain}: cannot be read")
    assert_refused(program("--demo", "--output", odd), 70, f" {plain} cannot be written")


def test_the_object_names_the_file_so_too(program: Program, tmp_path: Path) -> None:
    """In the formats that say it on stdout as well."""
    done = program("--config", f"{tmp_path}/./none.toml", "--format", "zabbix")

    assert f"{tmp_path}/none.toml: cannot" in json.loads(done.stdout)["refusal"]
