"""What several tests of HTTPS sources start from."""

import pytest

from tests.support.sources.https import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)
