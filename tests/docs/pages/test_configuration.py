"""docs/configuration.md: every key there is, and no other, as the program itself has it."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest

from drift import config
from drift.wording.votes import votes
from sources import kinds
from sources.base import ConfigError
from sources.schema import COMMON, REQUIRED, Key
from tests.conftest import ROOT

_PAGE = ROOT / "docs" / "configuration.md"
_TEXT = _PAGE.read_text(encoding="utf-8")
_MOST_LINES = 200
_INTERNAL = {"TIME_DRIFT_STARTED", "TIME_DRIFT_PREPARED"}
"""Variables by which our own processes speak to each other."""
_VARIABLE = re.compile(
    r"environ(?:\.get\(|\[)\"([A-Z_]+)\"|\$\{(TIME_DRIFT_[A-Z_]+)-|\"(PIP_)(?:CONFIG_FILE)?\""
)


def section(heading: str) -> str:
    """Return what stands below the heading that ends so."""
    (found,) = re.findall(
        rf"^#+ (?:.*)?{re.escape(heading)}\n(.*?)(?=^#+ |\Z)", _TEXT, re.MULTILINE | re.DOTALL
    )
    return str(found)


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Return the keys of a table: what is allowed, and the default."""
    table = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .*\|$", section(heading), re.MULTILINE)
    return {key: (allowed, default) for key, allowed, default in table}


def shown(key: Key) -> Iterator[str]:
    """Yield the ways in which a page may show a default."""
    if key.default is REQUIRED:
        yield "required"
    elif key.default is None or key.default == ():
        yield from ("none", "the system's", "the host's name")
    else:
        yield f'"{key.default}"' if isinstance(key.default, str) else f"{key.default}"


@pytest.mark.parametrize("kind", kinds())
def test_the_keys_of_a_kind_are_on_the_page(kind: str) -> None:
    """All of them, in their order, with the words of the error and with the default."""
    keys: dict[str, Key] = import_module(f"sources.{kind}.source").KEYS
    found = rows(f"`[[sources.{kind}]]`")

    assert list(found) == list(keys)
    for name, key in keys.items():
        assert found[name][0] == key.allowed
        assert found[name][1] in shown(key)


def test_the_keys_of_every_kind_are_on_the_page() -> None:
    """They stand once for all kinds."""
    found = rows("Keys of every kind")

    assert {name: allowed for name, (allowed, _) in found.items()} == {
        name: key.allowed for name, key in COMMON.items()
    }
    assert all(found[name][1] in shown(key) for name, key in COMMON.items())


def test_the_page_has_every_kind_and_no_other() -> None:
    """As a section of its own, and in the table of what they carry."""
    assert sorted(re.findall(r"`\[\[sources\.(\w+)\]\]`$", _TEXT, re.MULTILINE)) == list(kinds())
    assert sorted(
        re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", section("Sources"), re.M)
    ) == (list(kinds()))


def test_the_top_level_is_on_the_page() -> None:
    """Its keys, and its tables, of which one is on a page of its own."""
    named = set(rows("Top level")) | {"consensus", "sources", "probe"}

    assert named == set(config.TOP_KEYS)
    assert "`[probe]`" in _TEXT
    assert rows("Top level")["timeout"] == (
        f"seconds, 0 to {config.LONGEST_TIMEOUT_S:g}",
        f"{config.DEFAULT_TIMEOUT_S:g}",
    )


def test_the_quorum_is_on_the_page() -> None:
    """With the defaults of the program."""
    found = {key: default for key, (_, default) in rows("`[consensus]`").items()}

    assert found == {
        "min_operators": f"{config.DEFAULT_MIN_OPERATORS}",
        "min_kinds": f"{config.DEFAULT_MIN_KINDS}",
        "tolerance": f"{config.DEFAULT_TOLERANCE_S:g}",
    }
    assert set(found) == set(config.CONSENSUS_KEYS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("timeout = 0", "timeout = 0: allowed is more than 0, up to 300 seconds"),
        ("timeout = 301", "seconds, 0 to 300"),
        ('evidence = "kept"', "the absolute path of a directory"),
        ("[consensus]\nmin_operators = 9", "1 to 1, the number of operators configured"),
        ("[consensus]\ntolerance = 2", "seconds, 0 to 1"),
        (
            "[consensus]\nmin_operator = 3",
            "[consensus]: unknown key 'min_operator' (did you mean min_operators?); allowed: ",
        ),
    ],
)
def test_mistakes_read_as_the_page_has_them(settings: str, said: str) -> None:
    """What is allowed is in the words of the line that refuses."""
    with pytest.raises(ConfigError) as error:
        config.parse(f"{settings}\n{example()}", "my.toml")

    assert said in str(error.value)
    on_page = said.replace("1 to 1, the", "1 to the").strip()
    assert on_page in " ".join(_TEXT.split())


def example() -> str:
    """Return the configuration that the page shows."""
    (text,) = re.findall(r"```toml\n(.*?)```", _TEXT, re.DOTALL)
    return str(text)


def test_the_example_is_a_whole_configuration() -> None:
    """It can be read, and its quorum has shrunk to what is there."""
    found = config.parse(example(), "my.toml")

    assert "1 source, 1 vote" in votes(found)
    assert (found.rule.min_operators, found.rule.min_kinds) == (1, 1)


def test_limits_are_those_of_the_program() -> None:
    """As many sources, and as long a file."""
    assert f"at most {config.MOST_SOURCES}" in _TEXT
    assert config.LONGEST_FILE == 1 << 20
    assert "1 MiB" in _TEXT


def test_every_variable_is_on_the_page() -> None:
    """What the program and its script look up in the environment; none that they do not."""
    files = [
        ROOT / "time-drift.sh",
        *(path for place in ("drift", "sources") for path in (ROOT / place).rglob("*.py")),
    ]
    found = {
        name if name != "PIP_" else "PIP_*"
        for path in files
        for names in _VARIABLE.findall(path.read_text(encoding="utf-8"))
        for name in names
        if name
    }
    table = re.findall(r"^\| (`.+?`) \| .+ \|$", section("Environment variables"), re.MULTILINE)
    explained = {name for cell in table for name in re.findall(r"`(.+?)`", cell)}

    assert explained == found - _INTERNAL


def test_the_page_is_short() -> None:
    """It can be read at one go."""
    assert len(_TEXT.splitlines()) <= _MOST_LINES
