"""Reports: verdicts, the refusal in one short line, notes, JSON by its schema, the picture."""

import json
import re
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given, settings

from drift import formats
from drift.config import parse
from drift.consensus.rule import NoAnswer, Rule
from drift.consensus.verdict import span_text, verdicts
from drift.formats import explain
from drift.formats.json import Json
from drift.options import Options
from drift.wording import votes
from drift.wording.notes import notes
from drift.wording.refusal import refusal
from drift.wording.sentences import sentence
from sources.base import Failure, Outcome, Reason
from sources.clock import NS
from tests.support.fakes import a_sample
from tests.support.results import gathered, result, runs, three_honest_one_liar

SCHEMA = json.loads((files(formats) / "time-drift-1.schema.json").read_text(encoding="utf-8"))


def test_everybody_gets_one_verdict() -> None:
    """Agreeing, outvoted, failed and not needed sources are called so, in their order."""
    found = verdicts(gathered(*three_honest_one_liar()), 0)

    assert [verdict.word for verdict in found] == [
        "agrees",
        "agrees",
        "agrees",
        "falseticker",
        "refused",
        "not needed",
    ]
    assert found[3].ahead_ns is not None
    assert abs(found[3].ahead_ns - 3600 * NS) < NS // 10
    assert re.fullmatch(r"3\d{3}\.?\d* s ahead", found[3].text)
    assert found[4].text == "kiss-o'-death RATE"


def test_a_source_behind_is_behind() -> None:
    """The sign of "by how much" is the server's: a day behind is negative."""
    found = verdicts(
        gathered(a_sample(0, 0, "A"), a_sample(0, 0, "B"), a_sample(86400, 86400, "C")), 0
    )

    assert found[2].ahead_ns == -86_400 * NS
    assert found[2].text == "86400 s behind"


def test_without_a_majority_nobody_is_called_a_liar() -> None:
    """Where no majority formed, those who answered are undecided."""
    found = verdicts(gathered(a_sample(0, 1, "A"), a_sample(10, 11, "B")), 0)

    assert [verdict.word for verdict in found] == ["undecided", "undecided"]


def test_the_refusal_says_found_needed_and_who_failed_why() -> None:
    """One line names the lack, the numbers, and the failures by kind and reason."""
    none = gathered(
        a_sample(0, 1, "A"),
        a_sample(10, 11, "B"),
        a_sample(20, 21, "C"),
        Failure("D", "ntp", Reason.TIMEOUT, "no answer before the deadline"),
        Failure("E", "ntp", Reason.TIMEOUT, "no answer before the deadline"),
        Failure("F", "ntp", Reason.UNREACHABLE, "f cannot be resolved"),
    )
    assert isinstance(none.decision, NoAnswer)

    line = refusal(none.decision, verdicts(none, 0))

    assert line == (
        "no answer: no majority: at most 1 of 3 votes agree, needed more than half; "
        "3 of 6 sources answered; ntp undecided: a, b, c; "
        "ntp timeout: d, e (no answer before the deadline); "
        "ntp unreachable: f (f cannot be resolved); "
        "sources contradict each other: --explain shows which"
    )


def test_the_refusal_of_a_missed_quorum_counts() -> None:
    """A majority that is too small says how many there were and how many had to be."""
    few = gathered(a_sample(0, 0, "A"), rule=Rule(3, 2, 0))
    assert isinstance(few.decision, NoAnswer)

    assert "quorum missed: 1 operator of 1 kind" in refusal(few.decision, verdicts(few, 0))
    assert "needed 3 operators of 2 kinds" in refusal(few.decision, verdicts(few, 0))


def test_many_failures_are_counted_not_listed() -> None:
    """Of two hundred timeouts three are named."""
    many = gathered(*(Failure(f"S{n}", "ntp", Reason.TIMEOUT, "x") for n in range(200)))
    assert isinstance(many.decision, NoAnswer)

    line = refusal(many.decision, verdicts(many, 0))

    assert "; ntp timeout: s0, s1, s2 and 197 more (x); " in line


def test_equal_reasons_are_reported_once_and_different_ones_each() -> None:
    """Three kisses of one code name it once; another code is named too."""
    kissed = gathered(
        Failure("A", "ntp", Reason.REFUSED, "kiss-o'-death RATE"),
        Failure("B", "ntp", Reason.REFUSED, "kiss-o'-death RATE"),
        Failure("C", "ntp", Reason.REFUSED, "kiss-o'-death DENY"),
        Failure("D", "ntp", Reason.UNREACHABLE, "name cannot be resolved: no such name"),
        Failure("E", "ntp", Reason.UNREACHABLE, "name cannot be resolved: no such name"),
    )
    assert isinstance(kissed.decision, NoAnswer)

    line = refusal(kissed.decision, verdicts(kissed, 0))

    assert "ntp refused: a, b, c (2 x kiss-o'-death RATE; kiss-o'-death DENY)" in line
    assert "ntp unreachable: d, e (name cannot be resolved: no such name); " in line


@given(runs)
def test_json_always_keeps_to_its_schema(outcomes: tuple[Outcome, ...]) -> None:
    """Whatever came of a run, the object is valid by the published schema."""
    text = Json(Options()).render(result(*outcomes))

    assert text.count("\n") == 1
    assert text.isascii()
    jsonschema.validate(json.loads(text), SCHEMA)


def test_json_carries_the_integer_and_the_nanoseconds() -> None:
    """With an answer the object has both, and no refusal."""
    tree = json.loads(Json(Options()).render(result(*three_honest_one_liar())))

    assert tree["drift_s"] == -4
    assert tree["interval_ns"][0] <= tree["drift_ns"] <= tree["interval_ns"][1]
    assert tree["refusal"] is None
    assert tree["quorum"]["operators"] == ["alpha", "bravo", "charlie"]
    assert tree["sources"][3]["verdict"] == "falseticker"


def test_notes_are_one_line_a_source() -> None:
    """-v says of each source what became of it, with sign and spans."""
    lines = notes(verdicts(gathered(*three_honest_one_liar()), 0))

    assert len(lines) == 6
    assert lines[0].startswith("ntp alpha (Alpha): agrees, drift -4.000000 s within 0.1 s")
    assert lines[4] == "ntp delta (Delta): refused, kiss-o'-death RATE"


@pytest.mark.parametrize(
    ("drift_s", "words"),
    [
        (-4, "this clock is 4 s behind"),
        (4, "this clock is 4 s ahead"),
        (0, "this clock is right, to the second"),
    ],
)
def test_the_sentence_has_the_sign_in_words(drift_s: int, words: str) -> None:
    """A negative integer is a clock that is behind."""
    assert sentence(drift_s) == words


def test_the_picture_names_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    """Table and picture show each source, the liar's arrow, the band and the sentence."""
    explain.explain(result(*three_honest_one_liar()))

    out, err = capsys.readouterr()
    assert out == ""
    for word in ("alpha", "bravo", "mallory", "delta", "echo", "falseticker", "consensus"):
        assert word in err
    assert re.search(r"mallory +(◀|<)", err)
    assert "this clock is 4 s behind" in err


@settings(max_examples=50)
@given(runs)
def test_any_run_can_be_explained(outcomes: tuple[Outcome, ...]) -> None:
    """Drawing never fails, whatever the intervals."""
    explain.explain(result(*outcomes))


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"),
        (1_500_000, "1.5 ms"),
        (12_750_000, "12.8 ms"),
        (95_000_000, "95 ms"),
        (NS // 10, "0.1 s"),
        (NS // 4, "0.25 s"),
        (1_234_567_000, "1.235 s"),
        (10_340_000_000, "10.3 s"),
        (3600 * NS, "3600 s"),
    ],
)
def test_spans_are_written_for_people(ns: int, text: str) -> None:
    """In milliseconds below a tenth of a second, then in seconds, of which from ten on a tenth is
    exact enough; without trailing zeros.
    """
    assert span_text(ns) == text


def test_votes_are_listed_with_what_to_know() -> None:
    """--check-config lists a vote per operator and warns of a mix that proves little."""
    config = parse('[[sources.ntp]]\nhost = "192.0.2.1"\noperator = "Alpha"\n', "here.toml")

    text = votes.votes(config)

    assert "here.toml: 1 source, 1 vote, timeout 2.5 s" in text
    assert "1 vote  Alpha: ntp 192.0.2.1" in text
    assert "no liar can be outvoted" in text
    assert "all sources are of one kind" in text
