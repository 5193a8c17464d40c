"""The crontab: parsed as cron does, and each command run as cron runs it."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift.arguments import parse
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import ROOT
from tests.docs.registry import taken
from tests.support.servers.chrony import faked, free_port, source
from tests.support.servers.crontab import Entry, parsed

pytestmark = pytest.mark.interop

CRONTAB = ROOT / "monitoring" / "cron" / "time-drift.cron"
PROGRAM = "/opt/time-drift/time-drift.sh"
WAITS = re.compile(r"--splay (\w+)")
TEXTFILE = "/var/cache/time-drift/time-drift.prom"


def textfile_entry() -> Entry:
    (entry,) = parsed(CRONTAB.read_text(encoding="utf-8"))
    return entry


def mail_entry() -> Entry:
    """Return what the file has when the other line is taken."""
    text = CRONTAB.read_text(encoding="utf-8")
    _, entry = parsed(re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE))
    return entry


class Cron:
    """Runs commands as cron does, the program's clock bent; collects what would be mailed."""

    def __init__(self, directory: Path, script: str) -> None:
        self.directory = directory
        self.textfile = directory / "time-drift.prom"
        self.log = directory / "log"
        self._script = script
        self._logger = directory / "logger"
        self._logger.write_text(f'#!/bin/sh\necho "$*" >>{self.log}\ncat >>{self.log}\n')
        self._logger.chmod(0o755)

    def run(self, entry: Entry, configuration: str, offset: str) -> tuple[str, int]:
        """Return what the command wrote, and its exit code."""
        path = self.directory / "config.toml"
        path.write_text(configuration, encoding="utf-8")
        bent = self.directory / "bent.sh"
        variables = {**faked(offset), "TIME_DRIFT_CONFIG": str(path)}
        settings = " ".join(f"{name}='{value}'" for name, value in variables.items())
        bent.write_text(f'#!/bin/sh\nexec env {settings} {self._script} "$@"\n')
        bent.chmod(0o755)
        command = entry.command
        for old, new in (
            (PROGRAM, str(bent)),
            (TEXTFILE, str(self.textfile)),
            ("logger", str(self._logger)),
        ):
            command = command.replace(old, new)
        command = WAITS.sub("--splay 1s", command)
        done = subprocess.run(
            [entry.environ["SHELL"], "-c", command],
            env={
                "HOME": str(self.directory),
                "LOGNAME": entry.user,
                **{name: value for name, value in entry.environ.items() if name != "MAILTO"},
            },
            input=entry.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.directory,
            start_new_session=True,
            timeout=70,
        )
        return done.stdout, done.returncode


@pytest.fixture
def cron(script: str, needs: Callable[[str], str], tmp_path: Path) -> Cron:
    """A place to run entries; it takes libfaketime."""
    needs("faketime")
    return Cron(tmp_path, script)


@pytest.fixture
def honest() -> Iterator[str]:
    """Run three servers; yield the configuration that asks them."""
    with world(*(NtpServer(name) for name in ("Alpha", "Bravo", "Charlie"))) as lab:
        yield lab.toml


SILENT = "".join(source(free_port(), operator) for operator in ("Alpha", "Bravo", "Charlie"))


def test_the_lines_are_what_cron_reads() -> None:
    """Each is a setting or an entry with a user; nothing of a command is taken for its input."""
    textfile, mail = textfile_entry(), mail_entry()

    assert (textfile.schedule, textfile.user) == ("* * * * *", "time-drift")
    assert (mail.schedule, mail.user) == ("*/5 * * * *", "nobody")
    for entry in (textfile, mail):
        assert entry.environ == {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "MAILTO": "root"}
        assert entry.stdin == ""
        assert "%" not in entry.command


def test_each_machine_has_a_second_of_its_own() -> None:
    """And a run, with its timeout, is over before the next one begins."""
    for entry, every_s in ((textfile_entry(), 60), (mail_entry(), 300)):
        (span,) = WAITS.findall(entry.command)
        assert parse(["--splay", span]).splay_s in range(every_s // 2, every_s - 5)


def test_the_textfile_line(cron: Cron, honest: str) -> None:
    """The drift goes into the file; nothing is mailed, and nothing is logged."""
    mailed, _ = cron.run(textfile_entry(), honest, "-4s")

    assert mailed == ""
    assert re.search(r"^time_drift_seconds -4(\.0)?$", cron.textfile.read_text(), re.MULTILINE)
    assert cron.log.read_text() == "-t time-drift\n"


def test_the_textfile_line_without_an_answer(cron: Cron) -> None:
    """The file says that there is none, and the log says why; nothing is mailed every minute."""
    mailed, _ = cron.run(textfile_entry(), SILENT, "-4s")
    written = cron.textfile.read_text()

    assert mailed == ""
    assert re.search(r"^time_drift_success 0(\.0)?$", written, re.MULTILINE)
    assert "time_drift_seconds " not in written
    assert cron.log.read_text().startswith("-t time-drift\ntime-drift: no answer: ")


@pytest.mark.parametrize(
    ("offset", "mailed"),
    [
        ("+0s", ""),
        ("-0.3s", ""),
        ("-4s", "clock minus true time: -4 s\n"),
        ("+3600s", "clock minus true time: 3600 s\n"),
    ],
)
def test_the_mailing_line(cron: Cron, honest: str, offset: str, mailed: str) -> None:
    """A clock that is right is no mail; one that is off is, with the drift in it."""
    assert cron.run(mail_entry(), honest, offset) == (mailed, 0)


@pytest.mark.parametrize(
    ("offset", "mailed"),
    [
        ("-1s", ""),
        ("+1s", ""),
        ("-2s", "clock minus true time: -2 s\n"),
        ("+2s", "clock minus true time: 2 s\n"),
    ],
)
def test_the_mailing_line_from_two_seconds_on(
    cron: Cron, honest: str, offset: str, mailed: str
) -> None:
    """The page's other condition in place of the line's own: it looks at the size alone."""
    entry = mail_entry()
    own, other = taken("mail unless right").text, taken("mail from 2 s on").text
    assert entry.command.count(own) == 1
    changed = Entry(
        entry.schedule, entry.user, entry.command.replace(own, other), entry.stdin, entry.environ
    )

    assert cron.run(changed, honest, offset) == (mailed, 0)


def test_the_mailing_line_without_an_answer(cron: Cron) -> None:
    """The reason is mailed, and nothing that looks like a drift."""
    mailed, code = cron.run(mail_entry(), SILENT, "-4s")

    assert mailed.startswith("time-drift: no answer: ")
    assert mailed.count("\n") == 1
    assert "clock minus true time" not in mailed
    assert code == 3


def test_the_readme_puts_it_where_cron_looks() -> None:
    """The name that it gets there has no dot: Debian's cron overlooks files that have one."""
    readme = (CRONTAB.parent / "README.md").read_text(encoding="utf-8")
    (target,) = re.findall(r"^install .* (/etc/cron\.d/\S+)$", readme, re.MULTILINE)

    assert re.fullmatch(r"[A-Za-z0-9_-]+", os.path.basename(target))
