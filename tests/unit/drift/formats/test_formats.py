"""The output formats, purely: whatever came of a run, each keeps to its own grammar."""

import json
import re
from collections import Counter
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nagiosplugin import Range
from prometheus_client.parser import text_string_to_metric_families

from drift import formats
from drift.consensus.rule import Answer, NoAnswer
from drift.consensus.verdict import Verdict, distinct_names
from drift.formats.explain import explained
from drift.formats.influx import Influx
from drift.formats.integer import Integer
from drift.formats.nagios import Nagios, read_threshold
from drift.formats.prometheus import Prometheus
from drift.formats.registry import format_class, format_named_in, format_of, names
from drift.formats.zabbix import Zabbix
from drift.options import Options
from drift.run.result import Result
from drift.wording.letters import letters_of
from drift.wording.refusal import refusal
from drift.wording.sentences import decimal_s
from sources.clock import NS
from tests.conftest import ROOT
from tests.support.fakes import a_sample
from tests.support.results import result, runs, three_honest_one_liar

TRUE_UNIX_S = 1_800_000_000


def answered() -> Result:
    return result(*three_honest_one_liar())


def refused() -> Result:
    return result(a_sample(0, 1, "Alpha"), a_sample(60, 61, "Bravo"))


def exposition_of(last_success_unix_s: float | None) -> str:
    """Return the file of a run before, which says when there last was an answer."""
    if last_success_unix_s is None:
        return ""
    return f"x 1\ntime_drift_last_success_timestamp_seconds {last_success_unix_s}\ny 2\n"


results = runs.map(lambda outcomes: result(*outcomes))


# --- Prometheus -------------------------------------------------------------------------------


@given(results, st.none() | st.floats(1, 4e9))
def test_the_exposition_always_parses(found: Result, last_s: float | None) -> None:
    """Whatever the names: every series once, with help; a drift only with an answer."""
    text = Prometheus(Options(), exposition_of(last_s)).render(found)

    families = {family.name: family for family in text_string_to_metric_families(text)}
    series = Counter(
        (sample.name, *sorted(sample.labels.items()))
        for family in families.values()
        for sample in family.samples
    )
    assert set(series.values()) == {1}
    assert all(family.documentation.endswith(".") for family in families.values())
    assert all(family.type == "gauge" for family in families.values())
    has_answer = isinstance(found.decision, Answer)
    for name in ("time_drift_seconds", "time_drift_source_offset_seconds"):
        assert (name in families) == has_answer
    assert ("time_drift_last_success_timestamp_seconds" in families) == (
        has_answer or last_s is not None
    )
    verdicts = families["time_drift_source_verdict"].samples
    assert [sample.labels["verdict"] for sample in verdicts] == [v.word for v in found.verdicts]


def test_nanoseconds_survive() -> None:
    """The estimate is asked to the nanosecond, far from zero as well."""
    far = result(*[a_sample(-4.000000003, -4.000000003, name) for name in "ABC"])

    assert "\ntime_drift_estimate_seconds -4.000000003\n" in Prometheus(Options()).render(far)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("1.7953968981724741e+09", 1795396898.1724741),
        ("0", 0.0),
        *((text, None) for text in ("NaN", "+Inf", "1e999", "", "1.2.3", "x", "-5")),
    ],
)
def test_the_last_success_is_read_back(value: str, seen: float | None) -> None:
    """As the exposition of before has it; nothing is made of a value that none of ours holds."""
    previous = f"# HELP x y\ntime_drift_last_success_timestamp_seconds {value}\nx 1.0\n"

    text = Prometheus(Options(), previous).render_failure("why", 3)

    found = {f.name: f for f in text_string_to_metric_families(text)}
    family = found.get("time_drift_last_success_timestamp_seconds")
    assert (None if family is None else family.samples[0].value) == seen


@given(st.text(max_size=300))
def test_any_text_of_before_is_read(text: str) -> None:
    """Whatever stood in the file, the next exposition parses."""
    previous = f"time_drift_last_success_timestamp_seconds {text}"

    assert "time_drift_success 0.0\n" in Prometheus(Options(), previous).render_failure("why", 3)


# --- Influx -----------------------------------------------------------------------------------

_TAG = r"(?:[^ ,=\\]|\\[ ,=])+"
_VALUE = r'(?:-?\d+i|"(?:[^"\\]|\\["\\])*")'
_FIELD = rf"[a-z_]+={_VALUE}"
LINE = re.compile(
    rf"(time_drift(?:_source)?)((?:,[a-z]+={_TAG})*) ({_FIELD}(?:,{_FIELD})*)(?: (-?\d+))?"
)


@given(results)
def test_the_points_keep_to_the_line_protocol(found: Result) -> None:
    """Whatever the names: one point for the run and one a source, stamped with an answer only."""
    lines = Influx(Options()).render(found).splitlines()

    parsed = [LINE.fullmatch(line) for line in lines]
    assert all(parsed)
    has_answer = isinstance(found.decision, Answer)
    assert {point[4] is not None for point in parsed if point} == {has_answer}
    points = Counter(point[1] + point[2] for point in parsed if point)
    assert set(points.values()) == {1}
    assert points["time_drift"] == 1
    assert sum(points.values()) == 1 + len(found.verdicts)
    assert all(("_ns=" in line or "drift_s=" in line) <= has_answer for line in lines)


def test_the_stamp_is_true_time() -> None:
    """Local time at the decision minus the drift: the local clock's error cancels out."""
    found = result(
        *[a_sample(-4 - TRUE_UNIX_S, -4 - TRUE_UNIX_S, name) for name in "ABC"],
        wall_minus_raw_s=TRUE_UNIX_S,
    )

    assert found.decision[0] == -4
    # Raw was 1 s, so the local clock said 1,800,000,001 s, and is 4 s behind.
    assert Influx(Options()).render(found).splitlines()[0].endswith(f" {(TRUE_UNIX_S + 5) * NS}")


# --- Zabbix -----------------------------------------------------------------------------------


@given(results)
def test_the_object_is_one_line_and_flat(found: Result) -> None:
    """What holds a drift is there with an answer only; the counts add up."""
    text = Zabbix(Options()).render(found)

    assert text.endswith("\n")
    assert text.count("\n") == 1
    tree = json.loads(text)
    has_answer = isinstance(found.decision, Answer)
    assert tree["success"] == has_answer
    for key in ("drift_s", "drift_ns", "low_ns", "high_ns", "operators", "kinds"):
        assert (key in tree) == has_answer
    assert any("offset_ns" in source for source in tree["sources"]) <= has_answer
    assert len(tree["sources"]) == len(found.verdicts)
    assert tree["answered"] == sum(v.sample is not None for v in found.verdicts)
    who = Counter((s["source"], s["operator"], s["kind"]) for s in tree["sources"])
    assert set(who.values()) == {1}


# --- Nagios -----------------------------------------------------------------------------------

_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = rf"@?(?:(?:~|{_NUMBER}):)?(?:{_NUMBER})?"
PERFORMANCE = re.compile(
    rf"[a-z]+={_NUMBER}s?(;{_RANGE})?(;{_RANGE})?(;({_NUMBER})?)?(;({_NUMBER})?)?"
)


@given(results, st.booleans())
def test_a_plugin_says_one_line(found: Result, verbose: bool) -> None:
    """One bar at most, none without an answer; long output only if it is wanted."""
    options = Options()
    options.warning, options.critical = read_threshold("-1:1"), read_threshold("-2:2")
    options.verbose = verbose
    output_format = Nagios(options)
    text = output_format.render(found)

    first, *more = text.removesuffix("\n").split("\n")
    assert len(more) == (len(found.verdicts) if verbose else 0)
    assert "|" not in "".join(more)
    said, bar, performance = first.partition(" | ")
    assert "|" not in said + performance
    has_answer = isinstance(found.decision, Answer)
    assert bool(bar) == has_answer
    assert all(PERFORMANCE.fullmatch(item) for item in performance.split(" ") if has_answer)
    status = output_format.exit_status(0, found)
    state = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[status]
    assert said.startswith(f"TIME DRIFT {state} - ")
    assert (status == 3) == (not has_answer)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10:", (10, 99), (9, -1)),
        ("~:10", (-99, 10), (11,)),
        ("10:20", (10, 20), (9, 21)),
        ("@10:20", (9, 21), (10, 20)),
        ("-0:0", (0,), (-1, 1)),
        ("-1.5:1.5", (-1, 1), (-2, 2)),
    ],
)
def test_ranges_as_the_guidelines_have_them(
    text: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    """The examples of the guidelines, and what a drift wants: either sign."""
    assert not any(read_threshold(text).alerts(value) for value in inside)
    assert all(read_threshold(text).alerts(value) for value in outside)


@pytest.mark.parametrize(
    ("text", "shown", "inside", "outside"),
    [
        ("0", "0:0", (0,), (-1, 1)),
        ("1", "-1:1", (-1, 0, 1), (-2, 2)),
        ("10", "-10:10", (-10, 0, 10), (-11, 11)),
        ("1.5", "-1.5:1.5", (-1, 1), (-2, 2)),
        ("0.0", "0:0", (0,), (-1, 1)),
        ("007", "-007:007", (-7, 7), (-8, 8)),
    ],
)
def test_a_plain_number_bounds_the_size_of_the_drift(
    text: str, shown: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    """As in check_ntp_time: N alerts outside -N..N, and graphers get a range that says so."""
    found = read_threshold(text)

    assert found.text == shown
    assert not any(found.alerts(value) for value in inside)
    assert all(found.alerts(value) for value in outside)


@pytest.mark.parametrize("text", ["-1", "-0", "-1.5", "+1", "-1:x", "@"])
def test_a_negative_bound_of_a_size_is_an_error(text: str) -> None:
    """Nothing has a negative size: whoever writes that means something else."""
    with pytest.raises(ValueError, match=re.escape(text)):
        read_threshold(text)


@given(st.text(max_size=8) | st.text("@~:-.0123", max_size=8), st.integers(-100, 100))
def test_any_text_is_a_range_or_a_value_error(text: str, drift_s: int) -> None:
    """Nothing else comes of it; what is inside a range is outside its inverse."""
    try:
        found = read_threshold(text)
    except ValueError:
        return
    whole = found.text if ":" in found.text else found.text.replace("@", "@0:")
    inverse = whole.removeprefix("@") if whole.startswith("@") else f"@{whole}"
    assert found.alerts(drift_s) != read_threshold(inverse).alerts(drift_s)


@given(st.text("@~:-.0123", max_size=8), st.integers(-100, 100))
def test_what_graphers_get_judges_as_what_was_written(text: str, drift_s: int) -> None:
    """The range in the performance data, read by the guidelines, alerts on the same drifts."""
    try:
        found = read_threshold(text)
    except ValueError:
        return
    assert (drift_s not in Range(found.text)) == found.alerts(drift_s)


def test_the_documents_spell_thresholds_alike() -> None:
    """No page and no recipe writes a symmetric range: a plain number says it."""
    pages = [ROOT / "README.md", ROOT / "drift/wording/usage.py"]
    pages += [path for path in (ROOT / "monitoring").rglob("*") if path.suffix in SPELLED]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        spelled = re.findall(r"(?:-[wc] |!|time_drift_\w+ = \")([-@~0-9.:]+)", text)
        assert not [one for one in spelled if re.fullmatch(r"-([0-9.]+):\1", one)], path
    assert "--format nagios -w 0 -c 1`" in pages[0].read_text(encoding="utf-8")


SPELLED = {".md", ".conf", ".cfg", ".yaml", ".yml", ".cron"}


@given(st.integers(-(10**20), 10**20))
def test_seconds_are_written_exactly(ns: int) -> None:
    """Nine digits behind the point, and the sign of the whole, below one second too."""
    whole, fraction = decimal_s(ns).split(".")

    assert len(fraction) == 9
    assert (-1 if whole.startswith("-") else 1) * int(whole.lstrip("-") + fraction) == ns


# --- All ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", names())
def test_every_word_is_a_form(word: str) -> None:
    """Each word of --format has an output format of its own, which renders both ends of a run."""
    options = Options()
    options.format = word

    output_format = format_of(options)

    assert type(output_format) is format_class(word)
    assert output_format.summary
    assert re.findall(output_format.integer_pattern, output_format.render(answered())) == ["-4"]
    assert not re.search(
        r"\d", "".join(re.findall(output_format.integer_pattern, output_format.render(refused())))
    )
    assert output_format.exit_status(0, answered()) == 0
    assert output_format.exit_status(3, refused()) == 3


@pytest.mark.parametrize("words", [["--format", "{}"], ["-v", "--format={}", "--nonsense"]])
@pytest.mark.parametrize("word", [*names(), "NAGIOS", "Zabbix"])
def test_wrong_usage_is_reported_where_its_reader_looks(words: list[str], word: str) -> None:
    """What cannot be parsed is on stdout for those who read nothing else, without a library."""
    output_format = format_named_in([text.format(word) for text in words])

    assert output_format.on_stderr == format_class(word.lower()).on_stderr
    assert output_format.exit_status(2) == (3 if output_format.is_plugin else 2)
    assert ("tiemout" in output_format.render_failure("tiemout", 2)) == (
        not output_format.on_stderr
    )


def test_who_reads_no_stderr_finds_the_words_in_the_output() -> None:
    """Nagios shows stdout alone, and an agent of Zabbix takes stderr for a part of the value."""
    assert not Nagios.on_stderr
    assert not Zabbix.on_stderr


@pytest.mark.parametrize("words", [[], ["--format"], ["--format", "xml"], ["--format=", "json"]])
def test_without_a_known_word_it_is_the_integer(words: list[str]) -> None:
    """What no output format is named by is reported in the plain one."""
    assert type(format_named_in(words)) is Integer


@pytest.mark.parametrize("why", ["a\nb", "a|b", "\udcff", "\x1b[1m"])
def test_a_plugin_says_one_printable_line(why: str) -> None:
    """Whatever is in the reason: performance data begin nowhere, and nothing is hidden."""
    text = Nagios(Options()).render_failure(why, 2)

    assert text.count("\n") == 1
    assert text.removesuffix("\n").isprintable()
    assert "|" not in text


def test_the_plain_form_says_the_integer_or_nothing() -> None:
    """That is all of it."""
    assert Integer(Options()).render(answered()) == "-4\n"
    assert Integer(Options()).render(refused()) == ""
    assert Integer(Options()).render_failure("why", 3) == ""
    assert isinstance(refused().decision, NoAnswer)


def test_names_that_are_the_same_are_distinguished() -> None:
    """Two sources of one operator and kind with one name get numbers; others keep their names."""
    verdicts = [
        Verdict("a.example", "A", "https", "agrees"),
        Verdict("a.example", "A", "https", "stale"),
        Verdict("a.example", "A", "ntp", "agrees"),
        Verdict("a.example", "B", "https", "agrees"),
    ]

    assert distinct_names(verdicts) == ["a.example", "a.example #2", "a.example", "a.example"]


@pytest.mark.parametrize("word", [*names(), "explain"])
def test_a_verdict_that_is_new_needs_no_list(word: str) -> None:
    """Whoever adds a verdict, or a lack, adds it in one place: every format takes any word."""
    found = answered()
    verdicts = [one.replaced(word="some new word", text="why") for one in found.verdicts]
    new = found.replaced(verdicts=tuple(verdicts))

    def rendered(one: Result) -> str:
        if word == "explain":
            return "".join(line.plain for line in explained(one, 80, letters_of("utf-8")))
        options = Options()
        options.format, options.verbose = word, True
        return format_of(options).render(one)

    text = rendered(new)
    has_verdicts = found.verdicts[0].word in rendered(found)
    assert text.count("some new word") == (len(found.verdicts) if has_verdicts else 0)
    if word == "json":
        schema = json.loads((files(formats) / "time-drift-1.schema.json").read_text("utf-8"))
        jsonschema.validate(json.loads(text), schema)


def test_a_new_verdict_is_in_the_refusal() -> None:
    """With the kind, who has it, and why."""
    found = refused()
    assert isinstance(found.decision, NoAnswer)
    verdicts = [one.replaced(word="some new word", text="why") for one in found.verdicts]

    assert "; ntp some new word: alpha, bravo (why)" in refusal(found.decision, verdicts)
