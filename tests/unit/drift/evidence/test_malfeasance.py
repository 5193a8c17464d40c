"""What a chain of Roughtime responses proves, and whom it convicts."""

import base64
import json
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.evidence.malfeasance import (
    Judgement,
    Link,
    Unreadable,
    chained_nonce,
    described,
    judge,
    parse,
    to_json,
)
from lab.roughtime import Signer
from sources.clock import NS
from sources.record import Record
from sources.roughtime.wire_dialects import DIALECTS, Framing, encode_request, framing_of, nonce_of
from tests.conftest import ROOT

VECTORS = ROOT / "tests/vectors" / "roughtime"
NOW_NS = 1_795_400_000 * NS
HOUR_S = 3600
FLIPPED = 40
"""How many bits of a field are flipped, one at a time."""


class Server(Record):
    """A key, and the version it answers in; None is Google's dialect."""

    signer: Signer
    version: int | None = 1

    @property
    def key(self) -> bytes:
        return self.signer.public_key

    @property
    def framing(self) -> Framing:
        return Framing.GOOGLE if self.version is None else Framing.IETF

    def says(self, off_s: float, radius_s: float = 1) -> "Said":
        return Said(self, off_s, radius_s)


class Said(Record):
    """What a server answers: a time so many seconds after the truth, and a radius."""

    server: Server
    off_s: float
    radius_s: float


RFC = Server(Signer())
ORIGINAL = Server(Signer(), None)
DRAFT_7 = Server(Signer(), 0x8000_0007)
DRAFT_11 = Server(Signer(), 0x8000_000B)
LIAR = Server(Signer(), 0x8000_000C)
HONEST = (RFC, ORIGINAL, DRAFT_7, DRAFT_11)


def link(said: Said, nonce: bytes, rand: bytes | None) -> Link:
    """Return the exchange in which a server says this to a request with this nonce."""
    server = said.server
    request = encode_request(server.framing, nonce, server.key)
    response = server.signer.respond(
        request, server.version, NOW_NS + round(said.off_s * NS), round(said.radius_s * NS)
    )
    return Link(server.key, request, response, rand)


def chain(*all_said: Said) -> list[Link]:
    """Return the exchanges with these servers, each nonce made from the response before."""
    randomness = random.Random(8)  # noqa: S311 - a test that can be repeated
    links: list[Link] = []
    for said in all_said:
        framing = said.server.framing
        rand = randomness.randbytes(framing.nonce_bytes)
        nonce = chained_nonce(framing, links[-1].response, rand) if links else rand
        links.append(link(said, nonce, rand if links else None))
    return links


def base64_of(server: Server) -> str:
    return base64.b64encode(server.key).decode()


def flipped(data: bytes, bit: int) -> bytes:
    found = bytearray(data)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


def assert_proves_nothing(judgement: Judgement, *words: str) -> None:
    assert judgement.flaw is not None
    assert (judgement.replies, judgement.contradictions, judgement.convicted) == ((), (), None)
    for word in words:
        assert word in judgement.flaw


# --- What is proven -------------------------------------------------------------------------------


def test_a_consistent_chain_proves_nothing() -> None:
    """Honest servers of every dialect, twice in the same order: all verified, nothing proven."""
    links = chain(*(server.says(0.25 * n) for n, server in enumerate(HONEST * 2)))

    judgement = judge(links)

    assert (judgement.flaw, judgement.contradictions, judgement.convicted) == (None, (), None)
    assert len(judgement.replies) == len(links)
    assert {reply.dialect.name for reply in judgement.replies} == {
        "RFC 10049",
        "Google's",
        "draft 7",
        "draft 8-11",
    }


@pytest.mark.parametrize("version", [None, *DIALECTS])
@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S], ids=["ahead", "behind"])
def test_a_liar_between_honest_ones_is_convicted(version: int | None, off_s: float) -> None:
    """In every version: what comes after proves a liar ahead, what came before one behind."""
    liar = Server(Signer(), version)
    before, after = (RFC.says(0), ORIGINAL.says(0)), (RFC.says(0), ORIGINAL.says(0))

    judgement = judge(chain(*before, liar.says(off_s), *after))

    assert judgement.flaw is None
    assert judgement.contradictions == (((2, 3), (2, 4)) if off_s > 0 else ((0, 2), (1, 2)))
    assert judgement.convicted == liar.key


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S], ids=["ahead", "behind"])
def test_a_chain_gone_through_twice_convicts_wherever_the_liar_stands(
    place: int, off_s: float
) -> None:
    """The RFC's way: three honest ones and a liar, in the same order twice (section 8.2)."""
    once = [RFC.says(0), ORIGINAL.says(0), DRAFT_11.says(0)]
    once.insert(place, LIAR.says(off_s))

    assert judge(chain(*once, *once)).convicted == LIAR.key


def test_of_two_keys_one_lied_but_not_which() -> None:
    """Two servers that contradict each other, however often, convict nobody."""
    links = chain(RFC.says(0), LIAR.says(HOUR_S), RFC.says(0), LIAR.says(HOUR_S))

    judgement = judge(links)

    assert judgement.contradictions == ((1, 2),)
    assert judgement.convicted is None


def test_two_liars_are_not_one() -> None:
    """Where no key has a part in every contradiction, nobody is convicted."""
    other = Server(Signer())
    links = chain(LIAR.says(HOUR_S), RFC.says(0), other.says(-HOUR_S), ORIGINAL.says(0))

    judgement = judge(links)

    assert judgement.contradictions == ((0, 1), (0, 2), (1, 2), (0, 3))
    assert judgement.convicted is None


def test_a_key_that_contradicts_itself_is_convicted() -> None:
    """The same key twice, first an hour ahead: no other server is needed."""
    judgement = judge(chain(LIAR.says(HOUR_S), LIAR.says(0)))

    assert judgement.contradictions == ((0, 1),)
    assert judgement.convicted == LIAR.key


def test_a_key_that_says_later_times_later_is_honest() -> None:
    """The same key twice, in the order of its times, proves nothing."""
    judgement = judge(chain(LIAR.says(0), LIAR.says(HOUR_S)))

    assert (judgement.flaw, judgement.contradictions) == (None, ())


@pytest.mark.parametrize("later", HONEST, ids=lambda server: repr(server.version))
@pytest.mark.parametrize("earlier", HONEST, ids=lambda server: repr(server.version))
def test_times_that_touch_are_no_contradiction(earlier: Server, later: Server) -> None:
    """MIDP - RADI equal to the later MIDP + RADI is consistent; a second more is not."""
    touching = judge(chain(earlier.says(5, radius_s=2), later.says(0, radius_s=3)))
    apart = judge(chain(earlier.says(6, radius_s=2), later.says(0, radius_s=3)))

    assert (touching.flaw, touching.contradictions) == (None, ())
    assert apart.contradictions == ((0, 1),)


def test_a_microsecond_apart_contradicts() -> None:
    """In Google's dialect, which has them, one microsecond makes the difference."""
    first = ORIGINAL.says(2.000_001)

    assert judge(chain(first, DRAFT_7.says(0))).contradictions == ((0, 1),)


def test_the_example_of_the_rfc_convicts_the_server_that_was_ahead() -> None:
    """Appendix B: the first server is a day ahead of the two after it, whose chain holds."""
    rands = (
        None,
        base64.b64decode("v/DirVBRQLGtictYD7mN3px02UlMT4J3haTRomt1NNM="),
        base64.b64decode("lMvMVoLsakxc5ZmMzEFQ8hh1FaDo2gCXXIX/L4QPSxQ="),
    )
    links = []
    for number, rand in enumerate(rands, start=1):
        tree = json.loads((VECTORS / f"report-{number}.json").read_text())
        key, request, response = (
            base64.b64decode(tree[name]) for name in ("public_key", "request", "response")
        )
        links.append(Link(key, request, response, rand))

    judgement = judge(links)

    assert judgement.flaw is None
    assert judgement.contradictions == ((0, 1), (0, 2))
    assert judgement.convicted == links[0].public_key


# --- What does not hold ---------------------------------------------------------------------------

PROOF = chain(RFC.says(0), ORIGINAL.says(0), LIAR.says(HOUR_S), RFC.says(0), ORIGINAL.says(0))
OLD_PROOF = chain(
    DRAFT_7.says(0), DRAFT_11.says(0), LIAR.says(HOUR_S), DRAFT_11.says(0), RFC.says(0)
)
PROOFS = {"new": PROOF, "old": OLD_PROOF}


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("field", ["response", "request", "rand", "public_key"])
@pytest.mark.parametrize("name", PROOFS)
def test_one_flipped_bit_proves_nothing(name: str, field: str, number: int) -> None:
    """In any field of any entry, as far as anything vouches for it.

    Nothing does for the first rand, nor, in dialects that hash the nonce alone, for what surrounds
    the nonce in a request.
    """
    links = PROOFS[name]
    assert judge(links).convicted == LIAR.key
    data: bytes = getattr(links[number], field) or b""
    nonce_only = field == "request" and not judge(links).replies[number].dialect.leaf_is_request
    nonce = nonce_of(framing_of(data), data) if nonce_only else data
    begin = data.index(nonce)
    bits = range(8 * begin, 8 * (begin + len(nonce)))
    randomness = random.Random(number)  # noqa: S311 - a test that can be repeated
    for bit in randomness.sample(bits, min(FLIPPED, len(bits))):
        broken = list(links)
        broken[number] = broken[number].replaced(**{field: flipped(data, bit)})

        assert_proves_nothing(judge(broken))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_what_surrounds_the_nonce_cannot_turn_a_proof_around(number: int) -> None:
    """Any bit of an old request flipped: nothing is proven, or what was proven before."""
    request = OLD_PROOF[number].request
    randomness = random.Random(number)  # noqa: S311 - a test that can be repeated
    for bit in randomness.sample(range(8 * len(request)), FLIPPED):
        broken = list(OLD_PROOF)
        broken[number] = broken[number].replaced(request=flipped(request, bit))

        judgement = judge(broken)

        assert judgement.convicted == (None if judgement.flaw else LIAR.key)


Edit = Callable[[list[Link]], Sequence[Link]]
EDITS: dict[str, tuple[Edit, str]] = {
    "swapped": (lambda ls: [ls[0], ls[2], ls[1], *ls[3:]], "request 2: "),
    "backwards": (lambda ls: ls[::-1], "request 2: "),
    "last two swapped": (lambda ls: [*ls[:3], ls[4], ls[3]], "request 4: "),
    "the middle dropped": (lambda ls: [*ls[:2], *ls[3:]], "request 3: "),
    "the second dropped": (lambda ls: [ls[0], *ls[2:]], "request 2: "),
    "one repeated": (lambda ls: [*ls, ls[-1]], "request 6: "),
    "a foreign rand": (
        lambda ls: [*ls[:2], ls[2].replaced(rand=bytes(32)), *ls[3:]],
        "request 3: ",
    ),
    "no rand": (lambda ls: [*ls[:4], ls[4].replaced(rand=None)], "request 5: "),
    "a rand cut short": (
        lambda ls: [*ls[:3], ls[3].replaced(rand=(ls[3].rand or b"")[:-1]), ls[4]],
        "request 4: ",
    ),
    "unchained": (lambda ls: [*ls[:3], *chain(RFC.says(0))], "request 4: "),
    "another's key": (lambda ls: [*ls[:2], ls[2].replaced(public_key=RFC.key)], "response 3: "),
    "a key cut short": (
        lambda ls: [ls[0].replaced(public_key=RFC.key[:-1]), *ls[1:]],
        "response 1: ",
    ),
    "another's response": (
        lambda ls: [*ls[:4], ls[4].replaced(response=ls[1].response)],
        "response 5: ",
    ),
    "an empty response": (lambda ls: [*ls[:4], ls[4].replaced(response=b"")], "response 5: "),
    "an empty request": (lambda ls: [ls[0].replaced(request=b""), *ls[1:]], "response 1: "),
    "signed, but RADI is 0": (
        lambda ls: [*ls[:2], *chain(ORIGINAL.says(0, radius_s=0))],
        "response 3: ",
    ),
}
"""What can be done to a proof, and how the flaw begins that names what no longer holds."""


@pytest.mark.parametrize("name", EDITS)
def test_a_chain_that_is_not_whole_proves_nothing(name: str) -> None:
    """What is swapped, dropped or foreign is named by its number, counted from 1."""
    edit, begins = EDITS[name]

    judgement = judge(edit(list(PROOF)))

    assert_proves_nothing(judgement)
    assert judgement.flaw is not None
    assert judgement.flaw.startswith(begins), judgement.flaw


def test_the_end_of_a_proof_cut_off_proves_less_not_something_else() -> None:
    """Cut off before somebody contradicts, nothing is proven; after one, not who it was."""
    assert judge(PROOF[:3]).contradictions == ()
    assert judge(PROOF[:4]).contradictions == ((2, 3),)
    assert judge(PROOF[:4]).convicted is None
    assert judge(PROOF[:1]).flaw is None


def test_nonces_are_as_long_as_the_form_has_them() -> None:
    """SHA-512 of the response before and rand: 64 bytes for Google's dialect, else the first 32."""
    long = chained_nonce(Framing.GOOGLE, b"response", b"rand")

    assert len(long) == 64
    assert chained_nonce(Framing.IETF, b"response", b"rand") == long[:32]
    assert nonce_of(Framing.GOOGLE, PROOF[1].request) == chained_nonce(
        Framing.GOOGLE, PROOF[0].response, PROOF[1].rand or b""
    )


# --- The file -------------------------------------------------------------------------------------


def changed(number: int, **values: object) -> str:
    """Return the proof's report with values of an entry replaced, and dropped where None."""
    tree = json.loads(to_json(PROOF))
    entry = tree["responses"][number]
    for key, value in values.items():
        entry[key] = value
        if value is None:
            del entry[key]
    return json.dumps(tree)


def test_a_report_survives_the_way_to_json_and_back() -> None:
    """Every byte, with and without a rand in the first entry; four keys, all base64."""
    with_rand = [PROOF[0].replaced(rand=b"\xff\0"), *PROOF[1:]]

    entries = json.loads(to_json(with_rand))["responses"]

    assert parse(to_json(PROOF)) == PROOF
    assert parse(to_json(with_rand)) == with_rand
    assert [set(e) for e in entries] == [{"rand", "publicKey", "request", "response"}] * 5
    assert "rand" not in json.loads(to_json(PROOF))["responses"][0]
    assert base64.b64decode(entries[2]["response"], validate=True) == PROOF[2].response


def test_what_else_stands_in_a_report_is_no_matter() -> None:
    """Further keys, of other clients' making, are ignored."""
    tree = json.loads(changed(1, comment=["any", 1])) | {"version": 7}

    assert parse(json.dumps(tree)) == PROOF


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n      ", "\t"])
def test_line_breaks_in_strings_are_taken(ending: str) -> None:
    """The RFC prints its example in lines of 72 letters, which strict JSON does not allow."""
    text = to_json(PROOF)
    for found in PROOF:
        letters = base64.b64encode(found.response).decode()
        lines = [letters[i : i + 72] for i in range(0, len(letters), 72)]
        text = text.replace(letters, ending.join(lines))

    assert parse(text) == PROOF


NO_REPORTS: dict[str, tuple[str, str]] = {
    "nothing": ("", "not JSON: "),
    "words": ("malfeasance", "not JSON: "),
    "cut off": (to_json(PROOF)[:-10], "not JSON: "),
    "too deep": ("[" * 100_000, "not JSON: "),
    "a number of too many digits": ('{"responses": [' + "1" * 5000 + "]}", "not JSON: "),
    "a list": ("[]", 'no list "responses"'),
    "null": ("null", 'no list "responses"'),
    "an empty object": ("{}", 'no list "responses"'),
    "no responses": ('{"responses": []}', 'no list "responses"'),
    "responses that are an object": ('{"responses": {"a": 1}}', 'no list "responses"'),
    "responses that are text": ('{"responses": "text"}', 'no list "responses"'),
    "an entry that is a list": ('{"responses": [[]]}', "response 1: not an object"),
    "an entry that is null": (
        json.dumps({"responses": [*json.loads(to_json(PROOF))["responses"], None]}),
        "response 6: not an object",
    ),
    "no publicKey": (changed(0, publicKey=None), 'response 1: "publicKey" is not base64'),
    "no request": (changed(1, request=None), 'response 2: "request" is not base64'),
    "no response": (changed(4, response=None), 'response 5: "response" is not base64'),
    "no rand in the second": (changed(1, rand=None), 'response 2: "rand" is not base64'),
    "a number for a string": (changed(2, request=7), 'response 3: "request" is not base64'),
    "a list for a string": (changed(2, rand=["AA=="]), 'response 3: "rand" is not base64'),
    "a first rand that is a number": (changed(0, rand=1.5), 'response 1: "rand" is not base64'),
    "a first rand that is nothing": (
        changed(0, rand="null").replace('"null"', "null"),
        'response 1: "rand" is not base64',
    ),
    "no base64": (changed(0, publicKey="!"), 'response 1: "publicKey" is not base64'),
    "base64 for URLs": (changed(0, publicKey="-_-_"), 'response 1: "publicKey" is not base64'),
    "padding forgotten": (changed(0, publicKey="AAA"), 'response 1: "publicKey" is not base64'),
    "letters beyond ASCII": (changed(3, rand="\xe4\xf6\ud800"), 'response 4: "rand" is not base64'),
}
"""What is no report, and what is said of it."""


@pytest.mark.parametrize("name", NO_REPORTS)
def test_what_is_no_report_is_unreadable(name: str) -> None:
    """The error says what was found, in which entry, and what is wanted."""
    text, begins = NO_REPORTS[name]

    with pytest.raises(Unreadable) as caught:
        parse(text)

    assert str(caught.value).startswith(begins)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
entries = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("publicKey", "request", "response", "rand"), values),
)


@given(
    st.text()
    | values.map(json.dumps)
    | st.lists(entries | values, max_size=3).map(lambda found: json.dumps({"responses": found}))
)
def test_any_text_is_a_report_or_unreadable(text: str) -> None:
    """Arbitrary text never raises anything else, and what is a report can be judged."""
    try:
        links = parse(text)
    except Unreadable as error:
        assert str(error)
        return

    judgement = judge(links)

    assert judgement.contradictions == ()
    assert described(links, judgement)[-1].startswith("This proves nothing: ")


# --- In words -------------------------------------------------------------------------------------


def lines_of(*all_said: Said) -> list[str]:
    links = chain(*all_said)
    return described(links, judge(links))


def test_a_conviction_in_words() -> None:
    """Every key in its order with its time, radius and dialect, contradictions, who lied."""
    lines = lines_of(
        RFC.says(0), ORIGINAL.says(0), LIAR.says(HOUR_S, radius_s=3), RFC.says(1), DRAFT_7.says(1)
    )

    assert lines == [
        f"1. {base64_of(RFC)} signed 2026-11-23T02:13:20+00:00 +- 1 s (RFC 10049)",
        f"2. {base64_of(ORIGINAL)} signed 2026-11-23T02:13:20+00:00 +- 1 s (Google's)",
        f"3. {base64_of(LIAR)} signed 2026-11-23T03:13:20+00:00 +- 3 s (draft 12-19)",
        f"4. {base64_of(RFC)} signed 2026-11-23T02:13:21+00:00 +- 1 s (RFC 10049)",
        f"5. {base64_of(DRAFT_7)} signed 2026-11-23T02:13:21+00:00 +- 1 s (draft 7)",
        "Response 3 came before response 4, but says a later time.",
        "Response 3 came before response 5, but says a later time.",
        f"This convicts {base64_of(LIAR)}: without it nothing contradicts, "
        "unless the others lied together.",
    ]


def test_a_lie_without_a_liar_in_words() -> None:
    """Two keys: both are named, and that it was one of them."""
    lines = lines_of(LIAR.says(HOUR_S), RFC.says(0))

    assert [line[:2] for line in lines[:2]] == ["1.", "2."]
    assert base64_of(LIAR) in lines[0]
    assert base64_of(RFC) in lines[1]
    assert lines[-1] == "This proves that one of the servers lied, but not which."


def test_consistent_times_in_words() -> None:
    """Nothing proven: the times all the same, and why."""
    lines = lines_of(RFC.says(0), LIAR.says(0.25))

    assert len(lines) == 3
    assert lines[-1] == "This proves nothing: the times are consistent with their order."


def test_a_flaw_in_words() -> None:
    """What does not hold is named, and nobody is."""
    links = [PROOF[0], *PROOF[2:]]
    lines = described(links, judge(links))

    assert lines == ["This proves nothing: request 2: its nonce is not made from response 1"]


@pytest.mark.parametrize(
    ("unix_s", "shown"),
    [
        (86_400, "1970-01-02T00:00:00+00:00"),
        (253_402_300_799, "9999-12-31T23:59:59+00:00"),
        (253_402_300_800, "253402300800 s after 1970"),
        (2**64 - 100_000, "18446744073709451616 s after 1970"),
    ],
)
def test_a_time_that_no_calendar_has_is_reported_all_the_same(unix_s: int, shown: str) -> None:
    """A liar may claim any seconds that 64 bits hold; it is described them, and convicted."""
    lines = lines_of(LIAR.says(unix_s - NOW_NS // NS), LIAR.says(0), RFC.says(0))

    assert f"signed {shown} +- 1 s" in lines[0]
    assert (lines[-1].startswith("This convicts ")) == (unix_s * NS > NOW_NS)
