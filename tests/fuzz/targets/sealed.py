"""Valid signatures and seals around bodies that are wrong: what comes behind the cryptography."""

from drift.evidence import malfeasance
from lab.roughtime import Change, Signer
from sources.ntp import wire as ntp
from sources.nts import exporter
from sources.nts import proof as nts_proof
from sources.nts import wire as nts
from sources.roughtime import wire as roughtime
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import DIALECTS, Framing, encode_request
from tests.fuzz.targets.edits import Taker, edited
from tests.fuzz.targets.target import Target, ours

_SIGNER = Signer()
_SIGNERS = (_SIGNER, Signer(), Signer())
_VERSIONS = (*DIALECTS, None)
_TAGS = tuple(
    getattr(roughtime, name)
    for name in (
        "CERT DELE INDX MAXT MIDP MINT NONC PATH PUBK RADI ROOT SIG SREP SRV TYPE VER VERS"
    )
    .replace("VERS", "VERS ZZZZ")
    .split()
)
_TRUE_UNIX_NS = 1_900_000_000 * 10**9
_KEY = bytes(range(32))
_NONCE = bytes(16)


def _signed(data: bytes) -> None:
    """A response with values of any tags replaced before they are signed."""
    taker = Taker(data)
    version = _VERSIONS[taker.whole() % len(_VERSIONS)]
    framing = Framing.GOOGLE if version is None else Framing.IETF
    request = encode_request(framing, bytes(framing.nonce_bytes), _SIGNER.public_key)
    change = Change(
        levels=taker.whole() % 34,
        leaf_index=taker.whole(2) % 1024,
        delegation=_values(taker),
        signed=_values(taker),
        certificate=_values(taker),
        response=_values(taker),
    )
    unix_ns = _TRUE_UNIX_NS
    with ours():
        try:
            response = _SIGNER.respond(request, version, unix_ns, change=change)
        except (IndexError, OverflowError):
            return  # the lab cannot build such a tree
        response = edited(response, taker.rest())
        reply = verify(request, response, framing, _SIGNER.public_key)
        assert reply.not_before_unix_ns <= reply.midpoint_unix_ns <= reply.not_after_unix_ns
        assert reply.signed in response
        assert reply.radius_ns > 0
        link = malfeasance.Link(_SIGNER.public_key, request, response, None)
        malfeasance.described([link], malfeasance.judge([link]))


def _chain(data: bytes) -> None:
    """A report whose signatures and nonces all hold, of servers that say any time."""
    taker = Taker(data)
    links: list[malfeasance.Link] = []
    for _ in range(1 + taker.whole() % 6):
        signer = _SIGNERS[taker.whole() % len(_SIGNERS)]
        version = _VERSIONS[taker.whole() % len(_VERSIONS)]
        unix_ns = taker.whole(8)
        radius_ns = taker.whole(5)
        framing = Framing.GOOGLE if version is None else Framing.IETF
        rand = taker.take(4) * (framing.nonce_bytes // 4)
        nonce = malfeasance.chained_nonce(framing, links[-1].response, rand) if links else rand
        request = encode_request(framing, nonce, signer.public_key)
        try:
            response = signer.respond(request, version, unix_ns, radius_ns)
        except OverflowError:
            return  # no dialect has such a time
        links.append(
            malfeasance.Link(signer.public_key, request, response, rand if links else None)
        )
    judgement = malfeasance.judge(links)
    assert malfeasance.parse(malfeasance.to_json(links)) == links
    assert malfeasance.described(links, judgement)
    if judgement.convicted is not None:
        assert judgement.contradictions
        assert judgement.convicted in {link.public_key for link in links}


def _values(taker: Taker) -> dict[bytes, bytes]:
    return {
        _TAGS[taker.whole() % len(_TAGS)]: taker.take(4 * (taker.whole() % 17))
        for _ in range(taker.whole() % 4)
    }


def _sealed(data: bytes) -> None:
    """A reply whose seal holds, over a packet and fields of any bytes."""
    taker = Taker(data)
    plaintext = taker.take(taker.whole(2) % 1500)
    before = edited(ntp.request(bytes(8)) + nts.identifier_field(bytes(32)), taker.rest())
    packet = nts_proof.seal(_KEY, before, _NONCE, plaintext)
    with ours():
        parts = nts.take_apart(packet)
        if parts.before != before:
            return  # the edits made an authenticator of their own
        assert nts_proof.opened(_KEY, parts) == plaintext
        for cookie in nts.cookies_in(plaintext):
            assert cookie in plaintext
        ntp.decode(packet)
    with ours():
        at = len(before) + 8 + len(_NONCE)  # where the ciphertext begins
        broken = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
        nts_proof.opened(_KEY, nts.take_apart(broken))
        raise AssertionError("a seal holds that was broken")


def _key_log(data: bytes) -> None:
    with ours():
        exporter.keys_from(data, "TLS_AES_256_GCM_SHA384")


def _of_chains() -> list[bytes]:
    """Return one server alone, three that agree, and three of which one is an hour ahead."""
    hour_ns, second_ns = 3600 * 10**9, (10**9).to_bytes(5, "big")

    def said(signer: int, ahead_ns: int) -> bytes:
        when = (_TRUE_UNIX_NS + ahead_ns).to_bytes(8, "big")
        return bytes([signer, 0]) + when + second_ns + b"rand"

    return [
        b"\0" + said(0, 0),
        b"\2" + said(0, 0) + said(1, 0) + said(2, 0),
        b"\4" + said(0, 0) + said(1, hour_ns) + said(2, 0) + said(1, 0) + said(0, 0),
    ]


TARGETS = {
    "roughtime-signed": Target(
        _signed, lambda: [bytes([version, 0, 0, 0, 0, 0, 0, 0]) for version in range(15)]
    ),
    "report-signed": Target(_chain, _of_chains),
    "nts-sealed": Target(
        _sealed,
        lambda: [
            len(fields).to_bytes(2, "big") + fields
            for fields in (b"", nts.cookie_fields([bytes(96)] * 2))
        ],
    ),
    "nts-key-log": Target(
        _key_log, lambda: [b"EXPORTER_SECRET " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"]
    ),
}
