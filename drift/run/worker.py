"""A process of its own that measures, and stays for the next time if nothing was left behind.

What hangs, hangs in there, and what it gathers is freed with it. Forking is two thirds of what a
measurement costs: each page that Python counts a reference in is copied. So after a success it
waits to be asked again. It leaves instead after anything else, while a thread of before still runs,
or after a hundred times.
"""

import _thread
import gc
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drift.formats.base import BUG, OK

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that end the parent, and whatever it is measuring."""
_AGAIN, _BEGUN, _DONE = b"a", b"b", b"d"
"""What parent and child say to each other: to measure once more; that it does; that it has."""
_MOST = 100
_BEGINS_WITHIN_MS = 2000
"""How long a process that was asked again may take to begin."""
_LINGERING_MS = 20
"""How long threads of before are waited for, when it is asked again."""


class Worker:
    """Measures in one process after the other; never in two at once."""

    def __init__(self, measured: Callable[[], int]) -> None:
        """Have no process yet. `measured` measures once in it, and returns the exit status."""
        self._measured = measured
        self._pid = 0
        self._link: socket.socket | None = None

    def measure(self, most_ms: int) -> int:
        """Measure once; return the exit status, negative if a signal has ended it.

        It is killed if that takes longer. Raises OSError if no process is to be had.
        """
        if not self._is_going_on():
            self.dismiss()
            self._start()
        if self._heard(most_ms) == _DONE:
            return OK
        return self._ended()

    def dismiss(self) -> None:
        """Have no process any more."""
        if self._link is not None:
            self.kill()
            self._ended()

    def kill(self) -> None:
        """End the process, if there is one, whatever it does; safe in the handler of a signal."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def _is_going_on(self) -> bool:
        """Whether the process of before, asked to measure once more, has begun to."""
        if self._link is None:
            return False
        try:
            self._link.send(_AGAIN)
        except OSError:
            return False
        return self._heard(_BEGINS_WITHIN_MS) == _BEGUN

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with _no_end_meanwhile():
                self._pid = os.fork()
                if not self._pid:
                    ours.close()
                    self._work(theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._link = ours

    def _heard(self, within_ms: int) -> bytes:
        """Return what the process says, nothing if it has ended; kill it if it is late."""
        assert self._link is not None  # noqa: S101 - there is a process
        talking = select.poll()
        talking.register(self._link, select.POLLIN)
        if not talking.poll(within_ms):
            self.kill()
        try:
            return self._link.recv(1)
        except ConnectionError:
            return b""

    def _ended(self) -> int:
        """Return the exit status of a process that has ended or is about to."""
        assert self._link is not None  # noqa: S101 - there is a process
        self._link.close()
        self._link = None
        with _no_end_meanwhile():
            child, self._pid = self._pid, 0
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _work(self, link: socket.socket) -> None:
        """Be the child: measure as often as asked, and never return."""
        status = BUG
        try:
            gc.disable()
            signal.set_wakeup_fd(-1)
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            left = _MOST
            while True:
                status = self._measured()
                left -= 1
                if status != OK or not _is_asked_again(link) or not left or not _is_alone():
                    break
                link.send(_BEGUN)
        finally:
            os._exit(status)


def _is_asked_again(link: socket.socket) -> bool:
    """Say that it is done, and wait; False if the parent has left."""
    link.send(_DONE)
    return link.recv(1) == _AGAIN


def _is_alone() -> bool:
    """Whether all threads of before have ended, or end within a moment."""
    moment = select.poll()
    for _ in range(_LINGERING_MS):
        if not _thread._count():  # noqa: SLF001 - threading counts its own only
            return True
        moment.poll(1)
    return False


@contextmanager
def _no_end_meanwhile() -> Iterator[None]:
    """Block signals, so that their handler finds the pid of the child, or that there is none."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
