"""Many conversations in one thread, with pipes in place of nodes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from fleet.sweep.loop import Loop
from sources.clock import NS, Clock
from sources.net.steps import READABLE, Steps, Wait

CLOCK = Clock()
MS = NS // 1000


def soon(ms: int = 5000) -> int:
    return CLOCK.raw_ns() + ms * MS


@pytest.fixture
def loop() -> Iterator[Loop[object]]:
    made: Loop[object] = Loop(CLOCK)
    with closing(made):
        yield made


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def reading(*files: int, until_raw_ns: int | None = None) -> Steps[object]:
    """Wait for one of the files, and return which is ready."""
    ready = yield Wait(tuple((file, READABLE) for file in files), until_raw_ns or soon())
    return list(ready)


def test_a_conversation_goes_on_when_its_file_is_ready(
    loop: Loop[object], pipe: tuple[int, int]
) -> None:
    """And not before; `turn` returns its number, and what it returned."""
    loop.begin(7, reading(pipe[0]))
    assert loop.turn(soon(20)) == []

    os.write(pipe[1], b"x")

    assert loop.turn(soon()) == [(7, [pipe[0]])]


def test_one_that_never_waits_is_over_at_once(loop: Loop[object]) -> None:
    """An address that is not allowed needs no connection."""

    def steps() -> Steps[object]:
        yield from ()
        return "refused"

    loop.begin(1, steps())

    assert loop.turn(soon()) == [(1, "refused")]


def test_one_whose_time_is_over_goes_on_with_nothing_ready(
    loop: Loop[object], pipe: tuple[int, int]
) -> None:
    """By its own time, whatever others wait for."""
    began = time.monotonic()
    loop.begin(1, reading(pipe[0]))
    loop.begin(2, reading(until_raw_ns=soon(30)))

    assert loop.turn(soon()) == [(2, [])]
    assert 0.03 <= time.monotonic() - began < 1


def test_a_time_that_moves(loop: Loop[object], pipe: tuple[int, int]) -> None:
    """Later or earlier than the first one: a race of addresses, and then an answer."""

    def steps(first_ms: int, second_ms: int, *files: int) -> Steps[object]:
        yield Wait((), soon(first_ms))
        return (yield from reading(*files, until_raw_ns=soon(second_ms)))

    began = time.monotonic()
    loop.begin(1, steps(10, 100))
    loop.begin(2, steps(20, 5000, pipe[0]))

    assert loop.turn(soon()) == [(1, [])]
    assert 0.1 <= time.monotonic() - began < 1
    os.write(pipe[1], b"x")
    assert loop.turn(soon()) == [(2, [pipe[0]])]


def test_a_number_of_a_file_that_is_back(loop: Loop[object]) -> None:
    """A conversation closes its file and opens another one, which has the same number then."""

    def steps() -> Steps[object]:
        seen = []
        for _ in range(3):
            reader, writer = os.pipe()
            os.write(writer, b"x")
            seen.append(list((yield Wait(((reader, READABLE),), soon()))) == [reader])
            os.close(reader)
            os.close(writer)
        return seen

    loop.begin(1, steps())

    assert loop.turn(soon()) == [(1, [True, True, True])]


def test_what_another_thread_reports_wakes_it(loop: Loop[object]) -> None:
    """It does not wait until its turn is over."""
    began = time.monotonic()
    threading.Timer(0.03, loop.report, (3, "elsewhere")).start()

    assert loop.turn(soon()) == [(3, "elsewhere")]
    assert time.monotonic() - began < 1


def test_a_bug_is_raised(loop: Loop[object]) -> None:
    """By whoever called: it is nobody's verdict."""

    def steps() -> Steps[object]:
        yield Wait((), soon(1))
        raise ZeroDivisionError

    loop.begin(1, steps())

    with pytest.raises(ZeroDivisionError):
        loop.turn(soon())


def test_closing_breaks_off_what_is_held(pipe: tuple[int, int]) -> None:
    """Each conversation closes what it has opened, and late reports change nothing."""
    before = len(os.listdir("/proc/self/fd"))
    broken_off = []

    def steps(*files: int) -> Steps[object]:
        try:
            yield from reading(*files)
        finally:
            broken_off.append(True)
        return None

    loop: Loop[object] = Loop(CLOCK)
    loop.begin(1, steps(pipe[0]))
    loop.begin(2, steps())
    loop.close()
    loop.report(9, "too late")

    assert broken_off == [True, True]
    assert len(os.listdir("/proc/self/fd")) == before
