"""When a run with sources outstanding is settled already."""

import pytest

from drift.consensus.rule import Lack, NoAnswer
from tests.support.drift.settling import answer, failed, lack, ms, out, said, settled


def test_no_sample_is_no_answer() -> None:
    """Without sources, or when all have failed, there is nothing; nothing is settled as zero."""
    assert settled() == NoAnswer(Lack.NOTHING, "no votes", "a majority")
    assert lack(failed("a"), failed("b")) is Lack.NOTHING
    assert lack(operators=0, kinds=0) is Lack.NOTHING


def test_all_outstanding_is_unsettled() -> None:
    """Before the first reply the run waits, and says for how many votes."""
    assert settled(out("a"), out("b"), out("b")) == NoAnswer(
        Lack.UNSETTLED, "2 of 2 votes outstanding", "less than half"
    )


def test_one_alone_is_waited_for() -> None:
    """The only vote that there is may still come."""
    assert settled(out("a")) == NoAnswer(
        Lack.UNSETTLED, "1 of 1 votes outstanding", "less than half"
    )


def test_two_to_come_may_move_the_majority_as_far_as_one_sample_reaches() -> None:
    """All three agree between .7 and .9 s; d and e may agree with a and b at .3 s, or at 1.3 s."""
    answered = said("a", ms(300, 1300)), said("b", ms(300, 1300)), said("c", ms(700, 900))

    assert settled(*answered, out("d"), out("e")) == NoAnswer(
        Lack.UNSETTLED, "0 to 1 s possible", "one integer", (ms(700, 900),)
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
