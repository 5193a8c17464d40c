"""A thread a conversation, within what the system gives."""

import threading
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from fleet.sweep.threads import Threads
from sources.clock import Clock
from sources.net.steps import Steps

Report = tuple[int, object]


def ending(with_what: object) -> Steps[object]:
    yield from ()
    return with_what


def a_pool() -> tuple[Threads[object], "SimpleQueue[Report]"]:
    reports: SimpleQueue[Report] = SimpleQueue()
    pool: Threads[object] = Threads(lambda number, what: reports.put((number, what)), Clock())
    return pool, reports


@pytest.fixture
def refused_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the system give so many threads, and no more."""

    def refuse(most: int) -> None:
        left = iter(range(most))

        def starting(work: Callable[[], None], arguments: tuple[()]) -> int:
            if next(left, None) is None:
                raise RuntimeError("can't start new thread")
            return start_new_thread(work, arguments)

        monkeypatch.setattr("fleet.sweep.threads.start_new_thread", starting)

    return refuse


def test_conversations_do_not_wait_for_each_other() -> None:
    """One that waits for another one, which begins later, sees it end."""
    pool, reports = a_pool()
    met = threading.Event()

    def waiting() -> Steps[object]:
        yield from ()
        return met.wait(5)

    def meeting() -> Steps[object]:
        yield from ()
        met.set()
        return None

    pool.begin(1, waiting())
    pool.begin(2, meeting())

    assert sorted(reports.get(timeout=5) for _ in range(2)) == [(1, True), (2, None)]


def test_where_there_are_no_more_threads_those_that_are_there_do_the_work(
    refused_after: Callable[[int], None],
) -> None:
    """And whoever begins conversations can see it, until one has ended."""
    refused_after(1)
    pool, reports = a_pool()

    seen = []
    for number, what in ((1, "first"), (2, "second")):
        pool.begin(number, ending(what))
        seen.append(pool.are_all_busy)

    assert [reports.get(timeout=5) for _ in range(2)] == [(1, "first"), (2, "second")]
    pool.end(1)
    assert [*seen, pool.are_all_busy] == [False, True, False]


def test_without_a_single_thread_it_is_an_error(refused_after: Callable[[int], None]) -> None:
    """Nobody would ever do the work."""
    refused_after(0)
    pool, _ = a_pool()

    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.begin(1, ending(None))
