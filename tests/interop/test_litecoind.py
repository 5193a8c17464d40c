"""A real node of Bitcoin's family, Debian's litecoind: right, behind, alone and with peers."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from nodes.base import Node, Question, Stamp, make
from nodes.wire import bitcoin as wire
from sources.base import Refused
from sources.clock import NS
from tests.contract.nodes.asking import AGENT, CLOCK, assert_holds
from tests.support.servers.chrony import faked
from tests.support.servers.web import LOOPBACK, found, free_port

pytestmark = pytest.mark.interop

REGTEST = bytes.fromhex("fabfb5da")
MODULE: dict[str, object] = {"magic": REGTEST.hex(), "protocol": 70017}
BEHIND_S = -30


@contextmanager
def litecoind(directory: Path, offset_s: int = 0) -> Iterator[int]:
    """Run a node on its own network until the end of the block; yield its port."""
    port = free_port()
    command = [
        found("litecoind"), "-regtest", f"-datadir={directory}", f"-bind={LOOPBACK}:{port}",
        "-server=0", "-dnsseed=0", "-listenonion=0", "-upnp=0", "-connect=0", "-listen=1",
        "-disablewallet", "-printtoconsole=0", "-debug=net",
    ]  # fmt: skip
    environ = os.environ | (faked(f"{offset_s:+}s") if offset_s else {})
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL)
    try:
        wait_until_it_accepts(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_accepts(process: "subprocess.Popen[bytes]", port: int) -> None:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        assert process.poll() is None, "litecoind has ended"
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("litecoind does not accept connections")


def read(node: Node, port: int, agent: str = AGENT) -> Stamp:
    return node.read(
        Question(
            host=LOOPBACK,
            port=port,
            addresses=(LOOPBACK,),
            deadline_raw_ns=CLOCK.raw_ns() + 5 * NS,
            clock=CLOCK,
            true_unix_ns=CLOCK.wall_ns,
            random_bytes=os.urandom,
            agent=agent,
        )
    )


@contextmanager
def peers(port: int, count: int) -> Iterator[None]:
    """Be so many peers of other addresses, whose clocks are right, until the end of the block."""
    with ExitStack() as links:
        for number in range(2, count + 2):
            link = socket.create_connection(
                (LOOPBACK, port), source_address=(f"127.0.0.{number}", 0)
            )
            links.enter_context(link)
            link.settimeout(5)
            now_s = int(time.time())
            link.sendall(wire.encode(REGTEST, 70017, now_s, os.urandom(8), "/peer:1/"))
            received = b""
            while wire.decode(received, REGTEST) is None:
                received += link.recv(4096)
        yield


@pytest.mark.parametrize("offset_s", [0, BEHIND_S])
def test_a_node_without_peers_shows_its_clock_and_is_adjusted_all_the_same(
    tmp_path: Path, offset_s: int
) -> None:
    """What it announces is an interval; that it is its own clock cannot be known from outside."""
    with litecoind(tmp_path, offset_s) as port:
        for _ in range(3):
            stamp = read(make("bitcoin", MODULE), port)

            assert_holds(stamp, offset_s * NS)
            assert stamp.verdict == "adjusted"
            assert stamp.software.startswith("/LitecoinCore:0.")
            assert not stamp.authenticated


@pytest.mark.parametrize(("count", "shown_s"), [(2, BEHIND_S), (5, 0)])
def test_with_five_peers_it_hides_that_it_is_behind(
    tmp_path: Path, count: int, shown_s: int
) -> None:
    """Thirty seconds behind, it announces the right time: so `adjusted` may never look healthy."""
    with litecoind(tmp_path, BEHIND_S) as port, peers(port, count):
        stamp = read(make("bitcoin", MODULE), port)

    assert stamp.verdict == "adjusted"
    # Whole seconds were compared with whole seconds, so it hides all but one.
    ahead_ns = stamp.stamp_unix_ns - stamp.received_raw_ns - CLOCK.wall_minus_raw_ns()
    assert abs(ahead_ns - shown_s * NS) <= 2 * NS


@pytest.mark.parametrize("offset_s", [0, BEHIND_S])
def test_declared_to_show_its_wall_clock_it_is_read_as_any_other(
    tmp_path: Path, offset_s: int
) -> None:
    """The whole exchange with a real node, up to a stamp without a verdict."""
    with litecoind(tmp_path, offset_s) as port:
        stamp = read(make("bitcoin", {**MODULE, "wall_clock": True}), port)

        assert_holds(stamp, offset_s * NS)
        assert stamp.verdict == ""


def test_it_hears_who_we_are_and_that_we_have_left(tmp_path: Path) -> None:
    """Its log has our name, and nothing that it would hold against us."""
    with litecoind(tmp_path) as port:
        read(make("bitcoin", MODULE), port)
    log = (tmp_path / "regtest" / "debug.log").read_text(encoding="utf-8")

    assert "receive version message: /time-drift:0.2(" in log
    assert "Misbehaving" not in log
    assert "disconnecting peer=" in log


def test_another_networks_magic_is_answered_by_nothing(tmp_path: Path) -> None:
    """A real node hangs up on it without a word."""
    with litecoind(tmp_path) as port, pytest.raises(Refused):
        read(make("bitcoin", {}), port)
