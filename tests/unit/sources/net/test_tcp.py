"""One TCP connection out of several addresses: who is tried when, and what is left behind."""

import errno
import gc
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from sources.base import TimedOut, Unreachable
from sources.clock import NS, Clock
from sources.net import tcp
from tests.support.fakes import Elapsed, a_run

SILENCE_S = 0.25
SLACK_S = 0.3
"""What a busy machine may add."""


@contextmanager
def listening(
    address: str = "127.0.0.1", port: int = 0, backlog: int = 8
) -> Iterator[socket.socket]:
    """Listen there, without ever accepting."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=backlog) as server:
        yield server


@contextmanager
def silent(address: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """Listen there with a backlog that is full: the kernel answers no more requests."""
    with listening(address, port, backlog=0) as server, ExitStack() as accepted:
        unanswered = 0
        while unanswered < 2:
            link = socket.socket(server.family)
            link.setblocking(False)
            link.connect_ex((address, port_of(server)))
            if is_connected_soon(link):
                accepted.enter_context(link)
                unanswered = 0
            else:
                link.close()
                unanswered += 1
        yield server


def is_connected_soon(link: socket.socket) -> bool:
    poll = select.poll()
    poll.register(link, select.POLLOUT)
    return bool(poll.poll(30))


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


def closed_port() -> int:
    """Return a port on which nobody listens, on no address of loopback."""
    with listening() as server:
        return port_of(server)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Hold every test to leaving no socket behind; one that is only forgotten is an error too."""
    before = open_files()
    yield
    gc.collect()
    patience = threading.Event()
    for _ in range(100):  # threads of earlier tests may still be closing what is theirs
        if open_files() <= before:
            return
        patience.wait(0.02)
    assert open_files() <= before


# Who connects


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_listening_address_is_connected_to(address: str) -> None:
    """The socket leads to the address that is returned with it, of either family."""
    with listening(address) as server:
        port = port_of(server)
        with Elapsed() as elapsed:
            link, server_address = tcp.connect((address,), port, a_run())
        peer = link.getpeername()[:2]
        link.close()

    assert server_address == address
    assert peer == (address, port)
    assert elapsed.s < SILENCE_S


def test_the_socket_carries_bytes_both_ways() -> None:
    """What was connected without blocking is a connection like any other."""
    with listening() as server:
        link, _ = tcp.connect(("127.0.0.1",), port_of(server), a_run())
        peer, _ = server.accept()
        link.settimeout(2)
        link.sendall(b"ping")
        assert peer.recv(10) == b"ping"
        peer.sendall(b"pong")
        assert link.recv(10) == b"pong"
        link.close()
        peer.close()


def test_what_is_sent_is_sent_without_delay() -> None:
    """TCP_NODELAY is set: a request waits for no acknowledgement of what went before."""
    with listening() as server:
        link, _ = tcp.connect(("127.0.0.1",), port_of(server), a_run())
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        link.close()


def test_the_first_address_that_works_is_the_only_one_asked() -> None:
    """The second is left alone where the first connects at once."""
    with listening() as first, listening("127.0.0.2", port_of(first)) as second:
        link, address = tcp.connect(("127.0.0.1", "127.0.0.2"), port_of(first), a_run())
        link.close()
        second.setblocking(False)
        with pytest.raises(BlockingIOError):
            second.accept()

    assert address == "127.0.0.1"


# Who refuses


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_refused_is_unreachable_and_says_where(address: str) -> None:
    """A closed port fails at once, with the address, the port and the reason."""
    port = closed_port()

    with Elapsed() as elapsed, pytest.raises(Unreachable) as error:
        tcp.connect((address,), port, a_run())

    assert str(error.value) == (
        f"no address can be reached ({address} port {port}: Connection refused)"
    )
    assert elapsed.s < SILENCE_S


def test_all_that_refused_are_named() -> None:
    """Where every address refuses each one is reported, in the order in which they were tried."""
    port = closed_port()

    with Elapsed() as elapsed, pytest.raises(Unreachable) as error:
        tcp.connect(("127.0.0.2", "::1", "127.0.0.1"), port, a_run())

    assert str(error.value) == (
        f"no address can be reached (127.0.0.2 port {port}: Connection refused; "
        f"::1 port {port}: Connection refused; 127.0.0.1 port {port}: Connection refused)"
    )
    assert elapsed.s < SILENCE_S


def test_one_that_refuses_costs_no_time() -> None:
    """The next address is tried as soon as the one before has refused, whatever its family."""
    with listening("127.0.0.2") as server, Elapsed() as elapsed:
        link, address = tcp.connect(("::1", "127.0.0.1", "127.0.0.2"), port_of(server), a_run())
        link.close()

    assert address == "127.0.0.2"
    assert elapsed.s < SILENCE_S


def test_no_addresses_are_unreachable() -> None:
    """Where there is nothing to try nothing is waited for."""
    with Elapsed() as elapsed, pytest.raises(Unreachable, match=r"^no address can be reached$"):
        tcp.connect((), 443, a_run())

    assert elapsed.s < SILENCE_S


class _WithoutIpv6(socket.socket):
    """The sockets of a kernel that was built without IPv6."""

    def __init__(self, family: int = -1, *rest: int, **named: object) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        super().__init__(family, *rest)


def test_a_family_that_the_kernel_lacks_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6 its addresses are passed over; alone, they are the reason."""
    with listening() as server:
        port = port_of(server)
        monkeypatch.setattr(socket, "socket", _WithoutIpv6)
        with Elapsed() as elapsed:
            link, address = tcp.connect(("::1", "127.0.0.1"), port, a_run())
        link.close()
        with pytest.raises(Unreachable, match=f"::1 port {port}: Address family not supported"):
            tcp.connect(("::1",), port, a_run())

    assert address == "127.0.0.1"
    assert elapsed.s < SILENCE_S


class _WithoutRoute(socket.socket):
    """The sockets of a machine whose IPv6 leads nowhere, which the kernel knows at once."""

    def connect(self, address: object) -> None:
        if self.family == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        super().connect(address)  # type: ignore[arg-type]


def test_a_family_without_a_route_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that there is no way to is passed over, its socket closed."""
    with listening() as server:
        port = port_of(server)
        monkeypatch.setattr(socket, "socket", _WithoutRoute)
        with Elapsed() as elapsed:
            link, address = tcp.connect(("::1", "127.0.0.1"), port, a_run())
        link.close()
        with pytest.raises(Unreachable, match=f"::1 port {port}: Network is unreachable"):
            tcp.connect(("::1",), port, a_run())

    assert address == "127.0.0.1"
    assert elapsed.s < SILENCE_S


def test_an_address_that_cannot_be_used_is_passed_over() -> None:
    """An address of an interface that is not there costs no time."""
    with listening() as server, Elapsed() as elapsed:
        link, address = tcp.connect(("fe80::1%nowhere", "127.0.0.1"), port_of(server), a_run())
        link.close()

    assert address == "127.0.0.1"
    assert elapsed.s < SILENCE_S


def test_why_an_address_cannot_be_used_is_reported() -> None:
    """The reason is one that a person understands."""
    with pytest.raises(Unreachable, match=r"fe80::1%nowhere port 443: ") as error:
        tcp.connect(("fe80::1%nowhere",), 443, a_run())

    assert "Unknown error" not in str(error.value)


# Who is silent


def test_one_that_is_silent_costs_a_quarter_of_a_second() -> None:
    """After 0.25 s without a word from the first address the second is tried, and wins."""
    with silent() as first, listening("127.0.0.2", port_of(first)):
        with Elapsed() as elapsed:
            link, address = tcp.connect(("127.0.0.1", "127.0.0.2"), port_of(first), a_run())
        link.close()

    assert address == "127.0.0.2"
    assert SILENCE_S - 0.01 < elapsed.s < SILENCE_S + SLACK_S


def test_each_silent_one_costs_a_quarter_of_a_second() -> None:
    """The third is tried after half a second, where one that refuses stands between for nothing."""
    with (
        silent() as first,
        silent("127.0.0.2", port_of(first)),
        listening("127.0.0.4", port_of(first)),
    ):
        addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
        with Elapsed() as elapsed:
            link, address = tcp.connect(addresses, port_of(first), a_run())
        link.close()

    assert address == "127.0.0.4"
    assert 2 * SILENCE_S - 0.01 < elapsed.s < 2 * SILENCE_S + SLACK_S


class _LateRefusal(socket.socket):
    """The sockets of a network in which one address refuses, but only after 30 ms."""

    def connect(self, address: Any) -> None:
        if address[0] == "127.0.0.3":
            threading.Timer(0.03, self.shutdown, [socket.SHUT_RDWR]).start()
        super().connect(address)


def test_a_late_refusal_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """While an earlier address is silent, one that refuses later on makes way for the next."""
    with (
        silent() as first,
        silent("127.0.0.3", port_of(first)),
        listening("127.0.0.4", port_of(first)),
    ):
        monkeypatch.setattr(socket, "socket", _LateRefusal)
        addresses = ("127.0.0.1", "127.0.0.3", "127.0.0.4")
        with Elapsed() as elapsed:
            link, address = tcp.connect(addresses, port_of(first), a_run())
        link.close()

    assert address == "127.0.0.4"
    assert SILENCE_S < elapsed.s < 2 * SILENCE_S


def test_the_earlier_ones_are_still_listened_to() -> None:
    """An address that was only slow wins, though another one has been tried in the meantime."""
    with silent() as first, silent("127.0.0.2", port_of(first)):

        def accept() -> None:
            first.accept()[0].close()

        make_room = threading.Timer(SILENCE_S + 0.1, accept)
        make_room.start()
        with Elapsed() as elapsed:
            link, address = tcp.connect(("127.0.0.1", "127.0.0.2"), port_of(first), a_run(5))
        link.close()
        make_room.join()

    assert address == "127.0.0.1"
    assert elapsed.s > SILENCE_S + 0.1, "the other one was not tried: the test shows nothing"


def is_readable(link: socket.socket) -> bool:
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0))


def test_silence_is_a_timeout_at_the_deadline() -> None:
    """Where nobody answers it ends at the deadline, neither before it nor much after."""
    with (
        silent() as first,
        silent("127.0.0.2", port_of(first)),
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match=r"^no connection before the deadline$"),
    ):
        tcp.connect(("127.0.0.1", "127.0.0.2"), port_of(first), a_run(0.35))

    assert 0.34 < elapsed.s < 0.35 + SLACK_S


def test_the_timeout_says_who_refused() -> None:
    """Of two addresses, one refusing and one silent, the one that said something is named."""
    with silent() as server:
        port = port_of(server)
        with pytest.raises(
            TimedOut, match=rf"before the deadline \(127.0.0.9 port {port}: Connection refused\)"
        ):
            tcp.connect(("127.0.0.9", "127.0.0.1"), port, a_run(0.1))


def test_a_deadline_in_the_past_is_a_timeout_at_once() -> None:
    """Nothing is tried when there is no time left."""
    with listening() as server, Elapsed() as elapsed:
        with pytest.raises(TimedOut):
            tcp.connect(("127.0.0.1",), port_of(server), a_run(-1))
        assert not is_readable(server)

    assert elapsed.s < SILENCE_S


class _Hasty(Clock):
    """A clock on which half a second passes from one reading to the next."""

    def __init__(self) -> None:
        self.readings = 0

    def raw_ns(self) -> int:
        self.readings += 1
        return self.readings * NS // 2


def test_a_machine_that_was_away_does_not_wait_again() -> None:
    """A process that is held up past its deadline ends at once, instead of waiting once more."""
    with silent() as server, Elapsed() as elapsed, pytest.raises(TimedOut):
        tcp.connect(("127.0.0.1",), port_of(server), a_run(1.2, clock=_Hasty()))

    assert elapsed.s < SILENCE_S + SLACK_S
