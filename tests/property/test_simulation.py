"""Ten thousand simulated runs: what `make simulation` does a million times."""

import json
import re
from pathlib import Path

import pytest

from drift.consensus import rule
from drift.consensus.cover import hull
from tests.conftest import ROOT
from tools.simulation import blocks
from tools.simulation.blocks import Totals, case_of, simulate
from tools.simulation.count import OURS, Tally, tally
from tools.simulation.page import render
from tools.simulation.peers import PEERS

_SEED, _RUNS = 1, 10_000


def _skeleton(page: str) -> list[str]:
    """Return a page without its figures; of a table's rows only whose they are."""
    lines = [re.sub(r"^(\| [^|]*\|).*", r"\1", line) for line in page.splitlines()]
    return [re.sub(r"[0-9.,]+", "#", line) for line in lines]


@pytest.mark.timeout(300)
def test_ten_thousand_runs() -> None:
    """What the guarantee says, of every run; and the page is the generator's.

    One test, as its runs are what costs: workers of a parallel run would each have to repeat them.
    """
    totals = simulate(_RUNS, 1, _SEED)
    whole = Tally()
    for one in totals.tallies.values():
        whole.add(one)
    counts = whole.counts

    # Whatever liars do, with an honest majority the integer is one that the honest allow.
    assert whole.bugs == []
    assert counts["runs"] > 7000
    assert counts[f"{OURS} wrong"] == 0
    # An integer that was printed early is that of everything that came by the deadline.
    assert counts["early"] > 3000
    assert counts["changed"] + counts["broken changed"] == 0
    # The interval holds the drift if the majority was honest by the moment of decision.
    assert counts["due"] > 5000
    assert counts["due covered"] == counts["due"]
    # The same answers make every other rule print wrong integers: the liars do harm.
    for peer in PEERS:
        assert counts[f"{peer} wrong"] > 50, peer
    # But for its figures, docs/simulation.md is what `make simulation` writes: nobody edits it.
    page = (ROOT / "docs/simulation.md").read_text("utf-8")
    assert _skeleton(render(totals, runs=_RUNS, seed=_SEED)) == _skeleton(page)


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
