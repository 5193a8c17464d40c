"""What a test cannot do without."""

import os
import shutil

import pytest


def demand_root_and(*programs: str, else_not: str) -> None:
    """Skip, saying what was not done, unless this is root and all are installed; in CI fail."""
    missing = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI"):
        pytest.fail(f"no {', '.join(missing)}, and CI may not skip")
    if missing:
        pytest.skip(f"no {', '.join(missing)}: {else_not}, this test did NOT run")
