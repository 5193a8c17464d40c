"""Codecs: any bytes in, only our errors out; what they accept survives its own encoding."""

import json
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from fleet.exporter import messages
from nodes.wire import avalanche, bitcoin, bitcoin_software, http, kaspa, xrpl
from sources.base import Sample
from sources.clock import NS
from sources.https import proof as https_proof
from sources.https import wire_date
from sources.ntp import proof as ntp_proof
from sources.ntp import wire as ntp
from sources.ntp.wire import Packet
from sources.nts import wire as nts
from sources.nts import wire_ke
from sources.roughtime import wire as roughtime
from sources.roughtime.wire_dialects import decode_reply, framing_of
from tests.fuzz.targets.edits import Taker
from tests.fuzz.targets.target import Target, ours

_VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "roughtime"
_MAGIC = bytes.fromhex("f9beb4d9")
_NOW_UNIX_S = 1_900_000_000


def _ntp(data: bytes) -> None:
    taker = Taker(data)
    rtt_ns = taker.whole(5)
    with ours():
        packet = ntp.decode(taker.rest())
        again = ntp.encode(packet)
        assert ntp.decode(again) == packet
        found = ntp_proof.prove(packet, -rtt_ns, 0)
        assert found.interval.low_ns <= found.interval.high_ns
        assert found.earliest_unix_ns <= found.latest_unix_ns


def _nts_fields(data: bytes) -> None:
    nts.is_nak(data)
    nts.identifier_of(data)
    nts.cookies_in(data)
    with ours():
        nts.cookie_of(data)
    with ours():
        sealed = nts.take_apart(data)
        assert data.startswith(sealed.before)


def _key_exchange(data: bytes) -> None:
    """Whole, and in pieces, which must not matter to when it is complete."""
    with ours():
        agreement = wire_ke.decode(data)
        assert agreement.cookies
    step = 1 + (data[0] if data else 0) % 17
    with ours():
        incoming = wire_ke.Incoming()
        for at in range(0, len(data), step):
            if incoming.take(data[at : at + step]):
                break
        assert len(incoming.data) <= wire_ke.MOST_BYTES + 0x10000 + step


def _roughtime(data: bytes) -> None:
    with ours():
        decode_reply(framing_of(data), data)
    with ours():
        roughtime.length_in(data[: roughtime.HEADER_BYTES], 4096)
    with ours():
        message = roughtime.decode(data)
        values = {tag: message.value(tag) for tag in message._values}
        assert roughtime.encode(values) == data


def _date(data: bytes) -> None:
    text = data.decode("latin-1")
    with ours():
        unix_s = wire_date.decode(text)
        assert wire_date.decode(wire_date.encode(unix_s)) == unix_s


def _headers(data: bytes) -> None:
    """Of one response and, behind an empty line, of another that was asked for later."""
    first, _, second = data.decode("latin-1").partition("\n\n")
    rtt_ns = len(data) * 1000
    with ours():
        one = _dated(first, 0, rtt_ns)
        assert one.certain.contains(one.likely)
        boundary_raw_ns = one.likely.low_ns + len(first) * NS // 100
        moment_raw_ns = https_proof.next_moment_raw_ns(rtt_ns, one.likely, boundary_raw_ns, rtt_ns)
        assert moment_raw_ns is None or 0 <= moment_raw_ns - rtt_ns < 2 * NS
        both = https_proof.narrowed(one, _dated(second, 2 * rtt_ns, 3 * rtt_ns), lags=True)
        assert (both.certain, one.likely.contains(both.likely)) == (one.certain, True)


def _dated(headers: str, sent_raw_ns: int, received_raw_ns: int) -> Sample:
    lines = (line.partition(":") for line in headers.split("\n"))
    named = [(name.lower(), value) for name, _, value in lines]
    found = https_proof.prove(named, sent_raw_ns, received_raw_ns, NS // 2, ())
    return Sample("a", "https", True, found.certain, found.likely, found.rtt_ns, "a", "")


def _http_node(data: bytes) -> None:
    with ours():
        head = http.decode(data)
        if head is not None:
            http.proxy(head)
            http.lag_ns(head.value("server"))
            http.date_unix_ns(head)


def _bitcoin(data: bytes) -> None:
    """As it comes, of any network, and with its length and checksum made right."""
    for magic in (_MAGIC, data[: len(_MAGIC)]):
        with ours():
            version = bitcoin.decode(data, magic)
            if version is not None:
                bitcoin_software.judge(version.agent)
    bitcoin_software.judge(data.decode("latin-1"))
    with ours():
        framed = _MAGIC + b"version\0\0\0\0\0" + len(data).to_bytes(4, "little")
        bitcoin.decode(framed + bitcoin._checksum(data) + data, _MAGIC)


def _kaspa(data: bytes) -> None:
    with ours():
        conversation = kaspa.Conversation()
        step = 1 + (data[0] if data else 0) % 29
        for at in range(1, len(data), step):
            answer = conversation.feed(data[at : at + step])
            # A ping of 8 bytes is answered by one of 17: nothing is amplified.
            assert len(answer) <= 2 * len(data) + 17


def _kaspa_message(data: bytes) -> None:
    """In frames that are right: what is fuzzed is protobuf."""
    message = bytes([0, *len(data).to_bytes(4, "big")]) + data
    frames = b"".join(
        kaspa.frame(kaspa.DATA, 0, 1, message[at : at + 1000])
        for at in range(0, len(message), 1000)
    )
    with ours():
        kaspa.Conversation().feed(kaspa.frame(kaspa.SETTINGS, 0, 0) + frames)


def _avalanche(data: bytes) -> None:
    with ours():
        avalanche.decode(data)
    with ours():
        avalanche.decode(len(data).to_bytes(4, "big") + data)


def _xrpl(data: bytes) -> None:
    """In pieces of any size: the result is that of the whole."""
    step = 1 + (data[0] if data else 0) % 37
    body = data[1:]
    outcomes = []
    for size in (step, len(body) or 1):
        crawl = xrpl.Crawl()
        with ours():
            for at in range(0, len(body), size):
                crawl.feed(body[at : at + size])
            outcomes.append((crawl.time, crawl.build))
    if len(outcomes) == 2:
        assert outcomes[0] == outcomes[1]


def _exporter(data: bytes) -> None:
    with ours(messages.BadRequest):
        request = messages.decode(data)
        assert request is not None or messages.END not in data


def _captured() -> list[bytes]:
    """Return the responses that were captured from other implementations, of every dialect."""
    found = []
    for path in sorted(_VECTORS.glob("*.json")):
        for text in _strings(json.loads(path.read_text())):
            with suppress(ValueError):
                found.append(b64decode(text, validate=True))
            with suppress(ValueError):
                found.append(bytes.fromhex(text))
    return [packet for packet in found if 100 < len(packet) < 2000]


def _strings(tree: object) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [text for item in items for text in _strings(item)]


def _of_ntp() -> list[bytes]:
    packet = Packet(
        leap=0,
        version=4,
        mode=ntp.SERVER,
        stratum=1,
        poll=3,
        precision=-24,
        root_delay=0xEF,
        root_dispersion=0x1E,
        reference_id=b"GPS\0",
        reference=0xEE2A1B42 << 32,
        origin=0xEE2A1B42 << 32 | 1 << 31,
        receive=0xEE2A1B43 << 32 | 1 << 31,
        transmit=(0xEE2A1B43 << 32) + (1 << 31) + 9,
    )
    return [(40_000_000).to_bytes(5, "big") + ntp.encode(packet)]


def _of_nts() -> list[bytes]:
    honest = nts.unsealed_request(bytes(8), bytes(range(32)), bytes(100))
    return [honest + nts.authenticator(bytes(16), bytes(32)), nts.cookie_fields([bytes(100)] * 3)]


def _of_key_exchange() -> list[bytes]:
    next_protocol = (1, b"\0\0", True)
    aead = (4, wire_ke.AES_SIV_CMAC_256.to_bytes(2, "big"), True)
    cookies = [(5, bytes([n]) * 100, False) for n in range(8)]
    named = [(6, b"192.0.2.1", True), (7, (4123).to_bytes(2, "big"), True)]
    return [
        wire_ke.encode([next_protocol, aead, *cookies, *named, (0, b"", True)]),
        wire_ke.encode([(2, b"\0\1", True), (0, b"", True)]),
    ]


def _of_bitcoin() -> list[bytes]:
    agents = ("/Satoshi:29.0.0/", "/Zebra:5.1.0/", "/LitecoinCore:0.21.2.1/")
    return [bitcoin.encode(_MAGIC, 70016, _NOW_UNIX_S, bytes(8), agent) for agent in agents]


def _of_kaspa() -> list[bytes]:
    version = kaspa.Version(_NOW_UNIX_S * NS, "/kaspad:1.0.0/", "kaspa-mainnet")
    sent = (
        kaspa.frame(kaspa.SETTINGS, 0, 0)
        + kaspa.frame(kaspa.PING, 0, 0, b"whatever")
        + kaspa.frame(kaspa.HEADERS, kaspa.END_HEADERS, 1, b"\x88")
        + kaspa.frame(kaspa.DATA, 0, 1, kaspa.encode(version))
    )
    return [b"\x1c" + sent, kaspa.encode(version)[5:]]


def _of_xrpl() -> list[bytes]:
    peers = [{"ip": "::1", "type": "in", "time": "no time"}] * 3
    server = {"build_version": "2.4.0", "time": xrpl.encode(_NOW_UNIX_S * NS), "uptime": 1}
    tree = {"overlay": {"active": peers}, "server": server, "version": 2}
    return [b"\x24" + json.dumps(tree).encode()]


TARGETS = {
    "ntp": Target(_ntp, _of_ntp),
    "nts-fields": Target(_nts_fields, _of_nts),
    "nts-key-exchange": Target(_key_exchange, _of_key_exchange),
    "roughtime": Target(_roughtime, _captured),
    "date": Target(_date, lambda: [wire_date.encode(_NOW_UNIX_S).encode()]),
    "https-headers": Target(
        _headers,
        lambda: [
            b"date:Sun, 17 Mar 2030 17:46:40 GMT\nage:3\nx-cache:HIT",
            b"date:Sun, 17 Mar 2030 17:46:40 GMT\n\ndate:Sun, 17 Mar 2030 17:46:41 GMT",
            b"date:x\nvia:y",
        ],
    ),
    "http-node": Target(
        _http_node,
        lambda: [
            b"HTTP/1.1 200 OK\r\nDate: Sun, 17 Mar 2030 17:46:40 GMT\r\nServer: nginx\r\n\r\n",
            b"HTTP/1.1 503 x\r\nVia: 1.1 a\r\nCF-Ray: 1\r\n\r\n",
        ],
    ),
    "bitcoin": Target(_bitcoin, _of_bitcoin),
    "kaspa": Target(_kaspa, _of_kaspa),
    "kaspa-message": Target(_kaspa_message, _of_kaspa),
    "avalanche": Target(
        _avalanche, lambda: [avalanche.encode(1, _NOW_UNIX_S, "avalanchego", (1, 13, 0))]
    ),
    "xrpl": Target(_xrpl, _of_xrpl),
    "exporter-request": Target(
        _exporter,
        lambda: [
            b"GET /probe?target=bitcoin%3A%2F%2F192.0.2.1&module=btc HTTP/1.1\r\nHost: a\r\n"
            b"X-Prometheus-Scrape-Timeout-Seconds: 9.5\r\nConnection: close\r\n\r\n"
        ],
    ),
}
