"""A response is of the version that was offered, and says so where its draft has it."""

from collections.abc import Callable

import pytest

from sources.base import Malformed, Unverified
from sources.roughtime import wire
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import DIALECTS, Framing
from tests.support.fakes import TRUE_UNIX_NS
from tests.support.sources.roughtime_proof import (
    D7,
    D8,
    D11,
    D12,
    D19,
    SIGNED_VERSION,
    SIGNER,
    VERSIONS,
    changed,
    dialect_of,
    every_version,
    forged,
    refused,
    request_to,
    uint32,
    values_of,
    verified,
)

UNSIGNED_VERSION = (D7, D8, D11)


@pytest.mark.parametrize(
    "other", [0, 2, 0x7FFFFFFF, 0x80000001, 0x80000006, 0x80000014, 0xFFFFFFFF]
)
@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_a_version_that_was_not_offered(version: int, other: int) -> None:
    """What no request offers is refused before anything else of it is read."""
    part = "SREP" if version in SIGNED_VERSION else "response"
    packet = forged(version, {part: {wire.VER: uint32(other)}})

    assert refused(version, packet) == (
        Malformed,
        f"response: version {other:#x}: none that was offered",
    )


VERS_OF = "SREP: VERS {}: at most 32, ascending, wanted"


@pytest.mark.parametrize("version", SIGNED_VERSION)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda v: [], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v - 1], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v - 1, v + 1], "SREP: version {v:#x} is not in VERS {}"),
        (lambda v: [v + 1, v], VERS_OF),
        (lambda v: [v, v], VERS_OF),
        (lambda v: [v, v - 1, v + 1], VERS_OF),
        (lambda v: list(range(v, v + 33)), VERS_OF),
    ],
    ids=["empty", "one lower", "around it", "descending", "twice", "unsorted", "33"],
)
def test_vers_is_a_list_with_the_version_in_it(
    version: int, make: Callable[[int], list[int]], says: str
) -> None:
    """Ascending, none twice, at most 32, and the version is one of them."""
    versions = make(version)

    packet = forged(version, {"SREP": {wire.VERS: uint32(*versions)}})

    assert refused(version, packet) == (Malformed, says.format(versions, v=version))


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_vers_may_have_32_versions(version: int) -> None:
    """The most there may be, ours the first, and ours the last."""
    for versions in (range(version, version + 32), [*range(31 * (version > 99)), version]):
        packet = forged(version, {"SREP": {wire.VERS: uint32(*versions)}})

        assert verified(version, packet).version == version


@pytest.mark.parametrize("version", UNSIGNED_VERSION)
def test_a_version_is_where_its_draft_has_it(version: int) -> None:
    """Drafts 7 to 11 have VER beside SREP; in SREP alone it does not count, nor against it."""
    alone = forged(version, {"response": {wire.VER: None}, "SREP": {wire.VER: uint32(version)}})
    twice = forged(version, {"SREP": {wire.VER: uint32(version)}})
    against = forged(version, {"SREP": {wire.VER: uint32(0x80000009)}})

    assert refused(version, alone) == (Malformed, "response: no tag VER")
    assert verified(version, twice).version == version
    assert refused(version, against) == (
        Malformed,
        "response: version 0x80000009 in SREP, another one beside it",
    )


@pytest.mark.parametrize("version", SIGNED_VERSION)
def test_a_version_that_has_to_be_signed_is(version: int) -> None:
    """Since draft 12 VER is in SREP; beside it it does not do."""
    packet = forged(version, {"SREP": {wire.VER: None}, "response": {wire.VER: uint32(version)}})

    assert refused(version, packet) == (Malformed, "SREP: no tag VER")


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
@pytest.mark.parametrize("other", DIALECTS)
def test_a_response_does_not_pass_for_another_dialect(version: int, other: int) -> None:
    """Whoever writes another version beside SREP, where it is not signed, gains nothing."""
    packet = forged(version, {"response": {wire.VER: uint32(other)}})

    if version in SIGNED_VERSION:
        assert verified(version, packet).version == version
    elif dialect_of(other) is dialect_of(version):
        assert verified(version, packet).version == other
    else:
        refused(version, packet)


@pytest.mark.parametrize(("version", "other"), [(D12, D19), (D19, 1), (D12, 1), (1, D12)])
def test_the_signed_version_is_the_version(version: int, other: int) -> None:
    """What is not signed cannot say otherwise than SREP, whatever VERS lists."""
    versions = uint32(*sorted((version, other)))
    packet = forged(version, {"SREP": {wire.VERS: versions}, "response": {wire.VER: uint32(other)}})

    reply = verified(version, packet)

    assert (reply.version, reply.dialect) == (version, dialect_of(version))


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
@pytest.mark.parametrize("number", [0, 2, 0xFFFFFFFF])
def test_a_type_that_is_no_response(version: int, number: int) -> None:
    """TYPE 1, where there is one: drafts that do not ask for it may have it."""
    packet = forged(version, {"response": {wire.TYPE: uint32(number)}})

    assert refused(version, packet) == (Malformed, f"response: TYPE {number}: 1 wanted")


@every_version
def test_type_1_is_welcome_everywhere(version: int | None) -> None:
    """Also where it is not asked for."""
    packet = forged(version, {"response": {wire.TYPE: uint32(1)}})

    assert verified(version, packet).midpoint_unix_ns == TRUE_UNIX_NS


@pytest.mark.parametrize("version", [v for v in VERSIONS if v is not None])
def test_a_version_that_this_request_did_not_offer(version: int) -> None:
    """Another client's request may offer less than ours: its response has to keep to that."""
    values = values_of(wire.unframe(request_to(SIGNER, version)))
    other = next(number for number in DIALECTS if number != version)
    request = wire.frame(wire.encode(changed(values, {wire.VER: uint32(other)})))
    packet = SIGNER.respond(request, version, TRUE_UNIX_NS)

    with pytest.raises(Unverified, match=f"version: {version:#x} was not offered"):
        verify(request, packet, Framing.IETF, SIGNER.public_key)
