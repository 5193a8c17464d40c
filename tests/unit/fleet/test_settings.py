"""[probe] and [probe.modules.NAME]: what is read, and how mistakes are worded."""

from pathlib import Path

import pytest

from drift import config
from fleet import settings
from fleet.settings import DEFAULT_AGENT
from nodes import KINDS
from nodes.bitcoin import BitcoinNode
from nodes.modules import MODULES
from sources.base import ConfigError
from sources.clock import NS

WRITTEN = """
[probe]
timeout = 2
rate = 500
min_interval = 60
agent = "watch/1 (+https://ops.example/clocks)"
allow = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"]
[probe.modules.zcash]
kind = "bitcoin"
magic = "24e92764"
port = 8233
protocol = 170160
wall_clock = true
[probe.modules.our-rpc]
kind = "https"
chain = "cosmos"
verify = false
"""


def test_what_is_not_written_has_defaults() -> None:
    """Polite ones: no network besides the public ones, a round in ten minutes."""
    found = settings.parse("timeout = 1.0\n[[sources.ntp]]\nhost = 'a'", "c.toml")

    assert (found.timeout_ns, found.rate, found.min_interval_ns) == (5 * NS, 100, 600 * NS)
    assert found.agent == DEFAULT_AGENT
    assert found.allow == ()
    assert not found.is_written
    assert settings.parse("[probe]", "c.toml").is_written
    assert set(found.modules) == set(MODULES)
    assert set(KINDS) <= set(found.modules)


def test_what_is_written_is_read() -> None:
    """And a module of ours takes the place of a built-in one of its name."""
    found = settings.parse(WRITTEN, "c.toml")

    assert (found.timeout_ns, found.rate, found.min_interval_ns) == (2 * NS, 500, 60 * NS)
    assert found.agent == "watch/1 (+https://ops.example/clocks)"
    assert [str(network) for network in found.allow] == ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]
    zcash, rpc = found.modules["zcash"], found.modules["our-rpc"]
    assert isinstance(zcash.node, BitcoinNode)
    assert (zcash.port, zcash.chain, zcash.has_path) == (8233, "zcash", False)
    assert (rpc.port, rpc.chain, rpc.has_path) == (443, "cosmos", True)
    assert found.modules["litecoin"].port == 9333
    assert found.modules["bitcoin"].chain == "bitcoin"
    assert found.modules["https"].chain == ""
    assert "nonsense" not in found.modules
    with pytest.raises(KeyError):
        found.modules["nonsense"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("probe = 1", ["probe = 1", "a table: [probe]"]),
        (
            "[probe]\nrates = 1",
            ["[probe]: unknown key 'rates' (did you mean rate?)", "min_interval"],
        ),
        ("[probe]\nrate = 501", ["[probe] rate = 501", "1 to 500"]),
        ("[probe]\nrate = 0", ["[probe] rate = 0", "1 to 500"]),
        ("[probe]\nrate = true", ["[probe] rate = True", "1 to 500"]),
        ("[probe]\nmin_interval = 59", ["[probe] min_interval = 59", "60 to 86400"]),
        ("[probe]\ntimeout = 0", ["[probe] timeout = 0", "more than 0, up to 60 seconds"]),
        ("[probe]\ntimeout = nan", ["[probe] timeout = nan", "more than 0"]),
        ("[probe]\nagent = ''", ["[probe] agent = ''", "who asks"]),
        ('[probe]\nagent = "a\\nb"', ["[probe] agent"]),
        ("[probe]\nagent = 'ä'", ["[probe] agent", "ASCII"]),
        ("[probe]\nallow = '10.0.0.0/8'", ["[probe] allow", "a list of networks"]),
        ("[probe]\nallow = ['10.0.0.1/8']", ["[probe] allow", "a list of networks"]),
        ("[probe]\nmodules = 1", ["[probe] modules = 1", "[probe.modules.NAME]"]),
        ("[probe.modules]\nx = 1", ["probe.modules.x = 1", "a table: [probe.modules.x]"]),
        ("[probe.modules.X]\nkind = 'bitcoin'", ["name = 'X'", "small letters"]),
        ("[probe.modules.x]\nport = 1", ["[probe.modules.x]: kind is missing", '"bitcoin"']),
        ("[probe.modules.x]\nkind = 'ripple'", ["[probe.modules.x] kind = 'ripple'", '"xrpl"']),
        (
            "[probe.modules.x]\nkind = 'bitcoin'\nmagik = 'aa'",
            ["[probe.modules.x]: unknown key 'magik' (did you mean magic?)", "protocol"],
        ),
        (
            "[probe.modules.x]\nkind = 'bitcoin'\nmagic = 'f9beb4'",
            ["[probe.modules.x] magic = 'f9beb4'", "four bytes"],
        ),
        ("[probe.modules.x]\nkind = 'xrpl'\nport = 65536", ["[probe.modules.x] port", "65535"]),
        (
            "[probe.modules.x]\nkind = 'https'\nverify = 1",
            ["[probe.modules.x] verify", "true or false"],
        ),
        ("[probe", ["not valid TOML"]),
    ],
)
def test_mistakes(text: str, words: list[str]) -> None:
    """File, table, key, what was found and what is allowed."""
    with pytest.raises(ConfigError) as refused:
        settings.parse(text, "c.toml")

    for word in ["c.toml: ", *words]:
        assert word in str(refused.value)


def test_drift_leaves_the_tables_to_us() -> None:
    """One file holds both halves; a plain run does not look into ours."""
    text = '[[sources.ntp]]\nhost = "192.0.2.1"\n[probe]\nnonsense = 1\n'

    assert len(config.parse(text, "c.toml").sources) == 1


def test_check_config_prints_modules_and_limits() -> None:
    """What a person wants to know before a sweep."""
    said = settings.described(settings.parse(WRITTEN, "c.toml"))

    assert "timeout 2 s, at most 500 connections a second, no node sooner than every 60 s" in said
    assert "10.0.0.0/8, fd00::/8, 127.0.0.1/32" in said
    assert "  module zcash: bitcoin, port 8233, chain zcash (configured)\n" in said
    assert "  module litecoin: bitcoin, port 9333, chain litecoin (built in)\n" in said
    assert "note:" not in said
    assert "no contact" in settings.described(settings.parse("", "c.toml"))


def test_files(tmp_path: Path) -> None:
    """A byte-order mark is no mistake; what cannot be read is named."""
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[probe]\nrate = 7\n")

    assert settings.load(str(path)).rate == 7
    with pytest.raises(ConfigError, match="cannot be read"):
        settings.load(str(tmp_path / "none.toml"))
