"""What only Roughtime sources do: dialects, grease, retries with one nonce, TCP, length."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha512
from pathlib import Path
from typing import Any, Self

import pytest

from drift.config import parse
from drift.run.state import State
from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply, late, silent
from lab.roughtime import (
    Change,
    Manner,
    RoughtimeServer,
    Signer,
    greased,
    roughenough_1_3,
    roughenough_2_0,
    roughenough_2026,
)
from sources.base import (
    ConfigError,
    Implausible,
    Interval,
    Malformed,
    Run,
    Sample,
    SourceError,
    TimedOut,
    TooWide,
    Unreachable,
    Unverified,
)
from sources.clock import NS, Clock
from sources.roughtime import wire
from sources.roughtime.proof import verify
from sources.roughtime.source import PORT, Endpoint, RoughtimeSource
from sources.roughtime.versions import OFFERS, Offer
from sources.roughtime.wire_dialects import Form
from tests.support.fakes import TRUE_UNIX_NS, FakeClock, Notebook, a_run

CLOCK = Clock()
MS = NS // 1000
D7, D8, D11, D12, D19 = 0x80000007, 0x80000008, 0x8000000B, 0x8000000C, 0x80000013
NAMES = {
    1: "RFC 10049",
    D7: "draft 7",
    D8: "draft 8-11",
    D11: "draft 8-11",
    D12: "draft 12-19",
    D19: "draft 12-19",
    None: "Google's",
}
SECONDS = (1, D8, D11, D12, D19)
MICROSECONDS = (D7, None)
AFTER_THE_SECOND_NS = 654_321_987
"""How far into a second the server's clock is, where it stands still."""
REQUEST_BYTES = 1024
"""In all, the packet's header included: roughenough 2.0.0-draft14 wants exactly that."""


def form_for(version: int | None) -> Form:
    return Form.GOOGLE if version is None else Form.IETF


def offer_for(version: int | None) -> Offer:
    """Return what the configuration has to say of a server of this version: often nothing."""
    return () if version is None or version in OFFERS[0] else (version,)


def source_of(
    server: "RoughtimeServer | Stream",
    transport: str = "auto",
    form: Form = Form.IETF,
    offer: Offer = (),
) -> RoughtimeSource:
    endpoint = Endpoint(server.address, server.port)
    return RoughtimeSource(
        endpoint, server.signer.public_key, "Alpha", transport=transport, form=form, offer=offer
    )


def holds_the_truth(sample: Sample) -> bool:
    """Whether raw - true, true time being this machine's clock, is in the certain interval."""
    truth_ns = -CLOCK.wall_minus_raw_ns()
    return sample.certain.low_ns <= truth_ns <= sample.certain.high_ns


def forged(reply: Honest) -> Iterable[Reply]:
    """Answer a response that is signed by the wrong key, and an hour ahead."""
    values = dict(_values(wire.decode(wire.unframe(reply(3600 * NS)))))
    values[wire.SIG] = bytes(64)
    return [Reply(wire.frame(wire.encode(values)))]


def _values(message: wire.Message) -> Iterator[tuple[bytes, bytes]]:
    beside = (wire.SIG, wire.VER, wire.NONC, wire.TYPE, wire.PATH, wire.CERT, wire.INDX)
    yield wire.SREP, message.value(wire.SREP)
    for tag in beside:
        if tag in message:
            yield tag, message.value(tag)


def cut(reply: Honest) -> Iterable[Reply]:
    """Answer a response without its last four bytes."""
    return [Reply(reply(0)[:-4])]


def both(*behaviours: Behaviour) -> Behaviour:
    """Answer with everything that these do, one after the other."""
    return lambda reply: [each for behave in behaviours for each in behave(reply)]


class Noting:
    """A behaviour that notes when it was asked, and then is another."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked_s: list[float] = []

    def __call__(self, reply: Honest) -> Iterable[Reply]:
        self.asked_s.append(time.monotonic())
        return self.behave(reply)


@pytest.mark.parametrize("transport", ["auto", "udp", "tcp"])
@pytest.mark.parametrize("version", NAMES)
def test_every_dialect_by_every_transport(version: int | None, transport: str) -> None:
    """The truth is in the certain interval, and the detail names the dialect and the radius.

    Google's dialect is asked by datagrams whatever is said.
    """
    manner = Manner(versions=(version,))
    with RoughtimeServer("Alpha", manner=manner) as server:
        source = source_of(server, transport, form_for(version), offer_for(version))
        sample = source.sample(a_run())

    assert holds_the_truth(sample)
    assert sample.detail == f"{NAMES[version]}, radius 1 s"
    assert (sample.kind, sample.operator, sample.authenticated) == ("roughtime", "Alpha", True)
    assert sample.server == "127.0.0.1"
    assert len(server.requests) == 1


@pytest.mark.parametrize("offered", [(D12, 1), (1, D12), (D7, D8, 1)])
def test_the_server_chooses_the_version(offered: tuple[int, ...]) -> None:
    """One request suits every server: the first that it would rather speak is taken."""
    with RoughtimeServer("Alpha", manner=Manner(versions=offered)) as server:
        sample = source_of(server).sample(a_run())

    assert sample.detail.startswith(NAMES[offered[0]])


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_request_to_the_byte(transport: str) -> None:
    """VER ascending, SRV, our random bytes as NONC, TYPE 0, and zeros up to 1024 bytes in all."""
    nonce = bytes(range(100, 132))
    asked: list[int] = []

    def dice(count: int) -> bytes:
        asked.append(count)
        return nonce

    with RoughtimeServer("Alpha") as server:
        sample = source_of(server, transport).sample(a_run(random_bytes=dice))

    expected = (
        b"ROUGHTIM"
        + struct.pack("<6I", 1012, 5, 16, 48, 80, 84)
        + b"VER\0SRV\0NONCTYPEZZZZ"
        + struct.pack("<4I", 1, D7, D11, D12)
        + sha512(b"\xff" + server.signer.public_key).digest()[:32]
        + nonce
        + bytes(4)
        + bytes(1012 - 124)
    )
    assert server.requests == [expected]
    assert len(expected) == REQUEST_BYTES
    assert asked == [32]
    assert sample.transcript is not None
    assert sample.transcript[0] == expected


def test_googles_request_to_the_byte() -> None:
    """No packet: a nonce of 64 random bytes and the padding, 1024 bytes in all."""
    nonce = bytes(range(100, 164))
    with RoughtimeServer("Alpha", manner=Manner(versions=(None,))) as server:
        source_of(server, form=Form.GOOGLE).sample(a_run(random_bytes=lambda count: nonce[:count]))

    expected = struct.pack("<2I", 2, 64) + b"NONCPAD\xff" + nonce + bytes(944)
    assert server.requests == [expected]


def test_nonces_are_never_repeated() -> None:
    """Two questions of one source differ in their nonces and in nothing else."""
    with RoughtimeServer("Alpha") as server:
        source = source_of(server, offer=(1,))
        source.sample(a_run())
        source.sample(a_run())
        first, second = server.requests

    for request in (first, second):
        assert wire.decode(wire.unframe(request)).uint32s(wire.VER) == [1]
    begins, ends = 12 + 40 + 4 + 32, 12 + 40 + 4 + 64
    assert first[:begins] + first[ends:] == second[:begins] + second[ends:]
    assert first[begins:ends] != second[begins:ends]


@pytest.mark.parametrize(
    ("version", "transport"),
    [(v, t) for v in NAMES for t in ("udp", "tcp") if (v, t) != (None, "tcp")],
)
def test_the_intervals_by_hand(version: int | None, transport: str) -> None:
    """Sent at raw 1000 s, answered 250 ms later: MIDP -/+ RADI, and MIDP to one unit more.

    True time is 1 800 000 000.654321987 s; dialects of whole seconds say 1 800 000 000, those of
    microseconds 1 800 000 000.654321.
    """
    clock = FakeClock(raw_ns=1000 * NS)

    def after_250_ms(reply: Honest) -> Iterable[Reply]:
        clock.raw += 250 * MS
        return [Reply(reply(0))]

    with RoughtimeServer(
        "Alpha",
        after_250_ms,
        time_unix_ns=lambda: TRUE_UNIX_NS + AFTER_THE_SECOND_NS,
        manner=Manner(versions=(version,), radius_ns=3 * NS),
    ) as server:
        sample = source_of(server, transport, form_for(version), offer_for(version)).sample(
            a_run(clock=clock)
        )

    if version in SECONDS:
        assert sample.certain == Interval(-1_799_999_003_000_000_000, -1_799_998_996_750_000_000)
        assert sample.likely == Interval(-1_799_999_001_000_000_000, -1_799_998_999_750_000_000)
    else:
        assert version in MICROSECONDS
        assert sample.certain == Interval(-1_799_999_003_654_321_000, -1_799_998_997_404_321_000)
        assert sample.likely == Interval(-1_799_999_000_654_322_000, -1_799_999_000_404_321_000)
    assert sample.rtt_ns == 250 * MS


@pytest.mark.parametrize("version", NAMES)
def test_a_radius_of_more_than_10_s_is_too_wide(version: int | None) -> None:
    """10 s is the widest that may vote; one unit more is refused by name."""
    form, unit_ns = form_for(version), 1000 if version in MICROSECONDS else NS

    def asked(radius_ns: int) -> Sample:
        manner = Manner(versions=(version,), radius_ns=radius_ns)
        with RoughtimeServer("Alpha", manner=manner) as server:
            return source_of(server, form=form, offer=offer_for(version)).sample(a_run())

    assert asked(10 * NS).certain.width_ns >= 20 * NS
    with pytest.raises(TooWide, match=r"^radius of 1[01] s: at most 10 s wanted$"):
        asked(10 * NS + unit_ns)


def test_a_time_before_the_release_is_implausible() -> None:
    """Signed or not, it is no time that can be."""
    long_ago = behaviour.shifted(-400 * 86_400)
    with RoughtimeServer("Alpha", long_ago) as server, pytest.raises(Implausible):
        source_of(server).sample(a_run())


@pytest.mark.parametrize("bad", [forged, cut, behaviour.only(b""), behaviour.only(bytes(2000))])
def test_a_bad_reply_is_not_the_end(bad: Behaviour) -> None:
    """The good one after it is taken, at once."""
    with RoughtimeServer("Alpha", both(bad, behaviour.honest)) as server:
        sample = source_of(server).sample(a_run())

    assert holds_the_truth(sample)
    assert sample.rtt_ns < NS // 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("version", [1, D7, D12])
def test_the_retry_comes_after_a_second_with_the_same_bytes(version: int) -> None:
    """And its certain interval begins at the first sending: it may have been to that."""
    behave = Noting(behaviour.in_turn(forged, behaviour.honest))
    with RoughtimeServer("Alpha", behave, manner=Manner(versions=(version,))) as server:
        sample = source_of(server).sample(a_run(deadline_s=4))

    first, second = server.requests
    assert first == second
    assert 0.9 < behave.asked_s[1] - behave.asked_s[0] < 1.5
    assert 2.99 * NS < sample.certain.width_ns < 3.5 * NS
    assert sample.rtt_ns < NS / 2
    assert sample.likely.width_ns < 1.5 * NS
    assert holds_the_truth(sample)


def test_retries_become_rarer() -> None:
    """After 1 s, and 1.5 s more (RFC 10049 section 5): three requests in 2.8 s, all the same.

    That is, where the version is known.
    """
    behave = Noting(silent)
    with RoughtimeServer("Alpha", behave) as server, pytest.raises(TimedOut):
        source_of(server, "udp", offer=(1,)).sample(a_run(deadline_s=2.8))

    after_s = [asked_s - behave.asked_s[0] for asked_s in behave.asked_s]
    assert after_s == pytest.approx([0.0, 1.0, 2.5], abs=0.2)
    assert len(set(server.requests)) == 1


def versions_asked(server: RoughtimeServer) -> list[Offer]:
    """Return what was offered in each request, in turn; each of them has 1024 bytes in all."""
    assert {len(request) for request in server.requests} <= {REQUEST_BYTES}
    messages = [wire.decode(wire.unframe(request)) for request in server.requests]
    return [tuple(message.uint32s(wire.VER)) for message in messages]


def nothing_at_all(request: bytes) -> bool:
    return False


def test_a_silent_server_is_made_another_offer_each_time() -> None:
    """As often as before, and with a nonce of its own each: some servers read one version only."""
    manner = Manner(gate=nothing_at_all)
    with RoughtimeServer("Alpha", manner=manner) as server, pytest.raises(TimedOut):
        source_of(server, "udp").sample(a_run(deadline_s=2.8))

    rest = (D8, D8 + 1, D8 + 2, *range(D12 + 1, D19 + 1))
    assert versions_asked(server) == [(1, D7, D11, D12), (D12,), rest]
    nonces = [wire.decode(wire.unframe(request)).value(wire.NONC) for request in server.requests]
    assert len(set(nonces)) == 3


GATES: dict[str, tuple[Manner, int]] = {
    "roughenough 1.3.0-draft14": (Manner(versions=(D12,), gate=roughenough_1_3), 1),
    "roughenough 2.0.0-draft14": (Manner(versions=(D12,), gate=roughenough_2_0), 2),
    "roughenough of August 2026": (Manner(versions=(1, D12), gate=roughenough_2026), 1),
    "Cloudflare": (Manner(versions=(D11,)), 1),
    "Netnod": (Manner(versions=(D7,)), 1),
    "TimeNL": (Manner(versions=(1,)), 1),
    "ilimit": (Manner(versions=(D8 + 2,)), 3),
}
"""How servers of today look at a request, and which request of ours is the first that they take."""


@pytest.mark.parametrize("name", GATES)
def test_every_release_answers(name: str) -> None:
    """Each release's rules as a gate before the lab's server."""
    manner, asked = GATES[name]
    with RoughtimeServer("Alpha", manner=manner) as server:
        sample = source_of(server, "udp").sample(a_run(deadline_s=2.8))

        assert len(server.requests) == asked
    assert holds_the_truth(sample)
    assert sample.certain.width_ns < 2.5 * NS, "measured from the offer that was answered"


@pytest.mark.parametrize("name", GATES)
def test_what_answered_is_asked_alone_the_next_time(name: str, tmp_path: Path) -> None:
    """By a later run, too, which has nothing but the state: one request, and an answer."""
    manner, _ = GATES[name]
    with RoughtimeServer("Alpha", manner=manner) as server:
        source_of(server, "udp").sample(remembering(tmp_path, 2.8))
        server.requests.clear()
        sample = source_of(server, "udp").sample(remembering(tmp_path, 0.5))

        (offer,) = versions_asked(server)
    assert len(offer) == 1
    assert NAMES.get(offer[0], "draft 8-11") in sample.detail


@pytest.mark.parametrize("transport", ["auto", "udp", "tcp"])
def test_runs_that_are_too_short_go_on_with_the_next_offer(tmp_path: Path, transport: str) -> None:
    """With the usual timeout there is time for two: the third is made in the next run."""
    with RoughtimeServer("Alpha", manner=Manner(versions=(D8 + 2,))) as server:
        samples: list[Sample] = []
        while not samples and len(server.requests) < 8:
            with suppress(TimedOut, Malformed):
                samples.append(source_of(server, transport).sample(remembering(tmp_path, 0.3)))

    assert holds_the_truth(samples[0])


def test_a_version_that_is_no_longer_answered_is_forgotten(tmp_path: Path) -> None:
    """The server was replaced by one of another version: found again, and remembered again."""
    endpoint_of = {}
    with RoughtimeServer("Alpha", manner=Manner(versions=(D7,))) as old:
        source_of(old, "udp").sample(remembering(tmp_path, 0.5))
        endpoint_of["port"], signer = old.port, old.signer
    manner = Manner(versions=(D12,), gate=roughenough_2_0)
    with RoughtimeServer("Alpha", manner=manner, port=endpoint_of["port"]) as new:
        new.signer = signer
        runs = 0
        while runs < 8:
            runs += 1
            with suppress(TimedOut):
                source_of(new, "udp").sample(remembering(tmp_path, 0.3))
                break
        new.requests.clear()
        source_of(new, "udp").sample(remembering(tmp_path, 0.5))

        assert versions_asked(new) == [(D12,)]
    assert runs < 8


def test_a_version_that_is_configured_is_offered_alone() -> None:
    """Each time, whatever comes."""
    with RoughtimeServer("Alpha", silent) as server, pytest.raises(TimedOut):
        source_of(server, "udp", offer=(D11,)).sample(a_run(deadline_s=1.2))

    assert versions_asked(server) == [(D11,), (D11,)]


def remembering(directory: Path, deadline_s: float) -> Run:
    """Return a run with the state that is in a directory."""
    run = a_run(deadline_s)
    return Run(
        run.deadline_raw_ns, CLOCK, run.addresses, run.random_bytes, State(str(directory), CLOCK)
    )


def test_a_late_first_reply_has_the_first_sendings_stamp() -> None:
    """It comes after the second request was sent, and would be unsound measured from that."""
    behave = behaviour.in_turn(late(1.3), silent)
    with RoughtimeServer("Alpha", behave, manner=Manner(versions=(D7,))) as server:
        sample = source_of(server).sample(a_run(deadline_s=4))

        assert len(server.requests) == 2
    assert 1.29 * NS < sample.rtt_ns < 1.6 * NS
    assert sample.certain.width_ns > 3.29 * NS
    assert holds_the_truth(sample)


UNSIGNED = "response signature: not made with the delegated key"


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        (forged, Unverified, UNSIGNED),
        (cut, Malformed, "packet: message of "),
        (both(cut, forged), Unverified, UNSIGNED),
        (both(forged, cut), Malformed, "packet: message of "),
        (silent, TimedOut, "no usable reply before the deadline"),
        (behaviour.elsewhere, TimedOut, "no usable reply before the deadline"),
    ],
    ids=["forged", "cut", "cut, forged", "forged, cut", "silent", "elsewhere"],
)
def test_at_the_deadline_the_last_bad_reply_names_the_failure(
    behave: Behaviour, error: type[SourceError], says: str
) -> None:
    """Not before: a good one might have come. Without any, it is a timeout."""
    with RoughtimeServer("Alpha", behave) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            source_of(server, "udp").sample(a_run(deadline_s=0.4))

        assert str(caught.value).startswith(says)
        assert 0.35 < time.monotonic() - began < 0.7


def test_another_key_is_unverified_by_name() -> None:
    """A server that is not the configured one answers what does not hold."""
    with RoughtimeServer("Alpha") as server:
        server.signer._long_term = Signer()._long_term

        with pytest.raises(Unverified, match=r"^delegation signature: not made with the server's"):
            source_of(server, "udp").sample(a_run(deadline_s=0.3))


def padded(signer: Signer, request: bytes, length: int) -> bytes:
    """Return a valid response of that length: the rest is an unknown tag."""
    packet = signer.respond(request, 1, time.time_ns())
    more = length - len(packet) - 8
    response = Change(response={b"ZZZZ": bytes(more)})
    packet = signer.respond(request, 1, time.time_ns(), change=response)
    assert len(packet) == length
    return packet


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_response_may_be_as_long_as_the_request(transport: str) -> None:
    """1024 bytes are taken."""
    with Stream(lambda link, q, s: link.sendall(padded(s, q, REQUEST_BYTES))) as server:
        sample = source_of(server, transport).sample(a_run())

    assert holds_the_truth(sample)


@pytest.mark.parametrize(
    ("transport", "says"),
    [
        ("udp", "response of 1028 bytes: at most 1024 wanted"),
        ("tcp", "packet: message of 1016 bytes: at most 1012 wanted"),
    ],
)
def test_a_response_longer_than_the_request_is_refused(transport: str, says: str) -> None:
    """However valid: who amplifies is no Roughtime server."""
    with (
        Stream(lambda link, q, s: link.sendall(padded(s, q, REQUEST_BYTES + 4))) as server,
        pytest.raises(Malformed) as caught,
    ):
        source_of(server, transport).sample(a_run(deadline_s=0.4))

    assert str(caught.value) == says


def test_tcp_is_tried_when_udp_is_silent() -> None:
    """After two thirds of the time."""
    with RoughtimeServer("Alpha", manner=Manner(udp=False)) as server:
        began = time.monotonic()
        sample = source_of(server).sample(a_run(deadline_s=0.9))

        assert 0.55 < time.monotonic() - began < 0.85
        assert len(server.requests) == len(set(server.requests)) == 2
    assert holds_the_truth(sample)
    assert sample.certain.width_ns < 2.3 * NS


def test_a_reply_to_the_datagram_that_comes_by_tcp_is_not_believed_too_much() -> None:
    """Who is on the way can hold back the reply to a datagram, and hand it out by TCP later.

    It would be measured from the sending by TCP, so TCP asks with a nonce of its own.
    """
    held: list[bytes] = []

    def hold(link: Any, request: bytes, signer: Signer) -> None:
        if isinstance(link, socket.socket):
            link.sendall(held[0])
        else:
            held.append(signer.respond(request, D7, time.time_ns(), MS))

    with Stream(hold) as server, pytest.raises(TimedOut, match="by TCP: nonce: another request"):
        source_of(server).sample(a_run(deadline_s=0.9))

    assert len(held) == 1


def test_tcp_is_tried_when_udp_is_refused() -> None:
    """A port that is closed for datagrams costs a second, and not the answer."""
    with Stream(honest, datagrams=False) as server:
        sample = source_of(server).sample(a_run(deadline_s=5))

    assert holds_the_truth(sample)


def test_tcp_is_tried_when_datagrams_are_forged() -> None:
    """Who forges every datagram on the way does not silence the server."""
    behave = behaviour.in_turn(forged, behaviour.honest)
    with RoughtimeServer("Alpha", behave) as server:
        sample = source_of(server).sample(a_run(deadline_s=0.9))

    assert holds_the_truth(sample)
    assert len(server.requests) == 2


def test_both_failures_are_told() -> None:
    """The class is that of UDP's; what TCP came to is told as well."""
    with (
        RoughtimeServer("Alpha", forged, manner=Manner(tcp=False)) as server,
        pytest.raises(Unverified) as caught,
    ):
        source_of(server).sample(a_run(deadline_s=0.4))

    assert str(caught.value) == (
        f"{UNSIGNED}; by TCP: no address can be reached "
        f"(127.0.0.1 port {server.port}: Connection refused)"
    )


def test_udp_alone_never_connects() -> None:
    """With transport = "udp" a server that answers by TCP only stays silent."""
    with Stream(honest, answer_datagrams=False) as server:
        with pytest.raises(TimedOut):
            source_of(server, "udp").sample(a_run(deadline_s=0.4))

        assert server.connections == 0
        assert len(server.datagrams) == 1


def test_tcp_alone_never_sends_a_datagram() -> None:
    """With transport = "tcp" the first thing that the server sees is a connection."""
    with Stream(honest) as server:
        sample = source_of(server, "tcp").sample(a_run())

        assert (server.connections, server.datagrams) == (1, [])
    assert holds_the_truth(sample)


def test_a_late_reply_by_tcp_is_wide_but_true() -> None:
    """From before the sending until the last byte was read."""

    def slowly(link: socket.socket, request: bytes, signer: Signer) -> None:
        time.sleep(0.2)
        packet = signer.respond(request, 1, time.time_ns())
        link.sendall(packet[:100])
        time.sleep(0.2)
        link.sendall(packet[100:])

    with Stream(slowly) as server:
        sample = source_of(server, "tcp").sample(a_run())

    assert 0.4 * NS < sample.rtt_ns < 0.7 * NS
    assert holds_the_truth(sample)


def test_a_reply_by_tcp_may_come_in_pieces() -> None:
    """Byte by byte, if it likes, and what comes after it is not read."""

    def crumbs(link: socket.socket, request: bytes, signer: Signer) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in signer.respond(request, 1, time.time_ns()) + b"more of it":
            link.sendall(bytes([byte]))

    with Stream(crumbs) as server:
        sample = source_of(server, "tcp").sample(a_run())

    assert holds_the_truth(sample)


def test_a_server_that_drips_costs_the_time_until_the_deadline() -> None:
    """A byte every 20 ms is no answer in time, though there is never a long silence."""

    def drip(link: socket.socket, request: bytes, signer: Signer) -> None:
        for byte in signer.respond(request, 1, time.time_ns()):
            link.sendall(bytes([byte]))
            time.sleep(0.02)

    with Stream(drip) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut, match=r"response not done before|no time left"):
            source_of(server, "tcp").sample(a_run(deadline_s=0.5))

        assert 0.45 < time.monotonic() - began < 0.8


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0 of 12"), (7, "7 of 12"), (12, "0 of"), (100, "88 of")]
)
def test_a_server_that_closes_early(count: int, says: str) -> None:
    """Half a response is malformed, at once, and the error says how much there was of it."""

    def part(link: socket.socket, request: bytes, signer: Signer) -> None:
        link.sendall(signer.respond(request, 1, time.time_ns())[:count])

    with Stream(part) as server:
        began = time.monotonic()
        with pytest.raises(Malformed, match=f"^127.0.0.1: response ends after {says}"):
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ROUGHTIM" + b"\xff" * 4, "packet: message of 4294967295 bytes: at most 1012 wanted"),
        (b"HTTP/1.1 400 Bad Request\r\n", "packet: begins with b'HTTP/1.1': b'ROUGHTIM' wanted"),
        (b"ROUGHTIM" + bytes(4), "response: the number of tags needs 4 bytes, 0 are left"),
    ],
    ids=["4 GB", "HTTP", "empty"],
)
def test_a_header_is_judged_before_anything_is_read(data: bytes, says: str) -> None:
    """Four thousand million bytes are not waited for, nor is anything that is no packet."""

    def answer(link: socket.socket, _request: bytes, _signer: Signer) -> None:
        link.sendall(data)
        time.sleep(0.5)

    with Stream(answer) as server:
        began = time.monotonic()
        with pytest.raises(Malformed) as caught:
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.4
    assert str(caught.value) == says


def test_a_connection_that_is_reset_is_unreachable() -> None:
    """By name, at once."""

    def reset(link: socket.socket, _request: bytes, _signer: Signer) -> None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    says = r"^127\.0\.0\.1: response: Connection reset"
    with Stream(reset) as server, pytest.raises(Unreachable, match=says):
        source_of(server, "tcp").sample(a_run())


def test_a_bad_response_by_tcp_ends_the_question() -> None:
    """A stream has one answer."""
    with RoughtimeServer("Alpha", forged) as server:
        began = time.monotonic()
        with pytest.raises(Unverified, match=f"^{UNSIGNED}$"):
            source_of(server, "tcp").sample(a_run())

        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("version", [1, D7])
def test_a_server_that_greases_every_third_reply(version: int) -> None:
    """Every question of a patient client is answered; each third one takes a second more."""
    with RoughtimeServer("Alpha", greased(3), manner=Manner(versions=(version,))) as server:
        source = source_of(server)
        samples = [source.sample(a_run(deadline_s=4)) for _ in range(4)]

        assert len(server.requests) == 5
    assert all(holds_the_truth(sample) for sample in samples)
    retried = [sample.certain.width_ns > 2.99 * NS for sample in samples]
    assert retried == [False, False, True, False]


def test_googles_dialect_has_all_the_time_for_datagrams() -> None:
    """There is no TCP to keep time for: a reply at 80 % of the time counts."""
    manner = Manner(versions=(None,), tcp=False)
    with RoughtimeServer("Alpha", late(0.8), manner=manner) as server:
        sample = source_of(server, form=Form.GOOGLE).sample(a_run(deadline_s=1))

    assert holds_the_truth(sample)


@pytest.mark.parametrize("version", [1, D7])
def test_the_next_address_is_asked_when_one_is_silent(version: int) -> None:
    """The second request goes to the second address; its answer says which it is.

    It is the same one: an address that swallows packets says nothing about versions.
    """
    manner = Manner(versions=(version,))
    with (
        RoughtimeServer("Alpha", silent) as dead,
        RoughtimeServer("Alpha", address="127.0.0.2", port=dead.port, manner=manner) as server,
    ):
        endpoint = Endpoint("name.test", server.port, ("127.0.0.1", "127.0.0.2"))
        source = RoughtimeSource(endpoint, server.signer.public_key, "Alpha")
        run = a_run(deadline_s=3)
        run.memory = memory = Notebook()
        began = time.monotonic()
        sample = source.sample(run)

        assert 0.24 < time.monotonic() - began < 0.7
        assert dead.requests == server.requests
    assert sample.server == "127.0.0.2"
    assert holds_the_truth(sample)
    assert memory.changed["address", "name.test"] == {"answered": "127.0.0.2"}


def test_another_address_does_not_make_more_requests() -> None:
    """It is asked sooner than the same one would be; the third request is sent when it was due."""
    with (
        RoughtimeServer("Alpha", silent) as first,
        RoughtimeServer("Alpha", silent, address="127.0.0.2", port=first.port) as second,
    ):
        endpoint = Endpoint("name.test", first.port, ("127.0.0.1", "127.0.0.2"))
        source = RoughtimeSource(endpoint, first.signer.public_key, "Alpha", transport="udp")
        with pytest.raises(TimedOut):
            source.sample(a_run(deadline_s=2.3))
        in_time = len(first.requests), len(second.requests)
        with pytest.raises(TimedOut):
            source.sample(a_run(deadline_s=2.7))

        assert in_time == (1, 1)
        assert (len(first.requests), len(second.requests)) == (2, 3)


def test_an_exchange_is_handed_out_to_the_byte() -> None:
    """With the nonce that was given: what evidence is made of."""
    nonce = bytes(range(32))
    with RoughtimeServer("Alpha") as server:
        found = source_of(server).exchange(a_run(), lambda: nonce)

        assert [found.request] == server.requests
    assert found.reply.nonce == nonce
    assert found.response.startswith(b"ROUGHTIM")
    assert found.sent_raw_ns == found.asked_raw_ns <= found.received_raw_ns


@pytest.mark.parametrize("name", GATES)
def test_a_link_of_a_chain_has_its_nonce_in_whatever_offer_is_answered(name: str) -> None:
    """The nonce of evidence is made of the response before: it cannot be another for each offer.

    So the reply may be to any request with that nonce, and counts from the first of them.
    """
    manner, asked = GATES[name]
    nonce = os.urandom(32)
    with RoughtimeServer("Alpha", manner=manner) as server:
        source = source_of(server, "udp")
        run = a_run(deadline_s=2.8)
        began_raw_ns = CLOCK.raw_ns()
        found = source.exchange(run, lambda: nonce)

        assert found.request == server.requests[asked - 1]
    assert found.reply.nonce == nonce
    assert verify(found.request, found.response, Form.IETF, source.public_key) == found.reply
    assert found.sent_raw_ns - began_raw_ns < NS // 5
    assert found.received_raw_ns - found.asked_raw_ns < NS // 5


def test_twins_are_told_apart_by_host_port_and_key() -> None:
    """Two tables of one server have one endpoint; another key is another server."""

    def endpoint(host: str, port: int, key: bytes) -> str:
        return RoughtimeSource(Endpoint(host, port), key, "Alpha").endpoint

    assert endpoint("Time.Test.", 2002, bytes(32)) == endpoint("time.test", 2002, bytes(32))
    different = {
        endpoint("time.test", 2002, bytes(32)),
        endpoint("time.test", 2003, bytes(32)),
        endpoint("time.test", 2002, b"\1" * 32),
        endpoint("tome.test", 2002, bytes(32)),
    }
    assert len(different) == 4


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("time.test", PORT, "time.test"),
        ("time.test", 2002, "time.test:2002"),
        ("::1", 2002, "[::1]:2002"),
        ("::1", PORT, "::1"),
    ],
)
def test_a_name_has_the_port_unless_it_is_the_usual_one(host: str, port: int, name: str) -> None:
    """5319 is assigned; older servers use 2002."""
    assert RoughtimeSource(Endpoint(host, port), bytes(32), "Alpha").name == name


KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
TABLE = f'[[sources.roughtime]]\nhost = "time.test"\npublic_key = "{KEY}"\n'


@pytest.mark.parametrize(
    ("dialect", "form", "offer"),
    [
        ("ietf", Form.IETF, ()),
        ("google", Form.GOOGLE, ()),
        ("rfc", Form.IETF, (1,)),
        ("draft-7", Form.IETF, (D7,)),
        ("draft-8", Form.IETF, (D8,)),
        ("draft-11", Form.IETF, (D11,)),
        ("draft-12", Form.IETF, (D12,)),
    ],
)
def test_a_table_may_name_the_version(dialect: str, form: Form, offer: Offer) -> None:
    """Then nothing else is offered."""
    (source,) = parse(TABLE + f'dialect = "{dialect}"\n', "the test").sources

    assert isinstance(source, RoughtimeSource)
    assert (source.form, source.offer) == (form, offer)


def test_a_table_needs_a_host_and_a_key() -> None:
    """The rest has defaults."""
    (source,) = parse(TABLE, "the test").sources

    assert isinstance(source, RoughtimeSource)
    assert (source.name, source.operator, source.form) == ("time.test", "time.test", Form.IETF)
    assert source.public_key.hex().startswith("03a107bff3ce10be")
    assert not source.precise


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (TABLE.replace(KEY, KEY[:-1]), "public_key"),
        (TABLE.replace(KEY, KEY[:-4]), "public_key"),
        (TABLE.replace(KEY, "03a107bf" * 8), "public_key"),
        (TABLE.replace(KEY, KEY.replace("+", "*").replace("/", "_")), "public_key"),
        (TABLE.replace("public_key", "key"), "key"),
        (TABLE + 'transport = "sctp"\n', "transport"),
        (TABLE + 'dialect = "draft 7"\n', "dialect"),
        (TABLE + "port = 0\n", "port"),
        (TABLE + 'dialect = "google"\ntransport = "tcp"\n', "transport"),
    ],
)
def test_a_table_that_makes_no_sense(table: str, says: str) -> None:
    """Refused, and the key that is wrong is named."""
    with pytest.raises(ConfigError, match=says):
        parse(table, "the test")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sockets_are_not_leaked(transport: str) -> None:
    """Fifty questions, answered, refused and timed out, leave no open socket behind."""
    with Stream(honest) as good, Stream(lambda *_: None) as bad:
        sources = [source_of(good, transport), source_of(bad, transport)]
        before = after = _open_files()
        for _ in range(25):
            sources[0].sample(a_run())
            with pytest.raises(SourceError):
                sources[1].sample(a_run(deadline_s=0.02))
        for _ in range(100):
            if (after := _open_files()) <= before:
                break
            time.sleep(0.02)  # the server's ends

    assert after <= before


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


Script = Callable[[Any, bytes, Signer], None]
"""What to do with a connection, a request, and the keys."""


def honest(link: Any, request: bytes, signer: Signer) -> None:
    """Answer truthfully."""
    link.sendall(signer.respond(request, 1, time.time_ns()))


class Stream:
    """A server that does by TCP what a script says, and by UDP the same, in one datagram."""

    def __init__(
        self, script: Script, *, datagrams: bool = True, answer_datagrams: bool = True
    ) -> None:
        self.script = script
        self.signer = Signer()
        self.connections = 0
        self.datagrams: list[bytes] = []
        self._answer_datagrams = answer_datagrams
        self.address = "127.0.0.1"
        self._udp, self._tcp = _one_port(self.address)
        self.port: int = self._udp.getsockname()[1]
        if not datagrams:
            self._udp.close()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        if datagrams:
            self._threads.append(threading.Thread(target=self._receive, daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._tcp, self._udp):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        self._tcp.close()
        self._udp.close()

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._tcp.accept()
            except OSError:
                return
            self.connections += 1
            with link, suppress(OSError):
                request = link.recv(REQUEST_BYTES, socket.MSG_WAITALL)
                self.script(link, request, self.signer)

    def _receive(self) -> None:
        while True:
            try:
                request, client = self._udp.recvfrom(4096)
            except OSError:
                return
            if not client:
                return
            self.datagrams.append(request)
            if self._answer_datagrams:
                with suppress(OSError):
                    self.script(_Sender(self._udp, client), request, self.signer)


def _one_port(address: str) -> tuple[socket.socket, socket.socket]:
    """Return sockets of both kinds on one port; an earlier connection may still hold its number."""
    for _ in range(20):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()
    raise AssertionError("no port is free for both")


class _Sender:
    """Sends to one client what is written to it."""

    def __init__(self, through: socket.socket, client: tuple[str, int]) -> None:
        self._through = through
        self._client = client

    def sendall(self, data: bytes) -> None:
        self._through.sendto(data, self._client)
