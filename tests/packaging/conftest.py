"""What the tests of packages share: both packages, and empty roots."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.roots import EmptyRoot, built, empty_root


def _have(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI"):
        pytest.fail(f"no {', '.join(missing)}, and CI may not skip")
    if missing:
        pytest.skip(f"no {', '.join(missing)}: NO package was built, this test did NOT run")


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where the package of Debian's kind and the bundle are, below `deb` and `bundle`."""
    _have("debootstrap", "make", "unshare", "nsenter", "ip", "ss")
    return built()


@pytest.fixture(scope="session")
def deb(packages: Path) -> Path:
    """The package of Debian's kind."""
    (found,) = (packages / "deb").glob("*.deb")
    return found


@pytest.fixture(scope="session")
def bundle(packages: Path) -> Path:
    """The bundle."""
    (found,) = (packages / "bundle").glob("*.tar.gz")
    return found


@pytest.fixture
def root(packages: Path, tmp_path: Path) -> Iterator[EmptyRoot]:
    """An empty root that no other test has."""
    (tmp_path / "root").mkdir()
    with empty_root(tmp_path / "root") as made:
        yield made
