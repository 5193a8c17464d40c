"""The table and the picture of --explain: as text at three widths, and what holds at any."""

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from drift.consensus.rule import Answer
from drift.consensus.verdict import Verdict
from drift.formats.explain import explained
from drift.run.result import Result
from drift.wording.letters import letters_of
from drift.wording.table import wrapped
from drift.wording.terminal import columns, help_columns
from sources import kinds
from sources.base import Interval, Reason
from sources.clock import NS
from tests.support.fakes import a_sample
from tests.support.results import result, runs, the_demo

AT_60 = """\
source           operator  kind       verdict
127.0.0.1:40001  Alpha     ntp        agrees
       -4.0002 ± 0.0002 s, rtt 0.38 ms
127.0.0.1:40002  Bravo     ntp        agrees
       -4.0002 ± 0.0002 s, rtt 0.27 ms
127.0.0.1:40003  Charlie   ntp        agrees
       -4.0003 ± 0.0004 s, rtt 0.62 ms
127.0.0.1:40004  Delta     ntp        agrees
       -4.0002 ± 0.0002 s, rtt 0.31 ms
127.0.0.1:40005  Mallory   ntp        falseticker
    -3604.0001 ± 0.0001 s, rtt 0.20 ms
    3600 s ahead
127.0.0.1:40006  Golf      nts        agrees
       -4.0001 ± 0.0002 s, rtt 0.25 ms
127.0.0.1:40007  Foxtrot   roughtime  agrees
       -3.9012 ± 0.5005 s, rtt 0.85 ms
127.0.0.1:40008  Echo      https      agrees
       -3.8557 ± 0.5009 s, rtt 1.67 ms
127.0.0.1:40009  Trudy     https      unverified
    certificate '127.0.0.1' expired 86400 s before the time
    the server claims

127.0.0.1:40001             ━
127.0.0.1:40002             ━
127.0.0.1:40003             ━
127.0.0.1:40004             ━
127.0.0.1:40005  ◀ -3604 s
127.0.0.1:40006             ━
127.0.0.1:40007      ━━━━━━━━━━━━━━━━━━─────────────────
127.0.0.1:40008       ━━━━━━━━━━━━━━━━━━──────────
consensus                   █
                 -4.652 s                           -2.151 s

this clock is 4 s behind
7 operators of 4 kinds agree: drift -4.000123 s, settled
after 57.3 ms
"""

AT_80 = """\
source           operator  kind          local - true (s)  rtt (ms)  verdict
127.0.0.1:40001  Alpha     ntp           -4.0002 ± 0.0002      0.38  agrees
127.0.0.1:40002  Bravo     ntp           -4.0002 ± 0.0002      0.27  agrees
127.0.0.1:40003  Charlie   ntp           -4.0003 ± 0.0004      0.62  agrees
127.0.0.1:40004  Delta     ntp           -4.0002 ± 0.0002      0.31  agrees
127.0.0.1:40005  Mallory   ntp        -3604.0001 ± 0.0001      0.20  falseticker
    3600 s ahead
127.0.0.1:40006  Golf      nts           -4.0001 ± 0.0002      0.25  agrees
127.0.0.1:40007  Foxtrot   roughtime     -3.9012 ± 0.5005      0.85  agrees
127.0.0.1:40008  Echo      https         -3.8557 ± 0.5009      1.67  agrees
127.0.0.1:40009  Trudy     https                                     unverified
    certificate '127.0.0.1' expired 86400 s before the time the server claims

127.0.0.1:40001                  ━
127.0.0.1:40002                  ━
127.0.0.1:40003                  ━
127.0.0.1:40004                  ━
127.0.0.1:40005  ◀ -3604 s
127.0.0.1:40006                  ━
127.0.0.1:40007        ━━━━━━━━━━━━━━━━━━━━━━━━━━─────────────────────────
127.0.0.1:40008         ━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────
consensus                        █
                 -4.652 s                                               -2.151 s

this clock is 4 s behind
7 operators of 4 kinds agree: drift -4.000123 s, settled after 57.3 ms
"""

AT_120 = """\
source           operator  kind          local - true (s)  rtt (ms)  verdict
127.0.0.1:40001  Alpha     ntp           -4.0002 ± 0.0002      0.38  agrees
127.0.0.1:40002  Bravo     ntp           -4.0002 ± 0.0002      0.27  agrees
127.0.0.1:40003  Charlie   ntp           -4.0003 ± 0.0004      0.62  agrees
127.0.0.1:40004  Delta     ntp           -4.0002 ± 0.0002      0.31  agrees
127.0.0.1:40005  Mallory   ntp        -3604.0001 ± 0.0001      0.20  falseticker: 3600 s ahead
127.0.0.1:40006  Golf      nts           -4.0001 ± 0.0002      0.25  agrees
127.0.0.1:40007  Foxtrot   roughtime     -3.9012 ± 0.5005      0.85  agrees
127.0.0.1:40008  Echo      https         -3.8557 ± 0.5009      1.67  agrees
127.0.0.1:40009  Trudy     https                                     unverified
    certificate '127.0.0.1' expired 86400 s before the time the server claims

127.0.0.1:40001                            ━
127.0.0.1:40002                            ━
127.0.0.1:40003                            ━
127.0.0.1:40004                            ━
127.0.0.1:40005  ◀ -3604 s
127.0.0.1:40006                            ━
127.0.0.1:40007            ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─────────────────────────────────────────
127.0.0.1:40008              ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─────────────────────────
consensus                                  █
                 -4.652 s                                                                                       -2.151 s

this clock is 4 s behind
7 operators of 4 kinds agree: drift -4.000123 s, settled after 57.3 ms
"""  # noqa: E501 - a terminal is wider

IN_ASCII = """\
source          operator kind          local - true (s) rtt (ms) verdict
127.0.0.1:40001 Alpha    ntp          -4.0002 +- 0.0002     0.38 agrees
127.0.0.1:40002 Bravo    ntp          -4.0002 +- 0.0002     0.27 agrees
127.0.0.1:40003 Charlie  ntp          -4.0003 +- 0.0004     0.62 agrees
127.0.0.1:40004 Delta    ntp          -4.0002 +- 0.0002     0.31 agrees
127.0.0.1:40005 Mallory  ntp       -3604.0001 +- 0.0001     0.20 falseticker
    3600 s ahead
127.0.0.1:40006 Golf     nts          -4.0001 +- 0.0002     0.25 agrees
127.0.0.1:40007 Foxtrot  roughtime    -3.9012 +- 0.5005     0.85 agrees
127.0.0.1:40008 Echo     https        -3.8557 +- 0.5009     1.67 agrees
127.0.0.1:40009 Trudy    https                                   unverified
    certificate '127.0.0.1' expired 86400 s before the time the server claims

127.0.0.1:40001                  =
127.0.0.1:40002                  =
127.0.0.1:40003                  =
127.0.0.1:40004                  =
127.0.0.1:40005  < -3604 s
127.0.0.1:40006                  =
127.0.0.1:40007        ==========================-------------------------
127.0.0.1:40008         ==========================---------------
consensus                        #
                 -4.652 s                                               -2.151 s

this clock is 4 s behind
7 operators of 4 kinds agree: drift -4.000123 s, settled after 57.3 ms
"""


def drawn(found: Result, wide: int, encoding: str = "utf-8") -> str:
    """Return what a terminal of this width and encoding shows."""
    lines = explained(found, wide, letters_of(encoding))
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


@pytest.mark.parametrize(
    ("wide", "encoding", "text"),
    [
        (60, "utf-8", AT_60),
        (80, "utf-8", AT_80),
        (120, "utf-8", AT_120),
        (80, "ascii", IN_ASCII),
    ],
)
def test_the_demo_is_drawn_so(wide: int, encoding: str, text: str) -> None:
    """To the letter. Who changes it looks at what comes of it."""
    assert drawn(the_demo(), wide, encoding) == text


@pytest.mark.parametrize("wide", [40, 60, 80, 100, 120, 200, 400])
def test_the_picture_is_as_wide_as_the_terminal(wide: int) -> None:
    """The ends of the axis stand at the two ends of what is left beside the names."""
    *_, axis = re.findall(r"^ +-4\.\d+ s +-2\.\d+ s$", drawn(the_demo(), wide), re.MULTILINE)

    assert cell_len(axis) == wide


@pytest.mark.parametrize("wide", [60, 80, 120])
def test_figures_stand_below_each_other(wide: int) -> None:
    """Of one column the decimal points are in one place, whatever the figures are."""
    text = drawn(the_demo(), wide).partition("\n\n")[0]
    lines = [line for line in text.split("\n") if "±" in line]

    assert len(lines) == 8
    places = {tuple(found.start() for found in re.finditer(r"\.\d", cut(line))) for line in lines}
    assert len(places) == 1


def cut(line: str) -> str:
    """Return a line without a name of dots."""
    return re.sub(r"^127\.0\.0\.1:\d+", " " * 15, line)


def test_names_are_shortened_before_figures() -> None:
    """Where there is no room for both, the ends of the names go; every figure is whole."""
    found = the_demo()
    long = [one.replaced(name=f"{'very-' * 12}long-{one.name}") for one in found.verdicts]
    text = drawn(found.replaced(verdicts=tuple(long)), 60)

    assert text.count("…  Charlie   ntp        agrees\n") == 1
    assert "-3604.0001 ± 0.0001 s, rtt 0.20 ms" in text
    assert all(word in text for word in ("Charlie", "roughtime", "falseticker", "unverified"))


def test_an_operator_too_long_leaves_room_for_the_name() -> None:
    """Both are shortened, so that neither is gone."""
    found = the_demo()
    long = [one.replaced(operator=f"Operator {one.operator * 9}") for one in found.verdicts]
    text = drawn(found.replaced(verdicts=tuple(long)), 60)

    assert re.search(r"^127\.0\.0\.1:\d+ +Operator .*…  ntp        agrees$", text, re.MULTILINE)


def test_a_liar_behind_is_beyond_the_other_end() -> None:
    """Its arrow says to which side, and how far."""
    found = result(*[a_sample(-0.1, 0.1, name) for name in "ABC"], a_sample(60, 60, "D"))

    assert re.search(r"^d +\+60 s ▶$", drawn(found, 80), re.MULTILINE)
    assert re.search(r"^d +\+60 s >$", drawn(found, 80, "ascii"), re.MULTILINE)


@pytest.mark.parametrize(("width_ns", "digits"), [(NS, 3), (10**7, 6), (10**4, 9), (10, 9), (0, 9)])
def test_the_ends_of_the_axis_are_distinguished(width_ns: int, digits: int) -> None:
    """However narrow the consensus is."""
    ends = [Interval(-4 * NS, -4 * NS + width_ns)] * 3
    found = result(
        *[a_sample(e.low_ns / NS, e.high_ns / NS, n) for e, n in zip(ends, "ABC", strict=True)]
    )
    low, high = re.findall(r"(-\d\.\d+) s", drawn(found, 80).split("\n")[-5])

    assert low != high or width_ns < 100
    assert len(low.partition(".")[2]) <= digits


@pytest.mark.parametrize(
    ("encoding", "letters"),
    [
        ("utf-8", "±…░─━█◀▶"),
        ("iso8859-1", "±"),
        ("ascii", ""),
        ("koi8-r", "░─█"),
        ("cp437", "±░─█"),
    ],
)
def test_only_letters_that_the_encoding_has(encoding: str, letters: str) -> None:
    """± where it can be written, shapes where all of them can; names that cannot are escaped."""
    found = the_demo()
    names = [one.replaced(name="日本.example", operator="Ωmega") for one in found.verdicts]
    text = drawn(found.replaced(verdicts=tuple(names)), 120, encoding)

    text.encode(encoding)
    assert ("±" in text) == ("±" in letters)
    assert ("━" in text) == ("━" in letters)
    assert ("日本" in text) == (encoding == "utf-8")


_NAMES = st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=60)
_BIG_NS = st.integers(-(10**20), 10**20)


@st.composite
def _verdicts(draw: st.DrawFn) -> Verdict:
    low_ns, high_ns = sorted((draw(_BIG_NS), draw(_BIG_NS)))
    interval = Interval(low_ns, high_ns)
    sample = a_sample(0, 0).replaced(rtt_ns=draw(st.integers(0, 10**10)))
    has_sample = draw(st.booleans())
    return Verdict(
        draw(_NAMES),
        draw(_NAMES),
        draw(st.sampled_from(kinds())),
        draw(
            st.sampled_from(
                ["agrees", "falseticker", "some new word", *(reason.value for reason in Reason)]
            )
        ),
        draw(st.text(st.characters(categories=("L", "N", "Zs")), max_size=200)),
        sample if has_sample else None,
        interval if has_sample else None,
        interval if has_sample else None,
    )


@settings(max_examples=100)
@given(
    st.lists(_verdicts(), min_size=1, max_size=6),
    st.integers(60, 250),
    st.sampled_from(["utf-8", "ascii", "iso8859-1"]),
)
def test_no_line_is_ever_wider(verdicts: list[Verdict], wide: int, encoding: str) -> None:
    """Whatever the names, the words, the figures, the width: nothing is wrapped by the terminal."""
    band = Interval(-(10**6), 10**6)
    answer = Answer(0, 0, band, (band,), ("a",), ("ntp",))
    found = the_demo().replaced(decision=answer, verdicts=tuple(verdicts))

    for line in drawn(found, wide, encoding).split("\n"):
        assert cell_len(line) <= wide, line


@settings(max_examples=50)
@given(runs, st.integers(40, 250))
def test_any_run_can_be_explained(outcomes: tuple[object, ...], wide: int) -> None:
    """Drawing never fails, whatever came of it."""
    assert drawn(result(*outcomes), wide)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a bc def", ["a bc", "def"]),
        ("abcdefgh", ["abcde", "fgh"]),
        ("a abcdefgh b", ["a", "abcde", "fgh b"]),
        ("", []),
        ("日本日本", ["日本", "日本"]),
    ],
)
def test_texts_are_broken_at_blanks(text: str, lines: list[str]) -> None:
    """And in a word only where it is longer than a line."""
    assert wrapped(text, 5) == lines


@pytest.mark.parametrize(
    ("named", "wide"),
    [
        ("60", 60),
        ("200", 200),
        ("39", 40),
        ("0", 120),
        ("", 120),
        ("-5", 120),
        ("x", 120),
        ("99999999", 999_999),
    ],
)
def test_columns_of_the_environment(monkeypatch: pytest.MonkeyPatch, named: str, wide: int) -> None:
    """$COLUMNS counts, where it is a number, also where the output is no terminal."""
    monkeypatch.setenv("COLUMNS", named)
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        assert columns(nothing.fileno(), 120) == wide


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without $COLUMNS; help is at most 80 wide then, for nobody reads longer lines gladly."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((132, 50)))

    assert columns(2, 120) == 132
    assert help_columns() == 80
