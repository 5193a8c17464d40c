"""What to do about a refusal, purely: by the verdicts, never cut, and a page has each sentence."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.consensus.rule import Lack, NoAnswer
from drift.consensus.verdict import Verdict
from drift.wording.advice import _PORTS, advice, no_network
from drift.wording.refusal import refusal
from sources import kinds
from sources.base import LONGEST_MESSAGE, Reason
from tests.support.fakes import a_sample
from tests.support.sources.ports import usual_port
from tests.support.troubleshooting import is_of_processes, rows

NOTHING = NoAnswer(Lack.NOTHING, "no votes", "a majority")
QUORUM = NoAnswer(
    Lack.NO_QUORUM, "2 operators of 1 kind can agree on 0 s", "3 operators of 2 kinds"
)
MAJORITY = NoAnswer(Lack.NO_MAJORITY, "at most 2 of 5 votes agree", "more than half")
SLEPT = NoAnswer(
    Lack.SLEPT, "this machine slept 9.0 s during the run", "a run without a pause: ask again"
)

SILENT = "no usable reply before the deadline"
CLOSED = "no connection before the deadline"
UNSENT = "no address can be reached ({} port 123: Network is unreachable)"
UNRESOLVED = (
    "name cannot be resolved: Temporary failure in name resolution; "
    "192.0.2.53 cannot be asked: Network is unreachable"
)
NO_DNS = "name cannot be resolved: Temporary failure in name resolution; 192.0.2.53 did not answer"
KEYS_ONLY = "keys exchanged, but no reply to NTP requests of 228 bytes"
FORBIDDEN = "no address can be reached (192.0.2.1 port 123: Operation not permitted)"
CERTIFICATE = "certificate: self-signed certificate in certificate chain"
PORTS = {"roughtime": ":2002"}


def failed(kind: str, number: int, reason: Reason, text: str) -> list[Verdict]:
    """Return so many sources of a kind that have failed so; {} in the text is their address."""
    return [
        Verdict(
            f"{kind}{n}.example{PORTS.get(kind, '')}",
            f"{kind} {n}",
            kind,
            reason.value,
            text.format(f"192.0.2.{n}"),
        )
        for n in range(number)
    ]


def silent(kind: str, number: int = 3) -> list[Verdict]:
    return failed(kind, number, Reason.TIMEOUT, SILENT)


def alive(kind: str, number: int = 3) -> list[Verdict]:
    """Return so many sources of a kind that have answered."""
    return [
        Verdict(f"{kind}{n}.example", f"{kind} {n}", kind, "undecided", sample=a_sample(0, 1))
        for n in range(number)
    ]


def unsent(kind: str, number: int = 3) -> list[Verdict]:
    return failed(kind, number, Reason.UNREACHABLE, UNSENT)


SITUATIONS: dict[str, tuple[NoAnswer, Sequence[Verdict]]] = {
    "no network: none of 12 sources can be reached from this machine (Network is unreachable)": (
        NOTHING,
        [*unsent("ntp"), *unsent("nts"), *unsent("https"), *unsent("roughtime")],
    ),
    "(No route to host): is the gateway up, or does a firewall reject what is sent?": (
        NOTHING,
        [
            *failed("ntp", 3, Reason.UNREACHABLE, "no address can be reached (No route to host)"),
            *failed("https", 3, Reason.UNREACHABLE, "no address can be reached (No route to host)"),
        ],
    ),
    "names cannot be resolved: is DNS down, or the network": (
        NOTHING,
        [
            *failed("ntp", 4, Reason.UNREACHABLE, NO_DNS),
            *failed("https", 5, Reason.TIMEOUT, "name not resolved before the deadline"),
        ],
    ),
    "a firewall on this machine itself does not let the requests out": (
        NOTHING,
        [*failed("ntp", 3, Reason.UNREACHABLE, FORBIDDEN), *alive("https", 2)],
    ),
    "by https and roughtime there are replies, by ntp none: is UDP port 123 blocked?": (
        QUORUM,
        [*silent("ntp", 5), *alive("https"), *alive("roughtime")],
    ),
    "no reply by ntp: is UDP port 123 blocked, or its servers down?": (NOTHING, silent("ntp")),
    "no reply by UDP at all: does a firewall drop UDP, port 123 and others?": (
        NOTHING,
        [*silent("ntp"), *silent("roughtime")],
    ),
    "nothing gets through, by UDP or TCP: is there a way to the internet?": (
        NOTHING,
        [*silent("ntp"), *silent("roughtime"), *failed("https", 3, Reason.TIMEOUT, CLOSED)],
    ),
    "NTS keys arrive, but its packets of 228 bytes are lost: something on the path": (
        QUORUM,
        [*failed("nts", 6, Reason.TIMEOUT, KEYS_ONLY), *alive("ntp", 2)],
    ),
    "NTS keys arrive by TCP, but nothing by UDP: is UDP port 123 blocked?": (
        NOTHING,
        [*failed("nts", 6, Reason.TIMEOUT, KEYS_ONLY), *silent("ntp", 2)],
    ),
    "no connection by TCP: is TCP port 443 blocked, or a proxy demanded?": (
        QUORUM,
        [*alive("ntp"), *failed("https", 5, Reason.TIMEOUT, CLOSED)],
    ),
    "no connection by TCP: are TCP ports 443 and 4460 blocked, or a proxy demanded?": (
        QUORUM,
        [
            *alive("ntp"),
            *failed("https", 5, Reason.TIMEOUT, CLOSED),
            *failed(
                "nts",
                5,
                Reason.UNREACHABLE,
                "no address can be reached (192.0.2.9 port 4460: Connection refused)",
            ),
        ],
    ),
    "no reply by roughtime: is UDP port 2002 blocked?": (
        QUORUM,
        [*alive("ntp", 2), *silent("roughtime")],
    ),
    "no certificate holds: does a firewall open TLS? ca_file names its CA": (
        QUORUM,
        [*alive("ntp"), *failed("https", 5, Reason.UNVERIFIED, CERTIFICATE)],
    ),
    "a server that admits to be off by more than 1 s has no good time itself": (
        QUORUM,
        [
            *alive("ntp", 2),
            *failed("ntp", 2, Reason.TOO_WIDE, "root distance of 10.0 s: at most 1 s wanted"),
        ],
    ),
    "asked too often from this address: measure less often": (
        QUORUM,
        [*alive("https", 2), *failed("ntp", 3, Reason.REFUSED, "kiss-o'-death RATE")],
    ),
    "sources contradict each other: --explain shows which": (MAJORITY, alive("ntp", 5)),
    "this machine slept 9.0 s during the run": (SLEPT, alive("ntp", 5)),
}


@pytest.mark.parametrize("wanted", SITUATIONS)
def test_the_line_ends_with_what_to_do(wanted: str) -> None:
    """For each situation, one sentence; the last of the line, so that it is found."""
    decision, verdicts = SITUATIONS[wanted]
    line = refusal(decision, verdicts)

    assert wanted in line
    assert whole(line)


def whole(line: str) -> bool:
    """Whether a line fits, with what stands before it, and is not cut."""
    fits = len(f"TIME DRIFT UNKNOWN - {line}\n".encode()) < 512
    return fits and not line.endswith("...")


def test_without_a_network_there_is_one_sentence() -> None:
    """The same error of each source is said once, and nobody is said to have answered."""
    everybody = [
        *unsent("ntp"),
        *failed("nts", 3, Reason.UNREACHABLE, UNRESOLVED),
        *failed("https", 3, Reason.TIMEOUT, f"name not resolved before the deadline: {UNRESOLVED}"),
        *failed("roughtime", 2, Reason.TIMEOUT, "did not answer, 3 in a row: until 60 s from now"),
        Verdict("r", "R", "roughtime", "unavailable", "cryptography cannot be loaded: noexec"),
    ]

    assert refusal(NOTHING, everybody) == (
        "no answer: no network: none of 12 sources can be reached from this machine "
        "(Network is unreachable): check its interface, its address and its default route"
    )


@pytest.mark.parametrize(
    "other",
    [
        alive("ntp", 1),
        silent("ntp", 1),
        failed(
            "ntp",
            1,
            Reason.UNREACHABLE,
            "no address can be reached (192.0.2.1 port 123: "
            "Connection refused; 2001:db8::1 port 123: Network is unreachable)",
        ),
        failed(
            "ntp", 1, Reason.TIMEOUT, f"{SILENT} (2001:db8::1 port 123: Network is unreachable)"
        ),
        failed("https", 1, Reason.UNVERIFIED, CERTIFICATE),
        failed("ntp", 1, Reason.UNREACHABLE, "name cannot be resolved: Name or service not known"),
    ],
)
def test_one_that_got_out_shows_a_network(other: list[Verdict]) -> None:
    """As soon as anything shows that packets leave this machine, it is something else."""
    assert no_network([*unsent("ntp"), *other]) is None


def test_names_that_fail_alone_are_no_proof() -> None:
    """A DNS server that does not answer is not the whole network."""
    assert no_network(failed("ntp", 3, Reason.UNREACHABLE, NO_DNS)) is None


def test_an_answer_by_nts_shows_that_udp_123_is_open() -> None:
    """It uses the same port, with larger packets."""
    assert "123" not in advice(QUORUM, [*silent("ntp"), *alive("nts", 1)])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("192.0.2.1:1123", "192.0.2.2:1123"), "is UDP port 1123 blocked"),
        (("[2001:db8::1]:1123", "2001:db8::2"), "are UDP ports 123 and 1123 blocked"),
        (tuple(f"a:{n}" for n in range(1, 9)), "are UDP ports 1, 2, 3 and others blocked"),
        (("2001:db8::123",), "is UDP port 123 blocked"),
    ],
)
def test_the_ports_are_those_that_were_asked(names: tuple[str, ...], said: str) -> None:
    """A name shows its port where that is not the usual one."""
    verdicts = [Verdict(name, name, "ntp", "timeout", SILENT) for name in names]

    assert said in advice(NOTHING, verdicts)


def test_equal_reasons_of_several_kinds_are_one_group() -> None:
    """Said once for all of them, addresses left out, which would make each another reason."""
    refused = "no address can be reached ({} port 123: Connection refused)"
    both = [
        *failed("ntp", 2, Reason.UNREACHABLE, refused),
        *failed("nts", 2, Reason.UNREACHABLE, refused),
    ]
    line = refusal(NOTHING, [*both, *silent("https", 1)])

    assert line.count("Connection refused") == 1
    assert (
        "; ntp, nts unreachable: ntp0.example, ntp1.example, nts0.example and 1 more "
        "(no address can be reached (Connection refused)); https timeout: https0.example ("
    ) in line


def test_a_reason_of_one_keeps_its_addresses() -> None:
    """Where only one source has it, which of its addresses said what is worth knowing."""
    line = refusal(QUORUM, [*alive("ntp"), *unsent("https", 1)])

    assert "(no address can be reached (192.0.2.0 port 123: Network is unreachable))" in line


def test_the_usual_ports_are_those_of_the_kinds() -> None:
    """Each kind whose ports are named in an advice has its own constant; here they are alike."""
    assert {kind: usual_port(kind) for kind in _PORTS} == _PORTS


_TEXTS = st.sampled_from(
    [SILENT, CLOSED, UNSENT, UNRESOLVED, NO_DNS, KEYS_ONLY, "é" * 400]
) | st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=LONGEST_MESSAGE)
_VERDICTS = st.builds(
    lambda name, kind, word, text: Verdict(name, "O", kind, word, text),
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=253),
    st.sampled_from(kinds()),
    st.sampled_from([*(reason.value for reason in Reason), "undecided", "some new word"]),
    _TEXTS,
)


@given(
    st.lists(_VERDICTS, min_size=1, max_size=60),
    st.sampled_from([NOTHING, QUORUM, MAJORITY, SLEPT]),
)
def test_the_line_fits_and_what_to_do_is_never_cut(
    verdicts: list[Verdict], decision: NoAnswer
) -> None:
    """Whatever the names and the reasons, and however many: they are shortened first."""
    line = refusal(decision, verdicts)

    assert len(f"TIME DRIFT UNKNOWN - {line}\n".encode()) < 512
    if no_network(verdicts) is None:
        assert decision.found in line
        assert line.endswith(advice(decision, verdicts))


def pattern_of(row: str) -> str:
    """Return what a row of the table matches: `...` stands for anything."""
    return ".*".join(re.escape(part.strip()) for part in row.split("..."))


@pytest.mark.parametrize("row", [row for row in rows() if not is_of_processes(row)])
def test_every_row_of_the_tables_is_said(row: str) -> None:
    """What the page explains is what the program says, to the letter."""
    lines = [refusal(*situation) for situation in (*SITUATIONS.values(), *MORE)]

    assert [line for line in lines if re.search(pattern_of(row), line)], row


MORE: list[tuple[NoAnswer, Sequence[Verdict]]] = [
    (
        NoAnswer(
            Lack.NO_QUORUM, "2 operators of 2 kinds can agree on 0 s", "3 operators of 2 kinds"
        ),
        alive("ntp", 2),
    ),
    (
        NoAnswer(
            Lack.NO_QUORUM, "5 operators of 1 kind can agree on 0 s", "3 operators of 2 kinds"
        ),
        alive("ntp", 5),
    ),
    (QUORUM, failed("https", 2, Reason.STALE, "from a cache: Age: 17")),
    (
        QUORUM,
        failed("ntp", 1, Reason.REFUSED, "kiss-o'-death RATE, 2 in a row: until 60 s from now"),
    ),
    (QUORUM, [*alive("ntp"), *failed("https", 1, Reason.UNVERIFIED, CERTIFICATE)]),
    (QUORUM, [*alive("ntp"), *failed("ntp", 1, Reason.UNREACHABLE, NO_DNS)]),
    (
        NoAnswer(
            Lack.UNREFINED,
            "0 to 1 s possible, asking again failed: connection closed",
            "one integer",
        ),
        alive("https"),
    ),
    (
        QUORUM,
        [
            *alive("ntp"),
            *failed("nts", 1, Reason.UNAVAILABLE, "cryptography cannot be loaded: ImportError: no"),
        ],
    ),
    (
        QUORUM,
        [*alive("https"), *failed("ntp", 1, Reason.MALFORMED, "receive timestamp 0")],
    ),
    (
        QUORUM,
        [
            *alive("https"),
            *failed("ntp", 1, Reason.TIMEOUT, f"{SILENT}: 3 replies came, none to our request"),
        ],
    ),
    (
        QUORUM,
        [
            *alive("https"),
            *failed("ntp", 1, Reason.UNREACHABLE, "leads to this machine (0.0.0.0)"),
            *failed("ntp", 1, Reason.DUPLICATE, "same address as ntp b.example (203.0.113.7)"),
        ],
    ),
]


@pytest.mark.parametrize("wanted", SITUATIONS)
def test_every_advice_is_in_the_table(wanted: str) -> None:
    """Whoever gets the line finds it in the page."""
    line = refusal(*SITUATIONS[wanted])
    reported = (
        line.partition("no answer: ")[2] if "no network" in line else line.rpartition("; ")[2]
    )

    assert [
        row for row in rows() if re.search(pattern_of(row), reported)
    ] or reported == "run it again"
