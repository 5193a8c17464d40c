"""What only NTS sources do: key exchange, authentication, NTSN, cookies, certificates."""

import errno
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from drift.config import parse
from lab import behaviour
from lab.authority import DAY_S, FOR_LIFE
from lab.behaviour import Behaviour, Honest, Reply, in_turn, silent
from lab.https import EXPIRED, Identity
from lab.nts import (
    AEAD,
    COOKIE,
    END,
    ERROR,
    NEXT_PROTOCOL,
    PORT,
    SERVER,
    WARNING,
    Manner,
    NtsServer,
    Records,
    altered,
    another_identifier,
    flipped,
    kiss,
    nak,
    replayed,
    replayed_in_disguise,
    unauthenticated,
)
from sources.base import (
    ConfigError,
    Malformed,
    Refused,
    Sample,
    SourceError,
    TimedOut,
    TooWide,
    Unreachable,
    Unsynchronised,
    Unverified,
)
from sources.clock import NS, Clock
from sources.net import tls
from sources.nts import wire as nts
from sources.nts import wire_ke as nts_ke
from sources.nts.proof import Established, Keys
from sources.nts.source import NtsSource
from tests.support.fakes import Notebook, a_run

CLOCK = Clock()
YEAR_S = 365 * DAY_S
HEADER, IDENTIFIER, AUTHENTICATOR = range(48), range(48, 84), range(84, 224)
"""Where the parts of the lab's replies are."""
ORIGIN, IDENTIFIER_BODY = range(24, 32), range(52, 84)
UNKNOWN = 0x0400
"""A type of record that nobody knows."""
IGNORED = (
    "keys exchanged, but no usable reply before the deadline: 1 reply came, none to our request"
)
UNHEARD = "keys exchanged, but no reply to NTP requests of 224 bytes"
NTSN = r"^NTS: the server does not know the cookie that it has just given \(NTSN\)$"


def source_of(server: "NtsServer | Listener", host: str | None = None) -> NtsSource:
    """Return the source that asks a server, by a name or by its address."""
    fallback = (server.address,) if host else ()
    return NtsSource(host or server.address, server.port, "Alpha", fallback, server.ca_file)


def asked(server: "NtsServer | Listener", deadline_s: float = 2) -> Sample:
    return source_of(server).sample(a_run(deadline_s))


def holds_the_truth(sample: Sample, ahead_s: float = 0) -> bool:
    """Whether raw - true, true time being this machine's clock and so much, is in the interval."""
    truth_ns = -CLOCK.wall_minus_raw_ns() - round(ahead_s * NS)
    return sample.certain.low_ns - 50_000 <= truth_ns <= sample.certain.high_ns + 50_000


def both(*behaviours: Behaviour) -> Behaviour:
    """Answer with everything that these do, one after the other."""
    return lambda reply: [each for behave in behaviours for each in behave(reply)]


def followed_by(data: bytes) -> Behaviour:
    """Answer truthfully, with more bytes after the authenticator."""
    return lambda reply: [Reply(reply(0) + data)]


def but(kind: int, *bodies: bytes, critical: bool = True) -> Manner:
    """Exchange keys honestly, but with these records of one type instead of the honest ones."""

    def bend(records: Records) -> bytes:
        changed = [record for record in records if record[0] != kind]
        return nts_ke.encode([(kind, body, critical) for body in bodies] + changed)

    return Manner(bend=bend)


def answering(data: bytes) -> Manner:
    """Answer requests for keys with these bytes."""
    return Manner(bend=lambda _: data)


def test_what_a_sample_says() -> None:
    """By one connection and one datagram: the truth, authenticated, and who said it."""
    with NtsServer("Alpha") as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)
    assert sample.certain == sample.likely
    assert (sample.kind, sample.operator, sample.authenticated) == ("nts", "Alpha", True)
    assert sample.server == "127.0.0.1"
    assert sample.detail.startswith("stratum 1, root distance ")


def test_the_request_tells_nothing() -> None:
    """Version 4, mode client, zeros, 8 random bytes; identifier, cookie, authenticator; no time."""
    dice: list[bytes] = []

    def thrown(count: int) -> bytes:
        dice.append(os.urandom(count))
        return dice[-1]

    with NtsServer("Alpha") as server:
        source_of(server).sample(a_run(random_bytes=thrown))
        (request,) = server.requests

    stamp, identifier, nonce = dice
    assert request[:48] == b"\x23" + bytes(39) + stamp
    assert request[48:84] == b"\1\4\0\x24" + identifier
    assert request[84:88] == b"\2\4\0\x64"
    assert request[184:192] == b"\4\4\0\x28\0\x10\0\x10"
    assert request[192:208] == nonce
    assert (len(identifier), len(nonce), len(request)) == (32, 16, 224)


def test_nothing_of_a_request_is_repeated() -> None:
    """Two questions of one source share the fixed part of the header and the fields' headers."""
    with NtsServer("Alpha") as server:
        source = source_of(server)
        source.sample(a_run())
        source.sample(a_run())
        first, second = server.requests

    for part in (slice(40, 48), slice(52, 84), slice(88, 184), slice(192, 208), slice(208, 224)):
        assert first[part] != second[part]


def verdict_on_a_flip(position: int) -> tuple[type[SourceError], str]:
    """Return what the last bit of a byte, flipped, has to lead to."""
    if position in ORIGIN or position in IDENTIFIER:
        return TimedOut, IGNORED
    if position in AUTHENTICATOR[:2]:
        return Unverified, "NTS: the reply is not authenticated"
    if position in AUTHENTICATOR[2:4]:
        return Malformed, "NTS: field 0x0404 of "
    if position in AUTHENTICATOR[4:8]:
        return Malformed, "NTS: nonce of "
    return Unverified, "NTS: the authenticator does not hold"


@pytest.mark.parametrize(
    "position",
    [0, 1, 3, 12, 16, 24, 31, 32, 40, 47, 48, 49, 50, 51, 52, 83, *range(84, 93), 108, 223],
)
def test_a_flipped_bit_is_no_sample(position: int) -> None:
    """Wherever it is: what is not ours is ignored, what is does not hold, and is named."""
    error, says = verdict_on_a_flip(position)
    with NtsServer("Alpha", flipped(position)) as server, pytest.raises(error) as caught:
        asked(server, 0.25)

    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("bit", [0, 3, 7])
@pytest.mark.parametrize("part", [HEADER, IDENTIFIER, AUTHENTICATOR])
def test_a_bit_flipped_in_every_byte_and_then_the_truth(part: range, bit: int) -> None:
    """None of the copies is taken, none of them ends the question."""
    behave = both(flipped(*part, bit=bit), behaviour.honest)
    with NtsServer("Alpha", behave) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("part", [HEADER, IDENTIFIER, AUTHENTICATOR])
def test_a_bit_flipped_in_every_byte_and_nothing_else(part: range, bit: int) -> None:
    """A copy for each byte, and no sample of any."""
    with (
        NtsServer("Alpha", flipped(*part, bit=bit)) as server,
        pytest.raises((Unverified, TimedOut, Malformed)),
    ):
        asked(server, 0.25)


STRIPPED = unauthenticated(behaviour.honest)
NOT_HELD = "NTS: the authenticator does not hold"


def plain(reply: Honest) -> Iterable[Reply]:
    """Answer as a server of plain NTP does."""
    return [Reply(reply(0)[:48])]


def twice_identified(reply: Honest) -> Iterable[Reply]:
    """Answer with the identifier field twice."""
    data = reply(0)
    return [Reply(data[:84] + data[48:])]


def identified_too_late(reply: Honest) -> Iterable[Reply]:
    """Answer with the identifier after the authenticator, where it proves nothing."""
    data = reply(0)
    return [Reply(data[:48] + data[84:] + data[48:84])]


def of_the_client(reply: Honest) -> Iterable[Reply]:
    """Answer an hour ahead, and unsealed: the authenticator is that of the true reply."""
    return [Reply(reply(3600 * NS)[:84] + reply(0)[84:])]


BAD_REPLIES: dict[str, tuple[Behaviour, type[SourceError], str]] = {
    "stripped": (STRIPPED, Unverified, "NTS: the reply is not authenticated"),
    "stripped of everything": (plain, TimedOut, IGNORED),
    "a foreign identifier": (another_identifier, TimedOut, IGNORED),
    "two identifiers": (twice_identified, Malformed, "NTS: 2 unique identifiers: one wanted"),
    "identified too late": (
        identified_too_late,
        Malformed,
        "NTS: 0 unique identifiers: one wanted",
    ),
    "another header": (of_the_client, Unverified, NOT_HELD),
    "a kiss that anybody can forge": (
        unauthenticated(kiss("RATE")),
        Unverified,
        "NTS: the reply is not authenticated",
    ),
    "elsewhere": (behaviour.elsewhere, TimedOut, UNHEARD),
}
"""Replies that are not to be believed, and what comes of them."""


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_that_does_not_hold_is_named_at_the_deadline(name: str) -> None:
    """Not before: the true one might have come."""
    behave, error, says = BAD_REPLIES[name]
    with NtsServer("Alpha", behave) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server, 0.3)

        assert 0.25 < time.monotonic() - began < 0.6
        assert server.connections == 1
    assert str(caught.value) == says


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_that_does_not_hold_is_not_the_end(name: str) -> None:
    """The true one after it is taken, at once."""
    behave, _, _ = BAD_REPLIES[name]
    with NtsServer("Alpha", both(behave, behaviour.honest)) as server:
        sample = asked(server)

        assert len(server.requests) == 1
    assert holds_the_truth(sample)
    assert sample.rtt_ns < NS // 2


@pytest.mark.parametrize("cookies", [1, 8])
def test_keys_that_come_and_a_time_that_does_not_are_told_apart(cookies: int) -> None:
    """Some networks drop NTP packets of more than 48 bytes: how large ours are is said.

    They cannot be smaller: header, identifier, the server's own cookie, authenticator, no more.
    """
    with NtsServer("Alpha", silent) as server:
        server.manner = Manner(cookies=cookies)
        with pytest.raises(TimedOut) as caught:
            asked(server, 0.3)
        (request,) = server.requests

    assert (
        str(caught.value) == f"keys exchanged, but no reply to NTP requests of {len(request)} bytes"
    )
    cookie = nts.cookie_of(request)
    assert len(request) == 48 + (4 + 32) + (4 + len(cookie)) + (4 + 4 + 16 + 16)


def test_the_last_reply_that_did_not_hold_names_the_failure() -> None:
    """Of two failures the later one is told."""
    behave = both(twice_identified, flipped(0))
    with NtsServer("Alpha", behave) as server, pytest.raises(Unverified, match=NOT_HELD):
        asked(server, 0.3)


@pytest.mark.parametrize(
    ("behave", "error"),
    [(replayed(), TimedOut), (replayed_in_disguise(), Unverified)],
    ids=["to the byte", "in disguise"],
)
def test_a_replayed_reply_is_no_sample(behave: Behaviour, error: type[SourceError]) -> None:
    """An earlier reply, as it was or with this request's origin and identifier written into it."""
    with NtsServer("Alpha", behave) as server:
        assert holds_the_truth(asked(server))
        with pytest.raises(error):
            asked(server, 0.3)


@pytest.mark.parametrize("more", [bytes.fromhex("00000010") + bytes(12), b"\xff", bytes(100)])
def test_what_comes_after_the_authenticator_is_ignored(more: bytes) -> None:
    """It is nobody's word (RFC 8915 section 5.6)."""
    with NtsServer("Alpha", followed_by(more)) as server:
        assert holds_the_truth(asked(server))


@pytest.mark.parametrize(
    ("behave", "error", "says"),
    [
        (kiss("RATE"), Refused, "kiss-o'-death RATE"),
        (kiss("DENY"), Refused, "kiss-o'-death DENY"),
        (altered(stratum=16), Unsynchronised, "stratum 16: 1 to 15 wanted"),
        (altered(leap=3), Unsynchronised, "leap indicator 3: the server's clock is not set"),
        (altered(mode=3), Malformed, "mode 3: 4 (server) wanted"),
        (altered(receive=0, transmit=0), Malformed, "receive timestamp 0: the server does not"),
        (altered(receive=0), Malformed, "receive timestamp 0: the server does not know"),
        (altered(transmit=0), Malformed, "transmit timestamp 0: the server does not know"),
        (altered(root_dispersion=2 << 16), TooWide, "root distance of 2.000 s: at most 1 s wanted"),
        (
            behaviour.shifted(-400 * DAY_S),
            Unverified,
            "certificate '127.0.0.1' expired ",  # no era has a time before the release
        ),
    ],
)
def test_what_is_authentic_is_judged_as_in_plain_ntp(
    behave: Behaviour, error: type[SourceError], says: str
) -> None:
    """At once: nobody else can have said it."""
    with NtsServer("Alpha", behave, identity=Identity(lifetime=FOR_LIFE)) as server:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server)

        assert time.monotonic() - began < 1
        assert server.connections == 1
    assert str(caught.value).startswith(says)


def test_ntsn_has_keys_exchanged_once_more() -> None:
    """The second cookie is known: a sample."""
    with NtsServer("Alpha", in_turn(nak, behaviour.honest)) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (2, 2)
    assert holds_the_truth(sample)


def test_a_server_that_forgets_between_cookie_and_request() -> None:
    """Its NTSN is honest, and the second exchange of keys heals it."""
    forgotten: list[bool] = []

    def bend(records: Records) -> bytes:
        if not forgotten:
            server.forget()
            forgotten.append(True)
        return nts_ke.encode(records)

    with NtsServer("Alpha") as server:
        server.manner = Manner(bend=bend)
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (2, 2)
    assert holds_the_truth(sample)


def test_a_server_that_knows_no_cookie_is_asked_twice_and_no_more() -> None:
    """NTSN again: the failure is named, at once."""
    with NtsServer("Alpha", nak) as server:
        began = time.monotonic()
        with pytest.raises(Unverified, match=NTSN):
            asked(server)

        assert time.monotonic() - began < 1
        assert (server.connections, len(server.requests)) == (2, 2)


def test_ntsn_of_somebody_who_did_not_see_the_request_is_ignored() -> None:
    """Without the identifier, or with another one, it costs nothing."""

    def blind(reply: Honest) -> Iterable[Reply]:
        (refusal,) = nak(reply)
        foreign = refusal.data[:52] + bytes(32)
        return [Reply(refusal.data[:48]), Reply(foreign), Reply(reply(0))]

    with NtsServer("Alpha", blind) as server:
        sample = asked(server)

        assert server.connections == 1
    assert holds_the_truth(sample)


def test_ntsn_that_the_truth_follows_costs_nothing() -> None:
    """Anybody on the path can forge it, and faster than the server answers."""
    with NtsServer("Alpha", both(nak, behaviour.honest)) as server:
        sample = asked(server)

        assert (server.connections, len(server.requests)) == (1, 1)
    assert holds_the_truth(sample)


def test_the_second_exchange_of_keys_may_fail() -> None:
    """Then that is the failure."""
    with NtsServer("Alpha", nak) as server:

        def bend(records: Records) -> bytes:
            refusal = [(ERROR, b"\0\2", True), (END, b"", True)]
            return nts_ke.encode(records if server.connections == 1 else refusal)

        server.manner = Manner(bend=bend)
        with pytest.raises(Refused, match="NTS-KE error 2"):
            asked(server)


def test_cookies_are_not_reused_while_others_are_left() -> None:
    """The request after a second of silence has another cookie, stamp and identifier."""
    with NtsServer("Alpha", in_turn(silent, behaviour.honest)) as server:
        sample = asked(server)
        first, second = server.requests

        assert server.connections == 1
        assert server.keys_in(nts.cookie_of(first)) == server.keys_in(nts.cookie_of(second))
    assert nts.cookie_of(first) != nts.cookie_of(second)
    assert nts.identifier_of(first) != nts.identifier_of(second)
    assert first[40:48] != second[40:48]
    assert sample.rtt_ns < NS // 2


def test_the_only_cookie_is_used_again() -> None:
    """A server that gives one cookie is asked a second time with it."""
    with NtsServer("Alpha", in_turn(silent, behaviour.honest)) as server:
        server.manner = Manner(cookies=1)
        sample = asked(server)
        first, second = server.requests

    assert nts.cookie_of(first) == nts.cookie_of(second)
    assert first[40:84] != second[40:84]
    assert holds_the_truth(sample)


def test_a_late_first_reply_has_the_first_sendings_stamp() -> None:
    """It comes after the second request was sent, and is measured from its own."""
    with NtsServer("Alpha", in_turn(behaviour.late(1.2), silent)) as server:
        sample = asked(server, 3)

        assert len(server.requests) == 2
    assert 1.19 * NS < sample.rtt_ns < 1.5 * NS
    assert holds_the_truth(sample)


def test_a_reply_that_was_held_back_has_its_own_requests_stamp() -> None:
    """Who is on the way can hand it out to the second request's socket."""
    held: list[bytes] = []

    def hold(reply: Honest) -> Iterable[Reply]:
        held.append(reply(0))
        return []

    with NtsServer("Alpha", in_turn(hold, lambda _: [Reply(held[0])])) as server:
        sample = asked(server, 3)

    assert 0.99 * NS < sample.rtt_ns < 1.5 * NS
    assert holds_the_truth(sample)


CERTIFICATES: dict[str, tuple[Identity, str]] = {
    "expired": (
        EXPIRED,
        r"^certificate '127\.0\.0\.1' expired 8640\d s before the time the server claims$",
    ),
    "not yet valid": (
        Identity(lifetime=(DAY_S, 2 * DAY_S)),
        r"^certificate '127\.0\.0\.1' is not valid until 86(400|39\d) s after the time",
    ),
    "intermediate expired": (
        Identity(intermediate=(-9 * DAY_S, -3 * DAY_S)),
        r"^certificate 'Lab Intermediate' expired 3 days before the time the server claims$",
    ),
    "another address": (Identity(names=("127.0.0.9",)), r"^certificate: IP address mismatch"),
    "a name": (Identity(names=("time.test",)), r"^certificate: IP address mismatch"),
    "unknown CA": (Identity(known=False), r"^certificate: unable to get local issuer certificate$"),
}
"""Certificates that do not hold, and what is said of them."""


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_does_not_hold(name: str) -> None:
    """Is unverified, by name."""
    identity, says = CERTIFICATES[name]
    with NtsServer("Alpha", identity=identity) as server:
        with pytest.raises(Unverified, match=says):
            asked(server)

        assert server.connections == 1


@pytest.mark.parametrize("name", ["another address", "a name", "unknown CA"])
def test_who_shows_no_right_certificate_is_not_asked_for_the_time(name: str) -> None:
    """Neither keys nor time are taken from somebody else."""
    identity, _ = CERTIFICATES[name]
    with NtsServer("Alpha", identity=identity) as server:
        with pytest.raises(Unverified):
            asked(server)

        assert server.requests == []


def test_another_name_is_unverified_by_name() -> None:
    """A certificate for time.test does not do for tide.test."""
    with NtsServer("Alpha", identity=Identity(names=("time.test",))) as server:
        assert holds_the_truth(source_of(server, "time.test").sample(a_run()))
        assert holds_the_truth(source_of(server, "TIME.test.").sample(a_run()))
        with pytest.raises(Unverified, match=r"^certificate: Hostname mismatch.*'tide\.test'"):
            source_of(server, "tide.test").sample(a_run())


@pytest.mark.parametrize("ahead_s", [10 * YEAR_S, 40 * YEAR_S, -20 * DAY_S])
def test_certificates_are_judged_by_the_authenticated_time(ahead_s: int) -> None:
    """Valid for a few days around the server's time, which is years from the local clock's."""
    identity = Identity(lifetime=(-2 * DAY_S, 2 * DAY_S), intermediate=(-3 * DAY_S, 3 * DAY_S))
    with NtsServer(
        "Alpha", time_unix_ns=lambda: time.time_ns() + ahead_s * NS, identity=identity
    ) as server:
        sample = asked(server)

    assert holds_the_truth(sample, ahead_s)


@pytest.mark.parametrize(
    ("ahead_s", "lifetime", "says"),
    [
        (10 * YEAR_S, (-11 * YEAR_S, -5 * DAY_S), "expired 5 days before"),
        (-20 * DAY_S, (5 * DAY_S, 60 * DAY_S), "is not valid until [45] days after"),
    ],
)
def test_the_local_clock_makes_no_certificate_valid(
    ahead_s: int, lifetime: tuple[int, int], says: str
) -> None:
    """By the local clock it is, by the authenticated time it is not."""
    with (
        NtsServer(
            "Alpha",
            time_unix_ns=lambda: time.time_ns() + ahead_s * NS,
            identity=Identity(lifetime=lifetime),
        ) as server,
        pytest.raises(Unverified, match=says),
    ):
        asked(server)


RESPONSES: dict[str, tuple[Manner, type[SourceError], str]] = {
    "error 0": (but(ERROR, b"\0\0"), Refused, "NTS-KE error 0: unrecognized critical record"),
    "error 1": (but(ERROR, b"\0\1"), Refused, "NTS-KE error 1: bad request"),
    "error 2": (but(ERROR, b"\0\2"), Refused, "NTS-KE error 2: internal server error"),
    "error 3": (but(ERROR, b"\0\3"), Refused, "NTS-KE error 3: unknown"),
    "error 65535": (but(ERROR, b"\xff\xff"), Refused, "NTS-KE error 65535: unknown"),
    "an error and nothing else": (
        answering(nts_ke.encode([(ERROR, b"\0\1", True), (END, b"", True)])),
        Refused,
        "NTS-KE error 1: bad request",
    ),
    "a warning": (but(WARNING, b"\0\7"), Refused, "NTS-KE warning 7: unknown"),
    "an unknown critical record": (
        but(UNKNOWN, b"abc"),
        Malformed,
        "NTS-KE record 1024: critical, and unknown",
    ),
    "no cookies": (Manner(cookies=0), Malformed, "NTS-KE: no cookie of 1 to 1024 bytes"),
    "AEAD 30": (
        but(AEAD, b"\0\x1e"),
        Malformed,
        "NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)",
    ),
    "no AEAD": (
        but(AEAD),
        Malformed,
        "NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)",
    ),
    "no next protocol": (
        but(NEXT_PROTOCOL),
        Malformed,
        "NTS-KE: the server does not offer NTPv4",
    ),
    "another next protocol": (
        but(NEXT_PROTOCOL, b"\0\1"),
        Malformed,
        "NTS-KE: the server does not offer NTPv4",
    ),
    "two servers": (
        but(SERVER, b"127.0.0.1", b"127.0.0.1"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a server of no name": (
        but(SERVER, b""),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a name that is none": (
        but(SERVER, b"time..test"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "a name of bytes": (
        but(SERVER, b"\xff\0"),
        Malformed,
        "NTS-KE: names no host that can be asked",
    ),
    "port 0": (but(PORT, b"\0\0"), Malformed, "NTS-KE: names 1 ports, the first 0: one wanted"),
    "nothing": (answering(b""), Malformed, "NTS-KE: the response ends without End of Message"),
    "half a header": (
        answering(b"\x80\1\0"),
        Malformed,
        "NTS-KE: the response ends without End of Message",
    ),
    "half a body": (answering(b"\x80\1\0\2\0"), Malformed, "NTS-KE record 1: ends after 1 bytes"),
    "HTTP": (
        answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Malformed,
        "NTS-KE record 18516: ends after 24 bytes",
    ),
    "ALPN for something else": (
        Manner(protocol="http/1.1"),
        Malformed,
        "127.0.0.1: speaks no ntske/1",
    ),
    "no ALPN": (Manner(protocol=None), Malformed, "127.0.0.1: speaks no ntske/1"),
    "TLS 1.2": (
        Manner(newest=ssl.TLSVersion.TLSv1_2),
        Malformed,
        "127.0.0.1: TLS 1.2 or older offered: TLS 1.3 or newer wanted",
    ),
}
"""Exchanges that yield no keys, and what is said of them."""


@pytest.mark.parametrize("name", RESPONSES)
def test_an_exchange_that_yields_no_keys(name: str) -> None:
    """Fails at once, by name, after one connection, and nobody is asked for the time."""
    manner, error, says = RESPONSES[name]
    with NtsServer("Alpha") as server:
        server.manner = manner
        began = time.monotonic()
        with pytest.raises(error) as caught:
            asked(server)

        assert time.monotonic() - began < 1
        assert (server.connections, server.requests) == (1, [])
    assert str(caught.value) == says


def crumbs(link: ssl.SSLSocket, data: bytes) -> None:
    """Send one byte after the other, each in a record of TLS."""
    for byte in data:
        link.sendall(bytes([byte]))


@pytest.mark.parametrize(
    "manner",
    [
        but(UNKNOWN, b"abc", b"", critical=False),
        but(0x7FFF, bytes(4000), critical=False),
        but(NEXT_PROTOCOL, b"\0\0", critical=False),
        but(AEAD, b"\0\x0f", critical=False),
        Manner(bend=lambda records: nts_ke.encode(records) + b"more of it"),
        Manner(bend=lambda records: nts_ke.encode([*records[-2::-1], records[-1]])),
        Manner(cookies=200),
        Manner(send=crumbs),
    ],
    ids=[
        "unknown",
        "long and unknown",
        "uncritical protocol",
        "uncritical AEAD",
        "more",
        "backwards",
        "200 cookies",
        "crumbs",
    ],
)
def test_an_exchange_that_is_unusual(manner: Manner) -> None:
    """Unknown records that are not critical, another order, more than was to be said, crumbs."""
    with NtsServer("Alpha") as server:
        server.manner = manner
        assert holds_the_truth(asked(server))


def test_cookies_that_cannot_be_sent_are_passed_over() -> None:
    """An empty one, and one longer than a request may be; the good one is used."""

    def bend(records: Records) -> bytes:
        useless = [(COOKIE, b"", False), (COOKIE, bytes(1025), False)]
        return nts_ke.encode([*useless, *records])

    with NtsServer("Alpha") as server:
        server.manner = Manner(cookies=1, bend=bend)
        assert holds_the_truth(asked(server))


def endless(record: bytes) -> Callable[[ssl.SSLSocket, bytes], None]:
    """Send one record again and again, for as long as anybody reads."""

    def send(link: ssl.SSLSocket, data: bytes) -> None:
        while True:
            link.sendall(record)

    return send


@pytest.mark.parametrize(
    "record",
    [
        nts_ke.encode([(UNKNOWN, b"", False)]),
        nts_ke.encode([(COOKIE, bytes(100), False)]) * 50,
        nts_ke.encode([(UNKNOWN, bytes(65_535), False)]),
    ],
    ids=["small", "cookies", "large"],
)
def test_endless_records_are_not_read_to_the_end(record: bytes) -> None:
    """They are malformed long before the deadline."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(send=endless(record))
        began = time.monotonic()
        with pytest.raises(Malformed, match=r"^NTS-KE: more than 65536 bytes or 256 records$"):
            asked(server, 5)

        assert time.monotonic() - began < 1.5


def drip(link: ssl.SSLSocket, data: bytes) -> None:
    """Send one byte a third of a second, for as long as anybody reads."""
    for byte in data:
        link.sendall(bytes([byte]))
        threading.Event().wait(0.3)


def held_back(link: ssl.SSLSocket, data: bytes) -> None:
    """Send nothing, and wait for the client to go."""
    link.recv(1)


@pytest.mark.parametrize("send", [drip, held_back])
def test_keys_that_are_slow_to_come_cost_the_time_until_the_deadline(
    send: Callable[[ssl.SSLSocket, bytes], None],
) -> None:
    """And not more, though there may never be a long silence."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(send=send)
        began = time.monotonic()
        with pytest.raises(TimedOut, match="NTS-KE response"):
            asked(server, 0.8)

        assert 0.75 < time.monotonic() - began < 1.1


def test_the_deadline_is_one_for_keys_and_time() -> None:
    """What the exchange of keys has used up is not there for the time."""

    def slowly(link: ssl.SSLSocket, data: bytes) -> None:
        threading.Event().wait(0.4)
        link.sendall(data)

    with NtsServer("Alpha", silent) as server:
        server.manner = Manner(send=slowly)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            asked(server, 0.7)

        assert 0.65 < time.monotonic() - began < 1


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


RAW: dict[str, tuple[bytes, type[SourceError]]] = {
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", Malformed),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", Malformed),
    "zeros": (bytes(100), Malformed),
    "an alert": (b"\x15\3\3\0\2\2\x28", Malformed),
    "half a record": (b"\x16\3\3\1\0\2", Unreachable),
    "nothing": (b"", Unreachable),
}
"""What is no TLS, and what comes of it."""


@pytest.mark.parametrize("name", RAW)
def test_a_server_that_speaks_no_tls(name: str) -> None:
    """Fails by name, at once."""
    data, error = RAW[name]

    def say(link: socket.socket) -> None:
        link.recv(4096)
        link.sendall(data)

    with Listener(say) as server:
        began = time.monotonic()
        with pytest.raises(error, match=r"^127\.0\.0\.1: TLS handshake: "):
            asked(server)

        assert time.monotonic() - began < 1


def test_a_connection_that_is_reset_is_unreachable() -> None:
    """By name."""

    def reset(link: socket.socket) -> None:
        link.recv(4096)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    says = r"^127\.0\.0\.1: TLS handshake: Connection reset"
    with Listener(reset) as server, pytest.raises(Unreachable, match=says):
        asked(server)


def drip_a_handshake(link: socket.socket) -> None:
    """Send the beginning of a TLS record, one byte a tenth of a second."""
    for byte in b"\x16\3\3\x40\0\2" + bytes(100):
        link.sendall(bytes([byte]))
        threading.Event().wait(0.1)


def say_nothing(link: socket.socket) -> None:
    """Read until the client goes."""
    while link.recv(4096):
        pass


@pytest.mark.parametrize("script", [drip_a_handshake, say_nothing])
def test_a_silent_key_server_is_a_timeout_at_the_deadline(
    script: Callable[[socket.socket], None],
) -> None:
    """Not later, and the handshake is named."""
    with Listener(script) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut, match="TLS handshake not done before the deadline"):
            asked(server, 0.4)

        assert 0.35 < time.monotonic() - began < 0.7


def passing(server: NtsServer, most: int, passed: list[int]) -> Callable[[socket.socket], None]:
    """Pass bytes between client and server; close once the server has sent so many."""

    def script(link: socket.socket) -> None:
        with socket.create_connection((server.address, server.port)) as behind:
            left = most
            while left and (ready := select.select([link, behind], [], [], 5)[0]):
                data = ready[0].recv(left if ready[0] is behind else 4096)
                if not data:
                    return
                (link if ready[0] is behind else behind).sendall(data)
                if ready[0] is behind:
                    left -= len(data)
                    passed.append(len(data))

    return script


def test_a_connection_that_ends_at_any_point_is_a_named_failure() -> None:
    """In the handshake, before the response, within it: no sample, no waiting."""
    with NtsServer("Alpha") as server:

        def through(most: int, passed: list[int]) -> Sample:
            with Listener(passing(server, most, passed)) as listener:
                source = NtsSource("127.0.0.1", listener.port, "Alpha", (), server.ca_file)
                return source.sample(a_run())

        whole: list[int] = []
        assert holds_the_truth(through(1_000_000, whole))
        for most in range(0, sum(whole) - 64, 97):  # signatures differ by a few bytes in length
            began = time.monotonic()
            with pytest.raises((Unreachable, Malformed)):
                through(most, [])
            assert time.monotonic() - began < 1
        assert len(server.requests) == 1


@pytest.mark.parametrize("left", [0, 3, 6, 12, 115, 400, -5, -1])
def test_a_response_that_ends_early_is_malformed(left: int) -> None:
    """Though every cookie may be there."""
    with NtsServer("Alpha") as server:
        server.manner = Manner(bend=lambda records: nts_ke.encode(records)[:left])
        with pytest.raises(Malformed, match=r"^NTS-KE"):
            asked(server)


def test_two_tables_of_one_server_are_twins() -> None:
    """Host and port tell servers apart; the way to write the host does not."""

    def endpoint(host: str, port: int) -> str:
        return NtsSource(host, port, "Alpha", ()).endpoint

    assert endpoint("Time.Test.", 4460) == endpoint("time.test", 4460)
    assert endpoint("time.test", 4460) != endpoint("time.test", 4461)
    assert endpoint("time.test", 4460) != endpoint("tide.test", 4460)


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [("time.test", 4460, "time.test"), ("time.test", 1, "time.test:1"), ("::1", 1, "[::1]:1")],
)
def test_a_name_has_the_port_unless_it_is_the_usual_one(host: str, port: int, name: str) -> None:
    """4460 is assigned."""
    assert NtsSource(host, port, "Alpha", ()).name == name


TABLE = '[[sources.nts]]\nhost = "time.test"\n'


def test_a_table_needs_a_host() -> None:
    """The rest has defaults."""
    (source,) = parse(TABLE, "the test").sources

    assert isinstance(source, NtsSource)
    assert (source.kind, source.name, source.operator) == ("nts", "time.test", "time.test")
    assert (source.cheap, source.precise) == (False, True)
    assert (source._port, source._ca_file) == (4460, None)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[[sources.nts]]\n", "host"),
        (TABLE + "port = 0\n", "port"),
        (TABLE + "port = 65536\n", "port"),
        (TABLE + 'ca_file = "root.pem"\n', "ca_file"),
        (TABLE + 'ca_file = "/nowhere/root.pem"\n', "ca_file"),
        (TABLE + 'url = "https://time.test/"\n', "url"),
    ],
)
def test_a_table_that_makes_no_sense(table: str, says: str) -> None:
    """Refused, and the key that is wrong is named."""
    with pytest.raises(ConfigError, match=says):
        parse(table, "the test")


def test_a_ca_file_without_a_certificate_is_unverified(tmp_path: os.PathLike[str]) -> None:
    """When it is used, not before; nothing is connected in vain."""
    empty = os.path.join(tmp_path, "empty.pem")
    with open(empty, "wb"):
        pass
    with NtsServer("Alpha") as server:
        source = NtsSource("127.0.0.1", server.port, "Alpha", (), empty)
        with pytest.raises(Unverified, match="no CA certificates to verify with"):
            source.sample(a_run())


def test_without_files_in_memory_a_private_one_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS: readable by nobody else, and gone afterwards, whatever came of it."""
    seen: list[tuple[str, int]] = []
    real = tls.bare

    def bare(ca_file: str | None, protocol: str) -> ssl.SSLContext:
        seen.extend((path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir())
        return real(ca_file, protocol)

    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tls, "bare", bare)
    with NtsServer("Alpha") as server:
        monkeypatch.setattr("lab.nts.tempfile.tempdir", str(tmp_path))
        assert holds_the_truth(asked(server))
        server.manner = but(ERROR, b"\0\2")
        with pytest.raises(Refused):
            asked(server)

    assert [mode for name, mode in seen if not name.startswith("time-drift-lab")] == [0o600] * 2
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_refused_is_our_error_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has such files, but not for us (seccomp, too many open ones)."""

    def refuse(_name: str, _flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with NtsServer("Alpha") as server:
        try:
            assert holds_the_truth(asked(server))
        except SourceError:
            return


def test_no_place_for_a_key_log_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in memory nor on a disk."""

    def refuse(*_: object, **__: object) -> object:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delattr(os, "memfd_create")
    with NtsServer("Alpha") as server:
        monkeypatch.setattr(
            "sources.nts.key_exchange.tempfile", SimpleNamespace(NamedTemporaryFile=refuse)
        )
        with pytest.raises(SourceError):
            asked(server)


def test_a_name_that_tls_cannot_send_is_our_error() -> None:
    """A label of 60 letters that IDNA makes longer than 63; `addresses` say where to ask."""
    with NtsServer("Alpha") as server, pytest.raises(SourceError):
        source_of(server, "\u00e9" * 60 + ".test").sample(a_run())


def test_files_and_sockets_are_not_leaked() -> None:
    """Forty questions, answered, refused and timed out, leave nothing open behind."""
    with NtsServer("Alpha") as good, NtsServer("Alpha", silent) as bad:
        refusing = partial(but, ERROR)
        asked(good)
        before = after = _open_files()
        for _ in range(20):
            asked(good)
            bad.manner = refusing(b"\0\2")
            with pytest.raises(Refused):
                asked(bad)
            bad.manner = Manner()
            with pytest.raises(TimedOut):
                asked(bad, 0.03)
        for _ in range(100):
            if (after := _open_files()) <= before:
                break
            threading.Event().wait(0.02)  # the server's ends

    assert after <= before


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Listener:
    """Does with each connection what a script says, and closes it."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.address = "127.0.0.1"
        self.ca_file = ssl.get_default_verify_paths().openssl_cafile
        self._script = script
        self._socket = socket.create_server((self.address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            self._script(link)
