"""What operators publish: found by host, each with its source."""

import pytest

from drift import config
from drift.load.limits import limit_of, was_looked_up
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("host", "queries", "in_s"),
    [
        ("time.nist.gov", 1, 4),
        ("TIME-A-G.NIST.GOV.", 1, 4),
        ("ntp.nict.jp", 20, 3600),
        ("2.vendor.pool.ntp.org", 1, 1800),
        ("api.github.com", 60, 3600),
        ("acme-v02.api.letsencrypt.org", 40, 1),
    ],
)
def test_a_limit_is_found_by_the_host(host: str, queries: int, in_s: int) -> None:
    """Whatever the operator is called: a host's own, or that of the domain that it is in."""
    limit = limit_of(host)

    assert limit is not None
    assert (limit.queries, limit.in_s) == (queries, in_s)
    assert limit.where


@pytest.mark.parametrize(
    "host", ["notnist.gov", "nist.gov.example", "192.0.2.1", "gov", "github.com"]
)
def test_other_hosts_have_none(host: str) -> None:
    """A name that only looks alike, or is above, is not theirs."""
    assert limit_of(host) is None
    assert not was_looked_up(host)


def test_every_shipped_source_was_looked_up() -> None:
    """Who adds one to config.toml looks up what its operator publishes."""
    shipped = config.load(str(ROOT / "config.toml"))

    assert [source.host for source in shipped.sources if not was_looked_up(source.host)] == []
