"""Checkouts that never ran, or are prepared; mounts in a namespace of their own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import AWKWARD, Checkout, Prepared, copy_of, copy_to


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepare one real environment, from the real lock: to be copied, not to be changed."""
    checkout = copy_to(tmp_path_factory.mktemp("prepared") / AWKWARD)
    return Prepared(checkout, checkout())


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout that never ran, with the small lock."""
    checkout = copy_to(tmp_path / "fresh")
    checkout.use_small_lock()
    return checkout


@pytest.fixture
def ready(prepared: Prepared, tmp_path: Path) -> Checkout:
    """A copy of the prepared checkout, to do with what one likes."""
    assert prepared.checkout.venv.exists(), prepared.first.stderr
    return copy_of(prepared, tmp_path / "ready")


@pytest.fixture
def mounting() -> Callable[[str, str], tuple[str, ...]]:
    """Return the command that runs another after mount commands, in a namespace of its own.

    Skipped where the system does not permit it; in CI that is a failure.
    """
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-r", "-m")
    try:
        trial = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
        reason = trial.stderr.strip() if trial.returncode else ""
    except FileNotFoundError as error:
        reason = str(error)
    if reason and os.environ.get("CI"):
        pytest.fail(f"mount namespaces are not permitted, and CI may not skip: {reason}")
    if reason:
        pytest.skip(f"mount namespaces are not permitted: {reason}")

    def wrap(mounts: str, path: str) -> tuple[str, ...]:
        return (*unshare, "sh", "-e", "-c", f'{mounts}\nshift\nexec "$@"', "sh", path)

    return wrap
