"""When a node is asked next, and that two aimed exchanges decide nearly all of them."""

import math
from random import Random

import pytest

from drift.consensus.rule import rounded_s
from fleet import readings
from fleet.readings import Reading, Reference
from fleet.sweep import aim
from fleet.sweep.aim import ANY_TIME, Habit, Window, first
from nodes.base import Stamp
from sources.base import Interval
from sources.clock import NS

SECONDS = Habit(grain_ns=NS, lag_ns=0, lead_ns=0, took_ns=NS // 10)
MS = NS // 1000


def a_reading(low_s: float, high_s: float) -> Reading:
    return Reading(Interval(round(low_s * NS), round(high_s * NS)), 0, 0)


def test_the_first_is_asked_in_the_second_half() -> None:
    """Nothing is known of its round trip, and that end does not depend on it."""
    assert aim.aim(None, None, 0, 0) == Window(510 * MS, 240 * MS)


def test_the_second_exchange_ends_before_the_middle() -> None:
    """A right clock whose upper bound is proven is asked so that the answer is in before .5."""
    window = aim.aim(a_reading(-0.7, 0.4), SECONDS, 1, 0)

    assert window is not None
    assert window.opens_ns + window.width_ns + SECONDS.took_ns < NS // 2
    assert window.width_ns > 200 * MS


def test_where_the_lower_bound_is_proven_the_upper_one_is_next() -> None:
    """The half that is still open is the one that is asked in."""
    assert aim.aim(a_reading(-0.4, 0.7), SECONDS, 1, 0) == first(0)


def test_a_drift_near_a_boundary_narrows_the_window() -> None:
    """Known to be about 3.4 s ahead: only just after the middle does the second still stand."""
    window = aim.aim(a_reading(3.25, 3.55), SECONDS, 1, 0)

    assert window is not None
    assert window == Window(510 * MS, 20 * MS)


def test_after_two_the_pair_is_sharp() -> None:
    """The third and the fourth are asked as near to the middle as it can be hit."""
    below = aim.aim(a_reading(-0.7, 0.4), SECONDS, 2, 0)
    above = aim.aim(a_reading(-0.4, 0.7), SECONDS, 3, 0)

    assert below == Window(357_500_000, 20 * MS)
    assert above == Window(510 * MS, 20 * MS)


def test_what_connecting_takes_is_allowed_for() -> None:
    """t1 is what has to be after the middle, so a sharp one begins earlier by some of the lead."""
    window = aim.aim(a_reading(-0.4, 0.7), SECONDS.replaced(lead_ns=200 * MS), 2, 0)

    assert window == Window(360 * MS, 20 * MS)


@pytest.mark.parametrize("took_ns", [0, NS // 4, NS, 5 * NS])
@pytest.mark.parametrize("probes", [1, 2, 3])
@pytest.mark.parametrize("low_s", [-7.3, -0.9, -0.5, 0, 0.2, 86_400.4])
def test_windows_are_inside_a_second(took_ns: int, probes: int, low_s: float) -> None:
    """However slow the node is, there is a moment to ask it."""
    habit = SECONDS.replaced(took_ns=took_ns, lead_ns=took_ns)
    window = aim.aim(a_reading(low_s, low_s + 1.3), habit, probes, 0)

    assert window is not None
    assert 0 <= window.opens_ns < NS
    assert 20 * MS <= window.width_ns <= NS


def test_four_are_the_most() -> None:
    """A node that cannot be decided is left alone."""
    assert aim.aim(a_reading(-0.7, 0.4), SECONDS, 4, 0) is None


def test_what_is_decided_is_not_asked_again_in_the_same_round() -> None:
    """But a new round asks at least once, to see whether it still holds."""
    assert aim.aim(a_reading(-0.4, 0.4), SECONDS, 1, 0) is None
    assert aim.aim(a_reading(-0.4, 0.4), SECONDS, 0, 0) is not None


def test_fine_stamps_need_no_aim() -> None:
    """Milliseconds are as good at any time."""
    fine = SECONDS.replaced(grain_ns=NS // 1000)

    assert aim.aim(a_reading(0.45, 0.55), fine, 1, 0) == ANY_TIME


@pytest.mark.parametrize(("grain_ns", "lag_ns"), [(300 * NS, 0), (NS, NS), (NS, NS // 2)])
def test_what_can_never_be_decided_is_asked_once(grain_ns: int, lag_ns: int) -> None:
    """Five minutes of grain, or a Date that may be a second late: once more would not help."""
    habit = SECONDS.replaced(grain_ns=grain_ns, lag_ns=lag_ns)

    assert aim.aim(a_reading(-1, 1.1), habit, 1, 0) is None
    assert aim.aim(a_reading(-1, 1.1), habit, 0, 0) == ANY_TIME


# --- Simulated networks ---------------------------------------------------------------------


def a_random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a simulation


class Network:
    """Nodes whose round trips are log-normal, each about one of its own; true time is raw time."""

    reference = Reference(Interval(-MS, MS), 0)

    def __init__(self, random: Random, spread_s: float, off_s: float = 0) -> None:
        self.random = random
        self.spread_s = spread_s
        self.off_s = off_s

    def probes_of_one(self) -> tuple[int, int, int | None]:
        """Return how many exchanges one node took, its drift, and the integer that was proven."""
        random = self.random
        drift_ns = round((self.off_s + random.gauss(0, self.spread_s)) * NS)
        usual_s = random.lognormvariate(math.log(0.09), 0.5)
        reading, habit, probes = None, None, 0
        now_ns = 10_000 * NS
        while (window := aim.aim(reading, habit, probes, MS)) is not None:
            now_ns += 2 * NS
            begun_ns = now_ns // NS * NS + window.opens_ns
            begun_ns += random.randrange(window.width_ns)
            sent_ns = begun_ns + self.path_ns(usual_s) // 2
            stamped_ns = sent_ns + self.path_ns(usual_s) // 2
            received_ns = stamped_ns + self.path_ns(usual_s) // 2
            stamp = Stamp(
                stamp_unix_ns=(stamped_ns + drift_ns) // NS * NS,
                grain_ns=NS,
                lag_ns=0,
                sent_raw_ns=sent_ns,
                received_raw_ns=received_ns,
                server="192.0.2.1",
                software="",
                authenticated=False,
                verdict="",
                note="",
            )
            reference = self.reference.replaced(at_raw_ns=now_ns)
            found = readings.read(stamp, reference)
            reading = found if reading is None else readings.joined(reading, found)
            assert reading is not None
            habit = Habit(NS, 0, sent_ns - begun_ns, received_ns - begun_ns)
            probes += 1
        assert reading is not None
        return probes, drift_ns, readings.proven_s(reading.interval)

    def path_ns(self, usual_s: float) -> int:
        return round(usual_s * self.random.lognormvariate(0, 0.15) * NS)


def shares(network: Network, nodes: int) -> tuple[float, float]:
    """Return which shares of nodes are decided after two exchanges, and at all; none wrongly."""
    after_two = decided = 0
    for _ in range(nodes):
        probes, drift_ns, integer = network.probes_of_one()
        assert integer in (None, rounded_s(drift_ns))
        decided += integer is not None
        after_two += integer is not None and probes <= 2
    return after_two / nodes, decided / nodes


def test_two_decide_nearly_every_healthy_node() -> None:
    """Drifts of 20 ms, round trips of 90 ms and log-normal: 99.5 % after two exchanges."""
    after_two, decided = shares(Network(a_random(1), 0.02), 20_000)

    assert after_two >= 0.995
    assert decided >= 0.998


def test_four_decide_most_nodes_that_are_anywhere() -> None:
    """Anywhere is also near a boundary: nearer than a path takes, no exchange can prove a side."""
    _, decided = shares(Network(a_random(2), 3), 20_000)

    assert decided >= 0.82


def test_nodes_that_are_all_four_seconds_behind() -> None:
    """Nothing is special about zero but that it is expected at first."""
    _, decided = shares(Network(a_random(3), 0.1, off_s=-4), 20_000)

    assert decided >= 0.97
