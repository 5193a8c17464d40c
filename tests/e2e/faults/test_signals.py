"""Signals at any moment of a run, the very first ones included."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence

import pytest

from drift.plugin import is_plugin
from lab import behaviour
from tests.conftest import ROOT
from tests.e2e.conftest import Start
from tests.support.output_formats import NAMES, PLUGINS

MOMENTS = 60
LAST_S = 0.03
"""By then the program has its own handlers and waits for its sources."""
SAID = "TIME DRIFT UNKNOWN - no answer: ended by a signal\n"


def ended_after(
    command: Sequence[str], delay_s: float, number: int
) -> "subprocess.CompletedProcess[str]":
    """Start, send the signal so much later, and return what came of it."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until_s = time.monotonic() + delay_s
    while time.monotonic() < until_s:
        pass
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=10)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_is_ended_at_any_moment(script: str, lab: Start, number: int) -> None:
    """130 or 143, and nothing written: no traceback of an interpreter that is just starting.

    Before the script's first line, and while `env` starts, the system itself ends the process by
    the signal: what a shell calls by the same numbers.
    """
    path = lab(*[behaviour.silent] * 3)

    for moment in range(MOMENTS):
        done = ended_after([script, "--config", path], moment * LAST_S / MOMENTS, number)

        assert done.returncode in (128 + number, -number), (moment, done)
        assert (done.stdout, done.stderr) == ("", ""), (moment, done)


@pytest.mark.parametrize("words", [["--format", "nagios"], ["--format=nagios"]])
def test_a_plugin_is_unknown(script: str, lab: Start, words: list[str]) -> None:
    """A plugin that is terminated early says so, and is UNKNOWN, 3."""
    path = lab(*[behaviour.silent] * 3)
    lost = 0

    for moment in range(MOMENTS):
        command = [script, "--config", path, *words]
        done = ended_after(command, moment * LAST_S / MOMENTS, signal.SIGTERM)

        assert done.stderr == "", (moment, done)
        if done.returncode == -signal.SIGTERM:  # before the first line that could be ours
            lost += 1
            continue
        assert (done.returncode, done.stdout) == (3, SAID), (moment, done)
    assert lost <= MOMENTS // 6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", ["--format {}", "-v --format={}"])
def test_a_format_is_a_plugin_by_that_rule(name: str, words: str) -> None:
    """What the rule finds by its name, before anything is imported, is what the format says."""
    assert is_plugin(words.format(name).split()) == (name in PLUGINS)


@pytest.mark.parametrize(
    "words",
    [
        *(["--format", name] for name in NAMES),
        *([f"--format={name}"] for name in NAMES),
        ["--format=nagios", "-v"],
        ["-v", "--format", "NAGIOS"],
        ["--format=Nagios"],
        ["--format=nagiosx"],
        ["nagios"],
        ["--format"],
        [],
        ["--output", "--format", "nagios"],
    ],
)
def test_the_shell_and_the_program_have_one_rule(words: list[str]) -> None:
    """What has to know of plugins before anything is imported: in two languages, alike."""
    text = (ROOT / "time-drift.sh").read_text(encoding="utf-8")
    rule = text[text.index("plugin=\n") : text.index("# shellcheck disable=SC2317")]

    done = subprocess.run(
        ["sh", "-c", rule + 'echo "$plugin"', "sh", *words],
        capture_output=True,
        text=True,
        check=True,
    )

    assert bool(done.stdout.strip()) == is_plugin(words)
