"""The completions, by the keys that a person presses in bash, zsh and fish."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift import arguments
from drift.formats.base import OutputFormat
from drift.formats.registry import names
from drift.wording.usage import COMMANDS
from tests.conftest import Program
from tests.docs.pages.shells import ALL, COMPLETIONS, STARTS, Shell, started
from tests.support.output_formats import PLUGINS
from tools.pages.__main__ import generated
from tools.pages.interface import commands

OF_WATCH = [name for name in names() if name not in PLUGINS]


@pytest.fixture(params=STARTS)
def shell(
    request: pytest.FixtureRequest, needs: Callable[[str], str], tmp_path: Path
) -> Iterator[Shell]:
    """A shell with the completion, and a file to find."""
    needs(STARTS[request.param].command[0])
    (tmp_path / "report.json").touch()
    with started(request.param, tmp_path) as shell:
        yield shell


@pytest.mark.interop
@pytest.mark.parametrize("program", ["time-drift", "time-drift.sh", "./time-drift.sh"])
def test_what_is_typed_is_completed(shell: Shell, program: str) -> None:
    """Options, the values of --format, commands, files: each by TAB, and nothing where none is."""
    for begun, done in (
        ("--exp", "--explain"),
        ("--format prom", "--format prometheus"),
        ("--format=prom", "--format=prometheus"),
        ("wat", "watch"),
        ("watch --ev", "watch --every"),
        ("watch --format inf", "watch --format influx"),
        ("watch --format nag", "watch --format nag"),
        ("verify-evidence rep", "verify-evidence report.json"),
        ("import-servers --he", "import-servers --help"),
        ("--config rep", "--config report.json"),
        ("--output=rep", "--output=report.json"),
        ("--timeout rep", "--timeout rep"),
        ("--json wat", "--json wat"),
    ):
        assert shell.words_after(f"{program} {begun}\t") == shlex.split(done)


@pytest.mark.interop
def test_everything_is_offered(shell: Shell) -> None:
    """All long options of each command, all commands, all formats."""
    for command in commands():
        words = [command.name] if command.name else []
        offered = shell.words_after(shlex.join(["time-drift", *words, "--"]) + ALL)
        flags = {flag for option in command.options for flag in option.flags}
        assert set(offered) - set(words) - {"-h"} == {f for f in flags if f.startswith("--")}

    offered = [word for word in shell.words_after("time-drift " + ALL) if word[0] != "-"]
    assert sorted(offered) == sorted(COMMANDS)
    formats = shell.words_after("time-drift.sh --format " + ALL)
    assert sorted(formats) == sorted(["--format", *names()])
    formats = shell.words_after("time-drift watch --format " + ALL)
    assert sorted(formats) == sorted(["watch", "--format", *OF_WATCH])


def test_each_command_has_the_options_of_its_help(program: Program) -> None:
    """Those that its usage and its list of options name, and no others."""
    for command in commands():
        shown = program(*filter(None, [command.name]), "--help").stdout
        usage, _, rest = shown.partition("\n\n")
        listed = rest.partition("options:\n")[2].partition("\n\n")[0]
        lines = re.findall("^  (-.*?)(?:  |$)", listed, re.MULTILINE)
        named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join([usage, *lines])))

        flags = {flag for option in command.options for flag in option.flags}
        assert flags == named | {"--help"}


def test_a_new_format_needs_nothing_but_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lists the formats for the parser lists them for the pages and every shell."""
    monkeypatch.setattr(arguments, "format_names", lambda: (*names(), "semaphore"))
    monkeypatch.setattr(arguments, "format_class", lambda _: OutputFormat)

    texts = {path.name: text for path, text in generated().items()}
    for name in ("time-drift.1", "time-drift.bash", "_time-drift", "time-drift.fish"):
        assert "semaphore" in texts[name]


@pytest.mark.interop
def test_shellcheck_has_nothing_to_say(needs: Callable[[str], str]) -> None:
    """As of the other scripts."""
    file = COMPLETIONS / "time-drift.bash"
    command = [needs("shellcheck"), "--shell=bash", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.stdout, done.returncode) == ("", 0)
