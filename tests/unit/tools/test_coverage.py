"""What `make coverage` demands of what was measured."""

import sys
import threading
import tomllib
from queue import SimpleQueue
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.measured.threads import start_traced
from tools.coverage import PROVING, counted, lacks

_PROVING_PATHS = [pattern.replace("*", "x") for pattern in PROVING]


def measured(seen: int = 10, branches_seen: int = 4) -> dict[str, Any]:
    """Return what coverage writes of a file of 10 lines and 4 branches."""
    return {
        "summary": {
            "num_statements": 10,
            "covered_lines": seen,
            "num_branches": 4,
            "covered_branches": branches_seen,
        },
        "missing_lines": list(range(10 - seen)),
        "missing_branches": [[7, 9], [8, -1]][: 4 - branches_seen],
    }


def report(**others: dict[str, Any]) -> dict[str, Any]:
    """Return a report in which all that proves is covered, and these others are as they are."""
    return {"files": dict.fromkeys(_PROVING_PATHS, measured()) | others}


def test_all_that_is_covered_lacks_nothing() -> None:
    """Every demand can be met."""
    assert lacks(counted(report())) == []


@pytest.mark.parametrize("path", _PROVING_PATHS)
def test_what_proves_is_covered_wholly(path: str) -> None:
    """One branch that no test takes is missing, with its file and lines."""
    found = lacks(counted(report(**{path: measured(branches_seen=3)})))

    assert found == [f"{path} proves, and is covered to 92.9 %: not 7->9"]


def test_the_rest_may_lack_a_little() -> None:
    """95 % of the whole suffice, wherever the gaps are; below it is missing."""
    much = {f"drift/{number}.py": measured() for number in range(30)}

    assert lacks(counted(report(**much, **{"nodes/base.py": measured(1)}))) == []
    gaps = {f"fleet/{number}.py": measured(1) for number in range(5)}
    assert lacks(counted(report(**much, **gaps))) == ["the product is covered to 92.5 %, not 95 %"]


def test_a_file_that_moves_does_not_escape() -> None:
    """Where nothing is by a name that must be covered, that is missing too."""
    gone, *others = _PROVING_PATHS

    found = lacks(counted({"files": dict.fromkeys(others, measured())}))

    assert found == [f"no file is {gone.replace('x', '*', 1)}"]


def test_what_is_not_the_product_does_not_count() -> None:
    """Neither the lab, nor the tools."""
    others = dict.fromkeys(["lab/roles.py", "tools/coverage.py"], measured(0, 0))

    assert lacks(counted(report(**others))) == []
    assert {one.path for one in counted(report(**others))} == set(_PROVING_PATHS)


def test_the_least_covered_come_first() -> None:
    """A reader begins where most is missing; a branch out of a function ends at its exit."""
    files = counted(
        report(
            **{"drift/a.py": measured(9), "drift/b.py": measured(10, 2), "drift/c.py": measured(0)}
        )
    )

    assert [one.path for one in files[:3]] == ["drift/c.py", "drift/b.py", "drift/a.py"]
    assert files[1].missing == "7->9 8->exit"


def test_what_proves_is_measured_where_tests_see_it_only() -> None:
    """Not in the program's own process, which passes through it and holds nothing."""
    text = (ROOT / "tests/support/measured/coverage.toml").read_text(encoding="utf-8")
    omitted = tomllib.loads(text)["tool"]["coverage"]["run"]["omit"]

    assert sorted(omitted) == sorted(f"*/{pattern}" for pattern in PROVING)


def test_a_thread_that_threading_does_not_know_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It gets what threading's get, which is how coverage sees what they execute."""

    def see(*_: object) -> None:
        """Stand in for coverage's."""

    seen: SimpleQueue[object] = SimpleQueue()
    monkeypatch.setattr(threading, "gettrace", lambda: see)

    start_traced(lambda word: seen.put((word, sys.gettrace())), ("argument",))

    assert seen.get(timeout=30) == ("argument", see)
