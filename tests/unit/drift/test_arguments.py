"""The command line: what is understood, and what is refused in one line."""

from typing import Any

import pytest

from drift.arguments import parse
from sources.base import ConfigError


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        ([], {"watch": False, "format": "integer", "timeout_s": None, "text": None}),
        (["--timeout", "1.5", "--config", "x.toml"], {"timeout_s": 1.5, "config": "x.toml"}),
        (["--format", "NAGIOS"], {"format": "nagios"}),
        (["--json"], {"format": "json"}),
        (["watch", "--every", "5m", "--splay", "30"], {"watch": True, "every_s": 300}),
        (["watch", "--every", "1h", "--splay", "30"], {"splay_s": 30}),
        (["--check-config", "--nodes", "400", "--every", "1d"], {"nodes": 400, "every_s": 86_400}),
        (["--output", "x", "--output-mode", "0640"], {"output": "x", "output_mode": 0o640}),
        (["--output", "x", "--output-mode", "600"], {"output_mode": 0o600}),
    ],
)
def test_what_is_understood(arguments: list[str], understood: dict[str, Any]) -> None:
    """Names of formats in any case, spans by their units, permissions in octal."""
    options = parse(arguments)

    assert {name: getattr(options, name) for name in understood} == understood


@pytest.mark.parametrize("written", [["-c", "-1:1"], ["--critical", "-1:1"], ["--critical=-1:1"]])
def test_a_range_may_begin_with_a_minus(written: list[str]) -> None:
    """As plugins of Nagios take it: argparse alone would see an option."""
    threshold = parse(["--format", "nagios", *written]).critical

    assert threshold == parse(["--format", "nagios", "--critical=-1:1"]).critical
    assert threshold is not None


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense; see --help"),
        (["--json", "watch"], "watch goes first"),
        (["--timeout", "0"], "'0': allowed is more than 0, up to "),
        (["--timeout", "nan"], "'nan': allowed is more than 0"),
        (["--timeout", "soon"], "'soon': allowed is more than 0"),
        (["--splay", "2h"], "'2h': allowed is 1s to 1h"),
        (["watch", "--every", "0"], "'0': allowed is 1s to 1d"),
        (["watch", "--every", "1w"], "'1w': allowed is 1s to 1d"),
        (["--output", ""], "'': allowed is the path of a file"),
        (["--output", "x", "--output-mode", "0044"], "'0044': allowed is 0600 to 0777"),
        (["--format", "nagios", "-w", "much"], "'much': allowed is a size of the drift"),
        (["--check-config", "--nodes", "0"], "'0': allowed is 1 to 9999999"),
        (["--demo", "--config", "x"], "--demo runs on a lab of its own"),
        (["--check-config", "--json"], "--check-config asks nobody"),
        (["--check-config", "--explain"], "--check-config asks nobody"),
        (["--check-config", "--output", "x"], "--check-config asks nobody"),
        (["--nodes", "4"], "--nodes goes with --check-config only"),
        (["--check-config", "--behind-one-address"], "goes with --check-config --nodes N only"),
        (["--every", "60s"], "--every goes with watch, or with --check-config --nodes N, only"),
        (["--splay", "30s", "--demo"], "here none is asked"),
        (["--splay", "30s", "--check-config"], "here none is asked"),
        (["watch", "--splay", "30s"], "--every, which is not given"),
        (["--output-mode", "0640"], "--output-mode goes with --output only"),
        (["-w", "1"], "-w and -c go with --format nagios only"),
        (["--json", "-c", "1"], "-w and -c go with --format nagios only"),
        (["watch", "--format", "nagios"], "its state is an exit status"),
        (["watch", "--explain"], "watch: --explain, --demo and --check-config do not go with it"),
        (["watch", "--check-config"], "watch: --explain, --demo and --check-config do not go"),
    ],
)
def test_what_is_refused(arguments: list[str], reported: str) -> None:
    """One line that names what was found and what is allowed, or what does not go together."""
    with pytest.raises(ConfigError) as refusal:
        parse(arguments)

    assert reported in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_help_is_answered_whatever_else_is_wrong_behind_it() -> None:
    """As a text, which who writes to stdout prints."""
    text = parse(["--help", "--nodes", "4"]).text

    assert text is not None
    assert text.startswith("usage: time-drift ")
    assert "exit status:" in text


@pytest.mark.parametrize(("command", "shown"), [([], True), (["watch"], False)])
def test_help_shows_what_goes_with_the_command(command: list[str], shown: bool) -> None:
    """`watch` knows the other options only to refuse them, and has no plugin's format."""
    text = parse([*command, "--help"]).text

    assert text is not None
    assert "--every" in text
    for word in ("--explain", "--demo", "--nodes", "nagios"):
        assert (word in text) is shown
