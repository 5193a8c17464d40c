"""The schedule of `watch`: one period apart from the beginning on, late by a tenth at most."""

from hypothesis import given
from hypothesis import strategies as st

from drift.run.schedule import Schedule
from sources.clock import NS

EVERY_NS = 60 * NS


def test_the_first_moment_is_the_beginning() -> None:
    """Whoever starts it wants a value now."""
    assert Schedule(EVERY_NS, 17, lambda limit: limit - 1).first_raw_ns() == 17


@given(
    st.integers(NS, 86_400 * NS),
    st.integers(0, 10**18),
    st.lists(st.integers(0, 3 * 86_400 * NS), min_size=1, max_size=50),
    st.integers(0, 10**18),
)
def test_no_delay_adds_up(every_ns: int, began_ns: int, took: list[int], jitter: int) -> None:
    """However long measurements take: each moment is a multiple of the period, plus its jitter."""
    schedule = Schedule(every_ns, began_ns, lambda limit: jitter % limit)
    now_ns = schedule.first_raw_ns()
    number = 0
    for took_ns in took:
        now_ns += took_ns
        moment_ns = schedule.next_raw_ns(now_ns)

        passed, late_ns = divmod(moment_ns - began_ns, every_ns)
        assert late_ns < every_ns // 10
        assert moment_ns >= now_ns
        # Nothing is left out that could be kept: the period before was over, or was the last one.
        assert passed == number + 1 or began_ns + (passed - 1) * every_ns < now_ns
        assert passed > number
        number, now_ns = passed, moment_ns


def test_what_was_missed_is_not_made_up_for() -> None:
    """A measurement, or a sleep, of two and a half periods leaves two moments out."""
    schedule = Schedule(EVERY_NS, 0, lambda _: 0)

    assert schedule.next_raw_ns(5 * EVERY_NS // 2) == 3 * EVERY_NS
    assert schedule.next_raw_ns(3 * EVERY_NS + NS) == 4 * EVERY_NS
