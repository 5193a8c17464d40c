"""Bitcoin nodes: what is sent to them, and what their software makes of the stamp."""

import os
from contextlib import ExitStack

import pytest

from lab import behaviour
from lab.behaviour import shifted
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.loop import Loop
from nodes.base import make
from nodes.modules import MODULES
from nodes.wire import bitcoin as wire
from sources.base import Malformed, Refused
from sources.clock import NS
from tests.contract.nodes.asking import a_question, assert_holds, reader


def test_true_time_is_announced_and_not_the_local_clocks(loop: Loop, running: ExitStack) -> None:
    """Old nodes take our time for a sample of theirs, so it is the consensus's."""
    node = running.enter_context(BitcoinNode(loop=loop))
    question = a_question(node).replaced(true_unix_ns=lambda: 1_900_000_000_900_000_000)

    reader(node).read(question)

    (heard,) = node.heard
    assert heard.time_unix_ns == 1_900_000_000 * NS
    assert heard.agent == "/time-drift:0.2(+example.org/why)/"
    assert heard.protocol == 70016


def test_every_conversation_has_a_nonce_of_its_own(loop: Loop, running: ExitStack) -> None:
    """As nodes drop whom they take for themselves."""
    node = running.enter_context(BitcoinNode(loop=loop))
    for _ in range(3):
        reader(node).read(a_question(node))

    assert len({heard.nonce for heard in node.heard}) == 3


@pytest.mark.parametrize(
    ("agent", "verdict"),
    [
        ("/LitecoinCore:0.21.2.1/", "adjusted"),
        ("/Satoshi:0.21.0/", "adjusted"),
        ("/SomethingNew:1.0/", "unknown software"),
    ],
)
def test_a_stamp_that_may_not_be_the_nodes_own_says_so(
    loop: Loop, running: ExitStack, agent: str, verdict: str
) -> None:
    """The interval is that of what is announced; unless its software is declared, a verdict."""
    node = running.enter_context(BitcoinNode(shifted(-30), agent=agent, loop=loop))

    stamp = reader(node).read(a_question(node))
    declared = reader(node, wall_clock=True).read(a_question(node))

    assert (stamp.verdict, stamp.software) == (verdict, agent)
    assert (declared.verdict, declared.grain_ns) == ("", NS)
    for found in (stamp, declared):
        assert_holds(found, -30 * NS)


def test_zebra_speaks_first_and_in_five_minutes(loop: Loop, running: ExitStack) -> None:
    """Its stamp may be of before we have said a word, and is rounded down on purpose."""
    node = running.enter_context(
        BitcoinNode(shifted(-30), agent="/Zebra:5.1.0/", speaks_first=True, loop=loop)
    )

    stamp = reader(node).read(a_question(node))

    assert (stamp.verdict, stamp.grain_ns) == ("coarse", 300 * NS)
    assert stamp.stamp_unix_ns % (300 * NS) == 0
    assert_holds(stamp, -30 * NS)


def test_what_a_node_calls_itself_is_made_harmless(loop: Loop, running: ExitStack) -> None:
    """No control character of it reaches a terminal, and no more than a line."""
    payload = wire.encode(
        bytes.fromhex("f9beb4d9"), 1, 1_800_000_000, bytes(8), "/\x1b[31m\n" + "x" * 200
    )
    node = running.enter_context(BitcoinNode(behaviour.only(payload), loop=loop))

    software = reader(node).read(a_question(node)).software

    assert software.startswith("/?[31m?xxx")
    assert (len(software), software.isprintable()) == (80, True)


def test_our_own_message_sent_back_is_no_answer(loop: Loop, running: ExitStack) -> None:
    """An echo would show our own true time: a drift of 0, whatever its clock says."""
    nonce = bytes(range(8))
    echo = wire.encode(bytes.fromhex("f9beb4d9"), 70016, 1_800_000_000, nonce, "/Satoshi:29.0.0/")
    node = running.enter_context(BitcoinNode(behaviour.only(echo), loop=loop))

    with pytest.raises(Malformed, match="our own message"):
        reader(node).read(a_question(node).replaced(random_bytes=lambda _: nonce))


def test_a_node_of_another_network_is_malformed(loop: Loop, running: ExitStack) -> None:
    """Litecoin's magic where Bitcoin's was wanted."""
    node = running.enter_context(
        BitcoinNode(magic=bytes.fromhex("fbc0b6db"), speaks_first=True, loop=loop)
    )

    with pytest.raises(Malformed, match="fbc0b6db: f9beb4d9 wanted"):
        make("bitcoin", {}).read(a_question(node))


@pytest.mark.parametrize("name", ["litecoin", "dogecoin", "bch", "zcash"])
def test_the_family_by_its_modules(loop: Loop, running: ExitStack, name: str) -> None:
    """Each network's magic; a node of it hangs up on another one's without a word."""
    kind, table = MODULES[name]
    node = running.enter_context(BitcoinNode(magic=bytes.fromhex(str(table["magic"])), loop=loop))

    assert_holds(make(kind, table).read(a_question(node)), 0)
    assert node.heard[-1].protocol == table["protocol"]
    with pytest.raises(Refused):
        make("bitcoin", {}).read(a_question(node))


@pytest.mark.parametrize("magic", ["f9beb4", "f9beb4d9aa", "nothexno", "", 7])
def test_a_magic_that_is_none(magic: object) -> None:
    """Four bytes, in hex."""
    with pytest.raises(ValueError):  # noqa: PT011 - of any text: the configuration words it
        make("bitcoin", {"magic": magic})


@pytest.mark.parametrize("wall_clock", [1, "yes", None])
def test_a_flag_is_true_or_false(wall_clock: object) -> None:
    """And nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011 - of any text: the configuration words it
        make("bitcoin", {"wall_clock": wall_clock})


def test_an_agent_of_any_length_can_be_sent(loop: Loop, running: ExitStack) -> None:
    """The longest that nodes take is what is sent."""
    node = running.enter_context(BitcoinNode(loop=loop))

    reader(node).read(a_question(node).replaced(agent="a" * 500, random_bytes=os.urandom))

    assert len(node.heard[-1].agent) == 256
