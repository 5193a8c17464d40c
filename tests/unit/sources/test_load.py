"""What kinds say of their load: each has a say, and one that has none sends one query."""

from importlib import import_module

import pytest

from drift import config
from sources import kinds
from sources.base import Run, Sample, Source
from sources.clock import NS
from sources.load import Circumstances, sendings, tiers
from sources.net.udp import USUAL, Patience
from tests.conftest import ROOT

SHIPPED = config.load(str(ROOT / "config.toml")).sources


@pytest.mark.parametrize("keeps_state", [True, False])
@pytest.mark.parametrize("kind", kinds())
def test_every_kind_says_what_it_sends(kind: str, *, keeps_state: bool) -> None:
    """Each tier has a name of its own, and the worst is no less than the usual."""
    source = next(source for source in SHIPPED if source.kind == kind)
    given = Circumstances(60, 5 * NS // 2, keeps_state)
    found = tiers(source, given)

    assert found == import_module(f"sources.{kind}.load").tiers(source, given)
    assert found[0].name == kind
    assert len({tier.name for tier in found}) == len(found)
    assert all(0 < tier.usual <= tier.worst for tier in found)
    if source.cheap:
        assert all(tier.is_first for tier in found)


class Plain(Source):
    """Of a package that says nothing of its load."""

    kind = "net"
    cheap = True
    precise = True

    def sample(self, run: Run) -> Sample:
        raise NotImplementedError


def test_a_kind_that_says_nothing_sends_one_query() -> None:
    """So a new kind has a load from its first day."""
    (found,) = tiers(Plain("name", "operator", "endpoint"), Circumstances(60, NS, True))

    assert (found.is_first, found.usual, found.worst) == (True, 1, 1)


@pytest.mark.parametrize(
    ("patience", "within_ns", "sent"),
    [(USUAL, NS, 1), (USUAL, NS + 1, 2), (Patience((NS, NS, NS), NS), 5 * NS // 2, 3)],
)
def test_silence_is_answered_as_often_as_there_is_time(
    patience: Patience, within_ns: int, sent: int
) -> None:
    """One datagram at once, and one after each silence that ends before the deadline."""
    assert sendings(patience, within_ns) == sent
