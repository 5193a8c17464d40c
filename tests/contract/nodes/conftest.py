"""One event loop for all lab nodes of a module of tests."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.nodes.loop import Loop


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    """Return the loop."""
    with Loop() as running:
        yield running


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """Return what ends the nodes that a test starts."""
    with ExitStack() as stack:
        yield stack
