"""Stand-ins for the system's resolver and for the name servers of resolv.conf."""

import threading
import time
from collections.abc import Callable
from typing import Any

from sources.clock import NS, Clock
from sources.net.resolver import Resolver

HOST = "time.lab.test"
BESIDE = ("127.0.0.99",)
"""An address configured beside the name."""
SLACK_S = 0.25
"""What a busy machine may add."""


class FakeSystem:
    """Stands for getaddrinfo: answers what it is asked to, when it is asked to."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.asked: list[bytes] = []
        self.hanging = threading.Event()
        self.hanging.set()

    def hang(self) -> None:
        """Answer nothing from now on, until `go_on`."""
        self.hanging.clear()

    def go_on(self) -> None:
        """Answer whoever waits."""
        self.hanging.set()

    def __call__(self, host: bytes, *_: object, **__: object) -> list[Any]:
        self.asked.append(host)
        self.hanging.wait()
        if self.error is not None:
            raise self.error
        return [(0, 0, 0, "", (address, 0)) for address in self.addresses]


class FakeServers:
    """Stands for the name servers of resolv.conf: one question each."""

    def __init__(self) -> None:
        self.questions: list[Callable[[], Any]] = []
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.asked_at_s: list[float] = []

    def ask(self, host: str, answered: Callable[[tuple[str, ...], str], None]) -> int:
        self.asked.append(host)
        self.asked_at_s.append(time.monotonic())
        if self.error is not None:
            raise self.error
        for question in self.questions:
            threading.Thread(target=lambda q=question: answered(*q()), daemon=True).start()
        return len(self.questions)


def lookups(seconds: float = 2.0) -> Resolver:
    """Return the look-ups of a run of so many seconds."""
    clock = Clock()
    return Resolver(clock.raw_ns() + round(seconds * NS), clock)


def found(*addresses: str, after_s: float = 0) -> Callable[[], Any]:
    """Return a question that is answered by these addresses."""

    def ask() -> Any:
        threading.Event().wait(after_s)
        return addresses, ""

    return ask


def failed(error: str) -> Callable[[], Any]:
    """Return a question that is answered by an error."""
    return lambda: ((), error)
