"""The image of this checkout, built once for all of its tests."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.support.image import Built, built


def _have(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI"):
        pytest.fail(f"no {', '.join(missing)}, and CI may not skip")
    if missing:
        pytest.skip(f"no {', '.join(missing)}: the image was NOT built, this test did NOT run")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The image, and its base, unpacked."""
    _have("buildah", "crun", "debootstrap", "make")
    with built(tmp_path_factory.mktemp("image")) as found:
        yield found
