"""What a [[sources.nts]] table may hold."""

import pytest

from drift.config import parse
from sources.base import ConfigError
from sources.nts.source import NtsSource


def test_two_tables_of_one_server_are_twins() -> None:
    """Host and port distinguish servers; the way to write the host does not."""

    def endpoint(host: str, port: int) -> str:
        return NtsSource(host, port, "Alpha", ()).endpoint

    assert endpoint("Time.Test.", 4460) == endpoint("time.test", 4460)
    assert endpoint("time.test", 4460) != endpoint("time.test", 4461)
    assert endpoint("time.test", 4460) != endpoint("tide.test", 4460)


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [("time.test", 4460, "time.test"), ("time.test", 1, "time.test:1"), ("::1", 1, "[::1]:1")],
)
def test_a_name_has_the_port_unless_it_is_the_usual_one(host: str, port: int, name: str) -> None:
    """4460 is assigned."""
    assert NtsSource(host, port, "Alpha", ()).name == name


TABLE = '[[sources.nts]]\nhost = "time.test"\n'


def test_a_table_needs_a_host() -> None:
    """The rest has defaults."""
    (source,) = parse(TABLE, "the test").sources

    assert isinstance(source, NtsSource)
    assert (source.kind, source.name, source.operator) == ("nts", "time.test", "time.test")
    assert (source.cheap, source.precise) == (False, True)
    assert (source._port, source._ca_file) == (4460, None)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[[sources.nts]]\n", "host"),
        (TABLE + "port = 0\n", "port"),
        (TABLE + "port = 65536\n", "port"),
        (TABLE + 'ca_file = "root.pem"\n', "ca_file"),
        (TABLE + 'ca_file = "/nowhere/root.pem"\n', "ca_file"),
        (TABLE + 'url = "https://time.test/"\n', "url"),
    ],
)
def test_a_table_that_makes_no_sense(table: str, says: str) -> None:
    """Refused, and the key that is wrong is named."""
    with pytest.raises(ConfigError, match=says):
        parse(table, "the test")
