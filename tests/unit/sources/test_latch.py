"""What happens once, and whose datagrams are out."""

import threading
import time

from sources.departures import Departures
from sources.latch import Latch


def test_a_latch_stays_open() -> None:
    """Shut, a wait lasts as long as it may; open, nobody waits, however often it was opened."""
    latch = Latch()
    began = time.monotonic()
    assert not latch.wait(0.05)
    assert 0.04 < time.monotonic() - began < 2
    latch.open()
    latch.open()

    assert [latch.wait(30) for _ in range(3)] == [True] * 3


def test_all_who_wait_are_let_through() -> None:
    """Twenty threads, by one opening."""
    latch = Latch()
    through: list[bool] = []
    waiting = [threading.Thread(target=lambda: through.append(latch.wait(30))) for _ in range(20)]
    for thread in waiting:
        thread.start()

    latch.open()

    for thread in waiting:
        thread.join(30)
    assert through == [True] * 20


def test_departures_are_waited_for_once_each() -> None:
    """One that has sent twice does not stand for another."""
    departures = Departures({3, 5})
    assert [departures.done(index) for index in (3, 3, 4)] == [False] * 3
    began = time.monotonic()
    departures.wait(0.05)
    assert time.monotonic() - began > 0.04

    assert departures.done(5)
    assert not departures.done(5)

    departures.wait(30)
    assert time.monotonic() - began < 10


def test_without_departures_nobody_waits() -> None:
    """A run of sources that all need their libraries first begins at once."""
    began = time.monotonic()
    Departures(set()).wait(30)

    assert time.monotonic() - began < 10
