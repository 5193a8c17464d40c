"""The command lines of `probe` and `serve`: what is understood, and what is refused."""

import pytest

from drift.wording import usage
from fleet.arguments import FORMATS, help_of, parse_probe, parse_serve, wants_help
from sources.base import ConfigError

TARGET = "bitcoin://node.example"


def test_what_probe_understands() -> None:
    """Targets by name and by file, each as often as wanted; a range may begin with a minus."""
    options = parse_probe(
        [TARGET, "--targets", "a", "xrpl://x", "--targets", "b", "--format", "NAGIOS", "-c", "-1:1"]
    )

    assert options.targets == [TARGET, "xrpl://x"]
    assert options.inventories == ["a", "b"]
    assert options.format == "nagios"
    assert options.critical is not None
    assert options.warning is None


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_goes_with_targets(name: str) -> None:
    """And --summary with those that people or programs read as a whole."""
    assert parse_probe([TARGET, "--format", name]).format == name
    if name in ("text", "json"):
        assert parse_probe([TARGET, "--format", name, "--summary"]).summary
    else:
        with pytest.raises(ConfigError, match="--summary goes with --format text and json only"):
            parse_probe([TARGET, "--format", name, "--summary"])


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ([], "no target: allowed is MODULE://HOST, a URL, or --targets FILE"),
        (["--demo", TARGET], "--demo has targets and a configuration of its own"),
        (["--demo", "--targets", "x"], "--demo has targets and a configuration of its own"),
        (["--demo", "--config", "x"], "--demo has targets and a configuration of its own"),
        ([TARGET, "-w", "1"], "-w and -c go with --format nagios only"),
        ([TARGET, "--json", "-c", "1"], "unrecognized arguments: --json"),
        ([TARGET, "--format", "zabbix"], "invalid choice: 'zabbix'"),
    ],
)
def test_what_probe_refuses(arguments: list[str], reported: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError) as refusal:
        parse_probe(arguments)

    assert reported in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("127.0.0.1:9712", ("127.0.0.1", 9712)),
        ("[::1]:0", ("::1", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),  # noqa: S104 - only read
    ],
)
def test_where_serve_listens(written: str, place: tuple[str, int]) -> None:
    """An address and a port; loopback where nothing is said."""
    assert parse_serve(["--listen", written]).listen == place
    assert parse_serve([]).listen == ("127.0.0.1", 9712)


@pytest.mark.parametrize(
    "written", ["9712", "localhost:1", ":1", "::1:1", "[127.0.0.1:1", "127.0.0.1:65536", ""]
)
def test_where_serve_cannot_listen(written: str) -> None:
    """A name could be many addresses; an IPv6 address without brackets hides its port."""
    with pytest.raises(ConfigError, match=r"allowed is ADDRESS:PORT, as in 127\.0\.0\.1:9712"):
        parse_serve(["--listen", written])


@pytest.mark.parametrize("command", [usage.PROBE, usage.SERVE])
@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_help(command: str, asked: str) -> None:
    """It is asked for by either word, and has options, examples and each exit status."""
    text = help_of(command)

    assert wants_help([command, "x", asked])
    assert not wants_help([command])
    assert text.startswith(f"usage: time-drift {command} ")
    assert "exit status:" in text
    for status, _ in usage.STATUSES[command]:
        assert f"  {status}" in text
