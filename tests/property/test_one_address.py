"""One address, one vote: whoever leads names to addresses, in whatever order they answer.

Sources are drawn with the address that their name leads to. What comes from one address is what
the server there says, so an honest server's address is honest whoever's name leads to it.
"""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.consensus.duplicates import Addresses
from drift.consensus.rule import Answer, Rule, operator_key, settle
from sources.base import Failure, Interval, Outcome, Pending, Reason, Sample, Source
from sources.clock import NS
from sources.record import Record
from tests.support.fakes import FakeSource
from tests.support.strategies import ANY_MAJORITY, KINDS, anywhere, honest, points_ns, rules, sample

thorough = settings(max_examples=200, deadline=None)
_TRUE, _FALSE = Interval(0, 0), Interval(9 * NS, 9 * NS)


class Answering(Record):
    """A source, and what comes of asking it."""

    source: Source
    sample: Sample


def source_of(operator: str, kind: str, literals: tuple[str, ...] = ()) -> Source:
    source = FakeSource(operator, lambda run: run.addresses("", ()))  # type: ignore[arg-type, return-value]
    source.kind = kind  # type: ignore[misc]
    source.host, source.literals = f"{operator}.example", literals
    return source


def taken_in(answering: Sequence[Answering]) -> list[Outcome]:
    """Return the outcomes of sources that have answered in this order."""
    addresses = Addresses([each.source for each in answering])
    return [claimed(addresses, index, each) for index, each in enumerate(answering)]


def claimed(addresses: Addresses, index: int, each: Answering) -> Outcome:
    """Return what a gathering makes of an answer."""
    why = addresses.claim(index, each.sample.server)
    if why:
        return Failure(each.source.operator, each.source.kind, Reason.DUPLICATE, why)
    return each.sample


@st.composite
def answers(draw: st.DrawFn, operator: str, server: str, said: Sample) -> Answering:
    """Draw a source of any kind that is answered by this server, whatever its name is."""
    kind = draw(st.sampled_from(KINDS))
    sample = said.replaced(operator=operator, kind=kind, server=server)
    return Answering(source_of(operator, kind), sample)


@st.composite
def captured(draw: st.DrawFn) -> list[Answering]:
    """Draw operators of one to four sources each, all of whose names lead to one address."""
    found = []
    for number in range(draw(st.integers(2, 6))):
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
            said = draw(anywhere("", "ntp"))
            found.append(draw(answers(f"o{number}", "203.0.113.66", said)))
    return draw(st.permutations(found))


@thorough
@given(captured())
def test_all_that_is_behind_one_address_has_one_vote(behind: list[Answering]) -> None:
    """Of operators whose names all lead to one address the first to answer votes, and no other."""
    outcomes = taken_in(behind)

    voting = {o.operator for o in outcomes if isinstance(o, Sample)}
    assert voting == {behind[0].source.operator}
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            assert outcome.reason is Reason.DUPLICATE
            assert outcome.message.startswith("same address as ")
            assert f" {behind[0].source.name} (203.0.113.66)" in outcome.message


@st.composite
def led_astray(draw: st.DrawFn) -> tuple[int, list[Sample], list[Answering]]:
    """Draw the truth, what honest servers say, and all that answer, most operators being honest.

    A liar's names lead to a liars' server, or to those of honest operators, so as to have their
    addresses before they do: as many as may be, and often in the order that serves liars best.
    """
    truth_ns = draw(points_ns)
    honest_operators = draw(st.integers(1, 5))
    truthful: list[Sample] = []
    found: dict[str, list[Answering]] = {"stolen": [], "honest": [], "lies": []}
    for number in range(honest_operators):
        for place in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            said = draw(honest("", "ntp", truth_ns)).replaced(server=f"203.0.113.{number}{place}")
            truthful.append(said)
            found["honest"].append(draw(answers(f"honest{number}", said.server, said)))
    common_lie = draw(anywhere("", "ntp"))
    for number in range(draw(st.sampled_from([honest_operators - 1, honest_operators // 2]))):
        for said in draw(st.lists(st.sampled_from(truthful), max_size=4, unique=True)):
            found["stolen"].append(draw(answers(f"liar{number}", said.server, said)))
        for place in range(draw(st.sampled_from([0, 1, 1, 4, 16]))):
            server = f"198.51.100.{16 * number + place}"
            found["lies"].append(draw(answers(f"liar{number}", server, common_lie)))
    order = draw(st.permutations(list(found)))
    answering = [each for part in order for each in found[part]]
    return truth_ns, truthful, draw(st.one_of(st.just(answering), st.permutations(answering)))


@settings(max_examples=300, deadline=None)
@given(led_astray(), st.sampled_from([0, 1, NS // 50]))
def test_an_honest_majority_keeps_the_truth_whatever_names_lead_to_its_servers(
    run: tuple[int, list[Sample], list[Answering]], tolerance_ns: int
) -> None:
    """Names that lead to honest servers take no votes from them that liars do not lose as well."""
    truth_ns, truthful, answering = run

    found = settle(taken_in(answering), ANY_MAJORITY.replaced(tolerance_ns=tolerance_ns), 0)

    assert isinstance(found, Answer)
    assert any(part.meets(Interval(truth_ns, truth_ns)) for part in found.agreed)
    ends_ns = [end_ns for said in truthful for end_ns in said.likely]
    assert min(ends_ns) <= found.estimate_ns <= max(ends_ns)


@pytest.mark.parametrize(
    ("honest_operators", "sources"), [(2, 2), (3, 16), (4, 4), (5, 3)], ids=str
)
@pytest.mark.parametrize("first", ["stolen", "lies"])
def test_liars_of_many_sources_that_have_the_honest_addresses_first(
    honest_operators: int, sources: int, first: str
) -> None:
    """One fewer than the honest operators, each has the address of one, and many of its own."""
    operators = range(honest_operators)
    said = {
        n: sample(f"honest{n}", _TRUE, _TRUE).replaced(server=f"203.0.113.{n}") for n in operators
    }
    parts: dict[str, list[Answering]] = {"stolen": [], "honest": [], "lies": []}
    for number, true in said.items():
        parts["honest"].append(Answering(source_of(true.operator, "ntp"), true))
        if number == 0:
            continue
        liar = f"liar{number}"
        stolen = true.replaced(operator=liar)
        parts["stolen"].append(Answering(source_of(liar, "ntp"), stolen))
        for place in range(1, sources):
            server = f"198.51.{number}.{place}"
            lie = sample(liar, _FALSE, _FALSE).replaced(server=server)
            parts["lies"].append(Answering(source_of(liar, "ntp"), lie))
    order = [first, *(part for part in ("stolen", "honest", "lies") if part != first)]

    found = settle(taken_in([each for part in order for each in parts[part]]), ANY_MAJORITY, 0)

    assert isinstance(found, Answer)
    assert found.drift_s == 0


@st.composite
def anything(draw: st.DrawFn) -> list[Answering]:
    """Draw operators of one to five sources each, led to few addresses, some written as such."""
    truth_ns = draw(points_ns)
    found = []
    for number in range(draw(st.integers(1, 6))):
        for _ in range(draw(st.sampled_from([1, 1, 2, 3, 5]))):
            server = f"203.0.113.{draw(st.integers(0, 4))}"
            said = draw(st.one_of(honest("", "ntp", truth_ns), anywhere("", "ntp")))
            each = draw(answers(f"o{number}", server, said))
            if draw(st.integers(0, 5)) == 0:
                each.source.literals = (server,)
            found.append(each)
    return draw(st.permutations(found))


@thorough
@given(anything(), rules)
def test_what_is_settled_early_stands_whoever_turns_out_to_be_a_duplicate(
    answering: list[Answering], rule: Rule
) -> None:
    """Once the first answers settle an integer, the rest, duplicates or not, end in the same."""
    addresses = Addresses([each.source for each in answering])
    outcomes: list[Outcome] = [
        Pending(each.source.operator, each.source.kind) for each in answering
    ]
    settled: list[int] = []
    for index, each in enumerate(answering):
        outcomes[index] = claimed(addresses, index, each)
        found = settle(outcomes, rule, 0)
        if isinstance(found, Answer):
            settled.append(found.drift_s)
        else:
            assert not settled

    assert len(set(settled)) <= 1


@thorough
@given(anything())
def test_of_those_heard_from_one_address_alone_one_votes(answering: list[Answering]) -> None:
    """What else an address has are shares of operators that were heard from elsewhere, too."""
    outcomes = taken_in(answering)

    voters: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each, outcome in zip(answering, outcomes, strict=True):
        if isinstance(outcome, Sample) and not each.source.literals:
            voters[outcome.server][operator_key(outcome.operator)].add(outcome.server)
    heard: dict[str, set[str]] = defaultdict(set)
    for outcome in outcomes:
        if isinstance(outcome, Sample):
            heard[operator_key(outcome.operator)].add(outcome.server)
    for server, operators in voters.items():
        whole = [name for name in operators if heard[name] == {server}]
        assert len(whole) <= 1, (server, operators)


@thorough
@given(anything())
def test_addresses_of_the_configuration_are_taken_as_they_stand(answering: list[Answering]) -> None:
    """Where each is reached at an address that is written down, nobody is a duplicate."""
    for each in answering:
        each.source.literals = (each.sample.server,)

    assert taken_in(answering) == [each.sample for each in answering]


@thorough
@given(anything())
def test_who_may_vote_may_do_so_again(answering: list[Answering]) -> None:
    """Asked again, and answered from the same address, a source keeps what it has."""
    addresses = Addresses([each.source for each in answering])
    first = [claimed(addresses, index, each) for index, each in enumerate(answering)]
    again = [claimed(addresses, index, each) for index, each in enumerate(answering)]

    for one, other in zip(first, again, strict=True):
        if isinstance(one, Sample):
            assert other == one
