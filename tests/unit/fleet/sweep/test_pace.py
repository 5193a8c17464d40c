"""The pace, and the look-up of names: bounded whatever hangs."""

import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from fleet.sweep.names import Names
from fleet.sweep.pace import Pace
from sources.base import TimedOut, Unreachable
from sources.clock import NS, Clock
from tests.support.fakes import FakeClock


def test_not_more_than_the_rate_and_not_at_once() -> None:
    """Twice the rate within a moment, the rate within any second."""
    pace = Pace(10)
    now_ns, given = 0, []
    while now_ns < 5 * NS:
        again_ns = pace.take(now_ns)
        if again_ns is None:
            given.append(now_ns)
        else:
            assert again_ns > now_ns
            now_ns = again_ns

    assert len(given) == 50
    assert min(later - first for first, later in pairwise(given)) == NS // 20
    assert all(later - first >= NS for first, later in zip(given, given[10:], strict=False))


def test_what_is_due_within_a_tick_comes_together() -> None:
    """At 500 a second twenty at once, then none for twenty milliseconds: few wakings, no more."""
    pace = Pace(500)
    now_ns, given = 0, []
    while now_ns < 2 * NS:
        again_ns = pace.take(now_ns)
        if again_ns is None:
            given.append(now_ns)
        else:
            now_ns = again_ns

    assert len(given) == 1000
    assert given[:40] == [0] * 20 + [NS // 50] * 20
    assert all(later - first >= NS // 50 for first, later in zip(given, given[20:], strict=False))
    assert all(later - first >= NS for first, later in zip(given, given[500:], strict=False))


def test_a_pause_is_no_credit() -> None:
    """After a minute of nothing the rate is the rate."""
    pace = Pace(2)
    assert pace.take(0) is None

    assert pace.take(60 * NS) is None
    assert pace.take(60 * NS) == 60 * NS + NS // 4
    assert pace.take(60 * NS + NS // 4) is None
    assert pace.take(60 * NS + NS // 2) == 61 * NS


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have names that begin with "hang" hang until the event, as dead name servers do."""
    release = threading.Event()

    def getaddrinfo(host: bytes, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host.startswith(b"hang"):
            release.wait(20)
        if host.startswith(b"none"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(2, 1, 6, "", ("192.0.2.1", 0)), (2, 1, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield release
    release.set()


def test_names(resolver: threading.Event) -> None:
    """Literal addresses as they are, names by the system, once each."""
    clock = Clock()
    found = Names(clock)
    later_ns = clock.raw_ns() + 2 * NS

    assert found.addresses("2001:db8::1", 0) == ("2001:db8::1",)
    assert found.addresses("a.example", later_ns) == ("192.0.2.1",)
    with pytest.raises(Unreachable, match=r"none\.example: name cannot be resolved: Name or"):
        found.addresses("none.example", later_ns)


def test_names_that_hang_cost_their_own_deadline(resolver: threading.Event) -> None:
    """Of 200, no more than 32 threads; a name beside a few that hang is resolved."""
    clock = Clock()
    found = Names(clock)
    before = threading.active_count()
    timed_out = []

    def ask(number: int) -> None:
        try:
            found.addresses(f"hang{number}.example", clock.raw_ns() + NS // 2)
        except TimedOut:
            timed_out.append(number)

    few = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in few:
        thread.start()
    assert found.addresses("b.example", clock.raw_ns() + NS) == ("192.0.2.1",)
    many = [threading.Thread(target=ask, args=(number,)) for number in range(20, 200)]
    began = time.monotonic()
    for thread in many:
        thread.start()
    for thread in few + many:
        thread.join(5)

    assert len(timed_out) == 200
    assert time.monotonic() - began < 2
    assert found._threads <= 32
    assert threading.active_count() <= before
    with pytest.raises(TimedOut):
        found.addresses("c.example", clock.raw_ns() + NS // 4)
    resolver.set()
    assert found.addresses("c.example", clock.raw_ns() + 5 * NS) == ("192.0.2.1",)


def test_an_answer_is_kept_for_some_minutes(resolver: threading.Event) -> None:
    """And then asked for again."""
    clock = FakeClock()
    found = Names(clock)
    assert found.addresses("a.example", clock.raw + NS) == ("192.0.2.1",)
    first = found._look_ups["a.example"]

    clock.raw += 299 * NS
    found.addresses("a.example", clock.raw + NS)
    assert found._look_ups["a.example"] is first
    clock.raw += 2 * NS
    found.addresses("a.example", clock.raw + NS)
    assert found._look_ups["a.example"] is not first
