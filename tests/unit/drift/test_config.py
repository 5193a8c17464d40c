"""config.toml: the shipped one holds together, and every mistake is named with its remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift import config
from drift.consensus.rule import Rule
from sources.base import ConfigError
from sources.clock import NS
from tests.conftest import ROOT

ONE = '[[sources.ntp]]\nhost = "192.0.2.1"\n'
THREE = "".join(
    f'[[sources.ntp]]\nhost = "192.0.2.{n}"\noperator = "{name}"\n'
    for n, name in enumerate(["Alpha", "Bravo", "Charlie"], start=1)
)

ROUGHTIME = f"""[[sources.roughtime]]
host = "roughtime.test"
public_key = "{"A" * 43}="
"""


def parsed(text: str) -> config.Config:
    return config.parse(text, "here.toml")


def test_the_shipped_configuration_loads() -> None:
    """config.toml has four kinds and eight operators or more, most of them with precise sources."""
    shipped = config.load(str(ROOT / "config.toml"))

    operators = {source.operator for source in shipped.sources}
    assert len({(source.operator, source.kind) for source in shipped.sources}) == len(
        shipped.sources
    )
    assert {source.kind for source in shipped.sources} >= {"ntp", "nts", "roughtime", "https"}
    assert len({s.operator for s in shipped.sources if s.precise}) > len(operators) / 2 >= 4
    assert shipped.timeout_ns == 2.5 * NS
    assert (shipped.rule.min_operators, shipped.rule.min_kinds) == (3, 2)
    assert not any("." in operator for operator in operators - {"NTP.br", "roughtime.se"})


def test_defaults_shrink_to_what_is_configured() -> None:
    """A lone server needs one operator of one kind; three sources need three of one kind."""
    assert parsed(ONE).rule == Rule(1, 1, NS // 50)
    assert parsed(THREE).rule == Rule(3, 1, NS // 50)


def test_the_operator_defaults_to_the_host() -> None:
    """A source without an operator votes under its host's name."""
    (source,) = parsed(ONE).sources

    assert source.operator == "192.0.2.1"


def test_a_pool_is_so_many_sources_of_one_operator() -> None:
    """pool = 4 asks four addresses, which have one vote together."""
    pool = parsed('[[sources.ntp]]\nhost = "pool.example"\npool = 4\noperator = "Pool"\n')

    assert [source.name for source in pool.sources] == [f"pool.example #{n}" for n in range(1, 5)]
    assert {source.operator for source in pool.sources} == {"Pool"}
    assert pool.rule.min_operators == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('evidence = "here"\n' + ONE, "evidence = 'here': allowed is the absolute path of a"),
        ("evidence = 1\n" + ONE, "evidence = 1: allowed is the absolute path of a directory"),
        (ROUGHTIME.replace("AAA", "AA"), "public_key = .*: allowed is the base64 of the server's"),
        (ROUGHTIME + 'transport = "quic"\n', 'allowed is "auto" or "udp" or "tcp"'),
        (ROUGHTIME + 'transport = "tcp"\ndialect = "google"\n', 'allowed is "udp" with dialect'),
        ("[[sources.roughtime]]\nhost = 'a.test'\n", "public_key is missing"),
        ("", "no sources"),
        ("timeout = 1\n", "no sources"),
        ("sources = 3\n", r"sources = 3: allowed is tables: \[\[sources.ntp\]\]"),
        ("[sources]\nntp = []\n", "sources.ntp is empty"),
        ('[sources.ntp]\nhost = "a"\n', r"sources.ntp = .*allowed is an array of tables: \[\["),
        ("[sources]\nntp = [1]\n", "allowed is an array of tables"),
        ("timeuot = 1\n" + ONE, r"top level: unknown key 'timeuot' \(did you mean timeout\?\)"),
        ("x = 1\n" + ONE, "unknown key 'x'; allowed: timeout, evidence, state, consensus, sources"),
        ('[[sources.htps]]\nurl = "x"\n', "sources: unknown key 'htps'"),
        ('[[sources.ntpp]]\nhost = "x"\n', r"unknown key 'ntpp' \(did you mean ntp\?\)"),
        ('[[sources.npt]]\nhost = "x"\n', r"unknown key 'npt' \(did you mean ntp\?\)"),
        ("[consensus]\nmin_operator = 1\n" + ONE, r"\[consensus\]: .*did you mean min_operators"),
        ("consensus = 1\n" + ONE, r"consensus = 1: allowed is a table: \[consensus\]"),
        ("timeout = nan\n" + ONE, "timeout = nan: allowed is seconds, 0 to 300"),
        ("timeout = inf\n" + ONE, "timeout = inf: allowed"),
        ("timeout = 1e400\n" + ONE, "timeout = inf: allowed"),
        (f"timeout = 1{'0' * 400}\n" + ONE, r"timeout = 1000.*\.\.\.: allowed"),
        ("timeout = -1\n" + ONE, "timeout = -1: allowed"),
        ("timeout = 0\n" + ONE, "timeout = 0: allowed is more than 0"),
        ("timeout = 301\n" + ONE, "timeout = 301: allowed"),
        ('timeout = "2.5"\n' + ONE, "timeout = '2.5': allowed"),
        ("timeout = true\n" + ONE, "timeout = True: allowed"),
        ("timeout = 1979-05-27\n" + ONE, "timeout = datetime.date.*: allowed"),
        ("[consensus]\ntolerance = -0.1\n" + ONE, r"\[consensus\] tolerance = -0.1: allowed"),
        ("[consensus]\ntolerance = 2\n" + ONE, r"\[consensus\] tolerance = 2: allowed"),
        ("[consensus]\nmin_operators = 0\n" + THREE, "min_operators = 0: allowed is 1 to 3"),
        ("[consensus]\nmin_operators = 4\n" + THREE, "= 4: allowed is 1 to 3, the number of op"),
        ("[consensus]\nmin_operators = 1.5\n" + THREE, "min_operators = 1.5: allowed"),
        ("[consensus]\nmin_operators = true\n" + THREE, "min_operators = True: allowed"),
        ("[consensus]\nmin_kinds = 2\n" + THREE, "min_kinds = 2: allowed is 1 to 1"),
        ("[[sources.ntp]]\n", r"\[\[sources.ntp\]\] number 1: host is missing: a host name"),
        ('[[sources.ntp]]\nhost = ""\n', "host = '': allowed is a host name or address"),
        ('[[sources.ntp]]\nhost = "a b"\n', "host = 'a b': allowed"),
        ('[[sources.ntp]]\nhost = "ntp://a"\n', "host = 'ntp://a': allowed"),
        ('[[sources.ntp]]\nhost = "a:123"\n', "host = 'a:123': allowed"),
        ('[[sources.ntp]]\nhost = "[::1]"\n', "allowed"),
        ('[[sources.ntp]]\nhost = "a..b"\n', "allowed"),
        (f'[[sources.ntp]]\nhost = "{"a" * 64}.b"\n', "allowed"),
        (f'[[sources.ntp]]\nhost = "{"a." * 200}b"\n', "allowed"),
        ('[[sources.ntp]]\nhost = "a\\nb"\n', r"host = 'a\\nb': allowed"),
        ("[[sources.ntp]]\nhost = 5\n", "host = 5: allowed"),
        (ONE + "port = 0\n", "port = 0: allowed is a port, 1 to 65535"),
        (ONE + "port = 65536\n", "port = 65536: allowed"),
        (ONE + 'port = "123"\n', "port = '123': allowed"),
        (ONE + "port = true\n", "port = True: allowed"),
        (ONE + "pool = 0\n", "pool = 0: allowed is the number of addresses"),
        (ONE + "pool = 17\n", "pool = 17: allowed"),
        (ONE + 'operator = " "\n', "operator = ' ': allowed is the name of who runs"),
        (ONE + 'operator = "a\\u001b[2J"\n', "operator = .*allowed"),
        (f"timeout = {'9' * 5000}\n" + ONE, "not valid TOML"),
        (f"timeout = 0x{'f' * 5000}\n" + ONE, "timeout = a number of thousands of digits: allowed"),
        (f"{ONE}port = 0x{'f' * 5000}\n", "port = a number of thousands of digits: allowed"),
        ('[[sources.ntp]]\nhost = "fe80::1%"\n', "allowed is a host name or address"),
        (f'[[sources.ntp]]\nhost = "fe80::1%{"é" * 60}"\n', "allowed is a host name or address"),
        (ONE + "pool = 3\n", "number 1: pool = 3: allowed is 1, because 192.0.2.1 is one address"),
        (ONE + "prot = 5\n", r"\[\[sources.ntp\]\] number 1: unknown key 'prot' \(did you mean po"),
        (ONE + 'addresses = "192.0.2.1"\n', "addresses = '192.0.2.1': allowed is a list"),
        (ONE + "addresses = []\n", r"addresses = \[\]: allowed"),
        (ONE + 'addresses = ["a.example"]\n', "addresses = .*allowed is a list of addresses"),
        (ONE + "addresses = [1]\n", "addresses = .*allowed"),
        (
            ONE + ONE,
            r"\[\[sources.ntp\]\] number 2: 192.0.2.1 stands in \[\[sources.ntp\]\] number",
        ),
        (ONE + ONE + 'operator = "Other"\n', "stands in"),
        (
            ONE.replace("192.0.2.1", "A.example") + ONE.replace("192.0.2.1", "a.EXAMPLE."),
            "stands in",
        ),
        (ONE.replace("192.0.2.1", "::1") + ONE.replace("192.0.2.1", "0:0::1"), "stands in"),
        (ONE.replace("192.0.2.1", "a") + "pool = 2\n" + ONE.replace("192.0.2.1", "a"), "stands in"),
        ("a = [\n" * 3000, "not valid TOML"),
        ("timeout = \n", r"not valid TOML: .*line 1"),
        (ONE + "[[sources.ntp]\n", "not valid TOML: .*line 3"),
    ],
)
def test_a_mistake_is_named(text: str, says: str) -> None:
    """Each mistake names the file, the table or key, what was found, and what is allowed."""
    with pytest.raises(ConfigError, match=says) as error:
        parsed(text)

    assert str(error.value).startswith("here.toml: ")
    assert "\n" not in str(error.value)


def test_too_many_sources_are_refused() -> None:
    """Five hundred sources are allowed, one more is not."""
    many = [f'[[sources.ntp]]\nhost = "n{n}.example"\n' for n in range(501)]

    assert len(parsed("".join(many[:500])).sources) == 500
    with pytest.raises(ConfigError, match="501 sources: at most 500"):
        parsed("".join(many))


@pytest.mark.parametrize(
    "host", ["a", "a.example", "a.example.", "192.0.2.1", "2001:db8::1", "fe80::1%lo", "a-b_c.d1"]
)
def test_hosts_that_are_allowed(host: str) -> None:
    """Names, addresses of both families and zones are hosts."""
    assert parsed(f'[[sources.ntp]]\nhost = "{host}"\n').sources


def test_operators_compare_case_folded() -> None:
    """Two spellings of one operator count once when a default shrinks."""
    two = ONE + 'operator = "Apple"\n' + ONE.replace("2.1", "2.2") + 'operator = " apple "\n'

    assert parsed(two).rule.min_operators == 1


@given(st.text())
def test_any_text_is_a_configuration_or_a_named_mistake(text: str) -> None:
    """Arbitrary text never ends in anything but a Config or a ConfigError."""
    try:
        parsed(text)
    except ConfigError as error:
        assert str(error)


keys = st.sampled_from(["host", "port", "pool", "operator", "addresses", "hots", "x"])
values = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=8),
    st.lists(st.text(max_size=8), max_size=2),
)


@given(st.dictionaries(keys, values, max_size=5))
def test_any_table_is_a_source_or_a_named_mistake(table: dict[str, object]) -> None:
    """Values of any type under any key end in sources or in a ConfigError."""
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
    try:
        parsed("[[sources.ntp]]\n" + "\n".join(lines))
    except ConfigError as error:
        assert "here.toml: " in str(error)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value if _scalar(letter)) + '"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)


def _scalar(letter: str) -> bool:
    return not 0xD800 <= ord(letter) <= 0xDFFF


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing file, a directory and a file that is not UTF-8 say so."""
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# \xe4\n" + ONE.encode())

    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        config.load(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(str(tmp_path))
    with pytest.raises(ConfigError, match="byte 2: not UTF-8"):
        config.load(str(latin))
    with pytest.raises(ConfigError, match=r"longer than \d+ bytes"):
        config.load("/dev/zero")
    with pytest.raises(ConfigError, match=r"^\.\.\..{150}: cannot be read"):
        config.load(f"/{'x' * 2000}")


def test_a_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    """Editors that write a BOM do no harm."""
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.encode())

    assert config.load(str(path)).sources


def test_where_the_configuration_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config wins over the variable, the variable over the file beside the script."""
    monkeypatch.delenv("TIME_DRIFT_CONFIG", raising=False)
    assert config.find(None) == str(ROOT / "config.toml")

    monkeypatch.setenv("TIME_DRIFT_CONFIG", str(tmp_path / "variable.toml"))
    assert config.find(None) == str(tmp_path / "variable.toml")
    assert config.find("named.toml") == "named.toml"


@pytest.mark.parametrize("kind", ["ntp", "nts", "roughtime"])
@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("a.example:123", 'host = "a.example", port = 123'),
        ("192.0.2.1:4460", 'host = "192.0.2.1", port = 4460'),
        ("[2001:db8::1]:2002", 'host = "2001:db8::1", port = 2002'),
    ],
)
def test_a_port_in_the_host_is_shown_its_key(kind: str, host: str, hint: str) -> None:
    """Most other programs take host:port; here the line says where the port goes."""
    key = f'public_key = "{"A" * 43}="\n' if kind == "roughtime" else ""

    with pytest.raises(ConfigError) as caught:
        parsed(f'[[sources.{kind}]]\nhost = "{host}"\n{key}')

    assert f"host = {host!r}" in str(caught.value)
    assert str(caught.value).endswith(f"; a port has a key of its own: {hint}")


@pytest.mark.parametrize("host", ["a b", "a.example:", ":123", "a:b:1", "x" * 70 + ":1"])
def test_another_wrong_host_is_shown_no_port(host: str) -> None:
    """The hint is there where it helps, and nowhere else."""
    with pytest.raises(ConfigError) as caught:
        parsed(f'[[sources.ntp]]\nhost = "{host}"\n')

    assert "a key of its own" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "STRASSE.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("βόλοσ.example", "xn--nxasmq6b.example"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", "xn--mgba3gch31f060k.example"),
        ("bücher\uff0eexample", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example."),
        ("日本語.example", "xn--wgv71a119e.example"),
    ],
)
def test_names_in_other_scripts_are_asked_for_by_idna_2008(written: str, asked: str) -> None:
    """Sharp s and final sigma are letters of their own: another name is somebody else's server."""
    tables = (
        f'[[sources.ntp]]\nhost = "{written}"\n[[sources.nts]]\nhost = "{written}"\n'
        f'[[sources.roughtime]]\nhost = "{written}"\n'
        'public_key = "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE="\n'
        f'[[sources.https]]\nurl = "https://{written}/"\n'
    )

    assert [source.host for source in config.parse(tables, "x").sources] == [asked] * 4


@pytest.mark.parametrize(
    "name",
    [
        "\u200d.example",
        "a\u200cb.example",
        "☃\ufe0f..example",
        "ab--ü.example",
        "-ü.example",
        "\u0301a.example",
        "ü" * 60 + ".example",
    ],
)
@pytest.mark.parametrize("key", ["host", "url"])
def test_what_idna_2008_refuses_is_an_error(name: str, key: str) -> None:
    """The line says what was found, and why no name can be so."""
    kind, value = ("ntp", name) if key == "host" else ("https", f"https://{name}/")
    with pytest.raises(ConfigError, match=r"number 1: (host|url) = .*allowed is"):
        config.parse(f'[[sources.{kind}]]\n{key} = "{value}"\n', "x")
