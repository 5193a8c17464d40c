"""The NTS codecs: key exchange records and extension fields, and everything that is neither."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import LONGEST_MESSAGE, Malformed, Refused, SourceError, Unverified
from sources.nts import wire as nts
from sources.nts import wire_ke as nts_ke

END, NEXT_PROTOCOL, ERROR, WARNING, AEAD, COOKIE, SERVER, PORT = range(8)
Records = list[tuple[int, bytes, bool]]
A_COOKIE = bytes(range(100))
RESPONSE: Records = [
    (NEXT_PROTOCOL, b"\0\0", True),
    (AEAD, b"\0\x0f", True),
    (COOKIE, A_COOKIE, False),
    (COOKIE, A_COOKIE[::-1], False),
    (SERVER, b"time.test", True),
    (PORT, b"\x10\x11", True),
    (END, b"", True),
]
DATA = nts_ke.encode(RESPONSE)
STAMP, IDENTIFIER = b"stampstt", bytes(range(32))
NONCE, CIPHERTEXT = bytes(range(100, 116)), bytes(range(200, 220))
REPLY_HEADER = b"\x24\1" + bytes(46)

records = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 9), st.integers(0, 0x7FFF)), st.binary(max_size=40), st.booleans()
    ),
    max_size=12,
)


def field(kind: int, body: bytes) -> bytes:
    """Return an extension field as RFC 7822 has it, the body as it is."""
    return kind.to_bytes(2, "big") + (4 + len(body)).to_bytes(2, "big") + body


def reply(*fields: bytes) -> bytes:
    return REPLY_HEADER + b"".join(fields)


IDENTIFIED = field(0x0104, IDENTIFIER)
AUTHENTICATOR = nts.authenticator(NONCE, CIPHERTEXT)


def test_the_request_for_keys_to_the_byte() -> None:
    """NTPv4, AES-SIV-CMAC-256, End of Message, all critical."""
    assert bytes.fromhex("8001 0002 0000  8004 0002 000f  8000 0000") == nts_ke.REQUEST
    assert nts_ke.Incoming().take(nts_ke.REQUEST)


def test_a_response_written_by_hand_decodes() -> None:
    """Cookies in their order, whom to ask, and where."""
    data = bytes.fromhex(
        "8001 0002 0000"
        "8004 0002 000f"
        "0005 0004 01020304"
        "0005 0003 050607"
        "0400 0001 ff"  # unknown, not critical
        "8006 0009" + b"192.0.2.1".hex() + "8007 0002 007c"
        "8000 0000"
    )

    assert nts_ke.decode(data) == nts_ke.Agreement((b"\1\2\3\4", b"\5\6\7"), "192.0.2.1", 124)


def test_whom_to_ask_need_not_be_said() -> None:
    """Then it is who gave the keys, at the usual port."""
    short = [record for record in RESPONSE if record[0] not in (SERVER, PORT)]

    agreement = nts_ke.decode(nts_ke.encode(short))

    assert (agreement.server, agreement.port) == (None, 123)


@given(st.permutations(RESPONSE[:-1]), records)
def test_the_order_does_not_matter_nor_what_is_unknown(order: Records, more: Records) -> None:
    """Records come as they like; unknown ones that are not critical change nothing."""
    unknown = [(max(kind, 8), body, False) for kind, body, _ in more]
    cookies = tuple(body for kind, body, _ in order if kind == COOKIE)

    agreement = nts_ke.decode(nts_ke.encode([*unknown, *order, RESPONSE[-1]]))

    assert agreement == nts_ke.Agreement(cookies, "time.test", 4113)


@given(records)
def test_records_are_a_type_a_length_and_a_body(given_records: Records) -> None:
    """What is encoded has four bytes more than its bodies, a record."""
    data = nts_ke.encode(given_records)

    assert len(data) == sum(4 + len(body) for _, body, _ in given_records)
    position = 0
    for kind, body, critical in given_records:
        assert int.from_bytes(data[position : position + 2], "big") == kind | critical << 15
        assert data[position + 4 : position + 4 + len(body)] == body
        position += 4 + len(body)


@given(records, st.integers(0, 600))
def test_a_response_is_whole_once_its_end_has_come(given_records: Records, cut: int) -> None:
    """Not a byte earlier, and whatever comes after it."""
    before = nts_ke.encode([(kind or 1, body, critical) for kind, body, critical in given_records])
    data = before + nts_ke.encode([(END, b"", True)])

    assert nts_ke.Incoming().take(data + bytes(cut))
    assert not nts_ke.Incoming().take(data[: min(cut, len(data) - 1)])


@pytest.mark.parametrize("size", [1, 3, 4, 5, 100, len(DATA)])
def test_a_response_comes_in_pieces(size: int) -> None:
    """Of any size: all of it is kept, and its end is seen with its last piece and no earlier."""
    incoming = nts_ke.Incoming()

    ended = [incoming.take(DATA[at : at + size]) for at in range(0, len(DATA), size)]

    assert incoming.data == DATA
    assert ended == [False] * (len(ended) - 1) + [True]


@pytest.mark.parametrize("length", range(len(DATA)))
def test_a_response_cut_off_is_malformed(length: int) -> None:
    """At each byte, though everything but the end may be there."""
    assert not nts_ke.Incoming().take(DATA[:length])
    with pytest.raises(Malformed, match=r"^NTS-KE"):
        nts_ke.decode(DATA[:length])


def test_what_comes_after_the_end_is_not_read() -> None:
    """An error in there is none."""
    assert nts_ke.decode(DATA + nts_ke.encode([(ERROR, b"\0\1", True)])) == nts_ke.decode(DATA)


@given(st.one_of(st.binary(max_size=400), records.map(nts_ke.encode)))
def test_any_bytes_are_an_agreement_or_our_error(data: bytes) -> None:
    """Arbitrary bytes, and arbitrary records, raise nothing else."""
    for read in (nts_ke.Incoming().take, nts_ke.decode):
        try:
            read(data)
        except (Malformed, Refused) as error:
            assert 0 < len(str(error)) <= LONGEST_MESSAGE


@given(st.integers(0, len(DATA) - 1), st.integers(0, 255))
def test_a_broken_response_is_an_agreement_or_our_error(at: int, byte: int) -> None:
    """One byte changed: an agreement that can be asked by, or an error."""
    try:
        agreement = nts_ke.decode(DATA[:at] + bytes([byte]) + DATA[at + 1 :])
    except (Malformed, Refused):
        return

    assert all(0 < len(cookie) <= 1024 for cookie in agreement.cookies)
    assert agreement.cookies
    assert 0 < agreement.port < 65_536
    assert agreement.server is None or agreement.server.isprintable()


def test_more_than_a_server_has_to_say_is_refused() -> None:
    """256 records or 65 536 bytes are whole; one more of either is malformed."""
    end = nts_ke.encode([(END, b"", True)])
    small, large = nts_ke.encode([(8, b"", False)]), nts_ke.encode([(8, bytes(65_528), False)])

    assert nts_ke.Incoming().take(small * 255 + end)
    assert nts_ke.Incoming().take(large + end)
    for data in (small * 256 + end, large + small + end, bytes.fromhex("0008ffff") + end):
        with pytest.raises(Malformed, match=r"^NTS-KE: more than 65536 bytes or 256 records$"):
            nts_ke.Incoming().take(data)


def having(kind: int, *bodies: bytes, critical: bool = True) -> bytes:
    """Return the response with these records of one type instead of those it has."""
    changed = [record for record in RESPONSE if record[0] != kind]
    return nts_ke.encode([(kind, body, critical) for body in bodies] + changed)


NO_NTP = "NTS-KE: the server does not offer NTPv4"
NO_AEAD = "NTS-KE: the server does not offer AEAD 15 (AES-SIV-CMAC-256)"
NO_COOKIE = "NTS-KE: no cookie of 1 to 1024 bytes"
NO_HOST = "NTS-KE: names no host that can be asked"
NO_END = "NTS-KE: the response ends without End of Message"
NO_AGREEMENT: dict[str, tuple[bytes, type[SourceError], str]] = {
    "error 0": (having(ERROR, b"\0\0"), Refused, "NTS-KE error 0: unrecognized critical record"),
    "error 1": (having(ERROR, b"\0\1"), Refused, "NTS-KE error 1: bad request"),
    "error 2": (having(ERROR, b"\0\2"), Refused, "NTS-KE error 2: internal server error"),
    "error 3": (having(ERROR, b"\0\3"), Refused, "NTS-KE error 3: unknown"),
    "error 32768": (having(ERROR, b"\x80\0"), Refused, "NTS-KE error 32768: unknown"),
    "an error that is not critical": (
        having(ERROR, b"\0\1", critical=False),
        Refused,
        "NTS-KE error 1: bad request",
    ),
    "an error of no byte": (
        having(ERROR, b""),
        Malformed,
        "NTS-KE record 2: 0 bytes: 2 wanted",
    ),
    "an error of 3 bytes": (
        having(ERROR, b"\0\0\1"),
        Malformed,
        "NTS-KE record 2: 3 bytes: 2 wanted",
    ),
    "warning 0": (having(WARNING, b"\0\0"), Refused, "NTS-KE warning 0: unknown"),
    "warning 9, not critical": (
        having(WARNING, b"\0\x09", critical=False),
        Refused,
        "NTS-KE warning 9: unknown",
    ),
    "a warning of one byte": (
        having(WARNING, b"\0"),
        Malformed,
        "NTS-KE record 3: 1 bytes: 2 wanted",
    ),
    "record 8, critical": (
        having(8, b"x"),
        Malformed,
        "NTS-KE record 8: critical, and unknown",
    ),
    "record 32767, critical": (
        having(0x7FFF, b""),
        Malformed,
        "NTS-KE record 32767: critical, and unknown",
    ),
    "no next protocol": (having(NEXT_PROTOCOL), Malformed, NO_NTP),
    "an empty next protocol": (having(NEXT_PROTOCOL, b""), Malformed, NO_NTP),
    "next protocol 1": (having(NEXT_PROTOCOL, b"\0\1"), Malformed, NO_NTP),
    "half a next protocol": (having(NEXT_PROTOCOL, b"\0"), Malformed, NO_NTP),
    "next protocols 0 and 1": (having(NEXT_PROTOCOL, b"\0\0\0\1"), Malformed, NO_NTP),
    "next protocol twice": (having(NEXT_PROTOCOL, b"\0\0", b"\0\0"), Malformed, NO_NTP),
    "no AEAD": (having(AEAD), Malformed, NO_AEAD),
    "an empty AEAD": (having(AEAD, b""), Malformed, NO_AEAD),
    "AEAD 16": (having(AEAD, b"\0\x10"), Malformed, NO_AEAD),
    "AEAD 30": (having(AEAD, b"\0\x1e"), Malformed, NO_AEAD),
    "AEADs 15 and 16": (having(AEAD, b"\0\x0f\0\x10"), Malformed, NO_AEAD),
    "AEAD twice": (having(AEAD, b"\0\x0f", b"\0\x0f"), Malformed, NO_AEAD),
    "no cookie": (having(COOKIE), Malformed, NO_COOKIE),
    "an empty cookie": (having(COOKIE, b""), Malformed, NO_COOKIE),
    "a cookie of 1025 bytes": (having(COOKIE, bytes(1025)), Malformed, NO_COOKIE),
    "two servers": (having(SERVER, b"a.test", b"b.test"), Malformed, NO_HOST),
    "an empty server": (having(SERVER, b""), Malformed, NO_HOST),
    "a server of blanks": (having(SERVER, b"  "), Malformed, NO_HOST),
    "two words": (having(SERVER, b"time test"), Malformed, NO_HOST),
    "an empty label": (having(SERVER, b"time..test"), Malformed, NO_HOST),
    "a label of 64 letters": (having(SERVER, b"a" * 64), Malformed, NO_HOST),
    "254 letters": (having(SERVER, b".".join([b"a" * 61] * 4) + b".aaaaaaa"), Malformed, NO_HOST),
    "a zero byte": (having(SERVER, b"time.test\0"), Malformed, NO_HOST),
    "a line end within": (having(SERVER, b"time\n.test"), Malformed, NO_HOST),
    "no ASCII": (having(SERVER, "t\u00edme.test".encode()), Malformed, NO_HOST),
    "a host and a port": (having(SERVER, b"time.test:123"), Malformed, NO_HOST),
    "a URL": (having(SERVER, b"ntp://time.test/"), Malformed, NO_HOST),
    "port 0": (
        having(PORT, b"\0\0"),
        Malformed,
        "NTS-KE: names 1 ports, the first 0: one wanted",
    ),
    "two ports": (
        having(PORT, b"\0\x7b", b"\0\x7c"),
        Malformed,
        "NTS-KE: names 2 ports, the first 123: one wanted",
    ),
    "half a port": (having(PORT, b"\x7b"), Malformed, "NTS-KE record 7: 1 bytes: 2 wanted"),
    "a port of 3 bytes": (
        having(PORT, b"\0\0\x7b"),
        Malformed,
        "NTS-KE record 7: 3 bytes: 2 wanted",
    ),
    "no end": (having(END), Malformed, NO_END),
    "nothing": (b"", Malformed, NO_END),
    "an end and nothing else": (nts_ke.encode([(END, b"", True)]), Malformed, NO_NTP),
    "a host with a blank before it": (
        having(SERVER, b" time.test"),
        Malformed,
        "NTS-KE: names a host with blanks around it",
    ),
    "a body too short": (
        having(END) + bytes.fromhex("0005 0010") + bytes(15),
        Malformed,
        "NTS-KE record 5: ends after 15 bytes",
    ),
}
"""The response with one thing changed, and what the error says of it."""


@pytest.mark.parametrize("name", NO_AGREEMENT)
def test_one_thing_changed_is_an_error_by_name(name: str) -> None:
    """To the letter."""
    data, error, says = NO_AGREEMENT[name]

    with pytest.raises(error) as caught:
        nts_ke.decode(data)

    assert type(caught.value) is error
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("body", "host"),
    [
        (b"time.test", "time.test"),
        (b"time.test.", "time.test."),
        (b"TIME_1.test", "TIME_1.test"),
        (b"192.0.2.1", "192.0.2.1"),
        (b"2001:DB8:0:0::1", "2001:db8::1"),
        (b"a" * 63, "a" * 63),
    ],
)
def test_hosts_that_may_be_named(body: bytes, host: str) -> None:
    """Names, and addresses of both families in their usual spelling."""
    assert nts_ke.decode(having(SERVER, body)).server == host


@pytest.mark.parametrize("length", [1, 2, 100, 1024])
def test_cookies_of_any_length_that_can_be_sent(length: int) -> None:
    """Up to 1024 bytes; those that cannot be are passed over."""
    found = nts_ke.decode(having(COOKIE, b"", bytes(length), bytes(1025)))

    assert found.cookies == (bytes(length),)
    assert nts_ke.usable(bytes(length))


def test_a_request_to_the_byte() -> None:
    """The NTP header with our stamp, identifier, cookie, each field in fours."""
    assert nts.unsealed_request(STAMP, IDENTIFIER, b"abcdefghijklm") == (
        b"\x23"
        + bytes(39)
        + STAMP
        + bytes.fromhex("01040024")
        + IDENTIFIER
        + bytes.fromhex("02040014")
        + b"abcdefghijklm\0\0\0"
    )


def test_an_identifier_to_the_byte() -> None:
    """As a server repeats it."""
    assert nts.identifier_field(IDENTIFIER) == IDENTIFIED == bytes.fromhex("01040024") + IDENTIFIER


def test_an_authenticator_to_the_byte() -> None:
    """Lengths without padding, nonce and ciphertext with it."""
    assert nts.authenticator(b"n" * 15, b"c" * 17) == (
        bytes.fromhex("0404002c 000f0011") + b"n" * 15 + b"\0" + b"c" * 17 + b"\0\0\0"
    )


@given(st.binary(max_size=40), st.binary(max_size=300))
def test_a_sealed_packet_is_taken_apart_again(nonce: bytes, ciphertext: bytes) -> None:
    """Nonce and ciphertext of whatever length come out as they went in."""
    before = nts.unsealed_request(STAMP, IDENTIFIER, A_COOKIE)
    data = before + nts.authenticator(nonce, ciphertext)

    assert nts.take_apart(data) == nts.Sealed(IDENTIFIER, before, nonce, ciphertext)
    assert nts.identifier_of(data) == IDENTIFIER
    assert nts.cookie_of(data) == A_COOKIE
    assert len(data) % 4 == 0


@given(st.lists(st.binary(min_size=12, max_size=30).map(lambda raw: raw[: len(raw) & ~3])))
def test_cookies_survive_the_way_to_the_client(cookies: list[bytes]) -> None:
    """All of them, in their order."""
    assert nts.cookies_in(nts.cookie_fields(cookies)) == tuple(cookies)


def test_cookies_are_found_among_other_fields() -> None:
    """What else a server encrypts is passed over."""
    plaintext = field(0x0304, bytes(96)) + field(0x0204, A_COOKIE) + field(0x4000, bytes(12))

    assert nts.cookies_in(plaintext) == (A_COOKIE,)
    assert nts.cookies_in(b"") == ()


def test_encrypted_fields_may_be_short() -> None:
    """The least length of RFC 7822 is not theirs (RFC 8915 section 5.5): four bytes are a field."""
    plaintext = field(0x4000, b"") + field(0x0204, b"abcd") + field(0x0204, A_COOKIE)

    assert nts.cookies_in(plaintext) == (b"abcd", A_COOKIE)


packets = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.tuples(st.sampled_from([0x0104, 0x0204, 0x0304, 0x0404, 0x1234]), st.binary(max_size=40))
    ).map(lambda fields: reply(*(field(kind, body) for kind, body in fields))),
)


@given(packets)
def test_any_bytes_are_read_or_our_error(data: bytes) -> None:
    """Arbitrary bytes, and arbitrary fields, raise nothing else."""
    assert nts.is_nak(data) in (True, False)
    identifier = nts.identifier_of(data)
    assert identifier is None or identifier in data
    readers: list[Callable[[bytes], object]] = [nts.take_apart, nts.cookie_of, nts.cookies_in]
    for read in readers:
        try:
            read(data)
        except (Malformed, Unverified) as error:
            assert 0 < len(str(error)) <= LONGEST_MESSAGE


@given(packets)
def test_what_is_taken_apart_was_there(data: bytes) -> None:
    """What is authenticated is the packet's beginning, and holds the one identifier."""
    try:
        found = nts.take_apart(data)
    except (Malformed, Unverified):
        return

    assert data.startswith(found.before)
    assert found.identifier == nts.identifier_of(found.before) == nts.identifier_of(data)
    assert len(found.before) + 8 + len(found.nonce) + len(found.ciphertext) <= len(data)


@pytest.mark.parametrize("length", range(len(reply(IDENTIFIED, AUTHENTICATOR))))
def test_a_reply_cut_off_is_no_reply(length: int) -> None:
    """At each byte."""
    with pytest.raises((Malformed, Unverified)):
        nts.take_apart(reply(IDENTIFIED, AUTHENTICATOR)[:length])


NO_REPLIES: dict[str, tuple[bytes, type[SourceError], str]] = {
    "a header": (reply(), Unverified, "the reply is not authenticated"),
    "nothing": (b"", Unverified, "the reply is not authenticated"),
    "no authenticator": (reply(IDENTIFIED), Unverified, "the reply is not authenticated"),
    "no identifier": (reply(AUTHENTICATOR), Malformed, "0 unique identifiers: one wanted"),
    "two identifiers": (
        reply(IDENTIFIED, IDENTIFIED, AUTHENTICATOR),
        Malformed,
        "2 unique identifiers: one wanted",
    ),
    "the identifier behind": (
        reply(AUTHENTICATOR, IDENTIFIED),
        Malformed,
        "0 unique identifiers: one wanted",
    ),
    "half a field's header": (
        reply(IDENTIFIED, b"\4\4\0"),
        Malformed,
        "3 bytes after the last field",
    ),
    "a field's header and no more": (
        reply(IDENTIFIED, field(0x0404, b"")),
        Malformed,
        "field 0x0404 of 4 bytes",
    ),
    "a field of no length": (
        reply(IDENTIFIED, bytes.fromhex("04040000") + bytes(12)),
        Malformed,
        "field 0x0404 of 0 bytes",
    ),
    "a field of 12 bytes": (
        reply(IDENTIFIED, field(0x0404, bytes(8))),
        Malformed,
        "field 0x0404 of 12 bytes",
    ),
    "a field of 17 bytes": (
        reply(IDENTIFIED, field(0x0404, bytes(13))),
        Malformed,
        "field 0x0404 of 17 bytes",
    ),
    "a field beyond the end": (
        reply(IDENTIFIED, bytes.fromhex("04040020") + bytes(24)),
        Malformed,
        "field 0x0404 of 32 bytes",
    ),
    "a nonce beyond the end": (
        reply(IDENTIFIED, field(0x0404, bytes.fromhex("00100000") + bytes(12))),
        Malformed,
        "nonce of 16, ciphertext of 0 bytes",
    ),
    "a ciphertext beyond the end": (
        reply(IDENTIFIED, field(0x0404, bytes.fromhex("00100011") + bytes(32))),
        Malformed,
        "nonce of 16, ciphertext of 17 bytes",
    ),
    "a nonce whose padding is beyond the end": (
        reply(IDENTIFIED, field(0x0404, bytes.fromhex("000d0001") + bytes(16))),
        Malformed,
        "nonce of 13, ciphertext of 1 bytes",
    ),
}
"""What is no reply of NTS, and what the error says of it."""


@pytest.mark.parametrize("name", NO_REPLIES)
def test_what_breaks_a_rule_is_named(name: str) -> None:
    """To the letter."""
    data, error, says = NO_REPLIES[name]

    with pytest.raises(error) as caught:
        nts.take_apart(data)

    assert str(caught.value) == f"NTS: {says}"


def test_only_the_first_authenticator_counts() -> None:
    """Another one, and junk, may follow."""
    data = reply(IDENTIFIED, AUTHENTICATOR)
    other = nts.authenticator(bytes(16), bytes(16))

    expected = nts.Sealed(IDENTIFIER, reply(IDENTIFIED), NONCE, CIPHERTEXT)
    assert nts.take_apart(data) == expected
    assert nts.take_apart(data + other) == nts.take_apart(data + b"junk!") == expected


def test_a_request_without_a_cookie_is_malformed() -> None:
    """By name."""
    with pytest.raises(Malformed, match=r"^NTS: no cookie$"):
        nts.cookie_of(reply(IDENTIFIED, AUTHENTICATOR))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xe4\0" + bytes(10) + b"NTSN" + bytes(32), True),
        (b"\xe4\0" + bytes(10) + b"NTSN", True),
        (b"\xe4\1" + bytes(10) + b"NTSN" + bytes(32), False),
        (b"\xe4\0" + bytes(10) + b"RATE" + bytes(32), False),
        (b"\xe4\0" + bytes(10) + b"NTS", False),
        (b"", False),
    ],
)
def test_what_is_ntsn(data: bytes, expected: bool) -> None:
    """Stratum 0 and that code."""
    assert nts.is_nak(data) is expected
