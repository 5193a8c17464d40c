"""Hold the measured coverage against what is demanded. `make coverage`.

    python -m tools.coverage FILE

FILE is what coverage writes as JSON. Prints a table, the least covered first. It has what tests do
within their own process, and what the process of the program does, which is measured through the
stand-in of tests/support/measured; of what proves, only the former.
"""

import json
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sources.record import Record

PROVING = (
    "drift/consensus/*.py",
    "sources/*/proof.py",
    "sources/*/wire*.py",
    "sources/net/validity.py",
    "sources/nts/exporter.py",
    "nodes/wire/*.py",
    "fleet/readings.py",
    "fleet/health.py",
)
"""What proves, decides or reads bytes: each line and each branch of it is seen by a test."""
PRODUCT = ("drift/*", "sources/*", "nodes/*", "fleet/*")
PRODUCT_PERCENT = 95


class Counted(Record):
    """The lines and branches of one file."""

    path: str
    there: int
    seen: int
    missing: str
    """Lines, and branches as "from->to"."""

    @property
    def percent(self) -> float:
        """How many of them a test saw; of an empty file, all."""
        return 100 * self.seen / self.there if self.there else 100.0


def counted(report: Mapping[str, Any]) -> list[Counted]:
    """Return the product's files, the least covered first."""
    found = [_one(path, file) for path, file in report["files"].items() if _is_of(path, PRODUCT)]
    return sorted(found, key=lambda one: (one.percent, one.path))


def _one(path: str, file: Mapping[str, Any]) -> Counted:
    summary = file["summary"]
    lines = [str(line) for line in file["missing_lines"]]
    branches = [f"{begin}->{max(end, 0) or 'exit'}" for begin, end in file["missing_branches"]]
    return Counted(
        path,
        summary["num_statements"] + summary["num_branches"],
        summary["covered_lines"] + summary["covered_branches"],
        " ".join(lines + branches),
    )


def lacks(files: list[Counted]) -> list[str]:
    """Return a sentence for each demand that is not met."""
    found = [
        f"{one.path} proves, and is covered to {one.percent:.1f} %: not {one.missing}"
        for one in files
        if _is_of(one.path, PROVING) and one.seen < one.there
    ]
    found += [
        f"no file is {pattern}"
        for pattern in PROVING
        if not any(fnmatch(one.path, pattern) for one in files)
    ]
    if (percent := _of_all(files)) < PRODUCT_PERCENT:
        found.append(f"the product is covered to {percent:.1f} %, not {PRODUCT_PERCENT} %")
    return found


def _of_all(files: list[Counted]) -> float:
    there = sum(one.there for one in files)
    return 100 * sum(one.seen for one in files) / there if there else 0.0


def _is_of(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def main(path: str) -> int:
    """Print the table and what is missing; return 1 if anything is."""
    files = counted(json.loads(Path(path).read_text(encoding="utf-8")))
    for one in files:
        if one.seen < one.there:
            print(f"{one.percent:5.1f} %  {one.path}  {one.missing}")
    whole = sum(one.seen == one.there for one in files)
    print(f"100.0 %  {whole} of {len(files)} files; all: {_of_all(files):.1f} %")
    missing = lacks(files)
    for sentence in missing:
        print(f"missing: {sentence}")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
