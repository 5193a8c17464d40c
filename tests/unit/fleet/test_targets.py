"""Targets as they are written, and inventories of Prometheus's file_sd."""

import json
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import targets
from fleet.targets import Target
from sources.base import ConfigError


class Module(NamedTuple):
    """What of a module a target needs to know."""

    port: int
    chain: str
    has_path: bool = False


MODULES = {
    "bitcoin": Module(8333, "bitcoin"),
    "https": Module(443, "", has_path=True),
    "zcash-main": Module(8233, "zcash"),
}


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("bitcoin://203.0.113.7", ("bitcoin", "203.0.113.7", 8333, "/")),
        ("bitcoin://203.0.113.7:18333", ("bitcoin", "203.0.113.7", 18333, "/")),
        ("bitcoin://203.0.113.7/", ("bitcoin", "203.0.113.7", 8333, "/")),
        ("BITCOIN://Node.Example.", ("bitcoin", "node.example", 8333, "/")),
        ("bitcoin://[2001:DB8::0:1]:1", ("bitcoin", "2001:db8::1", 1, "/")),
        ("https://rpc.example/v1/?a=b", ("https", "rpc.example", 443, "/v1/?a=b")),
        ("zcash-main://z.example", ("zcash-main", "z.example", 8233, "/")),
    ],
)
def test_targets(text: str, endpoint: tuple[str, str, int, str]) -> None:
    """Each keeps its text, and is known by what it leads to."""
    target = targets.parse(text, MODULES)

    assert target.endpoint == endpoint
    assert target.text == text


def test_a_target_without_a_module_takes_the_one_that_is_asked_for() -> None:
    """As in an exporter's ?target=203.0.113.7:8333&module=bitcoin."""
    assert targets.parse("203.0.113.7:1", MODULES, "bitcoin").endpoint == (
        "bitcoin",
        "203.0.113.7",
        1,
        "/",
    )
    assert targets.parse("bitcoin://a.example", MODULES, "bitcoin").module == "bitcoin"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("203.0.113.7", "names no module"),
        ("", "names no module"),
        ("ripple://203.0.113.7", "no module is called ripple: allowed are bitcoin, https"),
        ("bitcoin://", "no host"),
        ("bitcoin://:8333", "no host"),
        ("bitcoin://203.0.113.7:0", "port 0"),
        ("bitcoin://203.0.113.7:65536", "port 65536"),
        ("bitcoin://203.0.113.7:999999", "allowed is"),
        ("bitcoin://203.0.113.7:+1", "allowed is"),
        ("bitcoin://2001:db8::1", "brackets"),
        ("bitcoin://[203.0.113.7]", "only IPv6"),
        ("bitcoin://[fe80::1%25eth0]", "no host"),
        ("bitcoin://[2001:db8::1", "brackets"),
        ("bitcoin://a.example/path", "have paths"),
        ("https://user:secret@rpc.example/", "passwords"),
        ("https://user@rpc.example", "passwords"),
        ("https://rpc.example?x=y", "no host"),
        ("https://rpc.example/#top", "without blanks"),
        ("https://rpc.example\\@evil.example/", "passwords"),
        ("https://rpc.example/a\\b", "without blanks"),
        ("https://rpc.example/a b", "blanks"),
        ("https://rpc.example/ä", "ASCII"),
        ("https://hidden.onion/", "hidden"),
        ("https://0x7f.1/", "no host"),
        ("https://2130706433/", "no host"),
        ("bitcoin://a.example\n", "printable"),
        ("bitcoin://" + "a" * 500, "500 characters"),
    ],
)
def test_targets_that_are_refused(text: str, word: str) -> None:
    """Each says what is wrong, and passwords are not repeated by us."""
    with pytest.raises(ValueError, match=r".") as refused:
        targets.parse(text, MODULES)

    assert word in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_modules_at_once_are_refused() -> None:
    """?target=bitcoin://...&module=https is a mistake, not a choice."""
    with pytest.raises(ValueError, match="the module asked for is https"):
        targets.parse("bitcoin://a.example", MODULES, "https")


@given(st.text(max_size=60), st.sampled_from([None, "bitcoin", "https"]))
def test_any_text_is_a_target_or_a_value_error(text: str, module: str | None) -> None:
    """And no target has what could leave its place in a request."""
    for given_text in (text, f"https://{text}"):
        try:
            target = targets.parse(given_text, MODULES, module)
        except ValueError:
            continue
        assert target.path.isascii()
        assert target.path.isprintable()
        assert " " not in target.path
        assert 1 <= target.port <= 65_535


FILE_SD = [
    {"targets": ["bitcoin://203.0.113.7", "bitcoin://node.example:18333"]},
    {
        "targets": ["203.0.113.8:8333"],
        "labels": {"chain": "cash", "__param_module": "bitcoin", "__meta_x": "y", "dc": "no"},
    },
    {"targets": []},
]
EXPECTED = [
    Target("bitcoin://203.0.113.7", "bitcoin", "203.0.113.7", 8333, chain="bitcoin"),
    Target("bitcoin://node.example:18333", "bitcoin", "node.example", 18333, chain="bitcoin"),
    Target(
        "203.0.113.8:8333",
        "bitcoin",
        "203.0.113.8",
        8333,
        chain="cash",
        labels=(("chain", "cash"), ("dc", "no")),
    ),
]
YAML = """\
# an inventory
- targets:
  - bitcoin://203.0.113.7
  - "bitcoin://node.example:18333"
- labels: {chain: cash, __param_module: bitcoin, __meta_x: y, dc: no}
  targets: ['203.0.113.8:8333']
- targets: []
"""


def test_an_inventory_as_prometheus_has_it() -> None:
    """In JSON and in YAML, labels kept as they are written."""
    assert targets.inventory(json.dumps(FILE_SD), "nodes.json", MODULES) == EXPECTED
    assert targets.inventory(YAML, "nodes.yml", MODULES) == EXPECTED
    assert targets.inventory(YAML, "NODES.YAML", MODULES) == EXPECTED


def test_an_empty_inventory_has_no_targets() -> None:
    """Prometheus takes both."""
    assert targets.inventory("[]", "x.json", MODULES) == []
    assert targets.inventory("", "x.yml", MODULES) == []


def test_what_yaml_calls_a_number_is_a_text_in_a_label() -> None:
    """As for Prometheus, whose labels are texts."""
    found = targets.inventory(
        "- targets: [bitcoin://a.example]\n  labels: {rack: 012, up: yes}", "x.yml", MODULES
    )

    assert found[0].labels == (("rack", "012"), ("up", "yes"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", ["a list of entries"]),
        ("[", ["cannot be read"]),
        ("[" * 100_000, ["cannot be read"]),
        ('["bitcoin://a.example"]', ["entry 1", "an object"]),
        (
            '[{"targets": []}, {"target": []}]',
            ["entry 2", "unknown key 'target'", "targets"],
        ),
        ('[{"targets": "bitcoin://a.example"}]', ["entry 1", "targets = ", "a list"]),
        ('[{"targets": [7]}]', ["entry 1", "number 1 = 7", "MODULE://HOST"]),
        (
            '[{"targets": ["bitcoin://a.example", "xrpl://b.example"]}]',
            ["entry 1", "number 2 = 'xrpl://b.example'", "no module is called xrpl"],
        ),
        ('[{"labels": []}]', []),
        ('[{"labels": ["chain"]}]', ["entry 1", "labels = "]),
        ('[{"labels": {"a-b": "c"}}]', ["entry 1", "'a-b' is no name of a label"]),
        ('[{"labels": {"a": 1}}]', ["entry 1", "a = 1", "a text"]),
        (
            '[{"targets": ["a.example"], "labels": {"__param_module": "x"}}]',
            ["entry 1", "no module is called x"],
        ),
    ],
)
def test_mistakes_in_an_inventory(text: str, words: list[str]) -> None:
    """The file, the entry, the key and what is allowed."""
    if not words:
        assert targets.inventory(text, "nodes.json", MODULES) == []
        return
    with pytest.raises(ConfigError) as refused:
        targets.inventory(text, "nodes.json", MODULES)

    for word in ["nodes.json: ", *words]:
        assert word in str(refused.value)


@pytest.mark.parametrize("text", ["a: [", "\t- x", "a: b: c", "[" * 5000])
def test_yaml_that_is_none(text: str) -> None:
    """An error of ours."""
    with pytest.raises(ConfigError, match=r"nodes\.yml"):
        targets.inventory(text, "nodes.yml", MODULES)


def test_tags_of_yaml_make_no_objects() -> None:
    """An inventory is texts, lists and tables."""
    text = "- targets: !!python/object/apply:os.listdir ['/']"

    with pytest.raises(ConfigError, match="names no module"):
        targets.inventory(text, "x.yml", MODULES)


def test_other_files_are_refused() -> None:
    """What Prometheus would not read either."""
    with pytest.raises(ConfigError, match=r"nodes\.txt: allowed are files of file_sd"):
        targets.inventory("[]", "nodes.txt", MODULES)


def test_too_many_targets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases of YAML could repeat a list without end."""
    monkeypatch.setattr(targets, "MOST_TARGETS", 5)
    text = "- targets: &all [bitcoin://a.example, bitcoin://b.example]\n" + "- targets: *all\n" * 9

    with pytest.raises(ConfigError, match="more than 5 targets"):
        targets.inventory(text, "x.yml", MODULES)
