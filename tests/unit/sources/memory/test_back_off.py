"""Who is left alone, and for how long: never longer than a day, whatever stands in the memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import (
    Malformed,
    Refused,
    Run,
    Sample,
    SourceError,
    TimedOut,
    Unavailable,
    Unreachable,
)
from sources.clock import NS
from sources.memory import Entry, Memory, Update, back_off
from sources.memory.back_off import after_kiss, after_silence, left_ns
from tests.support.fakes import FakeClock, FakeSource, a_sample

HOUR_NS = 3600 * NS
DAY_NS = 24 * HOUR_NS
NOW_NS = 5 * DAY_NS
SAMPLE = a_sample(-0.1, 0.1)

WHOLE = st.integers() | st.integers(-(10**30), 10**30)
VALUES = WHOLE | st.text() | st.lists(st.text())
JUNK = st.dictionaries(
    st.sampled_from(["code", "times", "until_boot_ns", "kept_boot_ns"]) | st.text(), VALUES
)
"""What may come from a file: `drift.run.state` lets no other types through."""
CODES = st.sampled_from(["RATE", "DENY", "RSTR"])


class BootClock(FakeClock):
    """A clock that has run since boot for as long as the test says."""

    boot = NOW_NS

    def boot_ns(self) -> int:
        return self.boot


class Kept(Memory):
    """Keeps entries for as long as the test runs; ages are the state directory's business."""

    def __init__(self, **entries: Entry) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], Entry] = {}

    def recall(self, shelf: str, name: str, most_age_ns: int | None = None) -> Entry | None:
        assert most_age_ns == back_off.REMEMBERED_NS
        return self.entries.get((shelf, name))

    def change(self, shelf: str, name: str, update: Update, most_age_ns: int | None = None) -> bool:
        entry = update(self.recall(shelf, name, most_age_ns))
        self.entries.pop((shelf, name), None)
        if entry is not None:
            self.entries[shelf, name] = entry
        return True

    @property
    def only(self) -> Entry:
        (entry,) = self.entries.values()
        return entry


class Asked:
    """One source, asked in one run after the other; what it says is what the test sets."""

    def __init__(self, *, backs_off: bool = False, memory: Memory | None = None) -> None:
        kind = type("Kind", (FakeSource,), {"backs_off": backs_off})
        self.says: Sample | SourceError = SAMPLE
        self.times = 0
        self.clock = BootClock()
        self.memory = memory or Kept()
        self.source: FakeSource = kind("Alpha", self._answer)

    def _answer(self, run: Run) -> Sample:
        self.times += 1
        if isinstance(self.says, SourceError):
            raise self.says
        return self.says

    def ask(self) -> Sample:
        run = Run(NS, self.clock, lambda host, _: (host,), lambda n: b"\0" * n, self.memory)
        return back_off.asked(self.source, run)

    def fail(self, says: SourceError) -> SourceError:
        """Ask it while it says this; return what is raised."""
        self.says = says
        with pytest.raises(SourceError) as raised:
            self.ask()
        return raised.value

    def skip(self) -> SourceError:
        """Ask, check that it was not asked, and return what is raised instead."""
        before = self.times
        with pytest.raises(SourceError) as raised:
            self.ask()
        assert self.times == before
        return raised.value


# --- How long -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "rests_s"),
    [
        ("RATE", [60, 120, 240, 480, 960, 1920, 3600, 3600]),
        ("DENY", [3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]),
        ("RSTR", [3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]),
    ],
)
def test_each_kiss_doubles_the_rest_up_to_a_cap(code: str, rests_s: list[int]) -> None:
    """RATE rests for a minute at first and an hour at most; DENY and RSTR an hour and a day."""
    entry = None
    for rest_s in rests_s:
        entry = after_kiss(entry, code, NOW_NS)

        assert left_ns(entry, NOW_NS) == rest_s * NS
        assert left_ns(entry, NOW_NS + rest_s * NS - 1) == 1
        assert left_ns(entry, NOW_NS + rest_s * NS) == 0


@given(code=CODES, times=st.integers(1, 300))
def test_no_number_of_kisses_makes_more_than_the_cap(code: str, times: int) -> None:
    """However often it is said, and for ever."""
    entry = None
    for _ in range(times):
        entry = after_kiss(entry, code, NOW_NS)

    assert left_ns(entry, NOW_NS) <= (HOUR_NS if code == "RATE" else DAY_NS)


def test_another_code_begins_anew() -> None:
    """A server that said RATE and says DENY now rests for an hour, not two."""
    entry = after_kiss(after_kiss(None, "RATE", NOW_NS), "DENY", NOW_NS)
    assert left_ns(entry, NOW_NS) == HOUR_NS
    assert left_ns(after_kiss(entry, "RATE", NOW_NS), NOW_NS) == 60 * NS
    assert left_ns(after_silence(entry, NOW_NS), NOW_NS) < 4 * NS


@given(entry=st.none() | JUNK, code=st.text())
def test_other_codes_ask_for_nothing(entry: Entry | None, code: str) -> None:
    """A code that does not ask for rest leaves the entry as it is."""
    if code not in ("RATE", "DENY", "RSTR"):
        assert after_kiss(entry, code, NOW_NS) == entry


def test_silence_grows_by_half_a_request_up_to_a_day() -> None:
    """RFC 10049 section 5: three requests a run, each 1.5 times as long after the one before."""
    entry = None
    for times in range(1, 120):
        entry = after_silence(entry, NOW_NS)

        assert left_ns(entry, NOW_NS) == min(int(1.5 ** (3 * min(times, 60)) * NS), DAY_NS)


@given(entry=st.none() | JUNK, now_ns=st.integers(0, 10**20))
def test_nothing_in_an_entry_makes_a_rest_longer_than_a_day(
    entry: Entry | None, now_ns: int
) -> None:
    """Numbers of any size, texts, lists, nothing: 0 to a day."""
    left = left_ns(entry, now_ns)

    assert isinstance(left, int)
    assert 0 <= left <= DAY_NS


@pytest.mark.parametrize("until", [-1, 0, "", "99999999999999999999", [], ["1"], 10**4000])
def test_odd_ends_of_rests(until: int | str | list[str]) -> None:
    """What is no positive number is no rest, and a huge one is a day's."""
    expected = DAY_NS if until == 10**4000 else 0
    assert left_ns({"until_boot_ns": until}, NOW_NS) == expected


@given(entry=st.none() | JUNK, code=CODES, now_ns=st.integers(0, 10**18))
def test_junk_makes_an_ordinary_entry(entry: Entry | None, code: str, now_ns: int) -> None:
    """What is made of junk is within the caps, and can be described."""
    for made in (after_kiss(entry, code, now_ns), after_silence(entry, now_ns)):
        assert made is not None
        assert set(made) == {"code", "times", "until_boot_ns"}
        times, until_ns = made["times"], made["until_boot_ns"]
        assert isinstance(times, int)
        assert isinstance(until_ns, int)
        assert 1 <= times <= 60
        assert now_ns + NS <= until_ns <= now_ns + DAY_NS
        assert "until" in back_off.described(made, left_ns(made, now_ns))


# --- Asking ---------------------------------------------------------------------------------


def test_who_said_rate_is_not_asked_again_until_it_has_rested() -> None:
    """The next runs say `refused`, why and until when, and then it is asked again."""
    lab = Asked()
    assert lab.fail(Refused("kiss-o'-death RATE", "RATE")).args == ("kiss-o'-death RATE",)

    for passed_s, left in ((0, "60 s"), (59, "1 s")):
        lab.clock.boot = NOW_NS + passed_s * NS
        error = lab.skip()
        assert isinstance(error, Refused)
        assert str(error) == f"said RATE, 1 in a row: until {left} from now"

    lab.clock.boot = NOW_NS + 60 * NS
    lab.says = SAMPLE
    assert lab.ask() == SAMPLE
    assert lab.times == 2


def test_being_refused_by_us_does_not_make_the_rest_longer() -> None:
    """Runs that leave the server alone are no kisses."""
    lab = Asked()
    lab.fail(Refused("kiss-o'-death DENY", "DENY"))
    for _ in range(5):
        assert "until 3600 s" in str(lab.skip())


def test_who_says_it_again_rests_for_longer() -> None:
    """After the rest it is asked once, and its second RATE counts as one."""
    lab = Asked()
    lab.fail(Refused("", "RATE"))
    lab.clock.boot += 60 * NS
    lab.fail(Refused("", "RATE"))

    assert str(lab.skip()) == "said RATE, 2 in a row: until 120 s from now"


def test_success_forgets() -> None:
    """Who answers is in good standing again: its next RATE is the first one."""
    memory = Kept()
    lab = Asked(memory=memory)
    lab.fail(Refused("", "RATE"))
    lab.clock.boot += HOUR_NS
    lab.says = SAMPLE
    lab.ask()
    assert memory.entries == {}

    lab.fail(Refused("", "RATE"))
    assert "until 60 s" in str(lab.skip())


def test_a_server_that_answers_costs_no_change() -> None:
    """Where nothing is remembered, nothing is written for a success."""

    class Untouched(Kept):
        def change(self, *_: object) -> bool:
            raise AssertionError

    assert Asked(memory=Untouched()).ask() == SAMPLE


@pytest.mark.parametrize("error", [Refused("", "NTSN"), Refused(""), TimedOut(""), Malformed("")])
def test_other_failures_are_not_remembered(error: SourceError) -> None:
    """Only what asks for rest is; who failed otherwise is asked in each run."""
    lab = Asked()
    assert lab.fail(error) is error
    assert lab.fail(error) is error
    assert lab.times == 2


def test_other_failures_do_not_forget() -> None:
    """A timeout between two RATEs does not make the second one the first."""
    lab = Asked()
    lab.fail(Refused("", "RATE"))
    lab.clock.boot += 60 * NS
    lab.fail(TimedOut(""))
    lab.fail(Refused("", "RATE"))

    assert "2 in a row: until 120 s" in str(lab.skip())


def test_who_backs_off_is_asked_ever_more_rarely() -> None:
    """A Roughtime server that does not answer: timeout, and when it is asked again."""
    lab = Asked(backs_off=True)
    for times, rest_s in ((1, 3.375), (2, 11.390625), (3, 38.443359375)):
        lab.fail(TimedOut("no usable reply before the deadline"))
        error = lab.skip()
        assert isinstance(error, TimedOut)
        assert str(error) == f"did not answer, {times} in a row: until {rest_s:.0f} s from now"
        lab.clock.boot += round(rest_s * NS)
    lab.says = SAMPLE
    assert lab.ask() == SAMPLE

    lab.fail(TimedOut(""))
    assert "1 in a row" in str(lab.skip())


@pytest.mark.parametrize("failure", [Unreachable, Unavailable])
def test_what_was_never_sent_is_no_silence(failure: type[SourceError]) -> None:
    """Where the network is down, or this machine lacks something, nobody is to be spared for it."""
    lab = Asked(backs_off=True)
    for _ in range(5):
        lab.fail(failure("no address can be reached"))

    assert lab.times == 5


def test_each_source_has_its_own_rest() -> None:
    """Another endpoint, or another kind at the same one, is asked all the same."""
    memory = Kept()
    first, second = Asked(memory=memory), Asked(memory=memory)
    second.source.endpoint = "another"
    first.fail(Refused("", "RATE"))

    assert second.ask() == SAMPLE
    second.source.endpoint = first.source.endpoint
    type(second.source).kind = "nts"
    assert second.ask() == SAMPLE


@given(entry=JUNK, backs_off=st.booleans(), says=st.sampled_from([None, "RATE", "", "silence"]))
def test_a_junk_entry_breaks_nothing(entry: Entry, backs_off: bool, says: str | None) -> None:
    """Whatever stands in the memory there is a sample or an error of ours."""
    memory = Kept()
    lab = Asked(backs_off=backs_off, memory=memory)
    memory.entries["rest", f"{lab.source.kind} {lab.source.endpoint}"] = entry
    if says is not None:
        lab.says = TimedOut("") if says == "silence" else Refused("", says)
    try:
        assert lab.ask() == SAMPLE
    except SourceError as error:
        assert error.args != ()


@pytest.mark.parametrize(
    "entry",
    [
        {"until_boot_ns": NOW_NS + NS},
        {"until_boot_ns": NOW_NS + NS, "code": "RATE"},
        {"until_boot_ns": NOW_NS + NS, "times": 1},
        {"until_boot_ns": NOW_NS + NS, "code": "RATE", "times": 16**9000},
        {"until_boot_ns": 16**9000, "code": ["x"], "times": []},
    ],
    ids=["nothing else", "no times", "no code", "times too long to print", "other types"],
)
def test_an_entry_with_a_rest_and_nothing_else(entry: Entry) -> None:
    """A rest that does not say why is no bug of ours: the server is left alone, or asked."""
    memory = Kept()
    lab = Asked(memory=memory)
    memory.entries["rest", f"{lab.source.kind} {lab.source.endpoint}"] = entry
    try:
        assert lab.ask() == SAMPLE
    except SourceError as error:
        assert "until" in str(error)
