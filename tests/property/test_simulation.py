"""Ten thousand simulated runs: what `make simulation` does a million times."""

import json
from pathlib import Path

import pytest

from drift.consensus import rule
from drift.consensus.cover import hull
from tools.simulation import blocks
from tools.simulation.blocks import Totals, case_of, simulate
from tools.simulation.count import OURS, Tally, tally

_SEED = 1


@pytest.fixture(scope="module")
def whole() -> Tally:
    """What ten thousand runs came to, all cases together."""
    found = Tally()
    for one in simulate(10_000, 1, _SEED).tallies.values():
        found.add(one)
    return found


@pytest.mark.timeout(300)
def test_no_integer_is_wrong_under_an_honest_majority(whole: Tally) -> None:
    """Whatever liars do who see all honest answers first, the integer is one that those allow."""
    assert whole.bugs == []
    assert whole.counts["runs"] > 7000
    assert whole.counts[f"{OURS} wrong"] == 0


@pytest.mark.timeout(300)
def test_no_early_answer_is_changed_by_later_ones(whole: Tally) -> None:
    """An integer that was printed early is that of everything that came by the deadline."""
    assert whole.counts["early"] > 3000
    assert whole.counts["changed"] + whole.counts["broken changed"] == 0


@pytest.mark.timeout(300)
def test_the_interval_holds_the_drift(whole: Tally) -> None:
    """It does where those who had answered by the decision were honest by majority."""
    assert whole.counts["due"] > 5000
    assert whole.counts["due covered"] == whole.counts["due"]


@pytest.mark.timeout(300)
def test_the_liars_do_harm(whole: Tally) -> None:
    """The same answers make every other rule print wrong integers."""
    for peer in ("median", "Marzullo", "chrony", "ntpd-rs"):
        assert whole.counts[f"{peer} wrong"] > 50, peer


def test_a_worse_estimate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the end of the majority for an estimate, the same runs have wrong integers."""
    monkeypatch.setattr(rule, "_middle_ns", lambda agreeing, agreed: hull(agreed).high_ns)

    found = tally(case_of("liars: at the edge, quiet network"), _SEED, range(60))

    assert found.bugs
    assert found.counts[f"{OURS} wrong"] > 0


def _plain(totals: Totals) -> dict[str, object]:
    return {name: (one.counts, one.worst_ns, one.bugs) for name, one in totals.tallies.items()}


def test_processes_do_not_change_the_result() -> None:
    """Two processes come to what one comes to."""
    assert _plain(simulate(150, 2, _SEED)) == _plain(simulate(150, 1, _SEED))


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the blocks kept: the others are run, and the result is the same."""
    kept = tmp_path / "kept.jsonl"
    first = simulate(150, 1, _SEED, kept)
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[::2]))
    ran = []
    real = blocks._run

    def counted(block: blocks.Block, seed: int, code: str) -> blocks.Line:
        ran.append(block)
        return real(block, seed, code)

    monkeypatch.setattr(blocks, "_run", counted)

    second = simulate(150, 1, _SEED, kept)

    assert _plain(second) == _plain(first)
    assert len(ran) == len(lines) // 2
    assert len(kept.read_text().splitlines()) == len(lines)


def test_what_other_code_came_to_is_not_counted(tmp_path: Path) -> None:
    """Blocks of another version of the rule are run again."""
    kept = tmp_path / "kept.jsonl"
    first = simulate(150, 1, _SEED, kept)
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    for line in lines:
        line |= {"code": "other", "counts": {f"{OURS} wrong": 1}}
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert _plain(simulate(150, 1, _SEED, kept)) == _plain(first)
