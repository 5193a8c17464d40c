"""What a [[sources.roughtime]] table may hold."""

import pytest

from drift.config import parse
from sources.base import ConfigError
from sources.roughtime.source import PORT, Endpoint, RoughtimeSource
from sources.roughtime.versions import Offer
from sources.roughtime.wire_dialects import Framing
from tests.support.sources.roughtime import D7, D8, D11, D12


def test_twins_are_distinguished_by_host_port_and_key() -> None:
    """Two tables of one server have one endpoint; another key is another server."""

    def endpoint(host: str, port: int, key: bytes) -> str:
        return RoughtimeSource(Endpoint(host, port), key, "Alpha").endpoint

    assert endpoint("Time.Test.", 2002, bytes(32)) == endpoint("time.test", 2002, bytes(32))
    different = {
        endpoint("time.test", 2002, bytes(32)),
        endpoint("time.test", 2003, bytes(32)),
        endpoint("time.test", 2002, b"\1" * 32),
        endpoint("tome.test", 2002, bytes(32)),
    }
    assert len(different) == 4


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("time.test", PORT, "time.test"),
        ("time.test", 2002, "time.test:2002"),
        ("::1", 2002, "[::1]:2002"),
        ("::1", PORT, "::1"),
    ],
)
def test_a_name_has_the_port_unless_it_is_the_usual_one(host: str, port: int, name: str) -> None:
    """5319 is assigned; older servers use 2002."""
    assert RoughtimeSource(Endpoint(host, port), bytes(32), "Alpha").name == name


KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
TABLE = f'[[sources.roughtime]]\nhost = "time.test"\npublic_key = "{KEY}"\n'


@pytest.mark.parametrize(
    ("dialect", "framing", "offer"),
    [
        ("ietf", Framing.IETF, ()),
        ("google", Framing.GOOGLE, ()),
        ("rfc", Framing.IETF, (1,)),
        ("draft-7", Framing.IETF, (D7,)),
        ("draft-8", Framing.IETF, (D8,)),
        ("draft-11", Framing.IETF, (D11,)),
        ("draft-12", Framing.IETF, (D12,)),
    ],
)
def test_a_table_may_name_the_version(dialect: str, framing: Framing, offer: Offer) -> None:
    """Then nothing else is offered."""
    (source,) = parse(TABLE + f'dialect = "{dialect}"\n', "the test").sources

    assert isinstance(source, RoughtimeSource)
    assert (source.framing, source.offer) == (framing, offer)


def test_a_table_needs_a_host_and_a_key() -> None:
    """The rest has defaults."""
    (source,) = parse(TABLE, "the test").sources

    assert isinstance(source, RoughtimeSource)
    assert (source.name, source.operator, source.framing) == (
        "time.test",
        "time.test",
        Framing.IETF,
    )
    assert source.public_key.hex().startswith("03a107bff3ce10be")
    assert not source.precise


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (TABLE.replace(KEY, KEY[:-1]), "public_key"),
        (TABLE.replace(KEY, KEY[:-4]), "public_key"),
        (TABLE.replace(KEY, "03a107bf" * 8), "public_key"),
        (TABLE.replace(KEY, KEY.replace("+", "*").replace("/", "_")), "public_key"),
        (TABLE.replace("public_key", "key"), "key"),
        (TABLE + 'transport = "sctp"\n', "transport"),
        (TABLE + 'dialect = "draft 7"\n', "dialect"),
        (TABLE + "port = 0\n", "port"),
        (TABLE + 'dialect = "google"\ntransport = "tcp"\n', "transport"),
    ],
)
def test_a_table_that_makes_no_sense(table: str, says: str) -> None:
    """Refused, and the key that is wrong is named."""
    with pytest.raises(ConfigError, match=says):
        parse(table, "the test")
