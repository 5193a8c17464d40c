"""Stand-ins for the system's resolver and for name servers."""

import socket
from collections.abc import Iterator

import pytest

from sources.net.resolver import Resolver
from tests.support.sources.resolver import FakeServers, FakeSystem


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystem]:
    """The system's resolver, at the test's command."""
    fake = FakeSystem()
    monkeypatch.setattr(socket, "getaddrinfo", fake)
    yield fake
    fake.go_on()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> FakeServers:
    """The name servers of resolv.conf, at the test's command."""
    fake = FakeServers()
    monkeypatch.setattr(Resolver, "ask_name_servers", lambda _, *what: fake.ask(*what))
    return fake
