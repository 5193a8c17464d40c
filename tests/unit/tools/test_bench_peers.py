"""What peers print, as local minus true: the lines are theirs, of the versions that Debian has."""

from pathlib import Path

import pytest

from tools.bench.measure.cost import once, summed_up
from tools.bench.measure.peers import drift_s
from tools.bench.names import CHECK_NTP_TIME, CHRONYD, HTPDATE, NTPDIG, ROUGHLY
from tools.bench.page.verdicts import is_right, worst


@pytest.mark.parametrize(
    ("name", "printed", "wanted"),
    [
        (
            NTPDIG,
            "2026-11-28 13:33:15.549163 (+0000) +4.000003 +/- 0.000059 127.1.1.3 s1 no-leap\n",
            -4.000003,
        ),
        (NTPDIG, "ntpdig: no eligible servers\n", None),
        (CHRONYD, "Z System clock wrong by -4.000024 seconds (ignored)", 4.000024),
        (CHRONYD, "Z No suitable source for synchronisation", None),
        (CHECK_NTP_TIME, "NTP OK: Offset -1.430511475e-06 secs|offset=...", 1.430511475e-06),
        (CHECK_NTP_TIME, "NTP CRITICAL: Offset unknown|", None),
        (HTPDATE, "Offset 4.000 seconds\n", -4.0),
        (HTPDATE, "No server suitable for synchronization found\n", None),
        (ROUGHLY, "At 18 (machine time)\n- a: time=22 ± 1\n- b: time=22 ± 1\n", -4.0),
        (ROUGHLY, "At 18 (machine time)\n- a: time=22 ± 1\n- b: time=23 ± 1\n", None),
        (ROUGHLY, "", None),
    ],
)  # fmt: skip
def test_the_sign_is_turned_round(name: str, printed: str, wanted: float | None) -> None:
    """A correction of +4 s is a clock that is 4 s behind; no number is None."""
    assert drift_s(name, printed) == wanted


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([-4.0, -4.001, -4.0], -4.001),
        ([-4.0, None, -4.0], None),
        ([-5.0, None, -4.0], -5.0),
        ([None, None, None], None),
    ],
)
def test_the_worst_run_counts(numbers: list[float | None], wanted: float | None) -> None:
    """A wrong integer is worse than none, and none worse than the right one."""
    assert worst(numbers) == wanted


def test_what_is_right() -> None:
    """The integer has to be the truth's, but for whole seconds of two clocks."""
    assert is_right(NTPDIG, -4.49)
    assert is_right(NTPDIG, -3.49) is False
    assert is_right(NTPDIG, None) is None
    assert is_right(ROUGHLY, -3.0)
    assert is_right(ROUGHLY, -2.0) is False


def test_a_run_has_its_cost_and_what_it_printed() -> None:
    """CPU is the program's own, and no launcher's; waiting is wall time only."""
    run = once(["sh", "-c", "echo heard; exec sleep 0.2"])

    assert run.printed == "heard\n"
    assert 200 <= run.wall_ms < 5000
    assert run.cpu_ms < 100
    assert 4 < run.memory_mb < 20


def test_a_run_that_fails_is_none(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that ends thrice with another status than 0 has no cost."""
    with pytest.raises(RuntimeError, match="why"):
        once(["sh", "-c", "echo why >&2; exit 3"])

    assert capfd.readouterr().err.count("once more: ") == 2


def test_a_run_that_fails_once_is_repeated(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a busy machine a deadline may be missed; that is shown, and does not count."""
    once(["sh", "-c", f"mkdir {tmp_path}/seen 2>/dev/null && exit 3; exit 0"])

    assert capfd.readouterr().err.count("once more: ") == 1


def test_costs_are_medians_with_quartiles() -> None:
    """One run that was disturbed moves neither; a single run is its own quartiles."""
    run = once(["true"])
    runs = [run._replace(cpu_ms=cpu_ms) for cpu_ms in (1, 2, 3, 4, 1000)]

    assert summed_up(runs).cpu_ms == 3
    assert summed_up(runs).cpu_spread_ms == (2, 4)
    assert summed_up(runs[:1]).cpu_spread_ms == (1, 1)
