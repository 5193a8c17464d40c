"""One address, one vote: who is whose double."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.consensus.duplicates import Addresses
from drift.consensus.rule import Answer, Rule
from drift.run.gather import Gathered, gather
from sources.base import Failure, Reason, Sample, Source
from sources.clock import NS
from tests.support.fakes import FakeClock, FakeSource, a_sample

RULE = Rule(2, 1, NS // 50)


def named(operator: str, host: str, literals: tuple[str, ...] = ()) -> Source:
    source = FakeSource(operator, lambda run: a_sample(0, 0, operator))
    source.host, source.literals = host, literals
    return source


@pytest.mark.parametrize(
    ("source", "server"),
    [
        (named("A", "a.example"), "203.0.113.1"),
        (named("A", "a.example"), "::ffff:203.0.113.1"),
    ],
)
def test_another_operators_server_is_a_duplicate(source: Source, server: str) -> None:
    """However the address is written."""
    other = named("B", "b.example")

    addresses = Addresses([other, source])

    assert addresses.claim(0, "203.0.113.1") == ""
    assert addresses.claim(1, server) == f"same address as ntp b ({server})"


@pytest.mark.parametrize(
    ("source", "other", "address"),
    [
        (named("A", "a.example"), named("B", "b.example"), "203.0.113.2"),
        (named("A", "a.example"), named(" a", "b.example"), "203.0.113.1"),
        (named("A", "203.0.113.1"), named("B", "b.example"), "203.0.113.1"),
        (named("A", "a.example"), named("B", "203.0.113.1"), "203.0.113.1"),
        (named("A", "a.example", ("203.0.113.1",)), named("B", "b.example"), "203.0.113.1"),
        (named("A", "a.example"), named("B", "b.example", ("203.0.113.1",)), "203.0.113.1"),
        (named("A", "fe80::1%1"), named("B", "fe80::1%2"), "fe80::1%2"),
    ],
)
def test_others_are_not(source: Source, other: Source, address: str) -> None:
    """Another address, the same operator, or an address that the configuration itself has."""
    addresses = Addresses([other, source])

    assert addresses.claim(0, address) == ""
    assert addresses.claim(1, "203.0.113.1") == ""


X, Y = "203.0.113.1", "203.0.113.2"


def test_an_operator_of_two_sources_keeps_its_address() -> None:
    """Also when its other source has been heard from elsewhere: it loses what it takes."""
    addresses = Addresses([named("B", "b1.test"), named("B", "b2.test"), named("A", "a.test")])

    assert [addresses.claim(0, X), addresses.claim(1, Y)] == ["", ""]
    assert addresses.claim(2, X) == f"same address as ntp b ({X})"


def test_a_pool_that_keeps_an_address_says_nothing_else() -> None:
    """While all that it said came from there; its other sources vote by that address or not."""
    pool = [named("Pool", f"{number}.pool.test") for number in range(3)]
    addresses = Addresses([*pool, named("A", "a.test")])

    assert addresses.claim(0, X) == ""
    assert addresses.claim(3, X) == f"same address as ntp pool ({X})"
    assert addresses.claim(1, Y) == f"its operator has the vote of {X}, and no other"
    assert addresses.claim(2, X) == ""


def test_a_pool_heard_from_elsewhere_keeps_none() -> None:
    """Who comes later has the address then, against others too; what the pool said there stays."""
    pool = [named("Pool", f"{number}.pool.test") for number in range(3)]
    addresses = Addresses([*pool, named("A", "a.test"), named("B", "b.test")])

    assert [addresses.claim(0, X), addresses.claim(1, Y), addresses.claim(3, X)] == ["", "", ""]
    assert addresses.claim(4, X) == f"same address as ntp a ({X})"
    assert addresses.claim(2, X) == f"same address as ntp a ({X})"
    assert addresses.claim(0, X) == ""


def run(answers: Sequence[tuple[str, str, float]], rule: Rule = RULE) -> Gathered:
    """Gather from sources of an operator, an address and a drift each, all reached by name."""
    sources = []
    for operator, server, drift_s in answers:
        sample = a_sample(drift_s, drift_s, operator).replaced(server=server)
        source = FakeSource(operator, lambda _, sample=sample: sample)  # type: ignore[misc]
        source.host = f"{operator.lower()}.example"
        sources.append(source)
    clock = FakeClock(wall_minus_raw_ns=0)
    return gather(sources, rule, clock.raw_ns() + NS, clock, patient=True)


def test_a_portal_has_one_vote() -> None:
    """Three names behind one address against two honest servers: the honest are the majority."""
    found = run(
        [(name, "203.0.113.66", 3600) for name in "LMN"]
        + [("A", "203.0.113.1", 0), ("B", "203.0.113.2", 0)]
    )

    assert isinstance(found.decision, Answer)
    assert found.decision.drift_s == 0
    duplicates = [o for o in found.outcomes if isinstance(o, Failure)]
    assert [o.reason for o in duplicates] == [Reason.DUPLICATE] * 2
    assert all("same address as ntp" in o.message for o in duplicates)
    assert all("203.0.113.66" in o.message for o in duplicates)


def test_alone_it_is_no_quorum() -> None:
    """Three operators behind one address do not make an answer that two have to agree on."""
    found = run([(name, "203.0.113.66", 0) for name in "LMN"])

    assert not isinstance(found.decision, Answer)


@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=9),
    st.lists(st.integers(-3, 3), min_size=5, max_size=5),
    st.randoms(use_true_random=False),
)
def test_one_address_never_has_two_votes(
    behind: list[int], drifts: list[int], mixed: object
) -> None:
    """Whoever leads names to addresses, in whatever order they answer: one vote an address.

    Each address says one thing. Had its names more votes, fewer than half of the addresses could
    settle the integer.
    """
    answers = [(f"O{i}", f"203.0.113.{a + 1}", drifts[a]) for i, a in enumerate(behind)]

    found = run(answers, Rule(1, 1, 0))

    voters = [o for o in found.outcomes if isinstance(o, Sample)]
    assert len({o.server for o in voters}) == len(voters) == len(set(behind))
    if isinstance(found.decision, Answer):
        agreeing = [a for a in set(behind) if drifts[a] == found.decision.drift_s]
        assert 2 * len(agreeing) > len(set(behind))
