"""State directories that are not there yet."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where the state is to be kept; nothing is there yet."""
    return tmp_path / "state"


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return directories that are not there yet, one an example."""
    base = tmp_path_factory.mktemp("places")
    return (base / str(number) for number in count())
