"""Dialects and transports; requests to the byte."""

import struct
from hashlib import sha512

import pytest

from lab.roughtime import Manner, RoughtimeServer
from sources.roughtime import wire
from sources.roughtime.wire_dialects import Framing
from tests.support.fakes import a_run
from tests.support.sources.roughtime import (
    D7,
    D8,
    D11,
    D12,
    NAMES,
    REQUEST_BYTES,
    framing_for,
    holds_the_truth,
    offer_for,
    source_of,
)


@pytest.mark.parametrize("transport", ["auto", "udp", "tcp"])
@pytest.mark.parametrize("version", NAMES)
def test_every_dialect_by_every_transport(version: int | None, transport: str) -> None:
    """The truth is in the certain interval, and the detail names the dialect and the radius.

    Google's dialect is asked by datagrams whatever is said.
    """
    manner = Manner(versions=(version,))
    with RoughtimeServer("Alpha", manner=manner) as server:
        source = source_of(server, transport, framing_for(version), offer_for(version))
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
        source_of(server, framing=Framing.GOOGLE).sample(
            a_run(random_bytes=lambda count: nonce[:count])
        )

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
