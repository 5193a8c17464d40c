"""The consensus rule on worked examples, most of them from the attacks that shaped it.

Times are written in milliseconds, `ms(0, 200)`; with a wall clock that equals the raw one, a
sample's interval of raw - true is drift itself.
"""

from collections.abc import Collection

import pytest

from drift.consensus.rule import (
    Answer,
    Lack,
    NoAnswer,
    Rule,
    operator_key,
    rounded_s,
    settle,
    unless_unrefined,
    worth_refining,
)
from sources.base import Failure, Interval, Outcome, Pending, Reason, Sample
from sources.clock import NS


def ms(low: float, high: float) -> Interval:
    """Return an interval given in milliseconds."""
    return Interval(round(low * 1_000_000), round(high * 1_000_000))


def said(
    operator: str, certain: Interval, likely: Interval | None = None, kind: str = "ntp"
) -> Sample:
    """Return a sample; as of NTP, all that is certain is likely unless it says otherwise."""
    return Sample(operator, kind, False, certain, likely or certain, 0, "192.0.2.1", "")


def out(operator: str, kind: str = "ntp") -> Pending:
    """Return a source that has not answered yet."""
    return Pending(operator, kind)


def failed(operator: str, kind: str = "ntp") -> Failure:
    """Return a source that has failed."""
    return Failure(operator, kind, Reason.TIMEOUT, "")


def settled(
    *outcomes: Outcome, operators: int = 1, kinds: int = 1, tolerance_ms: int = 0, wall_ns: int = 0
) -> Answer | NoAnswer:
    """Settle under a rule of which each test names only what it is about."""
    rule = Rule(min_operators=operators, min_kinds=kinds, tolerance_ns=tolerance_ms * 1_000_000)
    return settle(outcomes, rule, wall_ns)


def answer(*outcomes: Outcome, **rule: int) -> Answer:
    """Settle, and have an answer."""
    found = settled(*outcomes, **rule)
    assert isinstance(found, Answer), found
    return found


def lack(*outcomes: Outcome, **rule: int) -> Lack:
    """Settle, and have none; return what is missing."""
    found = settled(*outcomes, **rule)
    assert isinstance(found, NoAnswer), found
    return found.lack


# The vote


def test_three_agree_and_one_is_outvoted() -> None:
    """C is where more than half meet; every field of the answer follows from those who do."""
    found = answer(
        said("a", ms(-4010, -3990)),
        said("b", ms(-4005, -3985), kind="nts"),
        said("c", ms(-4000, -3980)),
        said("liar", ms(-10, 10), kind="roughtime"),
        operators=3,
        kinds=2,
    )

    # Of ends -4010 -4005 -4000 | -3990 -3985 -3980 the middle two decide.
    assert found == Answer(
        -4, -3_995_000_000, ms(-4000, -3990), (ms(-4000, -3990),), ("a", "b", "c"), ("ntp", "nts")
    )


def test_half_of_the_votes_are_no_majority() -> None:
    """Two of four agreeing is not more than half."""
    two_and_two = [said(name, ms(0, 10)) for name in "ab"] + [
        said(name, ms(90, 99)) for name in "cd"
    ]

    assert settled(*two_and_two) == NoAnswer(
        Lack.NO_MAJORITY, "at most 2 of 4 votes agree", "more than half"
    )


def test_touching_intervals_overlap() -> None:
    """Intervals are closed: one that ends where the other begins shares that point with it."""
    found = answer(said("a", ms(0, 100)), said("b", ms(100, 300)))

    assert found.agreed == (ms(100, 100),)
    assert found.estimate_ns == 100_000_000


def test_a_nanosecond_apart_is_apart() -> None:
    """Without a tolerance, intervals that do not share a point do not agree."""
    assert lack(said("a", Interval(0, 99)), said("b", Interval(100, 300))) is Lack.NO_MAJORITY


def test_the_tolerance_brings_neighbours_together_and_moves_no_estimate() -> None:
    """Each vote is widened on both sides; the ends that estimate are not."""
    neighbours = said("a", ms(0, 10)), said("b", ms(50, 60))

    assert lack(*neighbours, tolerance_ms=19) is Lack.NO_MAJORITY
    found = answer(*neighbours, tolerance_ms=20)
    assert found.agreed == (ms(30, 30),)
    assert found.estimate_ns == 30_000_000
    assert answer(*neighbours, tolerance_ms=500).estimate_ns == 30_000_000


def test_a_majority_may_meet_in_two_places() -> None:
    """C need not be one interval, and its hull spans the gap (research B1)."""
    found = answer(
        said("wide", ms(0, 10_000)),
        said("b", ms(4000, 5000)),
        said("c", ms(4000, 5000)),
        said("liar", ms(8000, 9000)),
        said("other liar", ms(8000, 9000)),
    )

    assert found.agreed == (ms(4000, 5000), ms(8000, 9000))
    assert found.hull == ms(4000, 9000)
    # 0 4 4 5 5 | 8 8 9 9 10: an even split, so the middle of 5 and 8; 6.5 s is a tie, to 7.
    assert (found.estimate_ns, found.drift_s) == (6_500_000_000, 7)
    assert found.operators == ("wide",)


def test_a_sample_in_the_gap_of_a_majority_does_not_agree() -> None:
    """Agreeing takes a point of C: one between C's parts, inside its hull, does not estimate."""
    found = answer(
        said("wide", ms(0, 9000)),
        said("wide too", ms(0, 9000)),
        said("early", ms(1000, 2000)),
        said("early too", ms(1000, 2000)),
        said("gap", ms(2900, 2900)),
        said("late", ms(3000, 3000)),
        said("late too", ms(3000, 3000)),
    )

    assert found.agreed == (ms(1000, 2000), ms(3000, 3000))
    # 0 0 1 1 2 2 | 3 3 3 3 9 9; with the gap's two ends it would be 2900.
    assert found.estimate_ns == 2_500_000_000


# One operator, one vote


def test_many_sources_of_one_operator_are_one_vote() -> None:
    """An operator that runs five lying sources is one liar."""
    found = answer(
        *[said("liar", ms(5000, 5010))] * 5, said("a", ms(0, 10)), said("b", ms(5, 15)), operators=2
    )

    assert found.drift_s == 0
    assert found.operators == ("a", "b")


def test_failed_sources_do_not_dilute_an_operator() -> None:
    """Five operators answering with one source of three outvote three liars (research A5)."""
    honest = [
        outcome
        for name in "abcde"
        for outcome in (failed(name), said(name, ms(-10, 10)), failed(name))
    ]
    liars = [said(name, ms(9000, 9010)) for name in "xyz"]

    found = answer(*honest, *liars, operators=5)

    assert found.drift_s == 0
    assert found.operators == ("a", "b", "c", "d", "e")


def test_outstanding_sources_of_the_honest_keep_liars_from_winning_early() -> None:
    """While two of three sources of each honest operator are out, the liars' lead means nothing."""
    honest = [
        outcome for name in "abcde" for outcome in (out(name), said(name, ms(-10, 10)), out(name))
    ]
    liars = [said(name, ms(9000, 9010)) for name in "xyz"]

    assert isinstance(settled(*honest, *liars), NoAnswer)


@pytest.mark.parametrize("spelling", ["Apple", "APPLE", " apple", "apple\t"])
def test_operators_compare_case_folded_and_stripped(spelling: str) -> None:
    """However its name is written, an operator is one."""
    assert operator_key(spelling) == "apple"
    sources = said("apple", ms(0, 10)), said(spelling, ms(0, 10)), said("b", ms(90, 99))

    assert lack(*sources) is Lack.NO_MAJORITY


# The estimate


def test_sharp_samples_decide_among_coarse_ones() -> None:
    """A wide likely interval pulls both ways alike, so that the sharp minority is the median."""
    coarse = [said(name, ms(-500, 900), kind="https") for name in "abcd"]
    sharp = said("e", ms(300, 302)), said("f", ms(301, 303))

    assert answer(*coarse, *sharp).estimate_ns == 301_500_000


def test_whole_second_roughtime_is_not_half_a_second_off() -> None:
    """`certain` votes, `likely` estimates: a truncated MIDP has its middle elsewhere (A2)."""
    found = answer(*(said(name, ms(-7000, -2500), ms(-4450, -3450), "roughtime") for name in "abc"))

    assert (found.drift_s, found.estimate_ns) == (-4, -3_950_000_000)


def test_outvoted_samples_do_not_estimate() -> None:
    """Two of five are far off; the median is that of the three that agree."""
    found = answer(
        *(said(name, ms(100, 120)) for name in "abc"), *(said(name, ms(800, 900)) for name in "xy")
    )

    assert found.estimate_ns == 110_000_000


def test_the_estimate_is_clamped_into_the_hull_of_the_majority() -> None:
    """Where the likely ends lie beside C, its near end is the estimate, and no point outside."""
    wide = [said(name, ms(0, 1000), ms(0, 0), "https") for name in "ab"]
    sharp = said("c", ms(800, 900))
    elsewhere = [said(name, ms(9000, 9000)) for name in "xy"]

    found = answer(*wide, sharp, *elsewhere)

    assert found.agreed == (ms(800, 900),)
    assert (found.estimate_ns, found.drift_s) == (800_000_000, 1)
    assert found.operators == ("c",)


def test_a_shared_vote_weighs_its_share() -> None:
    """Two sources of one operator pull the median with half a vote each."""
    wide = ms(-1000, 1000)
    halves = said("a", wide, ms(10, 10)), said("a", wide, ms(15, 15))
    whole = [said(name, wide, ms(at, at)) for name, at in (("b", -20), ("c", 0), ("d", 20))]

    # Both ends weigh -20: 2, 0: 2 | 10: 1, 15: 1, 20: 2. Five equal samples would say 10.
    assert answer(*halves, *whole).estimate_ns == 5_000_000
    # With the half at 10 failed, the whole of operator a is at 15.
    assert answer(failed("a"), halves[1], *whole).estimate_ns == 7_500_000


# Rounding


@pytest.mark.parametrize(
    ("ns", "seconds"),
    [
        (0, 0),
        (1, 0),
        (NS // 2 - 1, 0),
        (NS // 2, 1),
        (NS, 1),
        (3 * NS // 2 - 1, 1),
        (3 * NS // 2, 2),
        (2_500_000_000, 3),
        (7_258_118_400 * NS + NS // 2, 7_258_118_401),
    ],
)
def test_seconds_are_rounded_to_nearest_and_ties_away_from_zero(ns: int, seconds: int) -> None:
    """Half a second is one, on both sides of zero."""
    assert rounded_s(ns) == seconds
    assert rounded_s(-ns) == -seconds
    assert str(rounded_s(-ns)) != "-0"


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "estimate_ns", "drift_s"),
    [
        (1, 2, 1, 0),
        (-2, -1, -1, 0),
        (-1, 0, 0, 0),
        (0, 1, 0, 0),
        (NS // 2 - 1, NS // 2, NS // 2 - 1, 0),
        (NS // 2, NS // 2 + 1, NS // 2, 1),
        (NS // 2 - 1, NS // 2 + 1, NS // 2, 1),
        (-NS // 2, -NS // 2 + 1, -NS // 2 + 1, 0),
        (-NS // 2 - 1, -NS // 2, -NS // 2, -1),
        (-NS // 2 - 1, -NS // 2 + 1, -NS // 2, -1),
    ],
)
def test_half_a_nanosecond_never_rounds_an_integer_up(
    low_ns: int, high_ns: int, estimate_ns: int, drift_s: int
) -> None:
    """The middle of an even split is halved toward zero, and the integer is that of the middle."""
    found = answer(said("a", Interval(low_ns, high_ns)))

    assert (found.estimate_ns, found.drift_s) == (estimate_ns, drift_s)


@pytest.mark.parametrize("wall_ns", [0, NS, -4 * NS, -1_795_305_600 * NS, 4_000_000_000 * NS])
def test_any_drift_is_legal(wall_ns: int) -> None:
    """A clock that says 1970 or 2100 gets its huge integer: wall - raw is added, no more."""
    found = answer(said("a", ms(100, 200)), said("b", ms(150, 250)), wall_ns=wall_ns)

    assert found.drift_s == wall_ns // NS
    assert found.estimate_ns == 175_000_000 + wall_ns
    assert found.hull == ms(150, 200).shifted(wall_ns)


# The quorum


def test_a_quorum_counts_operators_and_kinds() -> None:
    """What is found and what is wanted is said in operators and kinds."""
    three = [said(name, ms(0, 10)) for name in "abc"]

    assert answer(*three, operators=3).drift_s == 0
    assert settled(*three, operators=3, kinds=2) == NoAnswer(
        Lack.NO_QUORUM,
        "3 operators of 1 kind can agree on 0 s",
        "3 operators of 2 kinds",
        (ms(0, 10),),
    )
    assert lack(*three, operators=4) is Lack.NO_QUORUM


def test_a_second_kind_counts_only_of_an_operator_that_counts() -> None:
    """Kinds are those of the supporting samples of counted operators, and of no others."""
    ntp = [said(name, ms(0, 10)) for name in "abc"]
    third = said("d", ms(0, 10), kind="nts")
    liars = said("d", ms(5000, 5001), kind="nts"), said("d", ms(7000, 7001), kind="nts")

    assert answer(*ntp, third, liars[0], kinds=2).kinds == ("ntp", "nts")
    assert lack(*ntp, third, *liars, kinds=2) is Lack.NO_QUORUM


@pytest.mark.parametrize(
    ("supporting", "others", "counts"), [(1, 1, True), (1, 2, False), (2, 1, True)]
)
def test_an_operator_counts_if_half_of_its_sources_support(
    supporting: int, others: int, counts: bool
) -> None:
    """At least half of an operator's sources that have not failed have to support the integer."""
    mixed = [said("m", ms(0, 10))] * supporting + [said("m", ms(9000, 9001))] * others
    plain = [said(name, ms(0, 10)) for name in "ab"]

    found = answer(*mixed, failed("m"), failed("m"), *plain)

    assert ("m" in found.operators) is counts


def test_a_coarse_sample_seconds_away_does_not_count() -> None:
    """Overlap alone is no support: the likely interval has to reach the integer (research A6)."""
    forged = [said(name, ms(4990, 5010)) for name in "abc"]
    far = said("r", ms(-10_500, 9500), ms(-1000, 0), "roughtime")
    near = said("r", ms(-5500, 14_500), ms(4000, 4500), "roughtime")

    refused = settled(*forged, far, operators=3, kinds=2)
    assert isinstance(refused, NoAnswer)
    assert refused.lack is Lack.NO_QUORUM
    assert refused.found == "3 operators of 1 kind can agree on 5 s"
    assert answer(*forged, near, operators=4, kinds=2).drift_s == 5


def test_operators_are_named_in_the_order_of_configuration() -> None:
    """The first source of each decides its place; names are case-folded, kinds sorted."""
    found = answer(
        said("Zoe", ms(0, 10), kind="roughtime"), said("B", ms(0, 10)), said("zoe", ms(0, 10))
    )

    assert found.operators == ("zoe", "b")
    assert found.kinds == ("ntp", "roughtime")


# Nothing, and waiting


def test_no_sample_is_no_answer() -> None:
    """Without sources, or when all have failed, there is nothing; nothing is settled as zero."""
    assert lack() is Lack.NOTHING
    assert lack(failed("a"), failed("b")) is Lack.NOTHING
    assert lack(operators=0, kinds=0) is Lack.NOTHING


def test_all_outstanding_is_unsettled() -> None:
    """Before the first reply the run waits, and says for how many votes."""
    assert settled(out("a"), out("b"), out("b")) == NoAnswer(
        Lack.UNSETTLED, "2 of 2 votes outstanding", "less than half"
    )


def test_half_outstanding_is_unsettled_and_less_may_settle() -> None:
    """Two of four could still tie; two of five agree whatever the rest says."""
    two_in = said("a", ms(0, 10)), said("b", ms(0, 10))

    assert lack(*two_in, out("c"), out("d")) is Lack.UNSETTLED
    assert answer(*two_in, said("c", ms(0, 10)), out("d"), out("e")).drift_s == 0


def test_a_majority_of_those_in_that_is_none_of_all_waits() -> None:
    """Open votes count in T: a and c agree, yet d and e could fail and miss the quorum (A3)."""
    answered = said("a", ms(0, 200)), said("b", ms(300, 400)), said("c", ms(0, 200))

    assert isinstance(settled(*answered, out("d"), out("e"), operators=3), NoAnswer)
    assert isinstance(settled(*answered, out("d"), out("e"), operators=2), NoAnswer)
    assert lack(*answered, failed("d"), failed("e"), operators=3) is Lack.NO_QUORUM
    assert answer(*answered, failed("d"), failed("e"), operators=2).drift_s == 0


def test_a_quorum_is_met_by_those_who_have_answered() -> None:
    """Three agree and two are out: settled for a quorum of three, not for one of four."""
    answered = [said(name, ms(0, 200)) for name in "abc"]

    assert answer(*answered, out("d"), out("e"), operators=3).operators == ("a", "b", "c")
    assert lack(*answered, out("d"), out("e"), operators=4) is Lack.NO_QUORUM
    assert answer(*answered, said("d", ms(0, 200)), out("e"), operators=4).drift_s == 0


def test_outstanding_sources_count_against_their_operator() -> None:
    """With one supporting source of three in, the other two could take the operator's support."""
    plain = [said(name, ms(0, 10)) for name in "abc"]

    assert answer(*plain, said("d", ms(0, 10)), out("d"), operators=4).drift_s == 0
    assert lack(*plain, said("d", ms(0, 10)), out("d"), out("d"), operators=4) is Lack.NO_QUORUM


def test_what_is_outstanding_may_still_pull_the_median_over_a_boundary() -> None:
    """Coarse samples leave room for two integers until a sharp one, or the end, decides."""
    coarse = [said(name, ms(0, 1000), ms(0, 1000), "https") for name in "abc"]

    assert settled(*coarse, out("d")) == NoAnswer(
        Lack.UNSETTLED, "0 to 1 s possible", "one integer", (ms(0, 1000),)
    )
    assert answer(*coarse, said("d", ms(100, 110))).drift_s == 0
    assert answer(*coarse, said("d", ms(890, 900))).drift_s == 1
    assert answer(*coarse, failed("d")).drift_s == 1


def test_a_sample_that_may_yet_agree_may_yet_pull() -> None:
    """Those that meet P but not C join the median if an outstanding source joins them."""
    answered = (
        *(said(name, ms(0, 480), ms(400, 480)) for name in "abc"),
        said("d", ms(0, 900), ms(400, 900)),
        *(said(name, ms(600, 900), ms(900, 900)) for name in "xy"),
    )

    assert lack(*answered, out("g")) is Lack.UNSETTLED
    assert answer(*answered, failed("g")).estimate_ns == 440_000_000
    # .4 x 4, .48 x 3 | .9 x 7
    joined = answer(*answered, said("g", ms(600, 900), ms(900, 900)))
    assert (joined.estimate_ns, joined.drift_s) == (690_000_000, 1)


@pytest.mark.parametrize("side", [1, -1])
def test_the_clamp_into_the_final_majority_keeps_a_run_open(side: int) -> None:
    """C may grow over the likely ends or stay beside them, which clamps: two integers possible."""
    answered = (
        *(said(name, ms(*sorted((0, side * 1000))), ms(0, 0), "https") for name in "abc"),
        said("d", ms(*sorted((side * 800, side * 1000)))),
        said("e", ms(9000, 9000)),
    )

    assert lack(*answered, out("f")) is Lack.UNSETTLED
    assert answer(*answered, failed("f")).drift_s == 0
    assert answer(*answered, said("f", ms(9999, 9999))).drift_s == side


@pytest.mark.parametrize("side", [1, -1])
def test_a_majority_that_may_form_elsewhere_keeps_a_run_open(side: int) -> None:
    """P reaches beyond C: what is outstanding may widen the majority's hull, and lift its clamp."""
    near, far = side * 400, side * 600
    answered = (
        *(said(name, ms(*sorted((0, side * 900))), ms(far, far), "https") for name in "abc"),
        said("d", ms(*sorted((0, near)))),
        said("e", ms(9000, 9000)),
    )

    assert lack(*answered, out("f")) is Lack.UNSETTLED
    assert answer(*answered, failed("f")).drift_s == side
    assert answer(*answered, said("f", ms(9999, 9999))).drift_s == 0


def test_an_early_answer_rests_on_what_was_measured() -> None:
    """The nanoseconds reported are those of the run in which nobody else answers."""
    answered = said("a", ms(10, 20)), said("b", ms(12, 22)), said("c", ms(14, 24))

    assert answer(*answered, out("d"), out("e")) == answer(*answered)


def test_most_of_a_usual_mix_is_enough() -> None:
    """Seven of eleven in, most of them sharp, decide without the rest (research A4)."""
    sharp = [said(f"ntp{i}", ms(95 + i, 125 + i)) for i in range(5)]
    coarse = [said(f"https{i}", ms(-400 - i, 1200), ms(-400, 600), "https") for i in range(2)]
    late = [out("https2"), *(out(f"rough{i}", "roughtime") for i in range(3))]

    found = answer(*sharp, *coarse, *late, operators=3, kinds=2, tolerance_ms=20)

    assert found.drift_s == 0
    assert found.kinds == ("https", "ntp")


# Asking coarse sources again


def worth(
    *outcomes: Sample | Failure,
    refinable: Collection[int] = range(99),
    operators: int = 3,
    kinds: int = 1,
    wall_ns: int = 0,
) -> bool:
    """Tell whether it is worth refining, by default all sources there are."""
    return worth_refining(outcomes, refinable, Rule(operators, kinds, 0), wall_ns)


def https(operator: str, low: float = -700, high: float = 310) -> Sample:
    return said(operator, ms(low, high), kind="https")


SHARP = [said(name, ms(-10, 10)) for name in "abc"]


def test_coarse_samples_alone_are_worth_refining() -> None:
    """Three operators whose samples may round to either of two integers leave it open."""
    assert worth(https("a"), https("b"), https("c"))
    assert not worth(https("a", -490, 490), https("b", -490, 490), https("c", -490, 490))


def test_enough_operators_that_are_sure_leave_nothing_open() -> None:
    """min_operators sharp operators decide; coarse ones beside them are left in peace."""
    assert not worth(*SHARP, https("d"))
    assert worth(*SHARP[:2], https("d"))
    assert worth(*SHARP, https("d"), operators=4)


def test_several_sure_sources_of_one_operator_are_one() -> None:
    """Sure operators are counted, not their samples."""
    assert worth(*[said("a", ms(-10, 10))] * 3, https("b"), https("c"))


def test_sure_of_another_integer_does_not_count() -> None:
    """A sharp operator that agrees, but rounds to another integer, does not make this one sure."""
    other = said("a", ms(-700, 310), ms(-700, -600), "https")

    assert worth(other, *SHARP[1:], https("d"))


def test_what_cannot_decide_is_not_tried() -> None:
    """Without refinable sources, operators or kinds enough, asking again would be in vain."""
    assert not worth(https("a"), https("b"), https("c"), refinable=[])
    assert not worth(https("a"), https("b", -490, 400), https("c"), refinable=[1])
    assert worth(*SHARP[:2], https("c"), https("d"), refinable=[3])
    assert not worth(https("a"), https("b"), failed("c"))
    assert not worth(https("a"), https("b"), https("c"), failed("n"), kinds=2)


def test_what_may_change_the_integer_is_tried() -> None:
    """Two coarse operators of three, beside one that stays coarse, decide once they are sharp."""
    assert worth(https("a"), https("b"), https("c"), refinable=[0, 1])
    assert worth(SHARP[0], https("b"), https("c"), refinable=[1, 2])


def test_falsetickers_are_not_hoped_for() -> None:
    """A source that is outvoted cannot come to agree by being narrower."""
    liar = https("d", 5000, 6000)

    assert not worth(*SHARP[:2], said("c", ms(-10, 600)), liar, refinable=[3])
    assert not worth(https("a"), https("b", 8000, 9000), liar)


# Coarse sources that could not be asked again


def unless(
    *outcomes: Sample | Failure, missed: Collection[int], operators: int = 3, kinds: int = 1
) -> Answer | NoAnswer:
    """Settle a finished run in which these sources could not be asked again."""
    rule = Rule(operators, kinds, 0)
    found = settle(outcomes, rule, 0)
    assert isinstance(found, Answer)
    return unless_unrefined(found, outcomes, dict.fromkeys(missed, "no route"), rule, 0)


def test_an_integer_that_only_asking_again_could_decide_is_no_answer() -> None:
    """Coarse samples alone leave two integers; the lack names both, and why they stayed so."""
    found = unless(https("a"), https("b"), https("c"), missed=[0, 1, 2])

    assert isinstance(found, NoAnswer)
    assert found.lack is Lack.UNREFINED
    assert found.found == "-1 to 0 s possible, asking again failed: no route"
    assert found.agreed


def test_coarse_samples_that_could_not_be_sharper_stand() -> None:
    """Who was asked all that there was to ask, and kinds that are never asked again, stay."""
    assert isinstance(unless(https("a"), https("b"), https("c"), missed=[]), Answer)


@pytest.mark.parametrize(
    ("sharp", "coarse", "stands"),
    [(3, 9, True), (2, 1, True), (2, 2, True), (2, 3, False), (1, 2, False)],
)
def test_sharp_samples_carry_the_answer(sharp: int, coarse: int, stands: bool) -> None:
    """min_operators that are sure do, whoever failed, and so does more than half of the weight."""
    samples = [said(f"s{n}", ms(-10, 10)) for n in range(sharp)]
    rest = [https(f"c{n}") for n in range(coarse)]

    found = unless(*samples, *rest, missed=range(sharp, sharp + coarse))

    assert isinstance(found, Answer) is stands


def test_a_narrowed_sample_tells_though_it_failed_later() -> None:
    """Narrower than half a second, or of one integer only, is as good as a precise one."""
    narrow = [https("a", -490, 490), https("b", -490, 490), https("c", -600, -150)]

    assert isinstance(unless(*narrow, missed=[0, 1, 2]), Answer)


def test_falsetickers_that_failed_leave_the_answer_alone() -> None:
    """Who is outvoted was not needed to be asked again."""
    liar = https("d", 5000, 6000)

    assert isinstance(unless(*SHARP[:2], said("c", ms(-10, 600)), liar, missed=[3]), Answer)


def test_it_is_judged_by_the_drift_of_this_moment() -> None:
    """What straddles a half second raw may not once the wall clock is added, and vice versa."""
    narrow = [https(name, -490, 490) for name in "abc"]

    assert not worth(*narrow)
    assert worth(*narrow, wall_ns=NS // 2)
