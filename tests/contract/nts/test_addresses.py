"""Which address and port are asked for the time, and which may not be."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from drift.config import parse
from lab.https import Identity
from lab.nts import PORT, Manner, NtsServer
from sources.base import SourceError, TimedOut, Unreachable
from sources.nts.proof import Established, Keys
from sources.nts.source import NtsSource
from tests.support.fakes import Notebook, a_run
from tests.support.sources.nts import asked, but, holds_the_truth, source_of


@pytest.mark.parametrize("address", ["127.0.0.3", "::1"])
def test_another_host_and_port_are_asked_if_named(address: str) -> None:
    """Who gave the keys gets no datagram, who is named gets no connection."""
    with NtsServer("Alpha") as server, NtsServer("Alpha", address=address) as named:
        named.master = server.master
        server.manner = Manner(host=address, port=named.ntp_port)
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 0)
        assert (named.connections, len(named.requests)) == (0, 1)
    assert sample.server == address
    assert holds_the_truth(sample)


def test_a_host_that_is_named_by_name_is_resolved() -> None:
    """As names of the configuration are, but nobody has given addresses for it."""
    looked_up: list[tuple[str, tuple[str, ...]]] = []

    def addresses(host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        looked_up.append((host, fallback))
        return ("127.0.0.3",) if host == "tide.test" else fallback

    with (
        NtsServer("Alpha", identity=Identity(names=("time.test",))) as server,
        NtsServer("Alpha", address="127.0.0.3") as named,
    ):
        named.master = server.master
        server.manner = Manner(host="tide.test", port=named.ntp_port)
        run = a_run()
        run.addresses = addresses
        sample = source_of(server, "time.test").sample(run)

    assert looked_up == [("time.test", ("127.0.0.1",)), ("tide.test", ())]
    assert sample.server == "127.0.0.3"


def test_a_server_that_names_itself_is_not_looked_up_again() -> None:
    """It is where the keys came from, however it writes its name."""
    looked_up: list[str] = []

    def addresses(host: str, fallback: tuple[str, ...]) -> tuple[str, ...]:
        looked_up.append(host)
        return fallback

    with NtsServer("Alpha", identity=Identity(names=("time.test",))) as server:
        server.manner = Manner(host="TIME.test.")
        run = a_run()
        run.addresses = addresses
        sample = source_of(server, "time.test").sample(run)

    assert looked_up == ["time.test"]
    assert sample.server == "127.0.0.1"


def test_a_named_host_that_has_no_address_is_unreachable() -> None:
    """The resolver's word on it is the failure."""

    def addresses(host: str, _fallback: tuple[str, ...]) -> tuple[str, ...]:
        if host == "tide.test":
            raise Unreachable("tide.test: no such name")
        return (host,)

    with NtsServer("Alpha") as server:
        server.manner = Manner(host="tide.test")
        run = a_run()
        run.addresses = addresses
        with pytest.raises(
            Unreachable,
            match=r"^NTP server tide\.test, named by the key server: tide\.test: no such name$",
        ):
            source_of(server).sample(run)


def established_at(address: str, host: str | None) -> Established:
    """Return keys that a server at this address has given, for the NTP server that it named."""
    return Established(Keys(bytes(32), bytes(32)), (b"cookie",), host, address, 123, ())


@pytest.mark.parametrize(
    "named",
    ["0.0.0.0", "127.0.0.1", "::1", "::ffff:127.0.0.1", "tide.test"],  # noqa: S104 - not bound to
)
def test_a_key_server_elsewhere_may_not_name_this_machine(named: str) -> None:
    """By an address or by a name: whose clock that is, is what is being asked."""
    run = a_run()
    run.addresses = lambda host, _: ("127.0.0.1",) if host == "tide.test" else (host,)
    source = NtsSource("203.0.113.1", 4460, "Alpha", ())

    with pytest.raises(Unreachable, match=f"NTP server {named}, .*: leads to this machine "):
        source._servers(established_at("203.0.113.1", named), run)


def test_keys_that_a_name_on_this_machine_gave_are_of_no_use() -> None:
    """Remembered ones, from before it was found out; an address of the configuration's is."""
    run = a_run()
    named = NtsSource("time.test", 4460, "Alpha", ())
    meant = NtsSource("time.test", 4460, "Alpha", ("127.0.0.1",))

    with pytest.raises(Unreachable, match=r"^leads to this machine \(127\.0\.0\.1\)$"):
        named._servers(established_at("127.0.0.1", None), run)
    assert meant._servers(established_at("127.0.0.1", None), run) == ("127.0.0.1",)
    assert meant._servers(established_at("127.0.0.1", "127.0.0.9"), run) == ("127.0.0.9",)


@pytest.mark.parametrize("silent_first", ["::1", "127.0.0.9"])
def test_who_gave_the_keys_is_asked_first_the_next_time(silent_first: str) -> None:
    """An address that swallows connections costs a quarter of a second once."""
    with (
        NtsServer("Alpha", identity=Identity(names=("time.test",))) as server,
        closed_ear(silent_first, server.port),
    ):
        run = a_run()
        run.memory = memory = Notebook()
        addresses = (silent_first, server.address)
        source = NtsSource("time.test", server.port, "Alpha", addresses, server.ca_file)
        source.sample(run)

    assert memory.changed["address", "time.test"] == {"answered": server.address}


@contextmanager
def closed_ear(address: str, port: int) -> Iterator[None]:
    """Listen and accept nothing: with the queue full, connections are not even refused."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener, ExitStack() as waiting:
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            link = waiting.enter_context(socket.socket(family))
            link.setblocking(False)
            link.connect_ex((address, port))
        yield


def test_a_named_port_where_nobody_listens_is_unreachable() -> None:
    """Before the deadline."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with NtsServer("Alpha") as server:
        server.manner = Manner(port=port)
        with pytest.raises(Unreachable, match=f"127.0.0.1 port {port}: Connection refused"):
            asked(server)


def test_a_server_that_names_no_port_means_123() -> None:
    """On the address that the keys came from."""
    with NtsServer("Alpha") as server:
        server.manner = but(PORT)
        with pytest.raises((Unreachable, TimedOut)) as caught:
            asked(server, 0.5)

        assert server.requests == []
    assert "127.0.0.1 port 123: " in str(caught.value)


def test_the_address_that_gave_the_keys_is_asked_for_the_time() -> None:
    """Of two addresses the first refuses; the second one's cookies are not for anybody else."""
    with NtsServer("Alpha", address="127.0.0.2", identity=Identity(names=("time.test",))) as server:
        fallback = ("127.0.0.9", "127.0.0.2")
        source = NtsSource("time.test", server.port, "Alpha", fallback, server.ca_file)
        sample = source.sample(a_run())

    assert sample.server == "127.0.0.2"
    assert holds_the_truth(sample)


@pytest.mark.parametrize("host", ["::1", "0:0:0:0:0:0:0:1"])
def test_ipv6_however_it_is_written(host: str) -> None:
    """The certificate's address is compared, not its spelling."""
    with NtsServer("Alpha", address="::1") as server:
        table = server.toml().replace('"::1"', f'"{host}"')
        (source,) = parse(table, "the test").sources
        sample = source.sample(a_run())

    assert sample.server == "::1"
    assert holds_the_truth(sample)


def test_a_name_that_tls_cannot_send_is_our_error() -> None:
    """A label of 60 letters that IDNA makes longer than 63; `addresses` say where to ask."""
    with NtsServer("Alpha") as server, pytest.raises(SourceError):
        source_of(server, "\u00e9" * 60 + ".test").sample(a_run())
