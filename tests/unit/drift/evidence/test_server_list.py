"""Server lists as tables: what is usable comes out, what is not says why, and it is always TOML."""

import base64
import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config import parse
from drift.evidence.server_list import Unreadable, tables
from sources.record import Record
from sources.roughtime.source import RoughtimeSource
from sources.roughtime.wire_dialects import Framing

EXAMPLE = """
{
  "servers": [
    {
      "name": "example.com Roughtime server",
      "version": 1,
      "publicKeyType": "ed25519",
      "publicKey": "2O3mkkheDExCuhG+ZNIoWmO/IdCdLzADgUn8SnC4hME=",
      "addresses": [
        {
          "protocol": "udp",
          "address": "roughtime.example.com:2002"
        },
        {
          "protocol": "tcp",
          "address": "roughtime.example.com:2002"
        }
      ]
    },
    {
      "name": "A UDP-only server specified with IP addresses",
      "version": 1,
      "publicKeyType": "ed25519",
      "publicKey": "ZYfeGa94YuG1IZrV3kR9+8/nmZ2lX2XyHmiSb+wI0OY=",
      "addresses": [
        {
          "protocol": "udp",
          "address": "192.0.2.33:2002"
        },
        {
          "protocol": "udp",
          "address": "[2001:db8::2:33]:2002"
        }
      ]
    }
  ],
  "sources": [
    "https://www.example.net/roughtime/ecosystem.json",
    "https://www.example.org/roughtime/ecosystem.json"
  ],
  "reports":  "https://www.example.net/roughtime/malfeasance"
}
"""
"""Appendix A of draft-ietf-ntp-roughtime-19, later RFC 10049."""

KEY = "2O3mkkheDExCuhG+ZNIoWmO/IdCdLzADgUn8SnC4hME="
OTHER_KEY = "ZYfeGa94YuG1IZrV3kR9+8/nmZ2lX2XyHmiSb+wI0OY="


class Found(Record):
    """What a table of the result says, as the program reads it."""

    host: str
    port: int
    operator: str
    key: str
    transport: str
    framing: Framing


def found_in(text: str) -> list[Found]:
    """Return what the tables say; they are all that the configuration is made of."""
    found = []
    for source in parse(text, "the tables").sources:
        assert isinstance(source, RoughtimeSource)
        found.append(
            Found(
                source._endpoint.host,
                source._endpoint.port,
                source.operator,
                base64.b64encode(source.public_key).decode(),
                source.transport,
                source.framing,
            )
        )
    return found


def server(**values: object) -> dict[str, object]:
    """Return a server of a list, with these values in place of usual ones."""
    usual: dict[str, object] = {
        "name": "a server",
        "version": 1,
        "publicKeyType": "ed25519",
        "publicKey": KEY,
        "addresses": [{"protocol": "udp", "address": "one.example:2002"}],
    }
    return usual | values


GOOD = server(
    name="good", publicKey=OTHER_KEY, addresses=[{"protocol": "udp", "address": "good.example:1"}]
)


def listed(*servers: object) -> str:
    return json.dumps({"servers": servers})


def udp(*addresses: object, protocol: object = "udp") -> list[dict[str, object]]:
    return [{"protocol": protocol, "address": address} for address in addresses]


# --- What is usable -------------------------------------------------------------------------------


def test_the_example_of_the_rfc() -> None:
    """One table a host and port, by both transports where both are listed."""
    found = found_in(tables(EXAMPLE))

    first, second = "example.com Roughtime server", "A UDP-only server specified with IP addresses"
    assert found == [
        Found("roughtime.example.com", 2002, first, KEY, "auto", Framing.IETF),
        Found("192.0.2.33", 2002, second, OTHER_KEY, "udp", Framing.IETF),
        Found("2001:db8::2:33", 2002, second, OTHER_KEY, "udp", Framing.IETF),
    ]


def test_a_list_of_the_older_format() -> None:
    """ecosystem.json: the version is a word, and Google's is another dialect."""
    old = {
        "servers": [
            {
                "name": "Ours",
                "version": "IETF-Roughtime",
                "publicKeyType": "ed25519",
                "publicKey": KEY,
                "addresses": udp("ours.example:2003"),
            },
            {
                "name": "Theirs",
                "version": "Google-Roughtime",
                "publicKeyType": "ed25519",
                "publicKey": OTHER_KEY,
                "addresses": udp("theirs.example:2002"),
            },
        ]
    }

    found = found_in(tables(json.dumps(old)))

    assert found == [
        Found("ours.example", 2003, "Ours", KEY, "udp", Framing.IETF),
        Found("theirs.example", 2002, "Theirs", OTHER_KEY, "udp", Framing.GOOGLE),
    ]


@pytest.mark.parametrize(
    ("version", "framing"),
    [
        (1, Framing.IETF),
        (2, Framing.IETF),
        (0x8000_000C, Framing.IETF),
        ("IETF-Roughtime", Framing.IETF),
        (None, Framing.IETF),
        (3_000_600_613, Framing.GOOGLE),
        ("Google-Roughtime", Framing.GOOGLE),
    ],
)
def test_the_version_says_the_dialect(version: object, framing: Framing) -> None:
    """Google's dialect has a number and a word; all else is for the IETF's request."""
    assert [found.framing for found in found_in(tables(listed(server(version=version))))] == [
        framing
    ]


@pytest.mark.parametrize(
    ("protocols", "transport"),
    [(["udp"], "udp"), (["tcp"], "tcp"), (["tcp", "udp"], "auto"), (["udp", "tls"], "udp")],
)
def test_protocols_say_the_transport(protocols: list[str], transport: str) -> None:
    """Both are "auto"; what we do not speak is no address."""
    addresses = [{"protocol": protocol, "address": "one.example:2002"} for protocol in protocols]

    found = found_in(tables(listed(server(addresses=addresses))))

    assert [(one.host, one.transport) for one in found] == [("one.example", transport)]


def test_the_same_host_at_two_ports_is_two_tables() -> None:
    """Each with its own transport."""
    addresses = udp("one.example:2002") + udp("one.example:2003", protocol="tcp")

    found = found_in(tables(listed(server(addresses=addresses))))

    assert [(one.port, one.transport) for one in found] == [(2002, "udp"), (2003, "tcp")]


@pytest.mark.parametrize("port", [1, 65_535])
def test_the_first_and_the_last_port(port: int) -> None:
    """The bounds are ports still."""
    found = found_in(tables(listed(server(addresses=udp(f"[::1]:{port}")))))

    assert [(one.host, one.port) for one in found] == [("::1", port)]


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ('the "best" server', 'the "best" server'),
        ("it's \\n no newline", "it's \\n no newline"),
        ("two\nlines\r\n[[sources.ntp]]", "twolines[[sources.ntp]]"),
        ("tab\tand \x00 and \x7f", "taband  and"),
        ("Zeit für \u65e5\u672c", "Zeit für \u65e5\u672c"),
        ("clock \U0001f552", "clock \U0001f552"),
        ("half \ud83d a clock", "half  a clock"),
        ("right to left \u202e txt", "right to left  txt"),
        ("# no comment", "# no comment"),
        ("'''", "'''"),
    ],
)
def test_any_name_is_an_operator(name: str, operator: str) -> None:
    """Quotes, newlines and letters of all scripts stay inside of the string; controls go."""
    found = found_in(tables(listed(server(name=name), GOOD)))

    assert [one.operator for one in found] == [operator, "good"]


@pytest.mark.parametrize("name", [None, 7, "", "  ", "\n", "\x00", " \u200b ", ["a"]], ids=repr)
def test_without_a_name_the_host_stands_for_the_operator(name: object) -> None:
    """Also where nothing of the name can be shown."""
    found = found_in(tables(listed(server(name=name), GOOD)))

    assert [one.operator for one in found] == ["one.example", "good"]


def test_a_name_too_long_for_an_operator_costs_no_server() -> None:
    """config.toml takes 253 letters; a list may have more."""
    found = found_in(tables(listed(server(name="x" * 300), GOOD)))

    assert [one.host for one in found] == ["one.example", "good.example"]


# --- What is left out -----------------------------------------------------------------------------

LEFT_OUT: dict[str, tuple[object, str]] = {
    "another type of key": (server(publicKeyType="rsa"), "publicKeyType 'rsa': ed25519 wanted"),
    "no type of key": (server(publicKeyType=None), "publicKeyType None: ed25519 wanted"),
    "a type with a newline": (server(publicKeyType="a\n[[b]]"), "ed25519 wanted"),
    "a short key": (server(publicKey=KEY[:-4]), "publicKey is not the base64 of 32 bytes"),
    "a long key": (server(publicKey="AAAA" + KEY), "publicKey is not the base64 of 32 bytes"),
    "a key cut off": (server(publicKey=KEY[:-2]), "publicKey is not the base64 of 32 bytes"),
    "a key in hex": (server(publicKey="00" * 32), "publicKey is not the base64 of 32 bytes"),
    "a key with a newline": (server(publicKey=KEY + "\n"), "publicKey is not the base64"),
    "a key that is a number": (server(publicKey=7), "publicKey is not the base64 of 32 bytes"),
    "a key beyond ASCII": (server(publicKey="ä" * 44), ""),
    "no key": (server(publicKey=None), "publicKey is not the base64 of 32 bytes"),
    "no addresses": (server(addresses=[]), "no udp or tcp address"),
    "addresses that are text": (server(addresses="one.example:2002"), "no udp or tcp address"),
    "addresses that are none": (server(addresses=[None, 1, "a:1"]), "no udp or tcp address"),
    "an address by TLS": (
        server(addresses=udp("one.example:2002", protocol="tls")),
        "no udp or tcp address",
    ),
    "a protocol that is a list": (
        server(addresses=udp("one.example:2002", protocol=["udp"])),
        "no udp or tcp address",
    ),
    "an address without a port": (server(addresses=udp("one.example")), "no udp or tcp address"),
    "an address without a host": (server(addresses=udp(":2002")), "no udp or tcp address"),
    "an address that is a number": (server(addresses=udp(2002)), "no udp or tcp address"),
    "port 0": (server(addresses=udp("one.example:0")), "no udp or tcp address"),
    "port 65536": (server(addresses=udp("one.example:65536")), "no udp or tcp address"),
    "port 70000": (server(addresses=udp("one.example:70000")), "no udp or tcp address"),
    "port -1": (server(addresses=udp("one.example:-1")), "no udp or tcp address"),
    "a port that is a word": (server(addresses=udp("one.example:ntp")), "no udp or tcp address"),
    "a port of Arabic digits": (server(addresses=udp("one.example:٢٠٠٢")), "no udp or tcp"),
    "an object that is text": ("one.example:2002", "not an object"),
    "an object that is nothing": (None, "not an object"),
    "an object that is a list": ([server()], "not an object"),
}
"""A server that cannot be used, and what the comment in its place says."""


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_cannot_be_used_is_left_out_and_said_so(name: str) -> None:
    """A comment of one line in its place says which and why; what stands around it stays."""
    bad, why = LEFT_OUT[name]

    text = tables(listed(bad, GOOD))

    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comments) == 1
    assert " is left out: " in comments[0]
    assert why in comments[0]
    assert ('"a server"' in comments[0]) == isinstance(bad, dict)
    assert [one.host for one in found_in(text)] == ["good.example"]


def test_a_server_without_a_name_is_left_out_by_its_number() -> None:
    """Counted from 1."""
    text = tables(listed(GOOD, server(name=None, publicKey="")))

    assert "# server number 2 is left out: " in text


def test_a_bad_address_does_not_cost_the_good_one() -> None:
    """Of a server's addresses those that can be used stay."""
    addresses = udp("one.example:0", "one.example:70000", "two.example:2", "three.example:x")

    found = found_in(tables(listed(server(addresses=addresses))))

    assert [one.host for one in found] == ["two.example"]


def test_where_nothing_can_be_used_there_are_only_comments() -> None:
    """No table, one comment each."""
    text = tables(listed(None, server(publicKeyType="rsa")))

    assert tomllib.loads(text) == {}
    assert text.count("is left out") == 2


@pytest.mark.parametrize(
    "host", ["one example", "one..example", "a/b", "one\nexample", "", "::1::2", "x" * 300, "[]"]
)
def test_a_host_that_no_configuration_takes_is_left_out(host: str) -> None:
    """It costs neither its neighbours, nor is it quietly made another host."""
    found = found_in(tables(listed(server(addresses=udp(f"{host}:2002")), GOOD)))

    assert [one.host for one in found] == ["good.example"]


def test_googles_dialect_by_tcp_alone_is_left_out() -> None:
    """There is no such thing, and config.toml does not take it."""
    bad = server(version=3_000_600_613, addresses=udp("one.example:2002", protocol="tcp"))

    found = found_in(tables(listed(bad, GOOD)))

    assert [one.host for one in found] == ["good.example"]


def test_a_server_listed_twice_comes_out_once() -> None:
    """config.toml takes each source once only."""
    found = found_in(tables(listed(server(), server(name="again"), GOOD)))

    assert [one.host for one in found] == ["one.example", "good.example"]


def test_a_port_of_thousands_of_digits_does_not_cost_the_good_address() -> None:
    """Numbers beyond what int() reads are no ports, and that is all."""
    addresses = udp("one.example:" + "1" * 5000, "two.example:2")

    found = found_in(tables(listed(server(addresses=addresses), GOOD)))

    assert [one.host for one in found] == ["two.example", "good.example"]


# --- What is no list ------------------------------------------------------------------------------

NO_LISTS = {
    "nothing": ("", "not JSON: "),
    "TOML": ("[[sources.roughtime]]", "not JSON: "),
    "cut off": (EXAMPLE[:-3], "not JSON: "),
    "too deep": ("[" * 100_000, "not JSON: "),
    "a number of too many digits": ('{"servers": [' + "1" * 5000 + "]}", "not JSON: "),
    "a list": ("[]", 'no list "servers"'),
    "null": ("null", 'no list "servers"'),
    "no servers": ("{}", 'no list "servers"'),
    "an empty list": ('{"servers": []}', 'no list "servers"'),
    "an object of servers": (json.dumps({"servers": {"one": GOOD}}), 'no list "servers"'),
    "a report": ('{"responses": [{}]}', 'no list "servers"'),
}
"""What is no server list, and what is said of it."""


@pytest.mark.parametrize("name", NO_LISTS)
def test_what_is_no_list_is_unreadable(name: str) -> None:
    """The error says what was found, and what is wanted."""
    text, begins = NO_LISTS[name]

    with pytest.raises(Unreadable) as caught:
        tables(text)

    assert str(caught.value).startswith(begins)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
addresses = st.fixed_dictionaries(
    {},
    optional={
        "protocol": st.sampled_from(["udp", "tcp", "tls"]) | values,
        "address": st.builds("{}:{}".format, st.text(), st.integers() | st.text()) | values,
    },
)
servers = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text() | values,
        "version": st.sampled_from([1, 3_000_600_613, "Google-Roughtime"]) | values,
        "publicKeyType": st.just("ed25519") | values,
        "publicKey": st.sampled_from([KEY, OTHER_KEY]) | values,
        "addresses": st.lists(addresses | values, max_size=3) | values,
    },
)


@given(st.text() | values.map(json.dumps))
def test_any_json_is_a_list_or_unreadable(text: str) -> None:
    """Arbitrary text and arbitrary JSON never raise anything else."""
    try:
        tomllib.loads(tables(text))
    except Unreadable as error:
        assert str(error)


@given(st.lists(servers | values, min_size=1, max_size=3))
def test_what_comes_out_is_always_toml(found: list[Any]) -> None:
    """Whatever a list holds, what is printed is TOML, and nothing but tables of this kind."""
    tree = tomllib.loads(tables(listed(*found)))

    assert set(tree) <= {"sources"}
    assert set(tree.get("sources", {})) <= {"roughtime"}
    for table in tree.get("sources", {}).get("roughtime", []):
        assert table["public_key"] in (KEY, OTHER_KEY)
        assert 0 < table["port"] < 65_536


@given(st.text(), st.text())
def test_any_name_and_host_are_toml(name: str, host: str) -> None:
    """Texts of others cannot break out of their strings, nor out of a comment."""
    bad_key = server(name=name, publicKey="")
    text = tables(listed(server(name=name, addresses=udp(f"{host}:2002")), bad_key, GOOD))

    found = tomllib.loads(text)["sources"]["roughtime"]

    assert found[-1]["host"] == "good.example"
    assert len(found) <= 2
