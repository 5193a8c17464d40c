"""The image of this checkout, built once for all of its tests."""

from collections.abc import Iterator

import pytest

from tests.support.demands import demand_root_and
from tests.support.image import Built, built


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The image, and its base, unpacked."""
    demand_root_and("buildah", "crun", "debootstrap", "make", else_not="the image was NOT built")
    with built(tmp_path_factory.mktemp("image")) as found:
        yield found
