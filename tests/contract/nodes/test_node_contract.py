"""What every kind of node keeps to, against its lab twin. A new kind is found by its name."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from hashlib import sha256
from importlib import import_module

import pytest

import nodes
from lab import behaviour
from lab.behaviour import Behaviour
from lab.nodes.base import LabNode
from lab.nodes.behaviour import begun, cut, drip, endless, followed_by_endless
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.loop import Loop
from nodes.base import NodeError, Stamp, make, verdict_of
from nodes.modules import MODULES
from sources.base import Malformed, Refused, TimedOut, Unreachable
from sources.clock import NS
from tests.contract.nodes.asking import a_question, assert_holds, reader

YEAR_S = 365 * 86_400


def hash_of(number: int) -> bytes:
    return sha256(bytes([number])).digest()


@pytest.fixture(params=nodes.KINDS)
def start(request: pytest.FixtureRequest, loop: Loop, running: ExitStack) -> Callable[..., LabNode]:
    """Start a lab node of each kind with a behaviour."""

    def begin(behave: Behaviour = behaviour.honest, **options: object) -> LabNode:
        twin = import_module(f"lab.nodes.{request.param}").NODE
        found: LabNode = running.enter_context(twin(behave, loop=loop, **options))
        return found

    return begin


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_that_is_there_can_be_made(name: str) -> None:
    """What needs no configuration is read by its own keys."""
    kind, table = MODULES[name]

    assert make(kind, table).kind == kind


@pytest.mark.parametrize("kind", nodes.KINDS)
def test_every_kind_has_a_port_and_keys_with_words(kind: str) -> None:
    """A configuration's errors have something to say of each key."""
    node = make(kind, {})

    assert 0 < node.port < 65_536
    assert all(key.allowed for key in node.KEYS.values())
    with pytest.raises(ValueError, match="unknown keys: nonsense"):
        make(kind, {"nonsense": 1})


def test_no_name_is_looked_up_again(
    start: Callable[..., LabNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses that were judged are those that are connected to (DNS rebinding)."""
    node = start()
    # A certificate of that name there is none.
    host = node.address if node.kind == "https" else "rebound.example"
    looked_up: list[object] = []

    def getaddrinfo(host: object, *_: object, **__: object) -> None:
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "not to be asked")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    stamp = reader(node).read(a_question(node).replaced(host=host))

    assert stamp.server == node.address
    assert looked_up == []


@pytest.mark.parametrize("off_s", [0, 0.5, -0.5, -4, 30, 10 * YEAR_S, -20 * YEAR_S])
def test_the_interval_holds_the_nodes_clock(start: Callable[..., LabNode], off_s: float) -> None:
    """Whatever a node's clock shows is what is read, neither early nor late."""
    node = start(behaviour.shifted(off_s))

    for _ in range(3):
        stamp = reader(node).read(a_question(node))

        assert_holds(stamp, round(off_s * NS))
        assert stamp.server == node.address
        assert stamp.verdict == ""
        assert stamp.software
        assert stamp.authenticated == (node.kind == "https")


def test_a_late_answer_is_wide_but_true(start: Callable[..., LabNode]) -> None:
    """An answer that took 0.3 s to come back holds the truth all the same."""
    node = start(behaviour.late(0.3))

    stamp = reader(node).read(a_question(node))

    assert stamp.received_raw_ns - stamp.sent_raw_ns > 0.29 * NS
    assert_holds(stamp, 0, rtt_s=1)


def test_silence_is_a_timeout_at_the_deadline(start: Callable[..., LabNode]) -> None:
    """A silent node costs the time until the deadline, and is called silent."""
    node = start(behaviour.silent)
    began_s = time.monotonic()

    with pytest.raises(TimedOut) as caught:
        reader(node).read(a_question(node, deadline_s=0.3))

    assert 0.25 < time.monotonic() - began_s < 0.6
    assert verdict_of(caught.value) == "silent"


def test_a_deadline_in_the_past_asks_nobody(start: Callable[..., LabNode]) -> None:
    """Nothing is waited for when there is no time left."""
    node = start()

    with pytest.raises(TimedOut):
        reader(node).read(a_question(node, deadline_s=-1))

    assert node.connections == 0


@pytest.mark.parametrize(
    "data",
    [b"\0" * 100, b"\xff" * 100, b"\r\n" * 50, b"".join(map(hash_of, range(100)))],
    ids=["zeros", "ones", "lines", "noise"],
)
def test_junk_is_malformed(start: Callable[..., LabNode], data: bytes) -> None:
    """Bytes that are no answer are called so at once, not at the deadline."""
    node = start(behaviour.only(data))
    began_s = time.monotonic()

    with pytest.raises(Malformed):
        reader(node).read(a_question(node, deadline_s=5))

    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("data", [b"\0", b"\xff", b"A"])
def test_endless_junk_is_malformed_at_once(start: Callable[..., LabNode], data: bytes) -> None:
    """A node that never stops is not listened to for long."""
    node = start(endless(data))
    began_s = time.monotonic()

    with pytest.raises(Malformed):
        reader(node).read(a_question(node, deadline_s=20))

    assert time.monotonic() - began_s < 10


def test_what_follows_the_stamp_is_not_waited_for(start: Callable[..., LabNode]) -> None:
    """A node that answers truthfully and then never stops has answered."""
    node = start(followed_by_endless(b"\0"))

    assert_holds(reader(node).read(a_question(node)), 0)


@pytest.mark.parametrize("seconds", [0.02])
def test_a_drip_ends_at_the_deadline(start: Callable[..., LabNode], seconds: float) -> None:
    """A byte now and then does not move the deadline."""
    node = start(drip(seconds))
    began_s = time.monotonic()

    with pytest.raises(TimedOut):
        reader(node).read(a_question(node, deadline_s=0.4))

    assert time.monotonic() - began_s < 0.8


def test_a_drip_that_is_quick_enough_is_read(start: Callable[..., LabNode]) -> None:
    """However small the pieces, they are one answer."""
    node = start(drip(0.0001))

    assert_holds(reader(node).read(a_question(node, deadline_s=10)), 0)


def test_an_answer_after_the_deadline_is_none(start: Callable[..., LabNode]) -> None:
    """Whoever answers late has been silent, and is not waited for."""
    node = start(behaviour.late(0.8))
    began_s = time.monotonic()

    with pytest.raises(TimedOut):
        reader(node).read(a_question(node, deadline_s=0.3))

    assert time.monotonic() - began_s < 0.6


@pytest.mark.parametrize("kind", nodes.KINDS)
@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (behaviour.silent, TimedOut),
        (drip(0.05), (TimedOut, Malformed)),
        (endless(b"\0"), Malformed),
        # Records of TLS that are well formed, of a handshake that never ends.
        (endless(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"), Malformed),
        (cut(0), Refused),
    ],
    ids=["silent", "dripping", "zeros", "handshakes", "closed"],
)
def test_a_peer_of_another_protocol(
    loop: Loop,
    running: ExitStack,
    kind: str,
    behave: Behaviour,
    error: type[NodeError] | tuple[type[NodeError], ...],
) -> None:
    """Before any TLS the same holds: in the clear, to every kind."""
    peer = BitcoinNode(behave, magic=b"\x16\x03\x03\0", speaks_first=True, loop=loop)
    running.enter_context(peer)
    began_s = time.monotonic()

    with pytest.raises(error):
        make(kind, {}).read(a_question(peer, deadline_s=0.4))

    assert time.monotonic() - began_s < 0.8


def test_half_an_answer_is_a_timeout(start: Callable[..., LabNode]) -> None:
    """A beginning without an end is waited for until the deadline."""
    node = start(begun(20))

    with pytest.raises(TimedOut):
        reader(node).read(a_question(node, deadline_s=0.3))


def test_an_answer_that_breaks_off_is_malformed(start: Callable[..., LabNode]) -> None:
    """A beginning, and then the end of the connection."""
    node = start(cut(20))

    with pytest.raises(Malformed):
        reader(node).read(a_question(node))


def test_a_node_that_hangs_up_refuses(start: Callable[..., LabNode]) -> None:
    """Closed without a word: full, or of another network. Inside TLS it has spoken before."""
    node = start(cut(0))

    with pytest.raises((Refused, Malformed)):
        reader(node).read(a_question(node))


def test_a_closed_port_is_unreachable_at_once(start: Callable[..., LabNode]) -> None:
    """Where nobody listens nothing is waited for."""
    node = start()
    node.close()
    began_s = time.monotonic()

    with pytest.raises(Unreachable, match="refused"):
        reader(node).read(a_question(node, deadline_s=5))

    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("behave", [behaviour.honest, behaviour.silent, behaviour.only(b"\0" * 99)])
def test_no_connection_stays_open(start: Callable[..., LabNode], behave: Behaviour) -> None:
    """Answered or not, the node is rid of us when reading ends, and was connected to once."""
    node = start(behave)
    with suppress(NodeError):
        reader(node).read(a_question(node, deadline_s=0.3))

    until_s = time.monotonic() + 5
    while node.open_links and time.monotonic() < until_s:
        threading.Event().wait(0.01)

    assert node.open_links == 0
    assert node.connections == 1


def test_ipv6_works_like_ipv4(start: Callable[..., LabNode]) -> None:
    """A node on ::1 is read as well."""
    node = start(address="::1")

    assert_holds(reader(node).read(a_question(node)), 0)


def test_one_object_reads_from_many_threads(start: Callable[..., LabNode]) -> None:
    """Sixteen threads may read by the same object at the same time."""
    node = start()
    read = reader(node)
    stamps: list[Stamp] = []
    threads = [
        threading.Thread(target=lambda: stamps.append(read.read(a_question(node, 5))))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(stamps) == 16
    for stamp in stamps:
        assert_holds(stamp, 0)


def test_a_nodes_own_words_are_short_and_printable(start: Callable[..., LabNode]) -> None:
    """Nothing that a terminal would obey, no more than a line."""
    node = start()

    software = reader(node).read(a_question(node)).software

    assert software.isprintable()
    assert len(software) <= 80
