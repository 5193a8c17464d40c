"""What the tests of packages share: both packages, and empty roots."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.roots import EmptyRoot, built, empty_root
from tests.support.demands import demand_root_and


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where the package of Debian's kind and the bundle are, below `deb` and `bundle`."""
    demand_root_and(
        "debootstrap", "make", "unshare", "nsenter", "ip", "ss", else_not="NO package was built"
    )
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
